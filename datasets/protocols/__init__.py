"""The protocols that toklab ships, one TOML file each."""
