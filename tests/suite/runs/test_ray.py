"""A run on a Ray cluster: the same rows as on this machine; every cell once, whatever becomes of nodes and workers."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import tasks
from neurons import BackendUnavailable, InvalidValue, UnknownName
from suite.cli import main
from suite.runs import executors, ray_node
from suite.runs.cell_key import versions
from suite.runs.execute import LocalExecutor
from suite.runs.record import Result, measured, result_to_json
from suite.runs.user_files import UserFiles
from suite.runs.worker import as_result
from tasks import Cell, Value, data
from tasks.accuracy import MEASURED
from tasks.data import location
from tests.conftest import Suite

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


@pytest.mark.slow
@needs_ray
def test_the_same_rows_as_on_this_machine(suite: Suite, tmp_path: Path) -> None:
    asked = ("run", "--profile", "smoke", "--tasks", "accuracy", "--neurons", "lif,clif", "--datasets", "digits")
    tables = {}
    for executor in ("local", "ray"):
        done = suite(*asked, "--executor", executor, "--out", tmp_path / executor / "run")
        assert done.returncode == 0, done.stderr
        rows = pd.read_parquet(tmp_path / executor / "run/results.parquet")
        assert set(rows.status) == {"ok"}
        tables[executor] = rows[~rows.metric.isin(MEASURED)].reset_index(drop=True)
    pd.testing.assert_frame_equal(tables["local"], tables["ray"])


def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    asked = ["run", "--profile", "smoke", "--tasks", "accuracy", "--out", str(tmp_path / "run")]
    for more, told in (
        (["--executor", "ray"], "pip install 'neuron-suite[ray]'"),
        (["--executor", "rya"], "did you mean 'ray'?"),
        (["--address", "here:1"], "--address is that of a Ray cluster; add --executor ray"),
    ):
        assert main([*asked, *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert told in line
    assert not (tmp_path / "run").exists()


def test_local_is_the_usual_one() -> None:
    assert executors.choose("local") is LocalExecutor
    with pytest.raises(UnknownName):
        executors.choose("slurm")
    with pytest.raises(InvalidValue):
        executors.choose("local", "auto")


class Cluster:
    """A cluster by hand: each batch that is sent gets the next of `answers`, and its results once there are none."""

    def __init__(self, answers: Sequence[Any] = ()) -> None:
        self.answers = list(answers)
        self.nodes = [{"NodeID": name, "Resources": {"CPU": 2.0}} for name in ("a" * 56, "b" * 56)]
        self.sent: list[tuple[Sequence[Cell], dict[str, Any]]] = []
        self.orders: list[ray_node.Order] = []
        self.flying: dict[int, Any] = {}
        self.asked = 0

    def alive(self) -> list[dict[str, Any]]:
        self.asked += 1
        return self.nodes

    def options(self, **options: Any) -> SimpleNamespace:
        def remote(cells: Sequence[Cell], _: Any, order: ray_node.Order) -> int:
            self.sent.append((cells, options))
            self.orders.append(order)
            own = [result_to_json(measured([Value("value", 1.0)], 1.0)) for _ in cells]
            self.flying[len(self.sent)] = self.answers.pop(0) if self.answers else own
            return len(self.sent)

        return SimpleNamespace(remote=remote)

    def get(self, reference: int) -> Any:
        answer = self.flying.pop(reference)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self, references: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        return references[:1], references[1:]


Run = Callable[..., list[tuple[Cell, Result]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    pytest.importorskip("ray")
    from suite.runs import ray_executor

    def run(
        cluster: Cluster,
        cells: Sequence[Cell],
        stop_after: int = 1000,
        started: Callable[[Sequence[Cell]], None] = lambda cells: None,
    ) -> list[tuple[Cell, Result]]:
        monkeypatch.setattr(ray_executor, "_remote", lambda: cluster)
        monkeypatch.setattr(ray_executor, "_alive", cluster.alive)
        for name in ("get", "wait"):
            monkeypatch.setattr(ray_executor.ray, name, getattr(cluster, name))
        monkeypatch.setattr(ray_executor.ray, "put", lambda texts: texts)
        monkeypatch.setattr(ray_executor.ray, "cancel", lambda reference, force: None)
        found: list[tuple[Cell, Result]] = []
        executor = ray_executor.RayExecutor(
            10.0,
            UserFiles(),
            lambda cell: tmp_path / f"{cell.seed}.log",
            started,
            lambda cell, result: found.append((cell, result)),
            lambda: len(found) >= stop_after,
        )
        assert executor.jobs == 4
        executor.run(cells)
        return found

    return run


def accuracy(count: int) -> list[Cell]:
    return [Cell("accuracy", "lif", "cpu", seed, {"dataset": "digits"}) for seed in range(count)]


def lost(count: int) -> list[Exception]:
    from ray.exceptions import NodeDiedError, WorkerCrashedError

    return [NodeDiedError("gone") if number % 2 else WorkerCrashedError() for number in range(count)]


def test_every_cell_once_though_nodes_are_lost(run: Run) -> None:
    cluster = Cluster(lost(4))
    found = run(cluster, accuracy(20))
    assert sorted(cell.seed for cell, _ in found) == list(range(20))
    assert {result.status for _, result in found} == {"ok"}
    assert len(cluster.sent) == 24


def test_a_cell_that_ends_every_node_counts_as_failed(run: Run) -> None:
    from suite.runs.ray_executor import MOST_LOSSES

    cluster = Cluster(lost(MOST_LOSSES))
    ((_, result),) = run(cluster, accuracy(1))
    assert result.status == "failed"
    assert result.detail.startswith("its node or worker was lost 5 times; the last: ")


def test_a_node_that_cannot_measure_says_why(run: Run) -> None:
    (_, result), (_, other) = run(Cluster([("OtherVersions: a has torch 1", "trace")]), accuracy(2))
    assert (result.status, result.detail, result.traceback) == ("failed", "OtherVersions: a has torch 1", "trace")
    assert other.status == "ok"


def test_cells_ask_for_what_they_need_and_timings_for_a_whole_node(run: Run) -> None:
    usual = tasks.get("throughput").settings
    timings = [Cell("throughput", "lif", "cpu", 0, {**usual, "timesteps": steps}) for steps in (4, 8, 16)]
    cluster = Cluster()
    assert len(run(cluster, [*accuracy(2), *timings])) == 5
    for cells, options in cluster.sent:
        timed = cells[0].task == "throughput"
        assert options["num_cpus"] == (2.0 if timed else 1)
        assert options["num_gpus"] == 0
        assert options["memory"] > 0
        assert ("scheduling_strategy" in options) == timed


def test_the_nodes_are_not_asked_for_at_each_result(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.runs.ray_executor.AGE", 3600.0)
    for losses in (0, 1):
        cluster = Cluster(lost(losses))
        run(cluster, accuracy(50))
        assert cluster.asked == 1 + losses, "after a loss the list may be another"


@pytest.mark.parametrize("address", [None, "head:6379"])
def test_workers_of_a_local_cluster_do_not_stand_back(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    from suite.runs import ray_executor

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv(ray_executor.NICENESS, "15")  # so that what is set here is taken back
    monkeypatch.delenv(ray_executor.NICENESS)
    said = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: said.append(os.environ.get(ray_executor.NICENESS)))
    ray_executor.connect(address)
    assert said == ["0" if address is None else None]


def test_cells_that_wait_on_the_cluster_are_not_at_work(run: Run) -> None:
    cluster, begun = Cluster(), []

    def started(cells: Sequence[Cell]) -> None:
        begun.extend(cell.seed for cell in cells)
        assert len(begun) <= 4 + len(cluster.sent) - len(cluster.flying), "four cores"

    run(cluster, accuracy(20), started=started)
    assert begun == list(range(20))
    assert len(cluster.sent) == 20


def test_a_request_to_stop_sends_nothing_more(run: Run) -> None:
    cluster = Cluster()
    found = run(cluster, accuracy(100), stop_after=1)
    assert len(found) < 20
    assert len(cluster.sent) < 20


def test_what_a_node_prints_is_kept_here(run: Run, tmp_path: Path) -> None:
    own = result_to_json(Result("ok", [Value("value", 1.0)], output="text of the cell\n", machine="Another CPU"))
    ((_, result),) = run(Cluster([[own]]), accuracy(1))
    assert (tmp_path / "0.log").read_text() == "text of the cell\n"
    assert result.machine == "Another CPU"
    assert os.listdir(tmp_path) == ["0.log"]


def test_every_node_looks_for_data_where_the_run_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (None, "/data/of/all"):
        monkeypatch.delenv(location.VARIABLE, raising=False)
        if named:
            monkeypatch.setenv(location.VARIABLE, named)
        cluster = Cluster()
        run(cluster, accuracy(1))
        assert [order.data_dir for order in cluster.orders] == [named]


class Here:
    """Stands for a node's executor: the cells read their data in this process."""

    finished: Callable[[Cell, Result], None]

    def run(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            try:
                data.load(str(cell.dataset))
            except BackendUnavailable as error:
                self.finished(cell, as_result(error, 0.0))


def test_data_that_a_node_lacks_are_unavailable_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(location.VARIABLE, "/elsewhere")
    monkeypatch.setattr(ray_node, "_executor", lambda files: Here())
    monkeypatch.setattr(socket, "gethostname", lambda: "node-7")
    order = ray_node.Order(1.0, False, versions(), str(tmp_path))
    (known,) = ray_node.measure([Cell("accuracy", "lif", "cpu", 0, {"dataset": "cifar10"})], {}, order)
    assert known["status"] == "unavailable"
    assert known["detail"].startswith(f"data set cifar10: {tmp_path}")
    assert known["detail"].endswith("(on node-7)")
