"""Tools for latent spaces of any model: interpolation, arithmetic, directions."""
