"""Triton kernels compiled for a GPU that is not here, and what the compiler's output says of them.

Registers, spills, barriers and accesses are read from the machine code, bytes moved from the loads and stores of the
compiler's intermediate representation. A time made from them is a prediction, never a measurement.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import torch
import triton
from triton.compiler import ASTSource

from neurons.errors import InvalidValue
from neurons.kernels.gpu import layer as triton_layer
from neurons.kernels.gpu import machine_code
from neurons.kernels.gpu.cards import card_of
from neurons.kernels.gpu.launch import TILES, TOGETHER, Layout, TritonKernel, interval_of
from neurons.kernels.source import KernelSource

REPORTED_SHAPE = (64, 64, 16, 16)
"""[N, C, *features] of the input that a kernel is compiled for."""
POINTERS = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16"}


@dataclass(frozen=True)
class Resources:
    """What the compiler's output says of one kernel.

    Attributes:
        tile: neurons of a program at most.
        registers: of a thread.
        spills: bytes that a thread keeps in memory because its registers do not suffice.
        shared_bytes: of a program.
        barriers: inside the loop over time.
        access_bytes: of a thread's narrowest access to the input, the output, their gradients or checkpoints.
        loads_in_flight: such loads that a thread has on their way at a time, at most.
        occupancy: share of the threads that a processor could hold.
        bytes_per_element_step: loaded and stored, for each neuron and time step.
        limit_ps: time for each neuron and time step if memory alone decides, in ps.
        predicted_ps: with the latency of memory (Little's law), in ps.
    """

    tile: int
    registers: int
    spills: int
    shared_bytes: int
    barriers: int
    access_bytes: int
    loads_in_flight: int
    occupancy: float
    bytes_per_element_step: float
    limit_ps: float
    predicted_ps: float


def compile_kernel(
    source: KernelSource,
    kernel: str,
    target: str,
    steps: int,
    tile: int | None = None,
    shape: tuple[int, ...] = REPORTED_SHAPE,
    dtype: torch.dtype = torch.float32,
) -> Resources:
    """Compile the "forward" or "backward" kernel of a neuron for a target and inputs [steps, *shape].

    Args:
        tile: neurons of a program at most; None for the largest with which no thread spills. (NVIDIA's compiler parks
            a few bytes in memory to stay below a step of its registers, which depends on the threads of a program. On
            a card the fastest tile is measured.)
    """
    if steps < 1:
        raise InvalidValue(f"a kernel needs at least 1 time step, not {steps}")
    compiled = []
    for own in [tile] if tile else sorted(TILES, reverse=True):
        compiled.append(_compiled(source, kernel, target, steps, own, shape, dtype))
        if not compiled[-1].spills:
            return compiled[-1]
    return compiled[0]


def _compiled(
    source: KernelSource, kernel: str, target: str, steps: int, tile: int, shape: tuple[int, ...], dtype: torch.dtype
) -> Resources:
    card = card_of(target)
    layout = Layout.of(source, kernel, (steps, *shape), tile, card.target.warp_size)
    compilable = _source(TritonKernel(source, tile), kernel, steps, layout, POINTERS[dtype])
    compiled = triton.compile(compilable, target=card.target, options=layout.options())
    cuda = card.target.backend == "cuda"
    code = machine_code.of_cuda(compiled.asm["cubin"]) if cuda else machine_code.of_amd(compiled.asm["amdgcn"])
    neurons = layout.tile_rows * layout.tile_columns
    interval = interval_of(source, steps)
    together, blocks = min(TOGETHER, steps) if kernel == "forward" else interval, -(-steps // interval)
    moved, others = _bytes_moved(compiled.asm["ttir"], steps, together, blocks)
    per_element_step = moved / (neurons * steps)
    width = sorted(code.widths())[others]
    in_flight = code.loads_in_flight(width)
    resident = card.resident_warps(code.registers, layout.warps, compiled.metadata.shared)
    return Resources(
        tile,
        code.registers,
        code.spills,
        compiled.metadata.shared,
        code.barriers_in_loops(),
        width,
        in_flight,
        resident / card.warps,
        per_element_step,
        1e12 * per_element_step / card.bandwidth,
        1e12 * per_element_step / card.sustained(resident, in_flight * width),
    )


def _source(kernel: TritonKernel, name: str, steps: int, layout: Layout, pointer: str) -> ASTSource:
    """The kernel with the types, sizes and alignments that a launch of this layout would specialise on."""
    save = steps > interval_of(kernel.source, steps)
    signature: dict[str, Any] = {"x_ptr": pointer, "steps": "i32"}
    if name == "forward":
        function = triton_layer.forward_kernel
        constants = kernel.forward_constants(steps, save)
        signature |= {"output_ptr": pointer, "checkpoint_ptr": "*fp32"}
    else:
        function = triton_layer.backward_kernel
        signature |= {"grad_output_ptr": pointer, "grad_x_ptr": pointer, "checkpoint_ptr": "*fp32"}
        signature["partial_ptrs"] = ("*fp32",) * len(kernel.source.sums)
        constants = kernel.backward_constants(steps, save)
    signature["coefficient_ptrs"] = ("*fp32",) * len(kernel.source.coefficients)
    constants |= layout.constants()
    signature |= dict.fromkeys(layout.sizes(), "i32") | dict.fromkeys(constants, "constexpr")
    signature = {argument: signature[argument] for argument in function.arg_names}
    aligned = [["tt.divisibility", 16]]
    attributes: dict[tuple[int, ...], Any] = {}
    for index, kind in enumerate(signature.values()):
        if isinstance(kind, tuple):
            attributes |= {(index, inner): aligned for inner in range(len(kind))}
        elif kind.startswith("*"):
            attributes[(index,)] = aligned
    return ASTSource(function, signature, constexprs=constants, attrs=attributes)


POINTER = re.compile(r"(%[\w.]+) = tt\.(?:addptr|splat|broadcast) (%[\w.]+)")
ACCESS = re.compile(r"\btt\.(?:load|store) (%[\w.]+).* : (?:tensor<([0-9x]+)x)?!tt\.ptr<[a-z]+(\d+)>")


def _bytes_moved(text: str, steps: int, together: int, blocks: int) -> tuple[int, int]:
    """Bytes that one program loads and stores, and how many accesses are to coefficients and sums.

    Counted on the compiler's intermediate representation (TTIR), where a value that all threads share is one load as
    it is one for the memory. The loop over time has `together` steps in its body, whose last may not exist: accesses
    to the input, the output and their gradients are left out then. Inputs that are loaded before the loop are those
    that its last turn does not load for a turn after it. The first block has no checkpoint.
    """
    origin: dict[str, str] = {}
    turns = -(-steps // together)
    moved, others, depth = 0.0, 0, 0
    for line in text.splitlines():
        if made := POINTER.search(line):
            origin[made[1]] = origin.get(made[2], made[2])
        if found := ACCESS.search(line):
            size = (math.prod(map(int, found[2].split("x"))) if found[2] else 1) * int(found[3]) // 8
            argument = origin.get(found[1], found[1])
            if argument.startswith("%checkpoint"):
                moved += size * (blocks - 1)
            elif argument.startswith(("%coefficient", "%partial")):
                others += 1
                moved += size * (turns if depth else 1)
            elif depth:
                moved += size * steps / together
        depth += line.count("scf.for") - (depth > 0 and line.startswith("    }"))
    return round(moved), others
