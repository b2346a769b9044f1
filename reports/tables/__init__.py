"""Tables of figures, arranged for print, and plain tables of text."""
