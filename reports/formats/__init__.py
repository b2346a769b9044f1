"""How each format prints tables and whole reports; one module a format."""
