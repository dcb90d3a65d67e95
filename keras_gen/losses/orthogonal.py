"""Orthogonal regularization: a penalty on a kernel whose outputs are not orthogonal."""

from keras import ops


def orthogonal_penalty(kernel, diagonal=False):
    """||W^T W * (1 - I)||_F^2, the squared inner products of each two outputs' weights.

    Brock et al. 2019, arXiv:1809.11096, eq. 3, without its factor beta, there 1e-4. `W` is the
    kernel as a matrix with a column for each output. With `diagonal`, ||W^T W - I||_F^2 (eq. 2;
    Brock et al. 2017, arXiv:1609.07093), which also holds each output's weights at length 1.

    Args:
        kernel: `(..., inputs, outputs)`, of a dense layer or a convolution.
        diagonal: whether the diagonal counts.

    Returns:
        Scalar, at least 0; 0 for orthogonal columns, which `diagonal` wants of length 1.
    """
    outputs = kernel.shape[-1]
    matrix = ops.reshape(kernel, (-1, outputs))  # (inputs, outputs)
    squared_lengths = ops.sum(ops.square(matrix), axis=0)
    if matrix.shape[0] >= outputs:
        products = ops.matmul(ops.transpose(matrix), matrix)  # (outputs, outputs)
        wanted = ops.eye(outputs, dtype=kernel.dtype) if diagonal else ops.diag(squared_lengths)
        return ops.sum(ops.square(products - wanted))
    # Fewer inputs than outputs: W W^T is smaller than W^T W, and of the same norm.
    squares = ops.sum(ops.square(ops.matmul(matrix, ops.transpose(matrix))))
    if diagonal:
        return squares - 2.0 * ops.sum(squared_lengths) + outputs
    return squares - ops.sum(ops.square(squared_lengths))
