"""The document: a venue's measures, and equal bytes for equal text."""

from __future__ import annotations

from ...paper.venues import INCH, Venue
from .text import breakable_latex

CLASS_LEADING = {10: 12.0, 11: 13.6}
"""Leading of LaTeX's class ``article`` by its size of type."""

MARGIN = INCH
"""Above the text."""

PREAMBLE = r"""%% Compile with pdflatex, twice. main.bbl holds the references; bibtex makes it anew from references.bib.
\ifdefined\pdfinfoomitdate\pdfinfoomitdate=1\pdftrailerid{}\pdfsuppressptexinfo=-1\fi
\documentclass[%(options)s]{article}
%% Measures of %(name)s. %(source)s.
\usepackage[textwidth=%(text_width).3fpt,textheight=%(text_height).3fpt,columnsep=%(column_gap).3fpt,%%
  top=%(margin).3fpt,centering]{geometry}
\usepackage[T1]{fontenc}
\usepackage{mathptmx}
\usepackage{textcomp}
\usepackage{array,booktabs,longtable}
\usepackage{graphicx}
\usepackage{url}
\usepackage[font=small,labelfont=bf,skip=4pt,tableposition=top]{caption}
\graphicspath{{figures/}}
\urlstyle{same}
\linespread{%(spread).4f}\selectfont
\makeatletter
\renewcommand\section{\@startsection{section}{1}{\z@}{-2ex plus -.5ex minus -.2ex}{1ex plus .2ex}%%
  {\large\bfseries\raggedright}}
\renewcommand\subsection{\@startsection{subsection}{2}{\z@}{-1.6ex plus -.4ex minus -.2ex}{.6ex plus .2ex}%%
  {\normalsize\bfseries\raggedright}}
\renewcommand\paragraph{\@startsection{paragraph}{4}{\z@}{1ex plus .3ex minus .2ex}{-1em}{\normalsize\bfseries}}
\makeatother
\sloppy
\setlength{\emergencystretch}{3em}
\setlength{\LTcapwidth}{\textwidth}
\setcounter{topnumber}{4}
\setcounter{dbltopnumber}{4}
\setcounter{totalnumber}{6}
\renewcommand{\topfraction}{.95}
\renewcommand{\dbltopfraction}{.95}
\renewcommand{\textfraction}{.05}
\renewcommand{\floatpagefraction}{.7}
\renewcommand{\dblfloatpagefraction}{.7}
"""


def document(title: str, body: str, venue: Venue) -> str:
    """A document of a venue's measures that compiles by itself around a body of LaTeX."""
    options = [f"{venue.font_size}pt", venue.paper, *(["twocolumn"] if venue.num_columns > 1 else [])]
    preamble = PREAMBLE % {
        "options": ",".join(options),
        "name": venue.name,
        "source": venue.source,
        "text_width": venue.text_width,
        "text_height": venue.text_height,
        "column_gap": venue.column_gap or 10,
        "margin": MARGIN,
        "spread": venue.leading / CLASS_LEADING[venue.font_size],
    }
    head = rf"\begin{{center}}\Large\bfseries {breakable_latex(title)}\end{{center}}\vspace{{1ex}}"
    # Nothing floats above the title.
    head = rf"\twocolumn[{{{head}}}]" if venue.num_columns > 1 else rf"{head}\suppressfloats[t]"
    return preamble + "\n".join([r"\begin{document}", head, body, r"\end{document}", ""])
