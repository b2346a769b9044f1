"""Open-Sora v1.2 (hpcaitech, tag v1.2.0): an image autoencoder, and a causal one over the time of its latents."""
