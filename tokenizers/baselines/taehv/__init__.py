"""TAEHV: tiny autoencoders distilled from the latents of video models (Ollin Boer Bohan, madebyollin/taehv)."""
