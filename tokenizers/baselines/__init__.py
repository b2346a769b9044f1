"""The systems that tokenizers are compared with: ported families, diffusers, a bridge, codecs, resizing."""
