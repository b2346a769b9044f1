"""Trained weights that ship with toklab; their cards say how they were made."""
