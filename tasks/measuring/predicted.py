"""What the machine code of a layer says of its time on the card at hand, to stand beside the measured one."""

from __future__ import annotations

from neurons.kernels.cost import LEAST_TENSORS
from neurons.kernels.source import source_of
from neurons.normalized import NormalizedLayer
from tasks.measuring import devices
from tasks.measuring.workload import LayerWorkload


def predicted_time(workload: LayerWorkload) -> tuple[float, str] | None:
    """Nanoseconds of forward and backward for each neuron and time step, and by whose data sheet.

    None where no Triton kernel runs, the norm is inside of it, or the card is none whose data sheet is known.
    """
    layer, x = workload.layer, workload.x
    if layer.backend != "triton" or isinstance(layer, NormalizedLayer):
        return None
    target = devices.of(x.device).target(x.device)
    from neurons.kernels.gpu import ahead_of_time  # here there is Triton
    from neurons.kernels.gpu.cards import CARDS

    if target not in CARDS:
        return None
    source, steps, shape = source_of(layer.neuron), x.shape[0], tuple(x.shape[1:])
    found = [
        ahead_of_time.compile_kernel(source, kernel, target, steps, shape=shape, dtype=x.dtype)
        for kernel in LEAST_TENSORS
    ]
    return sum(own.predicted_ps for own in found) / 1e3, f"predicted by the data sheet of {CARDS[target].name}"
