"""Each addition is one file: the examples of CONTRIBUTING.md, as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tasks
from neurons import NeuronError
from suite.runs import cell_key
from tasks import Cell, data, networks
from tests.conftest import REPOSITORY, Suite

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, flags=re.DOTALL))
KINDS = {"neuron": "my_neuron.py", "task": "my_task.py", "dataset": "my_dataset.py", "network": "my_network.py"}


def test_every_addition_has_its_example() -> None:
    assert set(EXAMPLES) == {*KINDS.values(), "hello.py"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The examples as files of a user."""
    paths = {kind: tmp_path / name for kind, name in KINDS.items()}
    for path in paths.values():
        path.write_text(EXAMPLES[path.name])
    return paths


ASKED = {
    "neuron": (["--neurons", "adaptive", "--tasks", "accuracy", "--datasets", "digits"], {"neuron": "adaptive"}),
    "task": (["--tasks", "silence", "--neurons", "lif"], {"task": "silence"}),
    "dataset": (["--datasets", "parity", "--tasks", "accuracy", "--neurons", "lif"], {"dataset": "parity"}),
    "network": (
        ["--set", "network=wide", "--tasks", "accuracy", "--neurons", "lif", "--datasets", "digits"],
        {"network": "wide"},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_a_user(kind: str, files: dict[str, Path], tmp_path: Path, suite: Suite) -> None:
    asked, wanted = ASKED[kind]
    done = suite("run", "--profile", "smoke", f"--{kind}-file", files[kind], *asked, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "run" / "results.parquet")
    for column, value in wanted.items():
        found = rows[column] if column in rows else rows.settings.map(lambda text, key=column: json.loads(text)[key])
        assert set(found) == {value}
    assert rows.value.notna().all()


def test_a_command(tmp_path: Path) -> None:
    for package in ("neurons", "tasks", "suite"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "suite" / "commands" / "hello.py").write_text(EXAMPLES["hello.py"])
    for arguments, expected in ((["hello", "--upper"], "LIF"), (["--help"], "say which models there are")):
        done = subprocess.run(
            [sys.executable, "-m", "suite", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        )
        assert expected in done.stdout


def test_a_change_of_a_users_file_is_measured_anew(files: dict[str, Path]) -> None:
    """Of the data set, of the network, of the task: each in the keys of the cells that it decides, and in no others."""
    data.load_file(files["dataset"])
    networks.load_file(files["network"])
    tasks.load_file(files["task"])
    cells = {
        "dataset": Cell("accuracy", "lif", "reference", 0, {"dataset": "parity"}),
        "network": Cell("accuracy", "lif", "reference", 0, {"dataset": "digits", "network": "wide"}),
        "task": Cell("silence", "lif", "reference", 0),
        "none": Cell("accuracy", "lif", "reference", 0, {"dataset": "digits", "network": "mlp"}),
    }
    before = {kind: cell_key.key(cell) for kind, cell in cells.items()}
    for kind in ("dataset", "network", "task"):
        path = files[kind]
        path.write_text(path.read_text() + "\n# another\n")
        cell_key._file_hash.cache_clear()
        assert {name for name, cell in cells.items() if cell_key.key(cell) != before[name]} == {kind}
        path.write_text(EXAMPLES[path.name])
        cell_key._file_hash.cache_clear()


WRONG = {
    "no task": ("task", "class Silence(Task)", "class Silence", "has no task"),
    "abstract": ("task", "def grid", "def gird", "class Silence: has no grid"),
    "no metrics": ("task", "    metrics =", "    metric =", "class Silence: has no metrics"),
    "no generator": ("task", "yield Value", "return Value", "run must be a generator"),
    "name of a task": ("task", 'name = "silence"', 'name = "accuracy"', "the name 'accuracy' is taken"),
    "two words": ("task", 'name = "silence"', 'name = "no sound"', "'no sound' is not one word"),
    "no sources": ("dataset", "SOURCES", "SOURCE", "has no SOURCES"),
    "name of a data set": ("dataset", '"parity":', '"digits":', "data set digits: the name 'digits' is taken"),
    "split": ("dataset", '"v", "e"], [400, 100, 100]', '"e"], [400, 200]', "has the letters ['e', 't']"),
    "too few letters": ("dataset", "[400, 100, 100]", "[400, 100, 99]", "599 letters of the split are not as many"),
    "float64": ("dataset", "np.float32", "np.float64", "inputs are float64, not float32"),
    "raises": ("dataset", "    bits =", "    1 / 0\n    bits =", "load(4) ends with ZeroDivisionError"),
    "no architectures": ("network", "ARCHITECTURES", "NETWORKS", "has no ARCHITECTURES"),
    "shape": ("network", "(width, classes)", "(width, classes + 1)", "not [2, 3, 3]"),
    "build": ("network", "numel()", "count()", "it ends with TypeError"),
}
"""What is changed in an example into what, and what is said then."""


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_the_file(case: str, files: dict[str, Path]) -> None:
    kind, old, new, message = WRONG[case]
    text = files[kind].read_text()
    assert old in text
    files[kind].write_text(text.replace(old, new))
    load = {"task": tasks.load_file, "dataset": data.load_file, "network": networks.load_file}[kind]
    with pytest.raises(NeuronError) as raised:
        load(files[kind])
    assert message in str(raised.value)
    assert str(raised.value).startswith(str(files[kind]))
    assert "\n" not in str(raised.value)
