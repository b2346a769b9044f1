"""Parts of the image autoencoders of latent diffusion, grown to video: what several ported families share."""
