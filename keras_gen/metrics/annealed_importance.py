"""Annealed importance sampling of log p(x) of a decoder with a prior.

Neal 2001, Annealed importance sampling, Statistics and Computing 11; for decoders Wu, Burda,
Salakhutdinov and Grosse 2017, On the quantitative analysis of decoder-based generative models,
arXiv:1611.04273. It needs no encoder, so it measures models whose posterior has no density.

A chain of latents moves from the prior to the posterior of an image through densities

    f_t(z) = p(z) p(x | z)^beta_t,   0 = beta_0 < ... < beta_T = 1

by steps that leave each f_t unchanged, and collects a weight (Neal, eq. 11):

    log w = sum_t (beta_t - beta_{t-1}) log p(x | z_{t-1}),   E[w] = p(x)

The logarithm of the mean of w over K chains is a lower bound of log p(x) in expectation, and tends
to it as T or K grow.

Shapes: latents (K, B, D), K chains for each of B images; logarithms of densities (K, B), in nats.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

_WANTED_ACCEPTANCE = 0.65  # of Hamiltonian Monte Carlo: Neal 2011, arXiv:1206.1901
_ADAPTATION = 1.02  # of step sizes, per transition
_PILOT_CHAINS = 4
_MEMORY = 0.9  # of the acceptance that they adapt to


class AnnealedEstimate(NamedTuple):
    """What `annealed_importance_log_likelihood` gives.

    Attributes:
        log_likelihood_nats: float64 `(B,)`, an estimate of log p(x) per image.
        effective_sample_size: float64 `(B,)`, from 1 to K. Near 1, one chain makes the estimate,
            which then lies too low: take more temperatures.
        acceptance: share of accepted transitions; near 0, the chains hardly moved.
    """

    log_likelihood_nats: np.ndarray
    effective_sample_size: np.ndarray
    acceptance: float


def annealed_importance_log_likelihood(
    log_likelihood,
    log_prior,
    latents,
    temperatures=1000,
    leapfrog_steps=10,
    step_size=0.05,
    seed=0,
    jit_compile=False,
):
    """Estimates log p(x) by annealing from the prior to the posterior.

    A transition is one step of Hamiltonian Monte Carlo (Neal 2011, arXiv:1206.1901). The
    temperatures are those of Wu et al.: a sigmoid of equally spaced numbers from -4 to 4, scaled to
    [0, 1]. Step sizes come from a pilot of a few chains, in which each image's size grows by 2 %
    while more than 65 % of its recent transitions were accepted and else shrinks: sizes that
    followed the very chains that are weighted would bias them.

    Args:
        log_likelihood: from latents `(K, B, D)` to log p(x_b | z) `(K, B)`, differentiable.
        log_prior: from latents to log p(z), of the same shapes.
        latents: float32 `(K, B, D)`, drawn from the prior.
        temperatures: T.
        leapfrog_steps: of each transition.
        step_size: the first one of the pilot, positive.
        seed: an integer of 64 bits that decides the chains' noise.
        jit_compile: compile the chains with XLA: pays for small dense decoders.

    Returns:
        An `AnnealedEstimate`.

    Raises:
        ValueError: an argument is none of the above.
    """
    for name, value in (("temperatures", temperatures), ("leapfrog_steps", leapfrog_steps)):
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name}={value!r}: give an integer of at least 1.")
    if not step_size > 0.0:
        raise ValueError(f"step_size={step_size!r}: give a positive number.")
    latents = tf.convert_to_tensor(latents, "float32")
    if len(latents.shape) != 3:
        raise ValueError(f"latents of shape {latents.shape}: give (chains, images, latent_dim).")
    sigmoids = 1.0 / (1.0 + np.exp(-np.linspace(-4.0, 4.0, temperatures + 1)))
    betas = (sigmoids - sigmoids[0]) / (sigmoids[-1] - sigmoids[0])

    def density(beta):
        return lambda z: log_prior(z) + beta * log_likelihood(z)

    @tf.function(jit_compile=jit_compile)
    def pilot(z, betas, seed):
        size = tf.fill(z.shape[1:2], tf.cast(step_size, z.dtype))
        sizes = tf.TensorArray(z.dtype, temperatures + 1, element_shape=size.shape)
        recent, step = tf.fill(z.shape[1:2], _WANTED_ACCEPTANCE), tf.constant(1)
        while step <= temperatures:
            sizes = sizes.write(step, size)
            z, moved = _transition(density(betas[step]), z, size, leapfrog_steps, seed, step)
            recent = _MEMORY * recent + (1.0 - _MEMORY) * tf.reduce_mean(moved, axis=0)
            size *= tf.where(recent > _WANTED_ACCEPTANCE, _ADAPTATION, 1.0 / _ADAPTATION)
            step += 1
        return sizes.stack()

    @tf.function(jit_compile=jit_compile)
    def anneal(z, betas, sizes, seed):
        weights, accepted, step = tf.zeros(z.shape[:2]), 0.0, tf.constant(1)
        while step <= temperatures:
            weights += (betas[step] - betas[step - 1]) * log_likelihood(z)
            size = sizes[step]
            z, moved = _transition(density(betas[step]), z, size, leapfrog_steps, seed, step)
            accepted += tf.reduce_mean(moved)
            step += 1
        return weights, accepted / temperatures

    betas = tf.constant(betas, "float32")
    pilot_seed, seed = tf.unstack(
        tf.random.experimental.stateless_split(tf.constant([seed, 0], "int64"), 2)
    )
    sizes = pilot(latents[:_PILOT_CHAINS], betas, pilot_seed)
    weights, acceptance = anneal(latents, betas, sizes, seed)
    weights = weights.numpy().astype("float64")
    largest = weights.max(axis=0)
    scaled = np.exp(weights - largest)
    log_mean = largest + np.log(scaled.mean(axis=0))
    effective = scaled.sum(axis=0) ** 2 / (scaled**2).sum(axis=0)
    return AnnealedEstimate(log_mean, effective, float(acceptance))


def _transition(log_density, z, sizes, leapfrog_steps, seed, step):
    """One step of Hamiltonian Monte Carlo: the latents, and 1 where they moved, `(K, B)`."""
    seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(step, seed.dtype))
    momentum_seed, accept_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    momentum = tf.random.stateless_normal(z.shape, momentum_seed)
    sizes = sizes[:, None]  # one for each image

    def gradient(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = log_density(z)
        return value, tape.gradient(value, z)

    start, slope = gradient(z)
    end, at, p, step = start, z, momentum, tf.constant(0)
    while step < leapfrog_steps:
        p += 0.5 * sizes * slope
        at += sizes * p
        end, slope = gradient(at)
        p += 0.5 * sizes * slope
        step += 1
    kinetic = 0.5 * tf.reduce_sum(p * p - momentum * momentum, axis=-1)
    log_ratio = end - start - kinetic
    uniform = tf.random.stateless_uniform(z.shape[:2], accept_seed)
    accept = tf.math.log(uniform) < log_ratio  # false where the ratio is NaN: a leap too far
    return tf.where(accept[..., None], at, z), tf.cast(accept, z.dtype)
