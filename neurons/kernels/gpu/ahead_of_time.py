"""Triton kernels compiled for a GPU that is not here, and what the compiler's output says of them.

Registers, spills and shared memory are read from the binary, bytes moved from the loads and stores of the compiler's
intermediate representation. A time made from them is a prediction, never a measurement.
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from neurons.errors import InvalidValue, UnknownName
from neurons.kernels.gpu import layer as triton_layer
from neurons.kernels.gpu.launch import LAUNCH, TILE_NEURONS, Layout, TritonKernel, interval_of
from neurons.kernels.source import KernelSource

TARGETS = {
    "cuda:80": GPUTarget("cuda", 80, 32),
    "cuda:90": GPUTarget("cuda", 90, 32),
    "cuda:100": GPUTarget("cuda", 100, 32),
    "hip:gfx942": GPUTarget("hip", "gfx942", 64),
}
BANDWIDTH = {"cuda:80": 2.0e12, "cuda:90": 3.35e12, "cuda:100": 8.0e12, "hip:gfx942": 5.3e12}
"""Memory bandwidth in B/s of the data sheets: A100 80GB SXM, H100 SXM, B200, MI300X."""

REPORTED_SHAPE = (64, 64, 16, 16)
"""[N, C, *features] of the input that a kernel is compiled for."""


@dataclass(frozen=True)
class Resources:
    """What the compiler's output says of one kernel.

    Attributes:
        registers: of a thread.
        spills: bytes that a thread keeps in memory because its registers do not suffice.
        shared_bytes: of a program.
        bytes_per_element_step: loaded and stored, for each neuron and time step.
    """

    registers: int
    spills: int
    shared_bytes: int
    bytes_per_element_step: float


def target_of(name: str) -> GPUTarget:
    """The target of that name; UnknownName with the nearest name otherwise."""
    if name not in TARGETS:
        raise UnknownName("target", name, TARGETS)
    return TARGETS[name]


def compile_kernel(source: KernelSource, kernel: str, target: str, steps: int, tile: int = TILE_NEURONS) -> Resources:
    """Compile the "forward" or "backward" kernel of a neuron for a target and float32 inputs of `steps` steps."""
    if steps < 1:
        raise InvalidValue(f"a kernel needs at least 1 time step, not {steps}")
    layout = Layout.of(source, (steps, *REPORTED_SHAPE), tile)
    compilable = _source(TritonKernel(source, tile), kernel, steps, layout)
    gpu = target_of(target)
    compiled = triton.compile(compilable, target=gpu, options=LAUNCH)
    moved = _bytes_moved(compiled.asm["ttir"], steps, -(-steps // interval_of(steps)))
    resources = (
        _cuda_resources(compiled.asm["cubin"]) if gpu.backend == "cuda" else _amd_resources(compiled.asm["amdgcn"])
    )
    neurons = layout.tile_rows * layout.tile_columns
    return Resources(*resources, compiled.metadata.shared, moved / (neurons * steps))


def _source(kernel: TritonKernel, name: str, steps: int, layout: Layout) -> ASTSource:
    """The kernel with the types, sizes and alignments that a launch of this layout would specialise on."""
    pointer, coefficients = "*fp32", len(kernel.source.coefficients)
    constants: dict[str, Any] = {
        **kernel.common_constants(interval_of(steps), save=steps > interval_of(steps)),
        **layout.constants(),
    }
    signature: dict[str, Any] = {"x_ptr": pointer, "steps": "i32"}
    if name == "forward":
        function = triton_layer.forward_kernel
        signature |= {"output_ptr": pointer, "checkpoint_ptr": "*fp32"}
    else:
        function = triton_layer.backward_kernel
        signature |= {"grad_output_ptr": pointer, "grad_x_ptr": pointer, "checkpoint_ptr": "*fp32"}
        signature["partial_ptrs"] = ("*fp32",) * len(kernel.source.sums)
        constants["EVEN"] = steps % interval_of(steps) == 0
        constants["ADJOINT"] = kernel.module.step_backward
        constants["SUMS"] = kernel.sums
    signature["coefficient_ptrs"] = (pointer,) * coefficients
    sizes = layout.sizes()
    constants |= {key: value for key, value in sizes.items() if value == 1}
    signature |= dict.fromkeys(sizes, "i32") | dict.fromkeys(constants, "constexpr")
    signature = {argument: signature[argument] for argument in function.arg_names}
    aligned = [["tt.divisibility", 16]]
    attributes: dict[tuple[int, ...], Any] = {}
    for index, (argument, kind) in enumerate(signature.items()):
        if isinstance(kind, tuple):
            attributes |= {(index, inner): aligned for inner in range(len(kind))}
        elif kind.startswith("*") or (kind == "i32" and sizes.get(argument, 1) % 16 == 0):
            attributes[(index,)] = aligned
    return ASTSource(function, signature, constexprs=constants, attrs=attributes)


def _cuda_resources(cubin: bytes) -> tuple[int, int]:
    """Registers a thread, and bytes a thread in local memory (spills)."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(tool), "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers = re.search(r"REG:(\d+)", text)
    if registers is None:
        raise RuntimeError(f"cuobjdump names no registers: {text}")
    return int(registers[1]), sum(int(size) for size in re.findall(r"(?:STACK|LOCAL):(\d+)", text))


def _amd_resources(assembly: str) -> tuple[int, int]:
    """Vector registers a lane, and bytes a lane in scratch memory (scalars parked in vector registers cost none)."""

    def field(name: str) -> int:
        found = re.search(rf"\.{name}:\s*(\d+)", assembly)
        if found is None:
            raise RuntimeError(f"the assembly has no .{name}")
        return int(found[1])

    return field("vgpr_count"), field("private_segment_fixed_size")


ACCESS = re.compile(r"\btt\.(?:load|store)\b.* : (?:tensor<([0-9x]+)x)?!tt\.ptr<[a-z]+(\d+)>")


def _bytes_moved(text: str, steps: int, blocks: int) -> int:
    """Bytes that one program loads and stores.

    Counted on the compiler's intermediate representation (TTIR), where a value that all threads share is one load as
    it is one for the memory. Outer loops run over blocks of time steps, inner loops in all over the steps; an access
    under a condition in an outer loop is that of a checkpoint, which the first block has not.
    """
    moved, nesting = 0, list[str]()
    for line in text.splitlines():
        if found := ACCESS.search(line):
            count = math.prod(map(int, found[1].split("x"))) if found[1] else 1
            loops = nesting.count("for")
            times = 1 if loops == 0 else steps if loops == 2 else blocks - nesting.count("if")
            moved += count * int(found[2]) // 8 * times
        if line.rstrip().endswith("{"):
            nesting.append("for" if "scf.for" in line else "if" if "scf.if" in line else "block")
        elif line.strip().startswith("}"):
            nesting.pop()
            if line.rstrip().endswith("{"):  # } else {
                nesting.append("if")
    return moved
