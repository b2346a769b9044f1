"""Text in LaTeX, in ASCII: everything else that toklab prints is spelled in commands.

Brackets are wrapped in braces, or one that follows a line break would be read as the break's optional argument.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from ...paper.content import Cite, Prose, Ref
from ...text import one_line

LONG_WORD = 16
"""Characters from which on a word may break anywhere: a hash, a path, a name of 200 letters."""
BREAK_EVERY = 8
"""Characters after which a long word without signs may break."""
BREAK_AFTER = "/_.,:;=-|+)]}"
"""Signs behind which a long word may break."""
BREAK = r"\allowbreak{}"

_BETWEEN_SIGNS = re.compile(rf"[^{re.escape(BREAK_AFTER)}]*[{re.escape(BREAK_AFTER)}]+|[^{re.escape(BREAK_AFTER)}]+")
_PERCENT = re.compile(r"(\d) \\%")

LIGATURES = "-,'"
"""Letters that LaTeX makes another one of where they stand twice."""

LABELS = {"Table": "tab", "Figure": "fig"}
"""Kind of a reference to the beginning of its label."""

SYMBOLS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "`": r"\`{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "·": r"$\cdot$",
    "−": r"$-$",
    "√": r"$\surd$",
    "∞": r"$\infty$",
    "∈": r"$\in$",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "½": "1/2",
    "²": r"$^{2}$",
    "³": r"$^{3}$",
    "°": r"$^{\circ}$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "‖": r"$\Vert$",
    "µ": r"$\mu$",
    "Γ": r"$\Gamma$",
    "Δ": r"$\Delta$",
    "Θ": r"$\Theta$",
    "Λ": r"$\Lambda$",
    "Σ": r"$\Sigma$",
    "Φ": r"$\Phi$",
    "Ω": r"$\Omega$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "ε": r"$\epsilon$",
    "η": r"$\eta$",
    "θ": r"$\theta$",
    "κ": r"$\kappa$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "ν": r"$\nu$",
    "π": r"$\pi$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "φ": r"$\phi$",
    "χ": r"$\chi$",
    "ψ": r"$\psi$",
    "ω": r"$\omega$",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
"""Character to the command that prints it."""

ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0328": "k",
}  # fmt: skip
"""Combining character to the command of its accent."""


def escape_latex(text: str) -> str:
    """Make text stand for itself, in ASCII; what has no command is spelled by its number: ``[U+6F22]``."""
    return _word(one_line(" ".join(text.split())))


def breakable_latex(text: str) -> str:
    """The text as :func:`escape_latex` gives it, with places where its long words may break into lines."""
    return " ".join(map(_breakable, one_line(" ".join(text.split())).split(" ")))


def prose_latex(prose: Prose) -> str:
    """Text with its references."""
    return "".join(map(_part, prose))


def cite_latex(cite: Cite) -> str:
    r"""``\cite{a,b}``."""
    return rf"\cite{{{','.join(cite.keys)}}}"


def label(kind: str, name: str) -> str:
    r"""What ``\label`` and ``\ref`` take for a table or figure: ``tab:main``."""
    return f"{LABELS[kind]}:{name}"


def mark_latex(mark: str) -> str:
    """A footnote's mark in mathematics."""
    return mark if mark.isascii() else "".join(SYMBOLS[char].strip("$") for char in mark)


def _part(part: str | Cite | Ref) -> str:
    if isinstance(part, Cite):
        return cite_latex(part)
    if isinstance(part, Ref):
        return rf"{part.kind}~\ref{{{label(part.kind, part.name)}}}"
    inner = _PERCENT.sub(r"\1~\%", breakable_latex(part))
    # Blanks at the ends separate text from references.
    return f"{' ' * (part[:1] == ' ')}{inner}{' ' * (part[-1:] == ' ' and bool(inner))}"


def _breakable(word: str) -> str:
    if len(word) < LONG_WORD:
        return _word(word)
    return BREAK.join(
        BREAK.join(_word(part[i : i + BREAK_EVERY]) for i in range(0, len(part), BREAK_EVERY))
        if len(part) >= LONG_WORD
        else _word(part)
        for part in _BETWEEN_SIGNS.findall(word)
    )


def _word(word: str) -> str:
    # Two hyphens would become a dash, in the name of an option say.
    parts = [
        ("{}" if before == char and char in LIGATURES else "") + _escaped(char) for before, char in pairwise(f" {word}")
    ]
    return "".join(parts)


def _escaped(char: str) -> str:
    if known := SYMBOLS.get(char):
        return known
    if char.isascii():
        return char
    base, *marks = unicodedata.normalize("NFD", char)
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in ACCENTS:
        return rf"\{ACCENTS[marks[0]]}{{{base}}}"
    plain = unicodedata.normalize("NFKC", char)
    if plain != char and plain.isascii():
        return "".join(map(_escaped, plain))
    return f"{{[}}U+{ord(char):04X}{{]}}"
