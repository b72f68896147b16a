"""Each operation of the kernels equals torch's, with every argument that it honours, on a grid of edges."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from neurons.kernels import lowering
from neurons.kernels.gpu.printer import print_triton
from neurons.kernels.operations import OPERATIONS
from neurons.kernels.trace import program_of
from tests.neurons.kernels.operations_table import COMPOSED, EXPRESSIONS, Table, differing, table

RELATIVE = {torch.float64: 1e-13, torch.float32: 1e-6, torch.bfloat16: 8e-3}
"""A few units in the last place of exponentials and their like; +, −, ·, / and comparisons are exact by these."""


@pytest.mark.slow
@pytest.mark.parametrize("dtype", RELATIVE)
def test_equal_to_torch_in_c(dtype: torch.dtype) -> None:
    assert differing("cpu", dtype, RELATIVE[dtype]) == {}


@pytest.mark.slow
def test_equal_to_torch_in_tritons_interpreter() -> None:
    code = "import torch; from tests.neurons.kernels.operations_table import differing;"
    code += "print(differing('triton', torch.float32, 4e-6))"  # a power by exp2 and log2 errs with its exponent
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "{}"


def test_a_triton_module_imports_what_it_calls() -> None:
    """Whatever stands before the call: the adjoint of erf has exp(-square(x))."""
    module = ast.parse(print_triton(program_of(table(["erf", "log1p", "round"])())))
    imported = {name.name for node in ast.walk(module) if isinstance(node, ast.ImportFrom) for name in node.names}
    calls = [node.func for node in ast.walk(module) if isinstance(node, ast.Call)]
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    assert called == imported >= {"square", "log1p", "round_even"}


def test_the_table_holds_every_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new form, or a new operation, is tested only if an expression uses it."""
    seen = set()
    lower = lowering.lower

    def watched(call: lowering.Call, defaults: dict[str, object]) -> object:
        seen.add(call.name)
        return lower(call, defaults)

    monkeypatch.setattr("neurons.kernels.record.lower", watched)
    program = program_of(Table())
    assert set(lowering.FORMS) - seen <= {
        "bitwise_xor",
        "_efficientzerotensor",
        "scalar_tensor",
        "zeros",
        "ones",
        "full",
    }
    graphs = (program.prologue, program.forward, program.backward, program.epilogue)
    assert {node.operation for graph in graphs for node in graph.nodes} >= set(OPERATIONS) - {"constant"}
    assert set(COMPOSED) <= set(EXPRESSIONS)
