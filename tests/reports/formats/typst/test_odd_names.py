"""Names that are markup elsewhere, of other scripts, or endless: they are printed as they are, inside the margins."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from toklab.reports.formats.typst.document import report_files
from toklab.reports.formats.typst.glyphs import visible
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure

from .test_document import Pages, ReadPages, assert_inside_the_margins, words

NAMES = {
    "typst": "#panic() $x^2$ *b* _i_ `c` @ref <label> [x] \\ // /* ~ -- --- ... 'q' \"q\" = == + - 1.",
    "latex and markdown": r"\input{a} \end{document} 100% & {} ^~ | **b** ![i](u) <b>",
    "cjk and emoji": "视频 トークン 토큰 🧪👨‍👩‍👧 é",
    "right to left": "שלום (1) عربي 42",
    "long": "x" * 200,
    "long signs": "#" * 100 + "-" * 100,
}


@pytest.fixture
def named(figure: Callable[..., Figure], read_pages: ReadPages) -> Callable[[str], Pages]:
    def pages(name: str) -> Pages:
        given = {"system": name, "regularizer": name, "dataset": name, "protocol": name, "note": name}
        figures = [
            figure(metric=metric, tokenizer=label, label=label, value=1.0, count=3, counted=name, **given)
            for label in (f"a {name}", f"b {name}")
            for metric in ("psnr", "ssim")
        ]
        frame = pd.DataFrame([{"label": name, "reason": name, name: 1}])
        report = compose_report(
            figures, name, {name: {"command": name}}, accounting=frame, failures=frame, remarks=[name]
        )
        return read_pages(report_files(report)["report.pdf"])

    return pages


@pytest.mark.parametrize("kind", NAMES)
def test_odd_names_are_printed_as_they_are_inside_the_margins(kind: str, named: Callable[[str], Pages]) -> None:
    pages, name = named(NAMES[kind]), NAMES[kind]
    assert_inside_the_margins(pages)
    text = "".join("".join(text.split()) for text, _, _ in pages)
    if kind == "right to left":
        assert set("שלום") <= set(text)
    else:
        assert "".join(visible(name).split()) in text
    assert ("is a character that its fonts lack" in words(pages)) == (visible(name) != name)
