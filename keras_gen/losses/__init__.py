"""Losses: pure functions of tensors, with the formula in each docstring."""

from keras_gen.losses.adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
    wasserstein_critic,
    wasserstein_generator,
)
from keras_gen.losses.distances import mean_absolute_difference
from keras_gen.losses.divergences import (
    bernoulli_kl_to_uniform,
    categorical_kl_to_uniform,
    gaussian_kl,
    gaussian_kl_between,
    jensen_shannon_monte_carlo,
    log_normal_kl,
    skew_geometric_jensen_shannon,
)
from keras_gen.losses.likelihoods import (
    bernoulli_log_likelihood,
    categorical_log_likelihood,
    discretized_logistic_log_likelihood,
    gaussian_log_likelihood,
    logistic_mixture_log_likelihood,
)
from keras_gen.losses.orthogonal import orthogonal_penalty
from keras_gen.losses.penalties import (
    clip_weights,
    dragan_noise,
    dragan_penalty,
    drift_penalty,
    gradient_penalty,
    mixing_weights,
    r1_penalty,
)
from keras_gen.losses.smoothness import total_variation

__all__ = [
    "bernoulli_kl_to_uniform",
    "bernoulli_log_likelihood",
    "categorical_kl_to_uniform",
    "categorical_log_likelihood",
    "clip_weights",
    "discretized_logistic_log_likelihood",
    "dragan_noise",
    "dragan_penalty",
    "drift_penalty",
    "gaussian_kl",
    "gaussian_kl_between",
    "gaussian_log_likelihood",
    "gradient_penalty",
    "hinge_discriminator",
    "hinge_generator",
    "jensen_shannon_monte_carlo",
    "least_squares_discriminator",
    "least_squares_generator",
    "logistic_mixture_log_likelihood",
    "log_normal_kl",
    "mean_absolute_difference",
    "minimax_discriminator",
    "minimax_generator",
    "mixing_weights",
    "non_saturating_generator",
    "orthogonal_penalty",
    "r1_penalty",
    "skew_geometric_jensen_shannon",
    "total_variation",
    "wasserstein_critic",
    "wasserstein_generator",
]
