"""Tables from rows with known answers, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pylatexenc.latexwalker import LatexWalker

from suite.publish.build import build
from suite.report import packages
from suite.report.comparison import differences
from suite.report.conditions import name_conditions
from suite.report.parts import Parts
from suite.report.table import FORMATS, Entry, Table, decimals, format_estimate
from suite.report.tables import accuracy, all_tables
from suite.runs import groups
from suite.runs.groups import main_rows, remember
from suite.runs.store import COLUMNS, read_results, write_results
from suite.statistics import Estimate
from tests.conftest import REPOSITORY

PUBLISHED = REPOSITORY / "results/published"


def rows(*cells: tuple[str, str, int, float | None]) -> pd.DataFrame:
    """(neuron, data set, seed, accuracy; None for a failed cell)."""
    records = [
        {
            **dict.fromkeys(COLUMNS),
            **{"task": "accuracy", "neuron": neuron, "dataset": dataset, "seed": seed, "backend": "reference"},
            **{"status": "ok" if value is not None else "failed", "value": value, "cell": f"{neuron}{dataset}{seed}"},
            **{"metric": "accuracy_selected" if value is not None else None, "detail": "" if value else "the cause"},
            "settings": "{}",
        }
        for neuron, dataset, seed, value in cells
    ]
    return pd.DataFrame(records)


def accuracy_table(table: pd.DataFrame) -> Table:
    made = accuracy(table, "accuracy_selected", "accuracy", "Accuracy.")
    assert made is not None
    return made


def test_a_failed_cell_is_explained() -> None:
    table = accuracy_table(
        rows(
            ("lif", "digits", 0, 90.0),
            ("lif", "digits", 1, 90.2),
            ("bad", "digits", 0, None),
            ("half", "digits", 0, 80.0),
            ("half", "digits", 1, None),
        )
    )
    entries = {name: row[0] for name, row in table.rows}
    assert table.header == ["neuron", "digits (%)"]
    assert entries["lif"].text == "90.1 ± 1.3"
    assert entries["bad"].text == "failed"
    assert entries["half"].text == "80.0 †"
    assert table.footnotes[:2] == ["bad, digits: failed: the cause", "† half, digits: 1 more failed: the cause"]


def test_bold_is_what_the_paired_test_does_not_tell_from_the_best() -> None:
    """LIF and GLIF differ by the same from seed to seed, so that intervals meet where a paired test does not."""
    drift = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    cells = [("clif", "digits", s, 80 + d + 0.1 * (-1) ** s) for s, d in enumerate(drift)]
    cells += [("plif", "digits", s, 80 + d) for s, d in enumerate(drift)]
    cells += [("lif", "digits", s, 79.5 + d) for s, d in enumerate(drift)]
    entries = {name: row[0].best for name, row in accuracy_table(rows(*cells)).rows}
    assert entries == {"lif": False, "plif": True, "clif": True}


def test_nothing_is_bold_where_the_seeds_are_too_few() -> None:
    cells = [(name, "digits", s, level + s) for name, level in (("lif", 20.0), ("clif", 90.0)) for s in range(5)]
    table = accuracy_table(rows(*cells))
    assert not any(row[0].best for _, row in table.rows)
    assert table.footnotes == ["No bold where the seeds are too few to tell the best apart; 6 can."]


@pytest.mark.parametrize(
    ("uncertainty", "digits"), [(2.1, 1), (4.0, 0), (0.0354, 3), (0.0356, 2), (12.0, 0), (95.0, -1), (0.96, 1)]
)
def test_digits_of_an_uncertainty(uncertainty: float, digits: int) -> None:
    assert decimals(uncertainty) == digits


def test_estimates_as_text() -> None:
    assert format_estimate(Estimate(97.87, 2.13, 3), 1) == "97.9 ± 2.1"
    assert format_estimate(Estimate(48.7, 8.8, 3), 1) == "49 ± 9"
    assert format_estimate(Estimate(110_432.0, 25_301.0, 3), 1) == "110,000 ± 25,000"
    assert format_estimate(Estimate(0.12345, float("nan"), 1), 2) == "0.12"
    assert format_estimate(Estimate(33_395.2, float("nan"), 1), 0) == "33,395"
    assert format_estimate(Estimate(-0.2, 4.0, 3), 1) == "0 ± 4"
    assert format_estimate(Estimate(0.012345, float("nan"), 1), -3) == "0.0123"


def test_no_claim_from_three_seeds_and_a_claim_from_eight() -> None:
    def compared(seeds: int) -> Table:
        cells = [
            (name, "digits", s, level + 0.01 * s * s)
            for s in range(seeds)
            for name, level in (("lif", 90.0), ("clif", 95.0))
        ]
        table = differences(rows(*cells), "lif")
        assert table is not None
        return table

    few, many = compared(3), compared(8)
    assert few.rows[0][1][0].text.startswith("5.0")
    assert "*" not in few.rows[0][1][0].text
    assert few.footnotes[-1] == "3 seeds support no claim; 6 can."
    assert many.rows[0][1][0].text.endswith(" *")


def test_formats() -> None:
    table = Table(
        "t", "A & B.", "C_1", ["neuron", "x (%)"], [("lif", [Entry("1 ± 2", Estimate(1, 2, 3, (0, 1, 2)), best=True)])]
    )
    assert "| LIF | **1 ± 2** |" in table.markdown()
    assert r"LIF & \textbf{1 $\pm$ 2} \\" in table.latex()
    assert r"A \& B. C\_1" in table.latex()
    (line,) = csv.DictReader(io.StringIO(table.csv()))
    assert (line["neuron"], line["column"], line["mean"], line["interval_half_width"]) == ("lif", "x (%)", "1", "2")
    assert float(line["bootstrap_low"]) < 1 < float(line["bootstrap_high"])
    assert "<td><strong>1 ± 2</strong></td>" in table.html()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The LaTeX of every table of the published rows, printed now."""
    found: list[Path] = []
    for source in sorted(path for path in PUBLISHED.iterdir() if path.is_dir()):
        folder = tmp_path_factory.mktemp(source.name)
        rows_of_run, members = read_results(source), groups.read(source)
        for table in all_tables(main_rows(rows_of_run, members), "lif"):
            table.save(folder)
        report = folder / "report"
        for part in ("tables", "plots"):
            (report / part).mkdir(parents=True)
        parts = Parts()
        packages.build(report, rows_of_run, members, parts)
        assert parts.failed == []
        found += sorted(folder.rglob("*.tex"))
    assert len(found) > 20
    return found


HEADING = re.compile(r"(\\addlinespace )?\\multicolumn\{\d+\}\{l\}\{\\textit\{")
"""What a line begins with that names the kind of the neurons below it."""


def test_latex_of_the_published_rows_is_plain_and_strictly_parsed(printed: list[Path]) -> None:
    for path in printed:
        text = path.read_text()
        assert text.isascii(), path
        assert "U+" not in text, path
        nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
        environments = [node for node in nodes if getattr(node, "environmentname", "").startswith("table")]
        assert environments, path
        assert all(r"\toprule" in own.latex_verbatim() for own in environments), path
        for part in text.split(r"\toprule")[1:]:
            body = part.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
            entries = [line.count(" & ") for line in body if not HEADING.match(line)]
            assert len(set(entries)) == 1, path


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here; the strict parser has read the tables")
def test_latex_fits_a_paper_of_two_columns(printed: list[Path], tmp_path: Path) -> None:
    """Every table of the published rows in columns of 3.25 inches; what sticks out by a point is named."""
    preamble = r"\documentclass[twocolumn]{article}\usepackage[textwidth=6.75in,columnsep=0.25in]{geometry}"
    preamble += r"\usepackage{booktabs}\extrafloats{200}\hbadness=10000\vbadness=10000\hfuzz=1pt"
    named = [f"\\typeout{{TABLE {path.parent.name}/{path.name}}}\n{path.read_text()}\\clearpage" for path in printed]
    body = "\n".join(named)
    (tmp_path / "all.tex").write_text(f"{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    wide, current = [], ""
    for line in done.stdout.splitlines():
        current = line if line.startswith("TABLE ") else current
        wide += [f"{current}: {line}"] if line.startswith("Overfull \\hbox") else []
    assert wide == []


def test_main_rows_are_those_of_no_other_group(tmp_path: Path) -> None:
    table = pd.DataFrame({"cell": ["a", "b", "c", "d"]})
    assert list(main_rows(table, {"run": ["a", "b"], "neurons": ["b", "c"]}).cell) == ["a", "b", "d"]
    remember(tmp_path, {"neurons": ["b"]})
    remember(tmp_path, {"run": ["a"], "neurons": ["c"]})
    assert json.loads((tmp_path / "groups.json").read_text()) == {"neurons": ["c"], "run": ["a"]}


def test_two_settings_are_never_averaged() -> None:
    plain, cut = rows(("lif", "digits", 0, 90.0), ("clif", "digits", 0, 91.0)), rows(("lif", "digits", 0, 50.0))
    for table, bptt_steps in ((plain, None), (cut, 1)):
        table["settings"] = json.dumps({"bptt_steps": bptt_steps, "epochs": 3})
    table = accuracy_table(name_conditions(pd.concat([plain, cut], ignore_index=True)))
    assert table.header == ["neuron", "digits (%)", "digits, bptt_steps=1 (%)"]
    assert {name: [entry.text for entry in row] for name, row in table.rows} == {
        "lif": ["90.0", "50.0"],
        "clif": ["91.0", "—"],
    }
    assert set(name_conditions(plain).dataset) == {"digits"}


def test_all_formats_of_a_published_run(tmp_path: Path) -> None:
    for name in ("results.parquet", "provenance.json"):
        shutil.copy(PUBLISHED / "quick" / name, tmp_path)
    page, tables = build(tmp_path)
    for table in tables:
        assert all((tmp_path / f"report/tables/{table.name}.{ending}").stat().st_size for ending in FORMATS)
    plots = {path.stem for path in (tmp_path / "report/plots").glob("*.png")}
    assert {"accuracy", "cost", "differences", "gradient_by_lag", "gradient_between_steps"} <= plots
    assert {"loss_curves", "accuracy_curves", "layer_time"} <= plots
    assert "roofline" not in plots, "it answers no question of who chooses a neuron"
    for name in plots:
        assert all((tmp_path / f"report/plots/{name}.{ending}").stat().st_size > 50 for ending in ("svg", "pdf", "csv"))
    assert page.stat().st_size < 400_000


@pytest.mark.slow
def test_a_report_of_100000_rows_needs_little(tmp_path: Path) -> None:
    """Its 124,000 rows take 0.5 GB at most beside what is imported (numpy and torch of each version other sizes).

    Its seconds are printed, not asserted.
    """
    source = pd.read_parquet(PUBLISHED / "quick/results.parquet")
    copies = -(-100_000 // len(source))
    seeds = int(source.seed.max()) + 1
    parts = [source.assign(seed=source.seed + copy * seeds, cell=source.cell + str(copy)) for copy in range(copies)]
    write_results(pd.concat(parts, ignore_index=True), tmp_path)
    shutil.copy(PUBLISHED / "quick/provenance.json", tmp_path)
    code = (
        "import pathlib, sys, time; from suite.publish.build import build; from tasks.memory import _process_bytes;"
        "import matplotlib.pyplot, pyarrow.parquet, scipy.stats, seaborn;"
        "begun, before = time.perf_counter(), _process_bytes('VmRSS'); build(pathlib.Path(sys.argv[1]));"
        "print(time.perf_counter() - begun, (_process_bytes('VmHWM') - before) / 2**20)"  # ru_maxrss: the parent's
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    seconds, mebibytes = map(float, done.stdout.split())
    print(f"a report of {len(source) * copies} rows: {seconds:.1f} s, {mebibytes:.0f} MiB")
    assert mebibytes < 500
    assert 100_000 < (tmp_path / "report/index.html").stat().st_size < 400_000


def test_every_table_of_a_run_names_what_reproduces_it() -> None:
    table = pd.read_parquet(PUBLISHED / "quick/results.parquet")
    made = {found.name: tuple(found.tasks) for found in all_tables(table, "lif")}
    gradient = dict.fromkeys(("temporal_ratio", "horizon", "vanished_fraction"), "temporal_gradient")
    alone = gradient | {name: name for name in ("memory", "throughput", "training_speed")}
    known = {name: (task,) for name, task in alone.items()} | {"frontier": ("accuracy", "throughput", "memory")}
    assert made == {name: known.get(name, ("accuracy",)) for name in made}
    assert set(known) < set(made)
