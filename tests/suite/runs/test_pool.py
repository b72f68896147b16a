"""Workers: warm as long as nothing of a cell is left in the process, another one after anything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import neurons
import tasks
from suite.runs import machine
from suite.runs.execute import LocalExecutor
from suite.runs.record import Result
from suite.runs.user_files import UserFiles
from tasks import Cell

FILE = Path(__file__).with_name("fake_task.py")


@pytest.fixture(autouse=True)
def _one_worker_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(tasks.TASKS)
    neurons.load_file(FILE)
    monkeypatch.setattr(machine, "usable_cores", lambda: 1)
    yield
    tasks.TASKS.clear()
    tasks.TASKS.update(before)


def run(folder: Path, *modes: str, task: str = "fake", time_limit: float = 60.0) -> list[Result]:
    """The results of cells that are run one after the other."""
    found: dict[int, Result] = {}
    executor = LocalExecutor(
        time_limit,
        UserFiles(neurons=[str(FILE)]),
        lambda cell: folder / f"{cell.settings['number']}.log",
        lambda _: None,
        lambda cell, result: found.update({cell.settings["number"]: result}),
        lambda: False,
    )
    usual = tasks.get(task).settings
    executor.run(
        [Cell(task, "faked", "reference", 0, {**usual, "mode": mode, "number": n}) for n, mode in enumerate(modes)]
    )
    return [found[number] for number in range(len(modes))]


def processes_of(results: list[Result]) -> list[float]:
    """Who measured the cells of the mode "process"."""
    return [result.values[1].value for result in results if result.status == "ok" and result.values[1].value > 1]


def test_cells_that_leave_nothing_share_a_process(tmp_path: Path) -> None:
    results = run(tmp_path, *["process"] * 3, "print", "nan", "process")
    assert len(processes_of(results)) == 4
    assert len(set(processes_of(results))) == 1
    assert results[3].output == "text of the cell\ntext of a library\n"
    assert results[5].output == "", "each has its own output"
    assert [path.name for path in tmp_path.glob("*.log")] == ["3.log"]


def test_each_cell_draws_the_random_numbers_of_the_first(tmp_path: Path) -> None:
    first, other = (result.values[1].value for result in run(tmp_path, "random", "random"))
    assert first == other


def test_what_is_alone_has_a_process_of_its_own(tmp_path: Path) -> None:
    assert len(set(processes_of(run(tmp_path, *["process"] * 3, task="fake_alone")))) == 3


@pytest.mark.parametrize(
    "mode",
    [
        *("raise", "kill", "exit", "tensor"),
        *("thread", "child", "program", "dtype", "environment", "folder", "signals", "hoard"),
    ],
)
def test_another_process_after_a_cell_that_fails_or_leaves_something(mode: str, tmp_path: Path) -> None:
    results = run(tmp_path, "process", mode, "process")
    assert [results[0].status, results[2].status] == ["ok", "ok"]
    assert len(set(processes_of(results))) == 2
