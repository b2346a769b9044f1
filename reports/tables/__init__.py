"""Tables of figures and how each format prints them."""
