"""Keys are free of order and change with what decides a value."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
from importlib import metadata
from pathlib import Path

import pytest

import tasks
from suite.runs import cell_key, machine
from tasks import Cell


def test_order_of_settings_does_not_matter() -> None:
    one = Cell("accuracy", "lif", "reference", 0, {"epochs": 3, "dataset": "digits"})
    other = Cell("accuracy", "lif", "reference", 0, {"dataset": "digits", "epochs": 3})
    assert cell_key.key(one) == cell_key.key(other)


def test_many_keys_are_those_of_each_alone() -> None:
    """Where cells share settings, and where settings change under the hands of who makes the cells."""
    shared = {"epochs": 3, "dataset": "digits", "none": None, "lr": 2.0}
    keys = cell_key.Keys()
    made = [Cell("accuracy", name, "reference", seed, shared) for name in ("lif", "clif") for seed in (0, 1)]
    known = [keys(cell) for cell in made]
    shared["epochs"] = 4
    made.append(Cell("accuracy", "lif", "reference", 0, shared))
    known.append(keys(made[-1]))
    assert len(set(known)) == 5
    shared["epochs"] = 3
    assert known == [*(cell_key.key(dataclasses.replace(cell)) for cell in made[:4]), known[4]]


def test_an_identity_is_a_hash_of_its_parts() -> None:
    """Keys of what was measured before hold: the text that is hashed is JSON, sorted, without what is not set."""
    cell = Cell("accuracy", "lif", "reference", 7, {"b": 2.0, "a": [1.0, {"c": 0.5}], "none": None}, "cuda:1")
    text = '["accuracy", "lif", "reference", "cuda", 7, {"a": [1, {"c": 0.5}], "b": 2}]'
    assert cell_key.identity(cell) == hashlib.sha256(text.encode()).hexdigest()[:20]


@pytest.mark.parametrize(
    "change", [{"neuron": "clif"}, {"backend": "compile"}, {"seed": 1}, {"settings": {"epochs": 4}}, {"task": "memory"}]
)
def test_every_part_matters(change: dict[str, object]) -> None:
    parts = {"task": "accuracy", "neuron": "lif", "backend": "reference", "seed": 0, "settings": {"epochs": 3}}
    assert cell_key.key(Cell(**parts)) != cell_key.key(Cell(**(parts | change)))


def test_the_files_of_data_that_a_user_brought_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, found = Cell("accuracy", "lif", "reference", 0, {"dataset": "digits"}), set()
    for state in (None, "one file", "another"):
        monkeypatch.setattr(cell_key.data, "fingerprint", lambda name, own=state: own if name == "digits" else None)
        found |= {cell_key.key(cell), cell_key.Keys()(cell)}
    assert len(found) == 3


def test_what_runs_the_device_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card and its driver; on a CPU, which has neither, nothing is added."""
    cell = Cell("accuracy", "lif", "reference", 0, {"epochs": 3})
    before = cell_key.key(cell)
    keys = set()
    for facts in ({}, {"card": "A", "driver": "1"}, {"card": "B", "driver": "1"}, {"card": "A", "driver": "2"}):
        monkeypatch.setattr(cell_key.devices, "facts", lambda name, own=facts: own)
        keys.add(cell_key.key(cell))
    assert len(keys) == 4
    assert before in keys


def test_versions_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell("accuracy", "lif", "reference", 0, {"epochs": 3})
    before = cell_key.key(cell)
    monkeypatch.setattr(cell_key, "versions", lambda: {"torch": "0"})
    assert cell_key.key(cell) != before


def test_versions_are_those_of_what_is_installed() -> None:
    found = cell_key.versions()
    assert found["torch"] == metadata.version("torch")
    assert found == {name: metadata.version(name) for name in cell_key.PACKAGES if name in found}
    assert {"torch", "numpy"} <= set(found)


def test_a_key_is_the_name_of_a_file() -> None:
    assert re.fullmatch("[0-9a-f]{20}", cell_key.key(Cell("accuracy", "lif", "reference", 0)))


def test_the_kernels_c_source_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell("throughput", "lif", "cpu", 0)
    hashes = []
    for edited in (False, True):
        cell_key._core_hash.cache_clear()
        with monkeypatch.context() as patch:
            known = "layer.c" if edited else "nothing"
            patch.setattr(cell_key, "_file_hash", lambda path, known=known: "new" if path.name == known else "old")
            hashes.append(cell_key.code_hash(cell))
    cell_key._core_hash.cache_clear()
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize("package", ["snntorch", "spikingjelly"])
def test_the_version_of_a_package_matters_where_it_runs(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [
        Cell("memory", "lif", "spikingjelly", 0),
        Cell("memory", "spikingjelly.lif", "compile", 0),
        Cell("memory", "snntorch.leaky", "snntorch", 0),
        Cell("memory", "lif", "cpu", 0),
    ]
    before = [cell_key.key(cell) for cell in cells]
    installed = machine.installed_version
    monkeypatch.setattr(machine, "installed_version", lambda name: "0" if name == package else installed(name))
    changed = [cell_key.key(cell) != key for cell, key in zip(cells, before, strict=True)]
    assert changed == [package in (cell.backend, cell.neuron.partition(".")[0]) for cell in cells]


def hashes(monkeypatch: pytest.MonkeyPatch, cell: Cell, edited: str) -> tuple[str, str]:
    """The hash of a cell's code before and after the file of that name, or path below `tasks/`, changed."""
    found = []
    for content in ("old", "new"):
        with monkeypatch.context() as patch:
            patch.setattr(
                cell_key, "_file_hash", lambda path, text=content: text if str(path).endswith(f"/{edited}") else "same"
            )
            cell_key._core_hash.cache_clear()
            found.append(cell_key.code_hash(cell))
    cell_key._core_hash.cache_clear()
    return found[0], found[1]


def test_another_model_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = hashes(monkeypatch, Cell("accuracy", "lif", "reference", 0, {"epochs": 3}), "models/clif.py")
    assert before == after


@pytest.mark.parametrize("task", sorted(tasks.TASKS))
def test_each_file_behind_a_task_matters_and_no_other(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tasks.get(task)
    cell = Cell(task, "lif", "reference", 0, dict(known.settings))
    own = {path for name in ("base.py", *known.sources) for path in files_below(name)}
    module = Path(inspect.getfile(type(known))).relative_to(cell_key.TASKS)
    for path in sorted(own | {str(module)}):
        before, after = hashes(monkeypatch, cell, f"tasks/{path}")
        assert before != after, path
    others = {str(path.relative_to(cell_key.TASKS)) for path in cell_key.TASKS.glob("*.py")}
    for path in sorted(others - own - {str(module)}):
        before, after = hashes(monkeypatch, cell, f"tasks/{path}")
        assert before == after, path


def files_below(name: str) -> list[str]:
    """The Python files of a file or folder below `tasks/`."""
    path = cell_key.TASKS / name
    found = path.rglob("*.py") if path.is_dir() else [path]
    return [str(each.relative_to(cell_key.TASKS)) for each in found]


@pytest.mark.parametrize(
    "file", ["networks/mlp.py", "training/loop.py", "training/recipe.py", "data/digits.py", "data/cache.py"]
)
def test_what_decides_an_accuracy_is_in_its_key(file: str) -> None:
    assert any(file in files_below(name) for name in tasks.get("accuracy").sources), file


@pytest.mark.parametrize("task", sorted(tasks.TASKS))
def test_the_machine_matters_where_it_is_measured(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(task, "lif", "reference", 0, dict(tasks.get(task).settings))
    before = cell_key.key(cell)
    monkeypatch.setattr(machine, "describe", lambda: {"cpu": "another", "cores": 1, "memory_gib": 1})
    measures = {"memory", "throughput", "training_speed", "startup", "training_memory", "linear_neuron"}
    assert (cell_key.key(cell) != before) == (task in measures)
