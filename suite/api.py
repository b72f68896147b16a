"""The suite from Python and from a notebook: `suite.run`, `suite.tables`, `suite.plots`."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

import neurons as models
from neurons import InvalidValue, Neuron
from neurons.registry import registered
from neurons.travel import file_of
from suite.publish.build import choose_baseline
from suite.report import style
from suite.report.conditions import name_conditions
from suite.report.parts import Parts
from suite.report.plots import PLOTS
from suite.report.plots.base import Plot
from suite.report.table import Table
from suite.report.tables import makers
from suite.runs import executors, groups, measure, plan, tuning
from suite.runs.cell_key import key
from suite.runs.store import RunError, read_results
from suite.runs.user_files import UserFiles

Names = str | Sequence[str]
Rows = pd.DataFrame | str | Path
"""Rows of a run, or the path of its directory."""


def run(
    neurons: str | Sequence[str | type[Neuron]] = (),
    tasks: Names = (),
    datasets: Names = (),
    seeds: int | None = None,
    profile: str = "quick",
    *,
    backends: Names = ("auto",),
    devices: Names = ("auto",),
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    time_limit: float | None = None,
    files: UserFiles | None = None,
    tune: int | None = None,
    executor: str = "local",
    address: str | None = None,
) -> pd.DataFrame:
    """Measure what is asked for and not yet measured, as `python -m suite run` does; its rows, one value a row.

    Cells run in processes of their own, each result is stored as it comes, and the same call again goes on where an
    earlier one ended. A cell that fails is a row with its status and cause.

    Args:
        neurons: names as on the command line (`tag:adaptive` too), or classes. A class that was defined in a notebook
            or a script travels to the processes by its source.
        seeds: their number; by profile ("smoke", "quick" or "full") unless given.
        settings: what `--set` takes, for example `{"timesteps": 8, "neuron.tau": 1.5}`.
        out: the run directory; `results/runs/PROFILE` unless given.
        time_limit: seconds for one cell.
        files: Python files with neurons, tasks, data sets and networks.
        tune: how many settings of each neuron on each data set are tried; the best by validation is run, too.
        executor: "local", or "ray" for a Ray cluster, whose `address` may be given.

    Returns:
        The rows of the cells asked for; `rows.attrs["run"]` is the run directory.

    Raises:
        UnknownName, InvalidValue: an argument is wrong; the message says what would be right.
        NeuronError: a neuron is wrong, or its source cannot travel; the message names the way out.
        RunError: the run directory is in use, or results could not be stored.
    """
    own = files or UserFiles()
    own.load()
    root = Path(out) if out is not None else Path("results/runs") / profile
    chosen = [neuron if isinstance(neuron, str) else _registered(neuron) for neuron in _list(neurons)]
    request = plan.Request(
        profile,
        _list(tasks),
        chosen,
        _list(backends),
        _list(datasets),
        seeds,
        dict(settings or {}),
        _list(devices),
        tune,
    )
    cells = plan.make(request)
    limit = plan.time_limit(time_limit, profile)
    travelling = [file_of(models.get(name), root / "neurons") for name in dict.fromkeys(cell.neuron for cell in cells)]
    brought = {str(Path(path).resolve()) for path in own.neurons}
    added = [str(path) for path in travelling if path is not None and str(path.resolve()) not in brought]
    own = UserFiles([*own.neurons, *dict.fromkeys(added)], own.networks, own.datasets, own.tasks)
    command = _command(request, own, root, time_limit)
    trials, follow = tuning.stages(cells, request)
    chosen_executor = executors.choose(executor, address)
    members = {groups.MAIN: [*cells, *trials]}
    measure.execute(members, root, limit, command, own, follow=follow, executor=chosen_executor)
    wanted = {*map(key, cells), *groups.read(root)[groups.MAIN]}
    rows = read_results(root)
    rows = rows[rows.cell.isin(wanted)].reset_index(drop=True)
    missing = len(wanted) - rows.cell.nunique()
    if missing:
        raise RunError(
            f"{missing} of {len(wanted)} cells have no result in {root}; the same call again goes on from here"
        )
    rows.attrs["run"] = str(root)
    return rows


def tables(rows: Rows, baseline: str | None = None) -> Shown[Table]:
    """The tables of a report by name, for which the rows hold something; they display in a notebook.

    Args:
        rows: of `run`, or of `pandas.read_parquet`; or the path of a run directory.
        baseline: the neuron that others are compared with; LIF, or the first that there is, unless told otherwise.

    Raises:
        UnknownName: the rows have no such neuron.
        RunError: the path is no run directory.
    """
    named = _named(rows)
    parts = Parts()
    made = {
        name: parts.make(f"table {name}", make)
        for name, make in makers(named, choose_baseline(named, baseline)).items()
    }
    return Shown({name: table for name, table in made.items() if table is not None})


@dataclass(frozen=True)
class Drawing:
    """A figure of a report and the data that it shows; it displays in a notebook."""

    title: str
    figure: Figure
    data: pd.DataFrame

    def save(self, path: str | Path) -> None:
        """Write it as PNG, SVG or PDF, by the ending of the path."""
        self.figure.savefig(path)

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=160)
        image = base64.b64encode(buffer.getvalue()).decode()
        title = html.escape(self.title, quote=True)
        return (
            f'<figure><img alt="{title}" src="data:image/png;base64,{image}"><figcaption>{title}</figcaption></figure>'
        )


def plots(rows: Rows) -> Shown[Drawing]:
    """The figures of a report by name, for which the rows hold something; see `tables`."""
    named = _named(rows)
    parts = Parts()
    found = {}
    for plot in PLOTS:
        drawing = parts.make(f"plot {plot.name}", partial(_draw, plot, named))
        if drawing is not None:
            found[plot.name] = drawing
    return Shown(found)


def _draw(plot: Plot, rows: pd.DataFrame) -> Drawing | None:
    with matplotlib.rc_context():
        style.apply()
        made = plot.make(rows)
    return Drawing(plot.title, *made) if made is not None else None


T = TypeVar("T", Table, Drawing)


class Shown(dict[str, T]):
    """Tables or figures by name, which a notebook shows one below the other."""

    def _repr_html_(self) -> str:
        return "\n".join(own._repr_html_() for own in self.values())


def _named(rows: Rows) -> pd.DataFrame:
    if not isinstance(rows, pd.DataFrame):
        rows = groups.read_main_rows(Path(rows))
    return name_conditions(rows)


def _list(names: Any) -> list[Any]:
    """The names of an argument: a list of them, or one text with commas as on the command line."""
    if isinstance(names, str):
        return [name.strip() for name in names.split(",")]
    return list(names) if isinstance(names, Sequence) else [names]


def _registered(neuron: object) -> str:
    if not (isinstance(neuron, type) and issubclass(neuron, Neuron)):
        raise InvalidValue(f"neurons are names or classes of neurons.Neuron, not {neuron!r}")
    name = vars(neuron).get("name", neuron.__name__.lower())
    if registered(name) is not neuron:
        models.register(neuron)
    return name


def _command(request: plan.Request, files: UserFiles, out: Path, time_limit: float | None) -> list[str]:
    """The line of the command line that asks for the same, which the provenance of the rows names."""
    words = ["run", "--profile", request.profile, "--out", str(out)]
    for option, names in (
        ("tasks", request.tasks),
        ("neurons", request.neurons),
        ("backends", request.backends),
        ("datasets", request.datasets),
        ("device", request.devices),
    ):
        words += [f"--{option}", ",".join(names)] if names and list(names) != ["auto"] else []
    words += ["--seeds", str(request.seeds)] if request.seeds is not None else []
    words += ["--tune", str(request.tune)] if request.tune is not None else []
    for name, value in request.settings.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    for kind, paths in vars(files).items():
        words += [word for path in paths for word in (f"--{kind.removesuffix('s')}-file", str(path))]
    return words + (["--time-limit", f"{time_limit:g}"] if time_limit is not None else [])
