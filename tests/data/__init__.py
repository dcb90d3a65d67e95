"""Tests of keras_gen.data."""
