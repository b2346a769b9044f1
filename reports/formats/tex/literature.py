"""The references: a BibTeX file, and the list that BibTeX would make of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...paper.content import Reference
from .text import breakable_latex, escape_latex

_ADDRESS = re.compile(r"https://[A-Za-z0-9/._-]+")


def bibtex(references: Sequence[Reference]) -> str:
    """``references.bib``; titles keep their capitals."""
    return "\n".join(_entry(reference) for reference in references)


def reference_list(references: Sequence[Reference]) -> str:
    """``main.bbl``: what LaTeX reads where BibTeX has not run."""
    items = [rf"\bibitem{{{reference.key}}}{chr(10)}{_web(reference.text)}" for reference in references]
    widest = "9" * len(str(len(references)))
    return "\n\n".join([rf"\begin{{thebibliography}}{{{widest}}}", *items, r"\end{thebibliography}", ""])


def _entry(reference: Reference) -> str:
    lines = [f"@{reference.kind}{{{reference.key},"]
    for name, value in reference.fields.items():
        if name == "title":
            text = f"{{{escape_latex(value)}}}"
        elif name == "author":
            # Braces around a whole name keep it from being taken apart.
            text = " and ".join(
                f"{{{escape_latex(author[1:-1])}}}" if author.startswith("{") else escape_latex(author)
                for author in value.split(" and ")
            )
        else:
            text = _web(value)
        lines.append(f"  {name} = {{{text}}},")
    return "\n".join([*lines, "}", ""])


def _web(text: str) -> str:
    r"""Text in which addresses may break into lines: ``\url{…}``."""
    words = [
        rf"\url{{{word.rstrip('.')}}}{'.' * word.endswith('.')}" if _ADDRESS.fullmatch(word) else breakable_latex(word)
        for word in text.split(" ")
    ]
    return " ".join(words)
