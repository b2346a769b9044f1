"""Data: the cards that ship, one TOML file a variant."""
