"""`suite.run`, `suite.tables` and `suite.plots`, and the example notebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import suite
from neurons import InvalidValue, UnknownName
from suite.runs.notebook import NotebookDisplay
from suite.runs.record import Result
from suite.runs.store import read_provenance, write_results
from suite.runs.table import as_table
from tasks import Cell
from tests.conftest import REPOSITORY
from tests.suite.report.handmade import accuracy, rows

NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"


def test_rows_of_what_was_asked_for_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"tasks": "memory", "profile": "smoke", "out": tmp_path, "settings": {"timesteps": 2, "elements": 256}}
    first = suite.run("lif, if", **asked)
    again = suite.run(["if"], **asked)
    assert "1/1 cells · 0 ok · 1 cached" in capsys.readouterr().err
    assert set(first.neuron) == {"lif", "if"}
    assert set(again.neuron) == {"if"}
    assert set(again.status) == {"ok"}
    assert again.attrs["run"] == str(tmp_path)
    command = read_provenance(tmp_path)["commands"][-1]
    assert command[:4] == ["python", "-m", "suite", "run"]
    assert command[command.index("--neurons") + 1] == "if"


@pytest.mark.parametrize(
    ("wrong", "error", "reason"),
    [
        ({"neurons": "lfi"}, UnknownName, "unknown neuron 'lfi'; did you mean"),
        ({"tasks": ["accurracy"]}, UnknownName, "accuracy"),
        ({"neurons": [3]}, InvalidValue, "names or classes"),
        ({"neurons": 3}, InvalidValue, "names or classes"),
        ({"settings": {"epochs": -1}}, InvalidValue, "epochs"),
        ({"time_limit": 0}, InvalidValue, "above 0"),
    ],
)
def test_a_wrong_argument_is_refused(wrong: dict[str, object], error: type, reason: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=reason):
        suite.run(**{"profile": "smoke", "out": tmp_path / "run", **wrong})  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_tables_and_plots_of_rows_and_of_a_run(tmp_path: Path) -> None:
    made = rows(*(accuracy(name, "digits", [95.0 + place, 96.0, 97.0]) for place, name in enumerate(("lif", "clif"))))
    run = tmp_path / "run"
    run.mkdir()
    write_results(as_table(made), run)
    tables = suite.tables(made)
    assert {name: own.markdown() for name, own in suite.tables(run).items()} == {
        name: own.markdown() for name, own in tables.items()
    }
    assert [name for name, _ in tables["accuracy"].rows] == ["lif", "clif"]
    assert "<table>" in tables._repr_html_()
    plots = suite.plots(run)
    assert "accuracy" in plots
    for plot in plots.values():
        assert "data:image/png;base64," in plot._repr_html_()
        assert len(plot.data)
        plot.save(tmp_path / "plot.svg")
    with pytest.raises(UnknownName):
        suite.tables(run, baseline="nothing")


def test_the_bar_of_a_notebook_counts() -> None:
    cells = [Cell("memory", name, "cpu", 0) for name in ("lif", "<b>")]
    display = NotebookDisplay(cells, cached=1)
    display.plan(cells[:1])
    display.started(cells[:1])
    assert '<progress max="2" value="1">' in display.html()
    display.finished(cells[0], Result("ok", seconds=1.0))
    assert '<progress max="2" value="2">' in display.html()


SCRIPT = """
import suite
from neurons import Neuron


class Mine(Neuron):
    states = ("u",)

    def step(self, x, u):
        u = self.charge(u, x)
        spike = self.spike(u - 1.5)
        return spike, self.fire_reset(u, spike)


rows = suite.run(["lif", Mine], "memory", profile="smoke", out="run", settings={"timesteps": 2, "elements": 256})
print(sorted(set(rows.neuron)), set(rows.status))
"""


@pytest.mark.slow
def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "['lif', 'mine'] {'ok'}\n", done.stderr


@pytest.mark.slow
def test_the_example_notebook(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = "".join(output.get("data", {}).get("text/html", "") for output in shown)
    assert '<progress max="6" value="6">' in pages
    assert "adaptive" in pages
    assert "data:image/png;base64," in pages
    assert not [output for output in shown if output.output_type == "error"]
