"""Variational autoencoder with discrete latents, by the Gumbel-softmax.

Jang, Gu and Poole, 2017, Categorical Reparameterization with Gumbel-Softmax, arXiv:1611.01144.
Found at the same time by Maddison, Mnih and Teh, 2017, The Concrete Distribution, arXiv:1611.00712.

A draw of a class is a jump, through which no gradient passes. Adding Gumbel noise to the logits of
the classes and taking the largest is an exact draw; taking a softmax instead of the largest is a
draw that is almost discrete, and differentiable. The lower its temperature, the nearer it comes
to a discrete one and the more its gradient varies: the temperature falls during the training.

Objective, with latents relaxed in training and discrete in every evaluation:

    parameters = encoder(images)                                     logits of q(z | x)
    latents = softmax((parameters + noise) / temperature)            noise = -log(-log u)
    objective = mean[-log p(x | z) + beta KL(q(z | x) || p(z))]      KL of the discrete variables
    temperature = max(0.5, exp(-annealing_rate * t)),  t = training steps, set anew every
                                                           `annealing_every` of them

With relaxed latents the objective is no bound. `straight_through` decodes discrete latents in
training too and takes the gradient of the relaxed ones; then it is one, with a biased gradient.

Differences from the paper:
    - The prior is uniform; the paper learns it. Learned with the networks by Adam(1e-3), half of
      the classes fell out of use; in a trial -ELBO on MNIST was 106.5 instead of 104.5 nats.
    - The hidden layers are those of the author's published notebook, 512 and 256 rectified units;
      the paper's text names none. Its annealing rate, 3e-5, lies between the paper's two, 1e-5 and
      1e-4. Adam instead of gradient descent with momentum 0.9.

Shapes: images (B, H, W, C) in [0, 1]; parameters and latents (B, num_variables * num_classes), for
Bernoulli variables (B, num_variables); what the decoder gives (B, H, W, C).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers.checks import check_choice
from keras_gen.models.autoencoders.latents import BernoulliLatent, CategoricalLatent
from keras_gen.models.autoencoders.vae import VAE
from keras_gen.models.base import check_positive

DISCRETE_LATENTS = ("categorical", "bernoulli")
LOWEST_TEMPERATURE = 0.5


def annealed_temperature(train_steps, annealing_rate, annealing_every):
    """max(0.5, exp(-annealing_rate * t)), t the steps rounded down to the last change.

    Args:
        train_steps: training steps done so far, an integer tensor or number.
        annealing_rate: the paper's r, per training step.
        annealing_every: the paper's N, steps between changes.

    Returns:
        float32 scalar.

    Reference:
        arXiv:1611.01144, section 4.
    """
    changed = train_steps // annealing_every * annealing_every
    temperature = ops.exp(-annealing_rate * ops.cast(changed, "float32"))
    return ops.maximum(temperature, LOWEST_TEMPERATURE)


@keras.saving.register_keras_serializable(package="keras_gen")
class GumbelVAE(VAE):
    """`VAE` with categorical or Bernoulli latents.

    Args:
        image_shape: `(H, W, C)`.
        latent: `"categorical"` or `"bernoulli"`.
        num_variables: how many variables a latent has. Default: 20 categorical, 200 Bernoulli ones.
        num_classes: classes of a categorical variable; Bernoulli variables do not use it.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.
        straight_through: train on discrete latents with the gradient of the relaxed ones.
        annealing_rate: how fast the temperature falls, per training step.
        annealing_every: training steps between its changes.

    The attribute `beta`, a weight of the model, is that of the divergence: 1, unless it is assigned
    or moved by `keras_gen.training.WarmUp`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1611.01144, sections 2 and 4.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent="categorical",
        num_variables=None,
        num_classes=10,
        hidden_units=(512, 256),
        straight_through=False,
        annealing_rate=3e-5,
        annealing_every=1000,
        **kwargs,
    ):
        check_choice("latent", latent, DISCRETE_LATENTS)
        if num_variables is None:
            num_variables = {"categorical": 20, "bernoulli": 200}[latent]
        check_positive(num_variables=num_variables, annealing_every=annealing_every)
        if num_classes < 2:
            raise ValueError(f"num_classes={num_classes!r}: give an integer of at least 2.")
        if not annealing_rate >= 0.0:
            raise ValueError(f"annealing_rate={annealing_rate!r}: give a number of at least 0.")
        self.num_classes, self.straight_through = num_classes, straight_through
        self.annealing_rate, self.annealing_every = annealing_rate, annealing_every
        super().__init__(image_shape, num_variables, hidden_units, latent=latent, **kwargs)

    def build_latent(self, name, latent_dim):
        """The distributions of the latents, of `latent_dim` variables."""
        if name == "categorical":
            return CategoricalLatent(latent_dim, self.num_classes, self.straight_through)
        return BernoulliLatent(latent_dim, self.straight_through)

    def train_step(self, images):
        """One step down the objective of images `(B, H, W, C)`, at the step's temperature."""
        temperature = annealed_temperature(
            self.train_steps, self.annealing_rate, self.annealing_every
        )
        noise = self.noise_for(images, self.next_seeds(1)[0])

        with tf.GradientTape() as tape:
            parameters = self.encoder(images, training=True)
            latents = self.latent.reparameterize(parameters, noise, temperature)
            log_likelihoods = self.likelihood(images, **self.decoder(latents, training=True))
            divergences = ops.sum(self.latent.kl(parameters), axis=-1)
            objective = ops.mean(self.beta * divergences - log_likelihoods)
        self.update(self.networks_optimizer, tape, objective, self.networks)

        return self.log_bound(images, objective, log_likelihoods, parameters)

    def reconstruct(self, images):
        """Mean images of the most probable latents of images `(B, H, W, C)`: of that shape."""
        parameters = self.encoder(tf.cast(images, "float32"), training=False)
        return self.decode(self.latent.mode(parameters))

    def draw_latents(self, num_images, seed):
        """Discrete latents from the prior `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        return self.latent.draw_prior(num_images, seed)
