"""Latent distributions: what a variational autoencoder is composed with.

Each is a pair of distributions over a latent, the prior p(z) and the posterior q(z | x), whose
parameters an encoder gives. All offer the same methods, so that a model picks one by name:

    latent_dim, num_parameters          sizes of a latent and of its parameters, last axes below
    noise(shape, seed)                  epsilon, `(*shape, ...)`, a pure function of the seed
    reparameterize(parameters, noise)   z = g(parameters, epsilon), differentiable
    draw(parameters, noise)             z ~ q(z | x) exactly, which a relaxation is not
    log_prior(latents)                  log p(z), per variable
    log_posterior(latents, parameters)  log q(z | x), per variable
    kl(parameters)                      KL(q(z | x) || p(z)), per variable
    mean(parameters)                    E_q[z]
    draw_prior(num_latents, seed)       z ~ p(z)

Shapes: parameters `(..., B, num_parameters)`; latents `(..., B, latent_dim)`; noise has leading
axes that broadcast against those of the parameters; per variable means `(..., num_variables)`.
All logarithms and divergences in nats, all values float32.

The discrete ones are drawn differentiably only by a relaxation, which lies between the values that
the variable takes: their `reparameterize` takes a temperature too, the two methods of densities
take exact draws alone, and `mode` gives the most probable latent.
"""

import math

import tensorflow as tf
from keras import ops

from keras_gen.layers import sample_latents
from keras_gen.losses import bernoulli_kl_to_uniform, categorical_kl_to_uniform, gaussian_kl


class NormalLatent:
    """q = N(mean, variance) per coordinate, p = N(0, 1).

    Parameters: the means, then the logarithms of the variances.

    Args:
        latent_dim: how many coordinates.
    """

    def __init__(self, latent_dim):
        self.latent_dim = self.num_variables = latent_dim
        self.num_parameters = 2 * latent_dim

    def noise(self, shape, seed):
        """Standard normal `(*shape, latent_dim)`."""
        return sample_latents("normal", (*shape, self.latent_dim), seed)

    def reparameterize(self, parameters, noise):
        """z = mean + deviation * epsilon (arXiv:1312.6114, section 2.4)."""
        means, log_variances = self.moments(parameters)
        return means + ops.exp(0.5 * log_variances) * noise

    def draw(self, parameters, noise):
        """The same: the reparameterization is exact."""
        return self.reparameterize(parameters, noise)

    def log_prior(self, latents):
        """log N(z; 0, 1) per coordinate."""
        return -0.5 * (ops.square(latents) + math.log(2.0 * math.pi))

    def log_posterior(self, latents, parameters):
        """log N(z; mean, variance) per coordinate."""
        means, log_variances = self.moments(parameters)
        squares = ops.square(latents - means) * ops.exp(-log_variances)
        return -0.5 * (squares + log_variances + math.log(2.0 * math.pi))

    def kl(self, parameters):
        """In closed form, per coordinate."""
        return gaussian_kl(*self.moments(parameters))

    def mean(self, parameters):
        """The posterior mean `(..., latent_dim)`."""
        return self.moments(parameters)[0]

    def draw_prior(self, num_latents, seed, truncation=None):
        """N(0, 1) `(num_latents, latent_dim)`, its magnitudes at most `truncation` where given."""
        return sample_latents("normal", (num_latents, self.latent_dim), seed, truncation)

    def moments(self, parameters):
        """`(means, log_variances)` of the Gaussian, each `(..., latent_dim)`."""
        return ops.split(parameters, 2, axis=-1)


class LogNormalLatent(NormalLatent):
    """z = exp(y), y as in `NormalLatent`: positive latents.

    The divergences of the posterior from the prior are those of y, for a divergence does not
    change under an invertible map.
    """

    def reparameterize(self, parameters, noise):
        """z = exp(mean + deviation * epsilon)."""
        return ops.exp(super().reparameterize(parameters, noise))

    def log_prior(self, latents):
        """log N(log z; 0, 1) - log z per coordinate."""
        logarithms = ops.log(latents)
        return super().log_prior(logarithms) - logarithms

    def log_posterior(self, latents, parameters):
        """log N(log z; mean, variance) - log z per coordinate."""
        logarithms = ops.log(latents)
        return super().log_posterior(logarithms, parameters) - logarithms

    def mean(self, parameters):
        """exp(mean + variance / 2)."""
        means, log_variances = self.moments(parameters)
        return ops.exp(means + 0.5 * ops.exp(log_variances))

    def draw_prior(self, num_latents, seed, truncation=None):
        """exp of N(0, 1), whose magnitudes are at most `truncation` where given."""
        return ops.exp(super().draw_prior(num_latents, seed, truncation))


class CategoricalLatent:
    """Variables of several classes, each coded one-hot; p uniform.

    Parameters: the logits of the classes, variable after variable, as in the latents.

    Args:
        num_variables: how many variables.
        num_classes: classes of each.
        straight_through: give exact draws in `reparameterize` too, with the relaxation's gradient.

    Reference:
        Jang et al. 2017, arXiv:1611.01144; Maddison et al. 2017, arXiv:1611.00712.
    """

    def __init__(self, num_variables, num_classes, straight_through=False):
        self.num_variables, self.num_classes = num_variables, num_classes
        self.straight_through = straight_through
        self.latent_dim = self.num_parameters = num_variables * num_classes

    def noise(self, shape, seed):
        """Standard Gumbel noise, -log(-log u), `(*shape, latent_dim)`."""
        return -ops.log(-ops.log(_uniform((*shape, self.latent_dim), seed)))

    def reparameterize(self, parameters, noise, temperature):
        """softmax((logits + noise) / temperature) of each variable (arXiv:1611.01144, eq. 2)."""
        relaxed = ops.softmax(self._by_variable(parameters + noise) / temperature, axis=-1)
        relaxed = ops.reshape(relaxed, ops.shape(parameters + noise))
        if not self.straight_through:
            return relaxed
        # In this order: the two that cancel do so exactly, and the draw stays one-hot.
        return self.draw(parameters, noise) + (relaxed - ops.stop_gradient(relaxed))

    def draw(self, parameters, noise):
        """The class where logit + noise is largest, one-hot (the Gumbel-max trick, eq. 1)."""
        return self.mode(parameters + noise)

    def log_prior(self, latents):
        """-log num_classes, per variable."""
        return -math.log(self.num_classes) * ops.sum(self._by_variable(latents), axis=-1)

    def log_posterior(self, latents, parameters):
        """log probability of each variable's class."""
        log_probabilities = ops.log_softmax(self._by_variable(parameters), axis=-1)
        return ops.sum(self._by_variable(latents) * log_probabilities, axis=-1)

    def kl(self, parameters):
        """In closed form, per variable."""
        return categorical_kl_to_uniform(self._by_variable(parameters))

    def mean(self, parameters):
        """Probabilities of the classes."""
        probabilities = ops.softmax(self._by_variable(parameters), axis=-1)
        return ops.reshape(probabilities, ops.shape(parameters))

    def mode(self, parameters):
        """The most probable class of each variable, one-hot."""
        classes = ops.argmax(self._by_variable(parameters), axis=-1)
        return ops.reshape(ops.one_hot(classes, self.num_classes), ops.shape(parameters))

    def draw_prior(self, num_latents, seed):
        """Classes drawn uniformly, one-hot `(num_latents, latent_dim)`."""
        shape = (num_latents, self.num_variables)
        classes = tf.random.stateless_uniform(shape, seed, 0, self.num_classes, "int32")
        return ops.reshape(ops.one_hot(classes, self.num_classes), (-1, self.latent_dim))

    def _by_variable(self, values):
        return ops.reshape(values, (*ops.shape(values)[:-1], self.num_variables, self.num_classes))


class BernoulliLatent:
    """Variables that are 0 or 1; p = Bernoulli(1/2).

    Parameters: the logits of 1. The relaxation is the Gumbel-softmax of two classes, of which one
    number is enough (the binary Concrete, arXiv:1611.00712, appendix B).

    Args:
        num_variables: how many variables.
        straight_through: as in `CategoricalLatent`.
    """

    def __init__(self, num_variables, straight_through=False):
        self.num_variables = self.latent_dim = self.num_parameters = num_variables
        self.straight_through = straight_through

    def noise(self, shape, seed):
        """Standard logistic noise, log u - log(1 - u): a difference of Gumbel noise."""
        uniform = _uniform((*shape, self.latent_dim), seed)
        return ops.log(uniform) - ops.log1p(-uniform)

    def reparameterize(self, parameters, noise, temperature):
        """sigmoid((logit + noise) / temperature)."""
        relaxed = ops.sigmoid((parameters + noise) / temperature)
        if not self.straight_through:
            return relaxed
        return self.draw(parameters, noise) + (relaxed - ops.stop_gradient(relaxed))

    def draw(self, parameters, noise):
        """1 where logit + noise is above 0."""
        return self.mode(parameters + noise)

    def log_prior(self, latents):
        """-log 2, per variable."""
        return ops.full_like(latents, -math.log(2.0))

    def log_posterior(self, latents, parameters):
        """log probability of each variable's value."""
        return latents * parameters - ops.softplus(parameters)

    def kl(self, parameters):
        """In closed form, per variable."""
        return bernoulli_kl_to_uniform(parameters)

    def mean(self, parameters):
        """Probabilities of 1."""
        return ops.sigmoid(parameters)

    def mode(self, parameters):
        """The more probable value of each variable."""
        return ops.cast(parameters > 0.0, "float32")

    def draw_prior(self, num_latents, seed):
        """0 or 1 with equal probability, `(num_latents, latent_dim)`."""
        return self.mode(_uniform((num_latents, self.latent_dim), seed) - 0.5)


def _uniform(shape, seed):
    """U(0, 1) without the ends, whose logarithms are infinite."""
    return tf.clip_by_value(tf.random.stateless_uniform(shape, seed), 1e-30, 1.0 - 2.0**-24)


LATENTS = {"normal": NormalLatent, "log_normal": LogNormalLatent}
