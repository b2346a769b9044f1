"""CDT: a causal encoder, and a decoder that denoises the video under the condition of its latents."""
