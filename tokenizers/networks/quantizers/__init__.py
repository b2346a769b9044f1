"""Regularizers of a latent: one interface, one module a kind."""
