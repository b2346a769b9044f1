"""LaTeX: text, tables, the document and its literature."""
