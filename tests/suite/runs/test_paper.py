"""The profile of the CLIF paper: its recipe, what it says beforehand, and a run of it that is killed and goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from neurons import InvalidValue, UnknownName
from suite.report.reference import reference
from suite.runs import paper, plan
from suite.runs.plan import Request
from tasks import data, get
from tasks.accuracy import MEASURED
from tasks.data import cache, location
from tasks.training import recipes
from tests.suite.report.handmade import accuracy, rows
from tests.tasks.data import made_files

TABLE_5 = {
    # weight decay, batch, epochs, learning rate; network and T of Tables 1 and 2
    "cifar10": (5e-5, 128, 200, 0.1, "resnet18_preact", 6),
    "cifar100": (5e-4, 128, 200, 0.1, "resnet18_preact", 6),
    "tiny_imagenet": (5e-4, 256, 300, 0.1, "vgg13", 6),
    "cifar10_dvs_clif": (5e-4, 128, 300, 0.05, "vgg11", 10),
    "dvs128_gesture": (5e-4, 16, 300, 0.1, "vgg11", 20),
}


def test_the_recipe_is_table_5() -> None:
    assert set(recipes.datasets()) == set(TABLE_5)
    for cell in plan.make(Request("paper", neurons=["lif", "clif"])):
        settings = cell.settings
        steps = settings["frames"] or settings["timesteps"]
        found = [settings[name] for name in ("weight_decay", "batch_size", "epochs", "learning_rate", "network")]
        assert (*found, steps) == TABLE_5[str(cell.dataset)]
        assert (settings["optimizer"], settings["recipe"], settings["held_out"]) == ("sgd", "clif2024", False)
        assert get("accuracy").refusal(settings) is None
        for name, value in settings.items():
            assert get("accuracy").range(name).value(name, value) == value
    assert {(cell.dataset, cell.neuron) for cell in plan.make(Request("paper", neurons=["lif", "clif"]))} == {
        (dataset, neuron) for dataset in TABLE_5 for neuron in ("lif", "clif")
    }


def test_what_is_changed_of_a_recipe_stands_in_its_name() -> None:
    request = Request(
        "paper", neurons=["lif"], datasets=["cifar10"], settings={"epochs": 2, "width": 8, "dropout": 0.1}
    )
    (cell,) = plan.make(request)
    assert cell.settings["recipe"] == "clif2024, but dropout=0.1, epochs=2, width=8"
    assert (cell.settings["width"], cell.settings["dropout"], cell.settings["weight_decay"]) == (8, 0.1, 5e-5)


@pytest.mark.parametrize(
    ("settings", "datasets", "line"),
    [
        ({"recipe": "clif2024"}, [], "--profile paper takes the paper's"),
        ({"augmentation": "crob"}, ["cifar10"], "unknown augmentation 'crob'; did you mean 'crop'"),
        ({}, ["digits"], "--profile paper has no such cell; its data sets: cifar10, cifar100, tiny_imagenet"),
        ({"augmentation": "flip"}, ["dvs128_gesture"], "dvs128_gesture holds no images in pixels"),
    ],
)
def test_wrong_input_is_one_line(settings: dict[str, Any], datasets: list[str], line: str) -> None:
    with pytest.raises((InvalidValue, UnknownName), match=re.escape(line)):
        plan.make(Request("paper", neurons=["lif"], settings=settings, datasets=datasets))


def test_what_it_takes_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a set that is not here where it is had; of the others hours, disk and energy, which grow with the epochs."""
    monkeypatch.setenv(location.VARIABLE, str(tmp_path))
    monkeypatch.setattr(paper, "_rate", lambda device: 1e6)
    monkeypatch.setattr(paper.machine, "usable_cores", lambda: 2)
    made_files.cifar10(tmp_path)
    data._load.cache_clear()
    hours = []
    for epochs in (5, 10):
        settings = {"epochs": epochs, "width": 2, "timesteps": 2}
        request = Request(
            "paper", neurons=["lif"], datasets=["cifar10", "cifar100"], settings=settings, devices=["cpu"]
        )
        missing, told = sorted(paper.estimate(plan.make(request)), key=lambda line: line.startswith("predicted"))
        assert "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz" in missing
        hours.append(float(re.search(r"predicted: ([\d.,]+) h", told).group(1).replace(",", "")))  # type: ignore[union-attr]
        assert "MiB of checkpoints" in told
        assert "kWh for each 100 W" in told
    assert hours[1] == pytest.approx(2 * hours[0], abs=0.11)
    data._load.cache_clear()


def test_the_estimate_reads_no_files_and_tells_of_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames of the whole set as it is published, and those that are there; nothing is loaded for it."""
    monkeypatch.setenv(location.VARIABLE, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(paper, "_rate", lambda device: 1e9)
    made_files.cifar10_dvs(tmp_path, (0, 1, 900))
    made = data._made

    def refuse(*_: Any) -> Any:
        raise AssertionError("the data set is loaded")

    monkeypatch.setattr(data, "_made", refuse)
    settings = {"epochs": 2, "network": "resnet18_preact", "train_samples": 100}
    request = Request("paper", neurons=["lif"], datasets=["cifar10_dvs_clif"], settings=settings, devices=["cpu"])
    (told,) = paper.estimate(plan.make(request))
    whole = 10_000 * 10 * 2 * 48 * 48 / 2**20
    assert f", {whole:,.0f} MiB of data made ready in {tmp_path / 'cache'}" in told
    assert "are there" not in told
    monkeypatch.setattr(data, "_made", made)
    data._load.cache_clear()
    kept = data.load("cifar10_dvs_clif").inputs
    monkeypatch.setattr(cache, "size_of", {f"cifar10_dvs-{kept.shape[1]}": 3 << 20}.__getitem__)
    (told,) = paper.estimate(plan.make(request))
    assert "(3 MiB are there)" in told
    data._load.cache_clear()


def test_a_run_that_misses_what_is_printed_says_so() -> None:
    def by(neuron: str, value: float, recipe: str) -> list[dict[str, Any]]:
        own = accuracy(neuron, "cifar10", [value], settings={"recipe": recipe})
        return [{**row, "metric": "accuracy_paper_style"} for row in own]

    changed = "clif2024, but epochs=2"
    table = rows(
        by("lif", 94.3, "clif2024"),
        by("clif", 94.0, "clif2024"),
        by("plif", 95.0, "clif2024"),
        by("clif", 50.0, changed),
        accuracy("lif", "digits", [97.0]),
    )
    found = reference(table)
    assert found is not None
    told = {(entries[0].text, entries[1].text): [entry.text for entry in entries[2:]] for _, entries in found.rows}
    assert told["LIF", "clif2024"] == ["94.30 (1)", "94.51 ± 0.5", "within the tolerance"]
    assert told["CLIF", "clif2024"][-1] == "missed by 1.41 points"
    better = reference(rows(by("lif", 96.0, "clif2024")))
    assert better is not None
    assert [entries[-1].text for _, entries in better.rows] == ["above by 1.49 points"]
    assert told["PLIF", "clif2024"][-1] == "nothing is printed"
    assert told["CLIF", changed][-1] == "not compared: the recipe was changed"
    assert len(found.rows) == 4
    assert reference(rows(accuracy("lif", "digits", [97.0]))) is None


@pytest.mark.parametrize(("device", "expected"), [("cpu", "contiguous"), ("cuda:0", "channels_last")])
def test_channels_come_last_on_cards_alone(device: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "resolved", lambda backend, model, device: backend)
    assert {cell.settings["memory_format"] for cell in paper.grid(device, ["lif"], 1)} == {expected}


LINE = (
    "run --profile paper --datasets cifar10 --neurons clif --device cpu --set epochs=8 --set width=2 --set timesteps=2"
)
CHANGES = "--set precision=float32 --set batch_size=8"


@pytest.mark.slow
def test_an_epoch_of_the_recipe_is_killed_and_the_run_goes_on(tmp_path: Path) -> None:
    """Through the command line: the run that was killed ends with every value of the one that was not."""
    made_files.cifar10(tmp_path / "data")
    command = [sys.executable, "-m", "suite", *LINE.split(), *CHANGES.split(), "--data-dir", str(tmp_path / "data")]

    def start(out: str) -> subprocess.Popen[bytes]:
        where = Path(__file__).parents[3]
        return subprocess.Popen([*command, "--out", str(tmp_path / out)], cwd=where, stdout=subprocess.DEVNULL)

    killed = start("killed")
    while not list((tmp_path / "killed").glob("logs/*.checkpoint1")):
        assert killed.poll() is None
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not list((tmp_path / "killed").glob("cells/*.json")), "it was killed before its end"
    again, whole = start("killed"), start("whole")
    assert again.wait() == whole.wait() == 0
    found = {}
    for out in ("killed", "whole"):
        table = recorded(tmp_path / out)
        assert table["status"] == "ok"
        assert table["cell"]["settings"]["recipe"].startswith("clif2024, but ")
        own = [value for value in table["values"] if value["metric"] not in MEASURED]
        found[out] = own
        assert ("training goes on after epoch" in table["output"]) == (out == "killed")
        assert not list((tmp_path / out).glob("logs/*checkpoint*")), "what is stored needs no checkpoint"
    assert found["killed"] == found["whole"]
    assert len([value for value in found["whole"] if value["metric"] == "train_loss"]) == 8


def recorded(out: Path) -> dict[str, Any]:
    """The one cell of a run, read from its own file or from the pack of files."""
    (path,) = out.glob("cells/*.json")
    return json.loads(path.read_text())
