"""Divergences that a variational autoencoder may keep its posteriors near the prior with.

All take the same arguments and give nats per image, `(B,)`, summed over the latent's variables:

    latent           the distributions, one of `latents.LATENTS`
    parameters       of the posteriors q(z | x), `(B, num_parameters)`
    latents          a draw from each posterior, `(B, latent_dim)`
    prior_latents    a draw from the prior p(z) for each image, likewise
"""

from keras import ops

from keras_gen.losses import jensen_shannon_monte_carlo, skew_geometric_jensen_shannon


def kl_divergence(latent, parameters, latents, prior_latents):
    """KL(q || p) in closed form."""
    return ops.sum(latent.kl(parameters), axis=-1)


def geometric_js_divergence(latent, parameters, latents, prior_latents):
    """Skew-geometric Jensen-Shannon divergence in closed form (arXiv:2006.10599, skew 1/2).

    Of Gaussians, and of log-normal distributions, whose logarithms diverge alike.
    """
    return ops.sum(skew_geometric_jensen_shannon(*latent.moments(parameters)), axis=-1)


def monte_carlo_js_divergence(latent, parameters, latents, prior_latents):
    """Jensen-Shannon divergence of each coordinate from a draw of q and one of p.

    Added up over coordinates: that of whole latents is at most log 2, and with many coordinates
    so close to it that nothing is left to learn from.
    """
    divergences = jensen_shannon_monte_carlo(
        log_p_at_p=latent.log_prior(prior_latents),
        log_q_at_p=latent.log_posterior(prior_latents, parameters),
        log_p_at_q=latent.log_prior(latents),
        log_q_at_q=latent.log_posterior(latents, parameters),
    )
    return ops.sum(divergences, axis=-1)


DIVERGENCES = {
    "kl": kl_divergence,
    "js_geometric": geometric_js_divergence,
    "js_monte_carlo": monte_carlo_js_divergence,
}
