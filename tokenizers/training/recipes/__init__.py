"""Recipes of the small models that toklab ships, as TOML files."""
