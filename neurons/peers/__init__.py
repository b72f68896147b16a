"""The same models as other packages implement them, each a layer like the suite's own.

A package's neuron that computes what a model of the registry says is a backend of that model
(`backend="spikingjelly"`). Every peer, also one that is another model, can be measured under its own name:
`neurons.layer("snntorch.leaky")`.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from functools import cache
from pathlib import Path

from neurons import registry
from neurons.errors import UnknownName
from neurons.peers.peer import Card, Peer, missing


def _oldest_version(path: Path) -> str | None:
    """What a module here declares as the `OLDEST` version of its package, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="OLDEST")], value=ast.Constant(value=str(version))):
                return version
    return None


def _found() -> dict[str, str]:
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    versions = {name: _oldest_version(Path(__file__).with_name(f"{name}.py")) for name in reversed(names)}
    return {name: version for name, version in versions.items() if version is not None}


PACKAGES: dict[str, str] = _found()
"""The packages and the oldest version of each that is known to fit: the modules here that declare it as `OLDEST`."""


@cache
def peers() -> dict[str, type[Peer]]:
    """All peers by name, `package.neuron`, in the order of their modules."""
    found: dict[str, type[Peer]] = {}
    for package in PACKAGES:
        module = importlib.import_module(f"{__name__}.{package}")
        found.update({peer.name: peer for peer in module.PEERS})
    return found


def get(name: str) -> type[Peer]:
    """The peer of that name; UnknownName with the nearest name otherwise."""
    if name not in peers():
        raise UnknownName("neuron of a package", name, peers())
    return peers()[name]


for _package in PACKAGES:
    registry.look_up_in(_package, get)


def available() -> dict[str, type[Peer]]:
    """The peers whose package is installed in a version that fits."""
    usable = [package for package, wanted in PACKAGES.items() if missing(package, wanted) is None]
    return {name: peer for name, peer in peers().items() if peer.package in usable}


def beside_torch() -> list[str]:
    """The packages that may be loaded into a process that times torch."""
    return [name for name in PACKAGES if not any(own.apart for own in peers().values() if own.package == name)]


def counterparts(package: str, model: str) -> list[type[Peer]]:
    """The peers of a package that compute a model of the suite."""
    return [peer for peer in peers().values() if (peer.package, peer.model) == (package, model) and not peer.departs]


__all__ = ["PACKAGES", "Card", "Peer", "available", "beside_torch", "counterparts", "get", "peers"]
