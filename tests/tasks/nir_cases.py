"""What is exchanged with which package through NIR, both ways: each case gives the spikes of both sides."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import neurons
from tasks.networks import SpikingNetwork
from tasks.nir_exchange import from_graph, to_graph

STEPS, BATCH, WIDTH = 12, 5, 20
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Case:
    """One exchange; `spikes` gives those of the suite and of the package [T, N, ...]."""

    package: str
    direction: str
    what: str
    spikes: Callable[[], Pair]
    remark: str = ""


def outcome(case: Case) -> str:
    """What arrived, in words."""
    torch.manual_seed(0)
    try:
        with quiet():
            ours, theirs = case.spikes()
    except Exception as error:  # each package has its own
        return f"refused: {str(error).splitlines()[0].strip()}"
    assert ours.sum() > 20
    same = ours.numel() == theirs.numel() and torch.equal(ours, theirs.reshape(ours.shape))
    return "exact" if same else "another network"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Packages print and log while they convert."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def flat(name: str = "lif", **constants: Any) -> Callable[[], SpikingNetwork]:
    return lambda: network(name, (nn.Linear(6, WIDTH),), **constants)


def image(*behind: nn.Module, groups: int = 1) -> Callable[[], SpikingNetwork]:
    return lambda: network("lif", (nn.Conv2d(2, 4, 3, padding=1, groups=groups), *behind), decay_input=True)


def network(name: str, modules: tuple[nn.Module, ...], **constants: Any) -> SpikingNetwork:
    layer = neurons.layer(name, backend="reference", **{"reset": "hard", **constants})
    made = SpikingNetwork([nn.Sequential(*modules)], [layer], nn.Sequential(), None).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    return made


Read = Callable[[Any, float, Tensor], Tensor]


def in_spikingjelly(graph: Any, dt: float, x: Tensor) -> Tensor:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return import_from_nir(graph, dt=dt, step_mode="m")(x, None)[0]


def in_snntorch(graph: Any, dt: float, x: Tensor) -> Tensor:
    from snntorch.import_nir import import_from_nir

    return _stepwise(import_from_nir(graph), x)


def in_norse(graph: Any, dt: float, x: Tensor) -> Tensor:
    import norse.torch

    return _stepwise(norse.torch.from_nir(graph, dt=dt), x)


def _stepwise(module: nn.Module, x: Tensor) -> Tensor:
    state, outputs = None, []
    for x_t in x:
        output, state = module(x_t, state)
        if not isinstance(output, Tensor):
            raise TypeError("its neurons give their state with the spikes")
        outputs.append(output)
    return torch.stack(outputs)


def out(
    package: str,
    read: Read,
    what: str,
    make: Callable[[], SpikingNetwork],
    shape: tuple[int, ...] = (6,),
    **options: Any,
) -> Case:
    """A network of the suite read by a package."""
    batch, dt = options.pop("batch", BATCH), options.get("dt", 1e-4)

    def spikes() -> Pair:
        made, x = make(), 3 * torch.rand(STEPS, batch, *shape)
        graph = to_graph(made, shape, **options)
        return made(x.transpose(0, 1)), read(graph, dt, x)

    said = ", ".join(f"{name}={value}" for name, value in options.items())
    return Case(package, f"to {package}", what, spikes, f"`to_graph(…, {said})`" if said else "")


def into(package: str, what: str, make: Callable[[], tuple[Any, Callable[[Tensor], Tensor]]], dt: float = 1e-4) -> Case:
    """A network of a package read by the suite; `make` gives its graph and how it runs."""

    def spikes() -> Pair:
        graph, run = make()
        x = 3 * torch.rand(STEPS, BATCH, 6)
        return from_graph(graph, None, "reference", dt=dt)(x.transpose(0, 1)), run(x)

    return Case(package, f"from {package}", what, spikes, f"`from_graph(…, dt={dt:g})`")


def spikingjelly_network(node: str, dt: float, **arguments: Any) -> Callable[[], Any]:
    def make() -> Any:
        from spikingjelly.activation_based import functional, layer, neuron
        from spikingjelly.activation_based.nir_exchange import export_to_nir

        made = nn.Sequential(layer.Linear(6, WIDTH, step_mode="m"), getattr(neuron, node)(step_mode="m", **arguments))
        graph = export_to_nir(made, torch.rand(STEPS, BATCH, 6), dt=dt)
        functional.reset_net(made)
        return graph, made

    return make


def snntorch_network(**arguments: Any) -> Callable[[], Any]:
    def make() -> Any:
        import snntorch
        from snntorch.export_nir import export_to_nir

        beta, threshold = torch.full((WIDTH,), 0.5), torch.ones(WIDTH)
        made = nn.Sequential(
            nn.Linear(6, WIDTH), snntorch.Leaky(beta=beta, threshold=threshold, init_hidden=True, **arguments)
        )
        graph = export_to_nir(made, torch.rand(6))
        made[1].reset_mem()
        return graph, lambda x: torch.stack([made(x_t) for x_t in x])

    return make


def norse_network(cell: str, export_dt: float) -> Callable[[], Any]:
    def make() -> Any:
        import norse.torch

        p = norse.torch.LIFBoxParameters(
            tau_mem_inv=torch.full((WIDTH,), 500.0), v_leak=torch.zeros(WIDTH), v_th=torch.ones(WIDTH)
        )
        if cell == "IAFCell":
            p = norse.torch.functional.iaf.IAFParameters(v_th=torch.ones(WIDTH))
        cells = {"LIFBoxCell": norse.torch.LIFBoxCell, "IAFCell": norse.torch.module.iaf.IAFCell}
        made = norse.torch.SequentialState(nn.Linear(6, WIDTH), cells[cell](p, dt=1e-3))
        with torch.no_grad():
            made[0].weight.mul_(4)
        return norse.torch.to_nir(made, torch.rand(1, 6), dt=export_dt), lambda x: _stepwise(made, x)

    return make


def sinabs_graph(kind: str) -> Callable[[], Any]:
    """As sinabs 3.1.3 writes it, which cannot be installed beside nir 1.0.8; its dynamics by hand."""

    def make() -> Any:
        import nir

        linear, ones = nn.Linear(6, WIDTH), torch.ones(WIDTH)
        with torch.no_grad():
            linear.weight.mul_(2)
        node = nir.IF(r=ones, v_threshold=ones)
        if kind == "LIF":
            node = nir.LIF(tau=2 * ones, v_threshold=ones, v_leak=0 * ones, r=ones)
        affine = nir.Affine(linear.weight.detach(), linear.bias.detach())
        nodes = {"input": nir.Input(np.array([6])), "0": affine, "1": node, "output": nir.Output(np.array([WIDTH]))}
        graph = nir.NIRGraph(nodes, [("input", "0"), ("0", "1"), ("1", "output")])

        def run(x: Tensor) -> Tensor:
            v, spikes = torch.zeros(BATCH, WIDTH), []
            for x_t in x:
                v = (math.exp(-1 / 2) if kind == "LIF" else 1) * v + linear(x_t)
                spikes.append((v >= 1).float())
                v = v * (1 - spikes[-1]) if kind == "IF, hard" else v - spikes[-1]
            return torch.stack(spikes)

        return graph, run

    return make


def cases() -> list[Case]:
    found = []
    readers: list[tuple[str, Read]] = [
        ("spikingjelly", in_spikingjelly),
        ("snntorch", in_snntorch),
        ("norse", in_norse),
    ]
    for package, read in readers:
        found += [
            out(package, read, "LIF whose input decays", flat(decay_input=True)),
            out(package, read, "LIF whose input decays, other step", flat(decay_input=True, tau=3.0), dt=1e-3),
            out(package, read, "LIF", flat()),
            out(package, read, "LIF", flat(), unit_r=True),
            out(package, read, "PLIF", flat("plif", tau=2.5, decay_input=True)),
            out(package, read, "LIF reset to −0.5", flat(decay_input=True, v_reset=-0.5)),
            out(package, read, "IF", flat("if")),
            out(package, read, "IF", flat("if"), unit_r=True),
            out(package, read, "convolution", image(), (2, 8, 8)),
            out(package, read, "average pooling", image(nn.AvgPool2d(2)), (2, 8, 8)),
            out(package, read, "grouped convolution", image(groups=2), (2, 8, 8)),
            out(package, read, "flattened images, one at a time", image(nn.Flatten()), (2, 8, 8), batch=1),
            out(package, read, "flattened images in a batch", image(nn.Flatten()), (2, 8, 8)),
        ]
    found += [
        into("spikingjelly", "LIFNode", spikingjelly_network("LIFNode", 1e-4, tau=2.0, v_reset=0.0)),
        into("spikingjelly", "LIFNode, dt=1e-3", spikingjelly_network("LIFNode", 1e-3, tau=2.0, v_reset=0.0), 1e-3),
        into(
            "spikingjelly",
            "LIFNode, decay_input=False",
            spikingjelly_network("LIFNode", 1e-4, tau=3.0, v_reset=0.0, decay_input=False),
        ),
        into(
            "spikingjelly", "LIFNode, v_reset=None (soft)", spikingjelly_network("LIFNode", 1e-4, tau=2.0, v_reset=None)
        ),
        into("spikingjelly", "LIFNode, v_reset=-0.5", spikingjelly_network("LIFNode", 1e-4, tau=2.0, v_reset=-0.5)),
        into("spikingjelly", "IFNode", spikingjelly_network("IFNode", 1e-4, v_reset=0.0)),
        into("spikingjelly", "IFNode, dt=1e-3", spikingjelly_network("IFNode", 1e-3, v_reset=0.0), 1e-3),
        into(
            "snntorch", "Leaky, reset to zero, same step", snntorch_network(reset_mechanism="zero", reset_delay=False)
        ),
        into("snntorch", "Leaky, reset to zero, next step", snntorch_network(reset_mechanism="zero")),
        into("snntorch", "Leaky() (soft, next step)", snntorch_network()),
        into("norse", "LIFBoxCell of dt=1e-3, to_nir(dt=1.0)", norse_network("LIFBoxCell", 1.0), 1e-3),
        into("norse", "LIFBoxCell of dt=1e-3, to_nir() (dt=1e-3)", norse_network("LIFBoxCell", 1e-3), 1e-6),
        into("norse", "IAFCell", norse_network("IAFCell", 1.0), 1e-3),
        into("sinabs", "IAF, SingleSpike, MembraneReset", sinabs_graph("IF, hard"), 1.0),
        into("sinabs", "IAF, SingleSpike, its soft reset", sinabs_graph("IF, soft"), 1.0),
        into("sinabs", "LIF (decay exp(−1/τ), input as it is, soft)", sinabs_graph("LIF"), 1.0),
    ]
    return found


def line(case: Case, found: str) -> str:
    return f"| {case.direction} | {case.what} | {case.remark} | {found} |"


def page(text: str, found: dict[Case, str]) -> str:
    """The page with its table written anew."""
    lines = text.splitlines()
    table = [number for number, entry in enumerate(lines) if entry.startswith(("| to ", "| from "))]
    lines[table[0] : table[-1] + 1] = [line(case, result) for case, result in found.items()]
    return "\n".join(lines) + "\n"
