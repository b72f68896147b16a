"""What `check` and `kernels` conclude, in this process, from comparisons and compilations made by hand."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

from neurons import BackendUnavailable
from neurons.conformance import Agreement
from suite.inspection import check
from tasks.measuring.timing import Spread

GOOD = Agreement(255, 1, 0, 2e-6, {"w": 3e-5}, True, 1e-4)
BAD = Agreement(255, 1, 2, 2e-6, {}, True, 1e-4)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each backend is found to do; nothing is run, and Triton's interpreter passes."""
    found: dict[str, Any] = {}

    def compare(name: str, backend: str, device: str) -> Agreement:
        result = found.get(backend, GOOD)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(check, "compare_once", compare)
    monkeypatch.setattr(check, "_triton_by_interpreter", lambda path, name: found.get("triton", True))
    monkeypatch.setattr(check, "_print_speed", lambda name, device: print("  speed"))
    return found


@pytest.mark.parametrize(
    ("backend", "result", "fit", "line"),
    [
        (
            "cpu",
            GOOD,
            True,
            "  cpu: agrees; largest gradient error 3.0e-05 of 0.0001; 1 of 255 neurons within rounding",
        ),
        ("cpu", BAD, False, "  cpu: 2 outputs differ from the reference; 1 of 255"),
        ("reference", BAD, False, "  reference: 2 outputs differ"),
        ("compile", RuntimeError("line one\nline two"), False, "  compile: refused: RuntimeError: line one"),
        ("compile", BackendUnavailable("it does not compile"), False, "  compile: refused: it does not compile"),
        ("triton", False, False, ""),
    ],
)
def test_a_neuron_is_fit_if_every_backend_agrees(
    backend: str, result: Any, fit: bool, line: str, quiet: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    quiet[backend] = result
    assert check._check_neuron("plif", Path("plif.py")) is fit
    said = capsys.readouterr().out
    assert line in said
    assert said.rstrip().endswith("  fit" if fit else "  refused")
    assert ("  speed" in said) is fit


def test_what_the_machine_lacks_does_not_count(
    quiet: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "_missing_here", lambda name, backend: "no compiler" if backend == "cpu" else None)
    quiet["cpu"] = BAD
    assert check._check_neuron("plif", Path("plif.py"))
    assert "  cpu: not compared: no compiler" in capsys.readouterr().out


def test_all_neurons_of_a_file_must_be_fit(quiet: dict[str, Any], neuron_file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_check_neuron", lambda name, path, device: name != "second")
    one = "@register\nclass {}(Neuron):\n    def step(self, x):\n        return (x,)\n\n"
    assert check.check(neuron_file(one.format("First")))
    assert not check.check(neuron_file(one.format("Third") + one.format("Second") + one.format("Fourth")))


@pytest.mark.parametrize(("result", "code"), [(GOOD, 0), (BAD, 1)])
def test_the_interpreters_process_tells_by_its_exit_code(
    result: Agreement, code: int, neuron_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(check, "compare_once", lambda name, backend, device: result)
    path = neuron_file("@register\nclass Told(Neuron):\n    def step(self, x):\n        return (x,)\n")
    assert check.interpreted(str(path), "told") == code


def test_speed_is_told_against_the_loop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """8 steps of 131,072 neurons: 1.048576 s of the loop are 1,000 ns each; the kernel takes a fifth."""
    seconds = {"reference": 1.048576, "cpu": 1.048576 / 5, "lif": 1.048576 / 10}
    monkeypatch.setattr(
        check, "interleave", lambda works, rounds, device: {key: Spread(1.0, seconds[key], 1.0) for key in works}
    )
    check._print_speed("plif")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "  reference: 1000.00 ns per neuron and step, forward + backward: 1.0× as fast as the loop",
        "  cpu: 200.00 ns per neuron and step, forward + backward: 5.0× as fast as the loop, 2.00× LIF's time",
    ]


def test_a_compiler_that_is_not_here_is_no_fault_of_the_neuron(
    quiet: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurons.kernels.cpu.library.no_compiler", lambda: "there is no compiler")
    assert check._check_neuron("plif", Path("plif.py"))
    assert "  cpu: not compared: there is no compiler" in capsys.readouterr().out


RAISES = """@register
class Raises(Neuron):
    states = ("u",)
    def step(self, x, u):
        raise ValueError("no")
"""
HALVED = """@register
class Halved(Neuron):
    states = ("u",)
    def step(self, x, u):
        u = self.charge(u, x).half().float()
        spike = self.spike(u - 1)
        return spike, u - spike
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (RAISES, 'refused: the step raises: line 8: raise ValueError("no"): ValueError: no'),
        (HALVED, "u = self.charge(u, x).half().float(): values of float16 in a step on float32 are not known"),
    ],
)
def test_what_is_wrong_in_one_line(body: str, told: str, suite, neuron_file) -> None:
    done = suite("check", neuron_file(body))
    assert done.returncode == 1
    assert told in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("body", ["import sys\nsys.exit(0)\n", "raise SystemExit('bye')\n", "x = 1\n", "1/0\n", "(\n"])
def test_a_bad_file_in_one_line(body: str, suite, neuron_file) -> None:
    done = suite("check", neuron_file(body))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_what_torch_says_of_itself_is_left_out() -> None:
    """Of a function that the neuron's own file looks up it is told."""
    told = "Dynamo detected a call to a `functools.lru_cache`-wrapped function at "
    logger = logging.getLogger("torch.utils.cpp_extension")
    with warnings.catch_warnings(record=True) as kept:
        warnings.simplefilter("always")
        with check._without_talk():
            warnings.warn(f"{told}'model.py:217'", UserWarning, stacklevel=1)
            warnings.warn(f"{told}'my_neuron.py:3'", UserWarning, stacklevel=1)
            assert not logger.isEnabledFor(logging.WARNING)
    assert [str(own.message) for own in kept] == [f"{told}'my_neuron.py:3'"]
    assert logger.isEnabledFor(logging.WARNING)
