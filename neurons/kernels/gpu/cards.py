"""The GPUs that kernels are compiled for ahead of time: what decides the time of a kernel that memory bounds."""

from __future__ import annotations

from dataclasses import dataclass

from triton.backends.compiler import GPUTarget

from neurons.errors import UnknownName


@dataclass(frozen=True)
class Card:
    """A GPU by its data sheet and programming guide.

    Attributes:
        name: the product whose data sheet it is.
        bandwidth: of its memory, in B/s.
        latency: seconds from a load to its value with memory under load; an assumption, about twice what is published
            for an idle card (Luo et al. 2024 measure 480 cycles on H100).
        processors: multiprocessors or compute units.
        registers: 32-bit ones of a processor, of which a warp takes its own in steps of `register_step` a thread.
        warps, programs: the most that a processor holds at a time.
        shared_bytes: of a processor.
    """

    name: str
    target: GPUTarget
    bandwidth: float
    latency: float
    processors: int
    registers: int
    register_step: int
    warps: int
    programs: int
    shared_bytes: int

    def resident_warps(self, registers: int, warps: int, shared_bytes: int) -> int:
        """Warps of a kernel that a processor holds: of programs of so many warps, with so many registers a thread."""
        rounded = -(-max(registers, 1) // self.register_step) * self.register_step
        by_registers = self.registers // (rounded * self.target.warp_size * warps)
        by_memory = self.shared_bytes // shared_bytes if shared_bytes else self.programs
        return min(self.warps // warps, self.programs, by_registers, by_memory) * warps

    def sustained(self, resident_warps: int, bytes_in_flight: int) -> float:
        """Bandwidth in B/s by Little's law: what is on its way at a time, over the latency; at most the memory's own.

        Args:
            bytes_in_flight: of a thread.
        """
        on_their_way = self.processors * resident_warps * self.target.warp_size * bytes_in_flight
        return min(self.bandwidth, on_their_way / self.latency)


CARDS = {
    "cuda:80": Card("A100 80GB SXM", GPUTarget("cuda", 80, 32), 2.0e12, 0.7e-6, 108, 65_536, 8, 64, 32, 164 << 10),
    "cuda:90": Card("H100 SXM", GPUTarget("cuda", 90, 32), 3.35e12, 0.7e-6, 132, 65_536, 8, 64, 32, 228 << 10),
    "cuda:100": Card("B200", GPUTarget("cuda", 100, 32), 8.0e12, 0.9e-6, 148, 65_536, 8, 64, 32, 228 << 10),
    "hip:gfx942": Card("MI300X", GPUTarget("hip", "gfx942", 64), 5.3e12, 1.2e-6, 304, 131_072, 8, 32, 32, 64 << 10),
}


def card_of(name: str) -> Card:
    """The card of that target; UnknownName with the nearest name otherwise."""
    if name not in CARDS:
        raise UnknownName("target", name, CARDS)
    return CARDS[name]
