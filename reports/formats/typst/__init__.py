"""The report as a PDF, set by typst: no TeX is needed."""
