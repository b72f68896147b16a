"""A neuron of a notebook or script as a file for other processes: the same neuron, or refused with the way out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import neurons
from neurons import travel
from tests.conftest import REPOSITORY

SCRIPT = '''
import json, math, sys
from pathlib import Path

import torch
import torch.nn.functional as F
from neurons import Learnable, Neuron, NeuronError, register
from neurons.travel import file_of

LEAK, LIMITS, u = 0.9, (0.0, math.inf), torch.ones(3)
TABLE = torch.tensor([0.5])


def halve(a, times=1):
    return a if times == 0 else halve(a * 0.5, times - 1)


class Base(Neuron):
    states = ("u", "a")

    def leaked(self, a):
        return LEAK * halve(a)


@register
class Good(Base):
    """It uses a constant, a function that calls itself, a base class and imported modules."""
    name = "good"
    gain = Learnable(0.2, per="channel")

    def step(self, x, u, a):
        u = self.charge(u, F.relu(x) * math.sqrt(0.81))
        spike = self.spike(u - self.v_th - self.gain * a)
        return spike, self.fire_reset(u, spike), self.leaked(a) + spike


@register
class WithTensor(Neuron):
    states = ("u",)

    def step(self, x, u):
        u = self.charge(u, x * TABLE.item())
        spike = self.spike(u - self.v_th)
        return spike, self.fire_reset(u, spike)


@register
class Changed(Good):
    name = "changed"


Changed.v_th = 3.0


def inside():
    @register
    class Inner(Good):
        name = "inner"

        def step(self, x, u, a):
            return super().step(x, u, a)
    return Inner


folder, told = Path(sys.argv[1]), {}
for cls in (Good, WithTensor, Changed, inside()):
    try:
        told[cls.name] = str(file_of(cls, folder))
    except NeuronError as error:
        told[cls.name] = f"refused: {error}"
print(json.dumps(told))
'''


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("travel")
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(folder / "script.py"), str(folder / "out")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_a_class_uses_goes_with_it(told: dict[str, str]) -> None:
    assert neurons.load_file(told["good"]) == ["good"]
    text = Path(told["good"]).read_text()
    assert "LEAK = 0.9" in text
    assert "u = " not in text.split("class")[0], "a name of the script that the class does not use"
    assert "TABLE" not in text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("withtensor", "it uses TABLE, a Tensor"),
        ("changed", "another than its source"),
        ("inner", "inside another block"),
    ],
)
def test_what_cannot_travel_is_refused_with_the_way_out(name: str, reason: str, told: dict[str, str]) -> None:
    assert told[name].startswith("refused: ")
    assert reason in told[name]
    assert "neurons.load_file('my_neuron.py')" in told[name]


@pytest.mark.parametrize("name", neurons.names())
def test_a_neuron_of_the_package_needs_no_file(name: str, tmp_path: Path) -> None:
    assert travel.file_of(neurons.get(name), tmp_path) is None


def test_a_neuron_of_a_file_travels_by_that_file(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from neurons import register\nfrom neurons.models.lif import LIF\n\n\n"
        "@register\nclass Own(LIF):\n    name = 'own'\n"
    )
    neurons.load_file(path)
    assert travel.file_of(neurons.get("own"), tmp_path / "out") == path
    assert neurons.get("own").__module__.startswith("neuron_file_own_")
    assert not (tmp_path / "out").exists()
