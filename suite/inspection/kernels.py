"""`python -m suite kernels`: what a compiler makes of each model's kernels, without a GPU at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import neurons
from neurons.kernels import cost
from neurons.kernels.gpu import ahead_of_time
from neurons.kernels.gpu.cards import CARDS, card_of
from neurons.kernels.source import source_of
from neurons.kernels.trace import program_of
from suite.inspection.listing import print_listing


def resources(names: Sequence[str], targets: Sequence[str], steps: int, tile: int | None) -> list[dict[str, Any]]:
    """One object for each model, kernel and target, from the compiler's output; times are predictions."""
    for target in targets:
        card_of(target)
    rows = []
    for name in names:
        model = neurons.get(name)(steps)
        program = program_of(model)
        for target in targets:
            for kernel in ("forward", "backward"):
                found = ahead_of_time.compile_kernel(source_of(model), kernel, target, steps, tile)
                rows.append(
                    {
                        "neuron": name,
                        "kernel": kernel,
                        "target": target,
                        "timesteps": steps,
                        "tile": found.tile,
                        "registers": found.registers,
                        "spills": found.spills,
                        "shared_bytes": found.shared_bytes,
                        "barriers": found.barriers,
                        "access_bytes": found.access_bytes,
                        "loads_in_flight": found.loads_in_flight,
                        "occupancy": round(found.occupancy, 3),
                        "bytes_per_element_step": round(found.bytes_per_element_step, 3),
                        "least_bytes_per_element_step": cost.least_bytes(kernel, item_size=4),
                        "operations_per_element_step": cost.kernel_operations(program, kernel),
                        "limit_ps_per_element_step": round(found.limit_ps, 3),
                        "predicted_ps_per_element_step": round(found.predicted_ps, 3),
                    }
                )
    return rows


def print_resources(rows: Sequence[dict[str, Any]]) -> None:
    """The table for a terminal, with what the predicted time rests on."""
    short = {
        "bytes_per_element_step": "B/step",
        "least_bytes_per_element_step": "least",
        "operations_per_element_step": "ops/step",
        "shared_bytes": "shared",
        "access_bytes": "access",
        "loads_in_flight": "in flight",
        "limit_ps_per_element_step": "limit ps",
        "predicted_ps_per_element_step": "predicted ps",
    }
    print_listing([{short.get(key, key): value for key, value in row.items()} for row in rows])
    for target in dict.fromkeys(row["target"] for row in rows):
        card = CARDS[target]
        print(
            f"{target}: limit by the bytes moved at the data sheet's {card.bandwidth / 1e12:g} TB/s; predicted with "
            f"what is in flight at a time over {card.latency * 1e9:.0f} ns of latency (assumed); no GPU was run"
        )


def source(names: Sequence[str], steps: int) -> str:
    """The generated C and Triton source of each model; the loops around it are in neurons/kernels/."""
    parts = []
    for name in names:
        found = source_of(neurons.get(name)(steps))
        parts += [found.c_text, found.triton_text]
    return "\n".join(parts)
