"""Where variational autoencoders and adversarial networks meet."""
