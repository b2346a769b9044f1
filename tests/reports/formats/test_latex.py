"""The LaTeX folder compiles at every venue's measures, with odd names, and to the same bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import matplotlib.figure
import pandas as pd
import pytest
from figure_builder import make_figure
from toklab.reports.charts.pictures import Chart
from toklab.reports.formats.interface import Report
from toklab.reports.formats.latex import render_paper, report_files
from toklab.reports.paper.compose import paper_content
from toklab.reports.paper.facts import RunFacts, SystemFacts, TrainingFacts
from toklab.reports.paper.layout import PaperLayout
from toklab.reports.paper.venues import VENUES
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure, TableError

HOSTILE = r"a_b & 50% #1 $x$ {y} \z ~^ <t> [1] “q” ‘r’ µ–é|`漢 --option ø ½ \end{document}"
LONG = "x" * 200
WORST_OVERFULL = 5.0
"""Points."""

needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex, of any TeX distribution")


@pytest.fixture(scope="module")
def wide() -> Report:
    """A report of 22 systems in three groups, two of them with odd names, measured on two datasets."""
    names = [f"model-{number}" for number in range(20)] + [HOSTILE, LONG]
    figures, systems = [], []
    for number, name in enumerate(names):
        group = ("discrete", "continuous-4", "continuous-16")[number % 3]
        systems.append(
            SystemFacts(
                name,
                "KL - 4chn",
                True,
                4,
                8,
                4,
                None,
                (17, 256, 256),
                10.5 + number,
                1.25,
                f"sha256:{'0a' * 32}",
                training=TrainingFacts("recipe", HOSTILE if number % 2 else "clips", 1000, 600.0, "CPU", "clips", 20.5),
            )
        )
        for dataset in ("mcl-jcv", "webvid-val"):
            for metric in ("psnr", "ssim", "flicker", "lpips-vgg", "fvd-i3d"):
                value = 20 + number / 4
                figures.append(
                    make_figure(
                        system=name,
                        tokenizer=name,
                        label=name,
                        metric=metric,
                        group=group,
                        dataset=dataset,
                        regularizer=f"KL - {number}chn",
                        value=value,
                        low=value - 1,
                        high=value + 1,
                        num_sources=30,
                        count=240,
                        counted="windows",
                        citation=HOSTILE if name == LONG else "",
                        rank_low=1,
                        rank_high=2,
                        rank="best" if number % 2 else "",
                        note=f"note {number % 4} {HOSTILE}",
                    )
                )
    drawing = matplotlib.figure.Figure(figsize=(3, 2))
    drawing.add_subplot().plot([1, 2], label="label")
    chart = Chart("curve", HOSTILE, drawing, pd.DataFrame({"label": ["model-0", HOSTILE], "x": [1, 2]}))
    counts = pd.DataFrame([{"label": name, "dataset": LONG, "failed": 1, "reason": HOSTILE} for name in names])
    facts = RunFacts(tuple(systems), {"psnr": HOSTILE}, (HOSTILE, LONG))
    provenance = {"command": f"toklab run --out {LONG}", "weights": {"model-0": f"sha256:{'0a' * 32}"}, LONG: LONG}
    return compose_report(figures, HOSTILE, provenance, accounting=counts, failures=counts, charts=[chart], facts=facts)


def _write(report: Report, folder: Path) -> Path:
    for name, content in report_files(report).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "latex"


def _compile(folder: Path) -> tuple[bytes, str]:
    """The PDF and the log of the second of two runs."""
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "main.pdf").read_bytes(), (folder / "main.log").read_text(encoding="latin-1")


@pytest.fixture(scope="module")
def compiled(wide: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that report's paper, compiled."""
    folder = _write(wide, tmp_path_factory.mktemp("compiled"))
    _compile(folder)
    return folder


@needs_tex
@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("venue", VENUES)
def test_every_venue_compiles_within_its_margins(venue: str, wide: Report, tmp_path: Path) -> None:
    folder = _write(replace(wide, layout=PaperLayout(venue)), tmp_path)
    _, log = _compile(folder)
    widths = [float(width) for width in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log)]
    assert not [width for width in widths if width > WORST_OVERFULL], log
    assert "undefined" not in log
    assert "Rerun" not in log
    if shutil.which("pdffonts"):
        fonts = subprocess.run(["pdffonts", folder / "main.pdf"], capture_output=True, text=True, check=True).stdout
        assert "TrueType" in fonts
        assert "Type 3" not in fonts


@needs_tex
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_second_compilation_gives_the_same_bytes(wide: Report, compiled: Path, tmp_path: Path) -> None:
    again, _ = _compile(_write(wide, tmp_path))
    assert again == (compiled / "main.pdf").read_bytes()


@needs_tex
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bibtex") is None, reason="needs bibtex")
@pytest.mark.filterwarnings("ignore:Glyph")
def test_bibtex_makes_the_references_anew(compiled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(compiled, tmp_path / "latex"))
    shipped = set(re.findall(r"\\bibitem\{(.*?)\}", (folder / "main.bbl").read_text()))
    done = subprocess.run(["bibtex", "main"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout
    assert set(re.findall(r"\\bibitem\{(.*?)\}", (folder / "main.bbl").read_text())) == shipped
    _compile(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
def test_what_is_cited_is_listed_and_figures_have_truetype(wide: Report) -> None:
    files = report_files(wide)
    main, listed, bib = (str(files[f"latex/{name}"]) for name in ("main.tex", "main.bbl", "references.bib"))
    assert (main + listed + bib).isascii()
    cited = {key for keys in re.findall(r"\\cite\{(.*?)\}", main) for key in keys.split(",")}
    assert cited >= {"own1", "zhang2018lpips", "wang2016mcljcv", "efron1993bootstrap"}
    assert set(re.findall(r"\\bibitem\{(.*?)\}", listed)) == cited
    assert set(re.findall(r"^@\w+\{(.*?),$", bib, re.MULTILINE)) == cited
    assert set(re.findall(r"\\ref\{(.*?)\}", main)) <= set(re.findall(r"\\label\{(.*?)\}", main))
    assert "resizebox" not in main
    for name, content in files.items():
        if name.endswith(".pdf"):
            assert b"/Type3" not in bytes(content), name  # pyright: ignore[reportArgumentType]
            assert b"/FontFile2" in bytes(content), name  # pyright: ignore[reportArgumentType]
    data = str(files["latex/data/curve.dat"]).splitlines()
    assert data[0] == "# series 0: model-0"
    assert data[2:] == ["series x", "0 1", "1 2"]


def test_chosen_columns_are_the_main_tables(figures: list[Figure]) -> None:
    def headings(*columns: str) -> list[str]:
        report = compose_report(figures, "Demo", {}, radar_metrics=[], layout=PaperLayout(columns=columns))
        return [column.heading for column in paper_content(report).main.columns[2:]]

    # LPIPS and FVD have no figure.
    assert headings() == ["Params (M) ↓", "PSNR (dB) ↑", "SSIM ↑", "Flicker ↓"]
    assert headings("ssim", "lpips-vgg", "psnr") == ["SSIM ↑", "PSNR (dB) ↑"]
    with pytest.raises(TableError, match=r"no column psnr-b in this report; there are: psnr, ssim"):
        headings("psnr-b")
    with pytest.raises(TableError, match="unknown venue eccv; there are: cvpr, neurips"):
        PaperLayout("eccv")


def test_ranks_and_notes_are_printed(figures: list[Figure]) -> None:
    report = compose_report(figures, "Demo", {}, radar_metrics=[])
    text = render_paper(paper_content(report), VENUES["cvpr"])
    assert r"\textbf{34.87} & {\scriptsize $\pm$0.50}" in text
    assert r"\underline{9.21}" in text
    assert r"weights: random (seed 0)" in text
    assert "toklab weights pull lpips-vgg" in text.replace(r"\allowbreak{}", "")


def test_measures_are_those_that_the_venues_state() -> None:
    inch, centimetre = 72.27, 72.27 / 2.54
    columns = {"cvpr": 237.136, "icml": 3.25 * inch, "neurips": 5.5 * inch, "iclr": 5.5 * inch}
    for name, width in (columns | {"acl": 7.7 * centimetre, "arxiv": 6.5 * inch}).items():
        assert VENUES[name].column_width == pytest.approx(width), name
