"""Losses: pure functions of tensors, with the formula in each docstring."""

from keras_gen.losses.adversarial import (
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
)
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
    discretized_logistic_log_likelihood,
    gaussian_log_likelihood,
)

__all__ = [
    "bernoulli_kl_to_uniform",
    "bernoulli_log_likelihood",
    "categorical_kl_to_uniform",
    "discretized_logistic_log_likelihood",
    "gaussian_kl",
    "gaussian_kl_between",
    "gaussian_log_likelihood",
    "jensen_shannon_monte_carlo",
    "log_normal_kl",
    "minimax_discriminator",
    "minimax_generator",
    "non_saturating_generator",
    "skew_geometric_jensen_shannon",
]
