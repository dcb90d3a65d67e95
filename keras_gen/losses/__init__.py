"""Losses, penalties, divergences and likelihoods: pure functions of tensors."""

from keras_gen.losses.adversarial import (
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
)

__all__ = ["minimax_discriminator", "minimax_generator", "non_saturating_generator"]
