"""What the machine code of a compiled kernel says: registers, spills, barriers, width and number of its accesses.

Read from the disassembly of the binary (NVIDIA) or the assembly (AMD), so that no claim rests on what a compiler was
expected to do.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import triton

Registers = frozenset[int]


@dataclass(frozen=True)
class Instruction:
    """One instruction: its position, and what decides how memory is used.

    Attributes:
        width: bytes that a load from or a store to global memory moves a thread; 0 for other instructions.
        load: it is a load from global memory.
        barrier: all threads of a program wait for each other.
        jump: the position that it may jump to.
        writes, reads: vector registers.
    """

    place: int
    width: int = 0
    load: bool = False
    barrier: bool = False
    jump: int | None = None
    writes: Registers = frozenset()
    reads: Registers = frozenset()


@dataclass(frozen=True)
class MachineCode:
    """A kernel's instructions in their order, registers of a thread, and bytes of a thread in memory (spills)."""

    instructions: Sequence[Instruction]
    registers: int
    spills: int

    def loops(self) -> list[tuple[int, int]]:
        """First and last position of each loop."""
        return [(at.jump, at.place) for at in self.instructions if at.jump is not None and at.jump < at.place]

    def barriers_in_loops(self) -> int:
        """Barriers that are met again and again."""
        loops = self.loops()
        return sum(any(a <= at.place <= b for a, b in loops) for at in self.instructions if at.barrier)

    def widths(self) -> list[int]:
        """Bytes of each access to global memory."""
        return [at.width for at in self.instructions if at.width]

    def loads_in_flight(self, width: int) -> int:
        """The most loads of at least `width` bytes that a thread has on their way before it waits for one of them.

        In the innermost loop that has such loads, entered with what its last turn left on its way; where none has, in
        the whole.
        """
        wide = [at.place for at in self.instructions if at.load and at.width >= width]
        loops = [(first, last) for first, last in self.loops() if any(first <= place <= last for place in wide)]
        if not loops:
            return _most_waiting(self.instructions, [], width)
        most = 0
        for first, last in loops:
            if any(own != (first, last) and first <= own[0] and own[1] <= last for own in loops):
                continue
            body = [at for at in self.instructions if first <= at.place <= last]
            waiting: list[Registers] = []
            _most_waiting(body, waiting, width)
            most = max(most, _most_waiting(body, waiting, width))
        return most


def _most_waiting(instructions: Sequence[Instruction], waiting: list[Registers], width: int) -> int:
    """The most loads on their way at a time; `waiting`: those that are at the beginning, then those at the end."""
    most = len(waiting)
    for at in instructions:
        touched = at.reads | at.writes
        for index in reversed(range(len(waiting))):
            if waiting[index] & touched:
                del waiting[: index + 1]
                break
        if at.load and at.width >= width:
            waiting.append(at.writes)
        most = max(most, len(waiting))
    return most


def of_cuda(cubin: bytes) -> MachineCode:
    """Of a binary for an NVIDIA GPU."""
    usage = _tool(cubin, "--dump-resource-usage")
    registers = re.search(r"REG:(\d+)", usage)
    if registers is None:
        raise RuntimeError(f"cuobjdump names no registers: {usage}")
    spills = sum(int(size) for size in re.findall(r"(?:STACK|LOCAL):(\d+)", usage))
    lines = re.findall(r"/\*([0-9a-f]{4,})\*/\s+(.*?);", _tool(cubin, "-sass"))
    if not lines:
        raise RuntimeError("cuobjdump shows no instructions")
    return MachineCode([_of_sass(int(place, 16), text) for place, text in lines], int(registers[1]), spills)


def _tool(cubin: bytes, option: str) -> str:
    """What cuobjdump of Triton says."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        return subprocess.run([str(tool), option, file.name], capture_output=True, text=True, check=True).stdout


def _of_sass(place: int, text: str) -> Instruction:
    text = re.sub(r"^@!?U?P\w+\s+", "", text.strip())
    name, _, operands = text.partition(" ")
    parts = name.split(".")
    width = int(next((part for part in parts if part in ("64", "128")), "32")) // 8
    width = {"U8": 1, "S8": 1, "U16": 2, "S16": 2}.get(
        next((p for p in parts if re.fullmatch(r"[US]\d+", p)), ""), width
    )
    load, store = parts[0] in ("LDG", "LD"), parts[0] in ("STG", "ST")
    jump = re.search(r"0x([0-9a-f]+)", operands) if parts[0] == "BRA" else None
    operand = [_sass_registers(part, width if load or store else 4) for part in operands.split(",")]
    if store:
        operand.insert(0, frozenset())
    return Instruction(
        place,
        width if load or store else 0,
        load,
        parts[0] == "BAR",
        int(jump[1], 16) if jump else None,
        operand[0] if operand else frozenset(),
        frozenset[int]().union(*operand[1:]),
    )


def _sass_registers(operand: str, width: int) -> Registers:
    found: set[int] = set()
    for number, wide in re.findall(r"(?<![A-Z])R(\d+)(\.64)?", operand):
        count = 2 if wide else max(1, width // 4) if "[" not in operand else 1
        found |= set(range(int(number), int(number) + count))
    return frozenset(found)


AMD_WIDTH = {"x4": 16, "x3": 12, "x2": 8, "": 4}


def of_amd(assembly: str) -> MachineCode:
    """Of the assembly for an AMD GPU (scalars parked in vector registers are no spills)."""

    def field(name: str) -> int:
        found = re.search(rf"\.{name}:\s*(\d+)", assembly)
        if found is None:
            raise RuntimeError(f"the assembly has no .{name}")
        return int(found[1])

    lines = [line.split(";")[0].strip() for line in assembly.splitlines()]
    labels = {line[:-1]: place for place, line in enumerate(lines) if re.fullmatch(r"\.L\w+:", line)}
    found = [_of_gcn(place, line, labels.get) for place, line in enumerate(lines) if re.match(r"[a-z]+_", line)]
    return MachineCode(found, field("vgpr_count"), field("private_segment_fixed_size"))


def _of_gcn(place: int, text: str, label: Callable[[str], int | None]) -> Instruction:
    name, _, operands = text.partition(" ")
    access = re.fullmatch(r"(?:global|buffer|flat)_(load|store)_(?:dword(x[234]|)|[us]?(byte|short)\w*)", name)
    width = 0 if access is None else {"byte": 1, "short": 2}.get(access[3] or "", AMD_WIDTH[access[2] or ""])
    load = access is not None and access[1] == "load"
    operand = [_gcn_registers(part) for part in operands.split(",")]
    if access is not None and not load:
        operand.insert(0, frozenset())
    jump = label(operands.strip()) if name.startswith(("s_branch", "s_cbranch")) else None
    reads = frozenset[int]().union(*operand[1:])
    return Instruction(place, width, load, name == "s_barrier", jump, operand[0], reads)


def _gcn_registers(operand: str) -> Registers:
    found: set[int] = set()
    for first, last in re.findall(r"\bv\[(\d+):(\d+)\]", operand):
        found |= set(range(int(first), int(last) + 1))
    return frozenset(found | {int(number) for number in re.findall(r"\bv(\d+)\b", operand)})
