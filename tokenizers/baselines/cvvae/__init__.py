"""CV-VAE (Zhao et al. 2024, arXiv:2405.20279): autoencoders whose latents are compatible with those of images."""
