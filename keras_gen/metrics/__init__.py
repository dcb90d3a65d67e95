"""Metrics of samples and likelihoods, for images, features or any model."""
