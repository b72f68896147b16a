"""The C kernels under gcc's address and undefined-behaviour sanitizers: `nox -s sanitize [-- NEURON ...]`.

Every model × dtype × shape runs forward and backward in a process whose memory is watched: each tensor lies in a block
of its own with guards around it. Before that, two planted faults must be found, or a clean run would say nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

import neurons
from neurons.kernels.cpu import norm, pool

DTYPES = (torch.float32, torch.float64, torch.bfloat16)
SHAPES = [
    (1, 1, 1),
    (1, 3, 5),
    (4, 0, 5),  # no sample
    (5, 3, 7),
    (2, 2, 64, 1),
    (9, 2, 5, 3, 3),
    (33, 31, 33),
    (128, 1, 1),
    (3000, 3, 5),  # so long that a tile is one vector
    (16, 64, 64, 4),  # several threads
    (5, 1_000_003, 1),  # larger than the cache, rows not aligned
    (5, 1 << 20, 1),  # larger than the cache, rows aligned
]
WINDOWS = (None, 1, 3)
"""Steps that a gradient goes back; windows of large shapes would only take longer."""
LARGE = 1 << 20

PLANTED = {
    "AddressSanitizer": "#include <string.h>\n#define memcpy(to, from, size) memcpy(to, from, (size) + 1)\n",
    "signed integer overflow": (
        "__attribute__((constructor)) static void plant(void) { volatile int most = 0x7fffffff; most = most + 1; }\n"
    ),
}
"""Headers that are read before a kernel's source, by what must be said about the fault that they plant: one byte beyond
each vector, and a sum beyond the largest integer."""
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"


def exercise(names: list[str]) -> None:
    """Run the kernels; a fault ends the process."""
    pool.SMALLEST = sys.maxsize  # memory of the pool is mapped, without guards
    torch.set_num_threads(2)
    for dtype in DTYPES:
        for shape in SHAPES:
            if torch.Size(shape).numel():
                _norm(dtype, shape)
    for name in names:
        for dtype in DTYPES:
            for shape in SHAPES:
                for window in WINDOWS if torch.Size(shape).numel() < LARGE else (None,):
                    _forward_and_backward(name, dtype, shape, window)
            print(f"{name}, {dtype}: {len(SHAPES)} shapes", flush=True)


def _forward_and_backward(name: str, dtype: torch.dtype, shape: tuple[int, ...], window: int | None) -> None:
    torch.manual_seed(0)
    layer = neurons.layer(name, shape[2], shape[0], "cpu", bptt_steps=window)
    if dtype == torch.float64:
        layer.double()
    x = (0.7 + 0.6 * torch.randn(shape)).to(dtype).requires_grad_()
    output = layer(x)
    output.backward(torch.randn(shape).to(dtype))
    assert output.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def _norm(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """What a batch norm inside of a layer computes beside the layer."""
    x, grad = torch.randn(shape).to(dtype), torch.zeros(shape, dtype=dtype)
    mean, variance = norm.moments(x)
    norm.correct(grad, x, mean, variance)
    assert grad.isfinite().all()


def watched(names: list[str], header: str = "") -> tuple[int, str]:
    """Exit code and complaints of a watched process; its kernels are compiled with `header`, in a cache of its own."""
    with tempfile.TemporaryDirectory() as folder:
        compiler, planted = Path(folder) / "cc", Path(folder) / "planted.h"
        planted.write_text(header)
        compiler.write_text(f'#!/bin/sh\nexec gcc {FLAGS} -include "{planted}" "$@"\n')
        compiler.chmod(0o755)
        environment = {
            **os.environ,
            "CC": str(compiler),
            "XDG_CACHE_HOME": folder,
            "LD_PRELOAD": " ".join(_library(name) for name in ("asan", "ubsan")),
            "ASAN_OPTIONS": "detect_leaks=0",  # what Python and torch never give back is not ours
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        command = [sys.executable, "-m", "tests.sanitize", "--exercise", *names]
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr


def _library(name: str) -> str:
    found = subprocess.run(["gcc", f"-print-file-name=lib{name}.so"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--exercise"]:
        exercise(arguments[1:])
        return 0
    names = arguments or [name for name in neurons.names() if neurons.get(name).runs_over_time()]
    for complaint, header in PLANTED.items():
        code, complaints = watched(["lif"], header)
        if code == 0 or complaint not in complaints:
            print(f"planted, but nobody says '{complaint}': the sanitizers do not watch. {complaints[-2000:]}")
            return 1
        print(f"planted and found: {complaint}")
    code, complaints = watched(names)
    print(complaints[:10_000], file=sys.stderr)
    print(f"{len(names)} models × {len(DTYPES)} dtypes × {len(SHAPES)} shapes: {'a fault' if code else 'clean'}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
