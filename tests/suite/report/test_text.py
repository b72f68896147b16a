"""Names that come from users reach every format as text, numbers have the digits that they support."""

from __future__ import annotations

import csv
import io
import math
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from pylatexenc.latexwalker import LatexWalker
from rich.console import Console

from suite.report import style, text
from suite.report.numbers import format_estimate, format_p, format_spread, format_value
from suite.report.table import Entry, Table
from suite.statistics import Estimate

HOSTILE = [
    "<script>alert(1)</script>",
    "../../victim",
    r"\input{/etc/passwd}",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "+1+cmd",
    "-2+3",
    "a[/b]",
    "[bold]x[/bold]",
    "$x$",
    r"we<b>ird</b>_$x$ & 50% \ λ|#",
    "_mine",
    "a,b$",
    "**bold**",
    "- item",
    "1. item",
    "# head",
    "> quote",
    "a`b`c",
    "[link](http://example.org)",
    "&lt;",
    "λif",
    "[b]",
    "*star",
    "\u202eevil",
    "new\nline",
    "tab\tbed",
    "日本",
    "x" * 5000,
]


def table(name: str) -> Table:
    entries = [Entry(name), Entry(f"{name} *", best=True)]
    return Table("t", f"{name}.", name, ["neuron", name, "b"], [(name, entries)], [name])


def plain(name: str) -> str:
    return text.one_line(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_the_name_and_nothing_else(name: str) -> None:
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found: list[str] = []
    for token in page.parse(table(name).markdown()):
        assert token.type not in (
            "html_block",
            "bullet_list_open",
            "ordered_list_open",
            "heading_open",
            "blockquote_open",
        )
        if token.type == "inline":
            assert {child.type for child in token.children or []} <= {
                "text",
                "strong_open",
                "strong_close",
                "text_special",
            }
            found.append("".join(child.content for child in token.children or []))
    assert plain(name) in found
    assert f"{plain(name)} *" in found


@pytest.mark.parametrize("name", HOSTILE)
def test_html_holds_the_name_as_text(name: str) -> None:
    page = table(name).page()
    assert "<script" not in page
    assert "<b>ird" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spreadsheet_takes_no_name_for_a_formula(name: str) -> None:
    for line in csv.reader(io.StringIO(table(name).csv())):
        assert len(line) == 10
        assert not any(field.startswith(("=", "+", "-", "@", "\t", "\r")) for field in line)


def test_a_negative_number_stays_one_in_a_spreadsheet() -> None:
    assert text.spreadsheet("-2.5") == "-2.5"
    assert text.spreadsheet("-2,500") == "-2,500"


@pytest.mark.parametrize("name", HOSTILE)
def test_latex_is_ascii_and_no_line_begins_with_an_option(name: str) -> None:
    made = table(name).latex()
    assert made.isascii()
    assert not any(line.startswith(("[", "*")) for line in made.splitlines())
    LatexWalker(made, tolerant_parsing=False).get_latex_nodes()
    assert r"\input" not in made


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here; the strict parser has read the tables")
def test_latex_of_hostile_names_compiles_within_the_page(tmp_path: Path) -> None:
    pages = "\n\\clearpage\n".join(table(name).latex() for name in HOSTILE[:-1])
    document = rf"\documentclass[twocolumn]{{article}}\usepackage{{booktabs}}\begin{{document}}{pages}\end{{document}}"
    (tmp_path / "all.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(("columns", "environment", "parts"), [(3, "table", 1), (7, "table*", 1), (20, "table*", 3)])
def test_wide_tables_span_both_columns_and_wider_ones_go_on_below(columns: int, environment: str, parts: int) -> None:
    head = ["neuron", *(f"column {place} (ms)" for place in range(columns - 1))]
    made = Table("t", "T.", "c.", head, [("lif", [Entry("1.0 ± 0.1")] * (columns - 1))]).latex()
    assert rf"\begin{{{environment}}}" in made
    assert made.count(r"\toprule") == made.count("LIF") == parts
    assert made.count("(ms)") == columns - 1


def test_negative_numbers_have_a_minus_sign() -> None:
    shown = format_estimate(Estimate(-14.25, 1.5, 3), 1)
    assert shown == "−14.2 ± 1.5"
    made = Table("t", "T.", "c.", ["neuron", "x"], [("lif", [Entry(shown)])]).latex()
    assert r"$-$14.2 $\pm$ 1.5" in made


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_shows_the_name(name: str) -> None:
    output = io.StringIO()
    Console(file=output, width=20_000).print(table(name).rich())
    assert plain(name) in output.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_label_is_short_and_no_formula(name: str) -> None:
    shown = text.label(name)
    assert len(shown.replace("\\$", "$")) <= 41
    assert "$" not in shown.replace("\\$", "")
    assert not shown.startswith("_")


def test_long_labels_stay_different() -> None:
    assert text.label("x" * 100 + "a") != text.label("x" * 100 + "b")


LOOKS = len(style.MARKERS) * len(style.PALETTE)


@pytest.mark.parametrize("count", [11, 20, 60, LOOKS - len(style.catalogue()) + len(style.ORDER)])
def test_no_two_neurons_look_alike(count: int) -> None:
    names = [*style.ORDER, *(f"mine{place}" for place in range(count - len(style.ORDER)))]
    colours, markers, dashes = style.colours(names), style.markers(names), style.dashes(names)
    assert len({(colours[name], markers[name]) for name in names}) == count
    assert len({(colours[name], str(dashes[name])) for name in names}) == count


def linear(colour: str) -> np.ndarray:
    """The colour's channels without the display's curve (IEC 61966-2-1)."""
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_marks_are_seen_on_either_page(ground: str) -> None:
    """3 to 1 on white and on the dark page (WCAG 2.2, 1.4.11), by its formula."""

    def luminance(colour: str) -> float:
        return float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722])) + 0.05

    for colour in (*style.PALETTE, style.GREY):
        pair = sorted([luminance(colour), luminance(ground)])
        assert pair[1] / pair[0] >= 3, colour


SEEN_BY = {
    "most": np.eye(3),
    "protanopes": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopes": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "tritanopes": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear channels."""


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_no_two_colours_look_alike(eyes: str) -> None:
    """CIE 1976 differences of more than 20; one of 2.3 is just noticed."""
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])

    def lab(colour: str) -> np.ndarray:
        seen = np.clip(SEEN_BY[eyes] @ linear(colour), 0, 1)
        scaled = to_xyz @ seen / np.array([0.9505, 1.0, 1.0888])
        x, y, z = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    for one, other in combinations([*style.PALETTE, style.GREY], 2):
        assert np.linalg.norm(lab(one) - lab(other)) > 20, (one, other)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([60.0, 60.0, 60.0], "60.0 ± 0"),
        ([100 * 44 / 45] * 3, "97.8 ± 0"),
        ([97.0, 97.0 + 1e-13, 97.0], "97.0 ± 0"),
        ([0.123456789, 0.123456790, 0.123456791], "0.1234567900 ± 2.5e-9"),
        ([1e-9, 1.2e-9, 1.1e-9], "(1.10 ± 0.25)e-9"),
        ([60.0], "60.0"),
        ([math.inf, 1.0], "∞"),
        ([math.nan, 1.0], "—"),
        ([], "—"),
        ([1_200.0, 1_400.0, 1_300.0], "1,300 ± 250"),
        ([1e9, 1.2e9, 1.1e9], "1,100,000,000 ± 250,000,000"),
    ],
)
def test_digits_of_a_mean_follow_its_uncertainty(values: list[float], shown: str) -> None:
    assert format_estimate(Estimate.of(values), 1) == shown


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.003, 2, "0.0030"),
        (1.2e-5, 1, "1.2e-5"),
        (0.0, 2, "0.00"),
        (123456.8, 1, "123,456.8"),
        (-0.04, 1, "−0.040"),
        (2.345, -2, "2.3"),
        (99.96, -3, "100"),
        (33_395.2, 0, "33,395"),
    ],
)
def test_a_number_without_interval_keeps_digits_that_count(value: float, digits: int, shown: str) -> None:
    assert format_value(value, digits) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0004, "< 0.001"), (0.0, "< 0.001"), (0.001, "0.001"), (0.04567, "0.0457"), (1.0, "1"), (math.nan, "—")],
)
def test_small_p_values(p: float, shown: str) -> None:
    assert format_p(p) == shown


@pytest.mark.parametrize(
    ("spread", "shown"),
    [
        ((3.71, 1.78, 7.86), "3.7 (1.8–7.9)"),
        ((1.221, 1.157, 1.301), "1.22 (1.16–1.30)"),
        ((2.0, 2.0, 2.0), "2.00 (2.00–2.00)"),
        ((2.0, math.nan, math.nan), "2.00"),
        ((1629.0, 1480.0, 1780.0), "1,630 (1,480–1,780)"),
    ],
)
def test_digits_of_a_median_follow_its_spread(spread: tuple[float, float, float], shown: str) -> None:
    assert format_spread(*spread, 2) == shown
