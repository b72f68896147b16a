"""The devices that cells run on: their names, what decides values and times there, their clock and their memory.

A cell names its device as torch does: "cpu", "cuda" (any of the cards; ROCm cards are called so, too) or "cuda:1".
Another accelerator of torch joins as a subclass of `Device`, by `register` or by an entry point of the group
`neuron_suite.devices` that names the class.
"""

from __future__ import annotations

import re
import resource
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from neurons import InvalidValue
from neurons.user_file import installed
from tasks.measuring import nvml

AUTO = "auto"
WANTED = "auto, cpu, cuda or cuda:N is wanted"
Work = Callable[[], object]


def resident_bytes() -> int | None:
    """Bytes of memory that this process takes; None where the system has no /proc (macOS)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return None


class Device(ABC):
    """A kind of device, by the name that torch has for it.

    Its methods take the torch device that they are about, of this kind.

    Attributes:
        found_by_auto: whether `auto` may choose it.
    """

    kind: ClassVar[str]
    found_by_auto: ClassVar[bool] = False

    @abstractmethod
    def count(self) -> int:
        """How many of them are here."""

    def missing(self) -> str:
        """Why there is none, for a user who asked for one."""
        return f"torch sees no {self.kind} device here"

    @abstractmethod
    def card(self, device: torch.device) -> str | None:
        """The name that its maker gave it; None for the CPU, which is told by the machine."""

    def versions(self) -> dict[str, str]:
        """Versions of what runs it beside torch, by name: they decide values, as torch's does."""
        return {}

    def target(self, device: torch.device) -> str | None:
        """What kernels are compiled for to run there, such as "cuda:90"; None where none are."""
        del device
        return None

    def use(self, device: torch.device) -> None:
        """Make it the one that is meant where nobody says which: kernels of other packages go there."""
        del device

    def synchronize(self, device: torch.device) -> None:
        """Wait until everything that was started there is done."""
        del device

    def seconds(self, device: torch.device, work: Work, repeats: int) -> float:
        """How long one of `repeats` calls took, by a clock that sees all their work."""
        self.synchronize(device)
        started = time.perf_counter()
        for _ in range(repeats):
            work()
        self.synchronize(device)
        return (time.perf_counter() - started) / repeats

    def replayable(self, device: torch.device, work: Work) -> Work | None:
        """The work recorded once, to be replayed without the cost of its launches; None where there is no such thing.

        Raises:
            RuntimeError: it cannot be recorded.
        """
        del device, work
        return None

    def cache_bytes(self, device: torch.device) -> int:
        """Size of the cache that inputs must exceed to come from memory; 0 where they are taken as they lie."""
        del device
        return 0

    def free_bytes(self, device: torch.device) -> int | None:
        """Memory that is free for a cell; None where the machine manages it."""
        del device
        return None

    def peak_bytes(self, device: torch.device, work: Work) -> tuple[int, int] | None:
        """Peak during `work` above what was there before: allocated, and reserved by torch's allocator.

        None where memory belongs to the process, whose peak tells it.
        """
        del device, work
        return None

    def most_bytes(self, device: torch.device) -> int:
        """The most that tensors took there since the last call; of a process that holds them, what it takes now."""
        del device
        resident = resident_bytes()
        if resident is None:  # macOS
            import psutil

            return int(psutil.Process().memory_info().rss)
        return resident

    def reading(self, device: torch.device) -> nvml.Reading | None:
        """Clock, temperature and power at this moment; None where nothing tells."""
        del device
        return None

    def joules(self, device: torch.device) -> float | None:
        """What it has used so far, by a counter of its own; None where there is none."""
        del device
        return None


class Cpu(Device):
    """The processor: one device, however many cores."""

    kind = "cpu"

    def count(self) -> int:
        return 1

    def card(self, device: torch.device) -> str | None:
        del device
        return None


class Cuda(Device):
    """Cards of NVIDIA, and by ROCm of AMD."""

    kind = "cuda"
    found_by_auto = True

    def count(self) -> int:
        return torch.cuda.device_count() if torch.cuda.is_available() else 0

    def missing(self) -> str:
        built = torch.version.cuda or torch.version.hip
        if built is None:
            return f"torch {torch.__version__} is built without CUDA and ROCm"
        return f"torch {torch.__version__} sees no CUDA or ROCm card here"

    def card(self, device: torch.device) -> str | None:
        return torch.cuda.get_device_name(device)

    def versions(self) -> dict[str, str]:
        built = {"cuda": torch.version.cuda, "rocm": torch.version.hip, "driver": nvml.driver_version()}
        return {name: version for name, version in built.items() if version}

    def target(self, device: torch.device) -> str | None:
        if torch.version.hip:
            return f"hip:{torch.cuda.get_device_properties(device).gcnArchName.partition(':')[0]}"
        major, minor = torch.cuda.get_device_capability(device)
        return f"cuda:{major}{minor}"

    def use(self, device: torch.device) -> None:
        torch.cuda.set_device(device)

    def synchronize(self, device: torch.device) -> None:
        torch.cuda.synchronize(device)

    def seconds(self, device: torch.device, work: Work, repeats: int) -> float:
        with torch.cuda.device(device):
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begun.record()
            for _ in range(repeats):
                work()
            ended.record()
            ended.synchronize()
        return begun.elapsed_time(ended) / 1e3 / repeats

    def replayable(self, device: torch.device, work: Work) -> Work | None:
        with torch.cuda.device(device):
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(3):  # what a first call sets up must not be recorded
                    work()
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                work()
        return graph.replay

    def cache_bytes(self, device: torch.device) -> int:
        return int(torch.cuda.get_device_properties(device).L2_cache_size)

    def free_bytes(self, device: torch.device) -> int | None:
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]

    def peak_bytes(self, device: torch.device, work: Work) -> tuple[int, int] | None:
        self.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        allocated, reserved = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
        work()
        self.synchronize(device)
        peaks = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
        return peaks[0] - allocated, peaks[1] - reserved

    def most_bytes(self, device: torch.device) -> int:
        most = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return most

    def reading(self, device: torch.device) -> nvml.Reading | None:
        return nvml.reading(_uuid(device))

    def joules(self, device: torch.device) -> float | None:
        return nvml.joules(_uuid(device))


@cache
def _uuid(device: torch.device) -> str | None:
    """NVML counts cards in an order of its own, also those that CUDA_VISIBLE_DEVICES hides."""
    found = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return None if found is None else str(found)


_kinds: dict[str, Device] = {}


def register(cls: type[Device]) -> type[Device]:
    """Class decorator: add a kind of device."""
    _kinds[cls.kind] = cls()
    return cls


register(Cpu)
register(Cuda)


@cache
def _discover() -> None:
    for entry in installed("devices"):
        register(entry.load())


def kinds() -> dict[str, Device]:
    """All kinds of devices by name, whether or not there is one here."""
    _discover()
    return _kinds


def of(device: torch.device | str) -> Device:
    """The kind of a device."""
    return kinds()[kind_of(device)]


def kind_of(device: torch.device | str) -> str:
    """ "cuda" of "cuda:1"."""
    return device.type if isinstance(device, torch.device) else device.partition(":")[0]


def resolve(name: str) -> str:
    """The device behind a user's name of it; `auto` is "cuda" where there is a card, else "cpu".

    Raises:
        InvalidValue: no such device, or none here; the message says what there is.
    """
    if name == AUTO:
        found = (kind for kind, device in kinds().items() if device.found_by_auto and device.count())
        return next(found, "cpu")
    kind, separator, number = name.partition(":")
    if kind not in kinds() or (separator and not re.fullmatch(r"\d{1,4}", number)):
        raise InvalidValue(f"device {name}: {WANTED}")
    if kind == "cpu" and separator:
        raise InvalidValue(f"device {name}: the CPU is one device, cpu; its cores are chosen by taskset")
    device = kinds()[kind]
    count = device.count()
    if not count:
        raise InvalidValue(f"device {name}: {device.missing()}; --device cpu runs everything on the CPU")
    if separator and int(number) >= count:
        there = f"{kind}:0" if count == 1 else f"{kind}:0 to {kind}:{count - 1}"
        cards = "1 card" if count == 1 else f"{count} cards"
        raise InvalidValue(f"device {name}: there {'is' if count == 1 else 'are'} {cards} here, {there}")
    return f"{kind}:{int(number)}" if separator else kind


def cards(name: str) -> list[str]:
    """The devices among which cells of a resolved device are spread: all of its kind, or the one that it names."""
    kind, separator, _ = name.partition(":")
    return [name] if separator or kind == "cpu" else [f"{kind}:{index}" for index in range(kinds()[kind].count())]


def torch_device(name: str) -> torch.device:
    """The torch device of a cell; of several cards the first."""
    return torch.device("cpu") if name == "cpu" else torch.device(cards(name)[0])


def shown(name: str) -> str:
    """A device as rows name it: its kind with the name of the card, so that cards of one name are one device."""
    card = of(name).card(torch_device(name))
    return kind_of(name) if card is None else f"{kind_of(name)} ({card})"


def facts(name: str) -> dict[str, str]:
    """What decides a value on a device beside torch: the card and the versions of what runs it; empty for the CPU."""
    device = of(name)
    card = device.card(torch_device(name))
    return {} if card is None else {"card": card, **device.versions()}


def moved(clocks: list[int]) -> float:
    """By which share the clock moved: (largest − smallest) / median; 0 where it was never read."""
    if not clocks:
        return 0.0
    ordered = sorted(clocks)
    return (ordered[-1] - ordered[0]) / ordered[len(ordered) // 2]


SHORT = "the device's memory ran out"
"""What `shortage` begins with."""
OUT_OF_MEMORY = re.compile(r"Tried to allocate (?P<asked>[\d.]+ \w+).*?of which (?P<free>[\d.]+ \w+) is free", re.S)


def shortage(error: BaseException) -> str | None:
    """What a device's want of memory says in one line, asked and free; None if the error is another."""
    if not isinstance(error, torch.OutOfMemoryError):
        return None
    found = OUT_OF_MEMORY.search(str(error))
    asked = f"asked for {found['asked']}, {found['free']} are free" if found else str(error).strip().partition("\n")[0]
    return f"{SHORT}: {asked}; smaller settings (elements, batch_size, width) need less"
