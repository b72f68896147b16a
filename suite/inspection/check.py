"""`python -m suite check F.py`: is this neuron right, and is it fast?"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

import neurons
from neurons import BackendUnavailable, backends, conformance
from neurons.errors import NotFusable
from neurons.kernels import cost
from neurons.kernels.cpu import library as cpu_library
from neurons.kernels.trace import Program, program_of
from tasks.measuring import devices
from tasks.measuring.timing import interleave
from tasks.measuring.workload import drive

STEPS, SAMPLES, CHANNELS = 19, 50, 5
TIMED_STEPS, TIMED_ELEMENTS, ROUNDS = 8, 1 << 17, 5
COMPARED = ("reference", "compile", "cpu", "triton")
BESIDE = "lif"
"""Timed in the same rounds, so that the times say something."""
TALKATIVE = "torch.utils.cpp_extension"
TRACED_ANYWAY = r"Dynamo detected a call to a `functools.lru_cache`-wrapped function at 'model\.py"
"""How its warning begins that a function of the suite is traced and not looked up; of a neuron's file it is told."""


def check(path: Path, device: str = "cpu") -> bool:
    """Print for each neuron of a file whether it is refused or fit, its agreement, cost and speed; True if all fit.

    Reference and compile run on the device, which is also timed; a fused kernel runs on the device that it is for, and
    Triton's without a card by its interpreter.

    Raises:
        NeuronError: the file registers nothing that can be checked.
    """
    with _without_talk():
        fit = [_check_neuron(name, path, device) for name in neurons.load_file(path)]
    return all(fit)


@contextlib.contextmanager
def _without_talk() -> Iterator[None]:
    """Leave out what torch says of itself as it compiles on a machine without a card, which is no fault of a neuron."""
    logger = logging.getLogger(TALKATIVE)
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns that there is no CUDA runtime
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", TRACED_ANYWAY, UserWarning)
            yield
    finally:
        logger.setLevel(level)


def _check_neuron(name: str, path: Path, device: str = "cpu") -> bool:
    cls = neurons.get(name)
    print(f"{name}: states {', '.join(cls.states) or 'none'}; learnable {', '.join(cls.learnables()) or 'none'}")
    fault = _fault_of_step(name, device)
    if fault is not None:
        print(f"  refused: {fault}")
        return False
    agreed = [_agreement(name, backend, path, device) for backend in COMPARED]
    if cls.runs_over_time():
        try:
            _print_cost(program_of(cls(TIMED_STEPS)))
        except NotFusable as error:
            print(f"  refused: {error}")
            return False
    fit = all(agreed)
    if fit:
        _print_speed(name, device)
    print(f"  {'fit' if fit else 'refused'}")
    return fit


def _fault_of_step(name: str, device: str) -> str | None:
    """What the step itself raises, or that its results are not finite; None if it runs."""
    try:
        found = compare_once(name, "reference", device)
    except Exception as error:
        where = next(
            (frame for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.name == "step"), None
        )
        line = f"line {where.lineno}: {where.line}: " if where else ""
        return f"the step raises: {line}{_one_line(error)}"
    return None if found.finite else "the reference is not finite on a usual input: NaN or Inf"


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")


def _agreement(name: str, backend: str, path: Path, device: str) -> bool:
    """Compare one backend with the float64 reference; what this machine does not have is told and does not count."""
    on_card = devices.kind_of(device) == "cuda"
    if backend == "triton" and not on_card and os.environ.get("TRITON_INTERPRET") != "1":
        return _triton_by_interpreter(path, name)
    label = "triton (interpreter)" if backend == "triton" and not on_card else backend
    print(f"  {label}: ", end="", flush=True)  # what follows takes seconds
    try:
        missing = _missing_here(name, backend)
        if missing is not None:
            print(f"not compared: {missing}")
            return True
        found = compare_once(name, backend, "cpu" if backend == "cpu" else device)
    except Exception as error:
        print(f"refused: {error if isinstance(error, BackendUnavailable) else _one_line(error)}")
        return False
    worst = max([found.gradient_error, *found.parameter_errors.values()])
    verdict = found.fault or f"agrees; largest gradient error {worst:.1e} of {found.tolerance:g}"
    print(f"{verdict}; {found.undecided} of {found.neurons} neurons within rounding of a jump")
    return found.fault is None


def _missing_here(name: str, backend: str) -> str | None:
    """What the machine lacks for a backend (a compiler, a package), or that it cannot run a model without a step."""
    cls = neurons.get(name)
    if backend == "cpu" and cls.runs_over_time():
        return cpu_library.no_compiler()
    if backend == "triton" and importlib.util.find_spec("triton") is None:
        return "there is no package triton for this platform"
    if not cls.runs_over_time() and backend != "reference":
        return backends.get_backend(backend).unavailable(cls(TIMED_STEPS), torch.device("cpu"))
    return None


def compare_once(name: str, backend: str, device: str) -> conformance.Agreement:
    """One comparison on a usual drive."""
    torch.manual_seed(0)
    place = devices.torch_device(device)
    layer = neurons.layer(name, CHANNELS, STEPS, backend).to(place)
    x = (0.7 + 0.6 * torch.randn(STEPS, SAMPLES, CHANNELS)).to(place)
    return conformance.compare(layer, x, torch.randn(x.shape).to(place))


def _triton_by_interpreter(path: Path, name: str) -> bool:
    """Without a GPU the Triton kernels run in Triton's interpreter, which needs a process of its own."""
    code = "import sys; from suite.inspection import check; sys.exit(check.interpreted(*sys.argv[1:]))"
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", code, str(path.resolve()), name]
    print("  triton (interpreter): ", end="", flush=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith("  triton (interpreter):")]
    last = done.stderr.strip().splitlines()[-1:] or [f"the process ended with exit code {done.returncode}"]
    print(told[-1].partition(": ")[2] if told else f"failed: {last[0]}")
    return bool(told) and done.returncode == 0


def interpreted(path: str, name: str) -> int:
    """The part of the check that runs in the interpreter's process."""
    neurons.load_file(path)
    return 0 if _agreement(name, "triton", Path(path), "cpu") else 1


def _print_cost(program: Program) -> None:
    forward = cost.operations(program.forward)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(forward.items()))
    backward = cost.kernel_operations(program, "backward")
    least = cost.least_bytes("forward", 4) + cost.least_bytes("backward", 4)
    print(f"  cost of a step: {listed}; backward {backward} operations; at least {least} B moved in float32")


def _print_speed(name: str, device: str = "cpu") -> None:
    place = devices.torch_device(device)
    x = drive(TIMED_STEPS, TIMED_ELEMENTS, seed=0).to(place).requires_grad_()
    gradient = torch.ones_like(x)
    usable: Sequence[str] = [
        backend
        for backend in ("reference", backends.FUSED[place.type])
        if backends.get_backend(backend).unavailable(neurons.get(name)(TIMED_STEPS), x.device) is None
    ]
    layers = {backend: neurons.layer(name, x.shape[2], TIMED_STEPS, backend).to(place) for backend in usable}
    fused = backends.FUSED[place.type]
    if fused in usable and name != BESIDE:
        layers[BESIDE] = neurons.layer(BESIDE, x.shape[2], TIMED_STEPS, fused).to(place)

    def work(layer: str) -> None:
        x.grad = None
        layers[layer](x).backward(gradient)

    times = interleave({layer: partial(work, layer) for layer in layers}, ROUNDS, place)
    loop = times["reference"].p50
    for backend in usable:
        seconds = times[backend].p50
        per_step = 1e9 * seconds / x.numel()
        beside = f", {seconds / times[BESIDE].p50:.2f}× LIF's time" if backend == fused and BESIDE in times else ""
        speed = f"{loop / seconds:.1f}× as fast as the loop"
        print(f"  {backend}: {per_step:.2f} ns per neuron and step, forward + backward: {speed}{beside}")
