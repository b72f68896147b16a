"""The equations of a model, from the graph that its step was traced to: the one that its kernels are printed from."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from neurons import Neuron
from neurons.errors import NotFusable
from neurons.kernels.graph import INPUT, Builder, Graph, Node, ordered
from neurons.kernels.trace import Program, program_of
from suite.report.cards import symbols
from suite.report.cards.typeset import Typesetter

LARGEST_TWICE = 4
"""Operations of a value that is used more than once and still written out each time."""


@dataclass(frozen=True)
class Equations:
    """A step in MathML, one formula a line.

    Attributes:
        made: what is made of parameters and constants alone, once a call.
        step: what every neuron computes in a time step, the output among it.
        constants: names of the constants that stand in it as symbols; others are numbers there.
    """

    made: list[str]
    step: list[str]
    constants: tuple[str, ...]


def equations(neuron: Neuron) -> Equations | None:
    """The equations of a fresh model as its protocol is set; None where its step cannot be traced.

    Raises:
        ValueError: it has no step.
    """
    if not neuron.runs_over_time():
        raise ValueError(f"{neuron.name} is no step over time")
    try:
        program, constants = _symbolic(neuron)
    except NotFusable:
        return None
    made, step = _Lines(program, neuron).lines()
    return Equations(made, step, constants)


def numbers_of(neuron: Neuron) -> list[str]:
    """The names of the constants that are numbers."""
    return [name for name in neuron.constants() if type(getattr(neuron, name, None)) in (int, float)]


def _symbolic(neuron: Neuron) -> tuple[Program, tuple[str, ...]]:
    """The program with its constants as inputs, so that they keep their names; with as many as the step allows.

    A step that computes a constant in plain Python (`math.exp(-1 / self.tau)`) needs its number.
    """
    wanted = [name for name in numbers_of(neuron) if not name.startswith("surrogate")]
    program = _with_inputs(neuron, wanted)
    if program.constants or not wanted:
        return program, program.constants
    kept: list[str] = []
    for name in wanted:
        tried = _with_inputs(neuron, [*kept, name])
        if name in tried.constants:
            kept.append(name)
    program = _with_inputs(neuron, kept)
    return program, program.constants


def _with_inputs(neuron: Neuron, names: Sequence[str]) -> Program:
    """Traced with these constants given at each call, as annealed ones are."""
    own = type(neuron)(neuron.timesteps)
    own.annealed = tuple(names)  # type: ignore[misc]
    return program_of(own)


class _Lines:
    """Names the values of one program, and sets those that have a name as lines."""

    def __init__(self, program: Program, neuron: Neuron) -> None:
        self.program = program
        self.neuron = neuron
        graph = _whole(program)
        self.before, self.inputs = graph.inputs[0], graph.inputs
        self.outputs = graph.outputs
        self.nodes = graph.nodes
        self.once = _made_once(program, graph)
        self.written: dict[Node, str] = {}
        self.defined: list[Node] = []
        self._name_inputs()
        self._name_outputs()
        self._name_the_rest(graph)

    def lines(self) -> tuple[list[str], list[str]]:
        """Formulas of what is made once, and of the step."""
        setter = Typesetter(self.written)
        made: list[str] = []
        step: list[str] = []
        for node in sorted(self.defined, key=lambda own: own.index):
            right = setter.math(node, define=node.operation != INPUT)
            if right != self.written[node]:
                line = f"{self.written[node]}<mo>=</mo>{right}"
                (made if node in self.once else step).append(line)
        for node, written in self._repeated:
            step.append(f"{written}<mo>=</mo>{setter.math(node)}")
        return [_formula(line) for line in made], [_formula(line) for line in step]

    def _name_inputs(self) -> None:
        states, learned = self.program.states, self.neuron.learnables()
        for place, node in enumerate(self.inputs):
            name = str(node.name)
            written = symbols.symbol(name)
            if place == 0:
                written = symbols.of_time("<mi>x</mi>")
            elif place <= len(states):
                written = symbols.of_time(_state(name), back=1)
            elif name in learned and learned[name].per == "step_channel":
                written = symbols.of_time(written)
            self.written[node] = written

    def _name_outputs(self) -> None:
        """The output, then each state; a value that is two of them has the name of the first."""
        output = self.outputs[0]
        letter = "s" if self.neuron.spiking else "y"
        if any(name in symbols.SPIKES and node is not output for name, node in self._states()):
            letter = "y"
        self._repeated: list[tuple[Node, str]] = []
        for node, written in [
            (output, f"<mi>{letter}</mi>"),
            *((node, _state(name)) for name, node in self._states()),
        ]:
            now = symbols.of_time(written)
            if node in self.written or node.operation == INPUT:
                if self.written.get(node) != now:
                    self._repeated.append((node, now))
            else:
                self.written[node] = now
                self.defined.append(node)

    def _states(self) -> list[tuple[str, Node]]:
        return list(zip(self.program.states, self.outputs[1:], strict=True))

    def _name_the_rest(self, graph: Graph) -> None:
        """Variables and properties of the step, and large values that are used more than once."""
        uses = graph.uses()
        sizes: dict[Node, int] = {}
        hats: dict[str, int] = {}
        for node in self.nodes:
            inner = (1 if own in self.written else sizes.get(own, 0) for own in node.sources())
            sizes[node] = 1 + sum(inner)
            if node in self.written or _is_bound(node) or node.mask:
                continue
            name = _own_name(node)
            if name == "inverse_tau" and sizes[node] <= LARGEST_TWICE and self._is_one_over_tau(node):
                continue
            if name is None and (uses[node] == 1 or sizes[node] <= LARGEST_TWICE):
                continue
            written = self._fresh(node, name, hats)
            self.written[node] = written
            self.defined.append(node)

    def _fresh(self, node: Node, name: str | None, hats: dict[str, int]) -> str:
        if name is None:
            hats[""] = hats.get("", 0) + 1
            written = f"<msub><mi>p</mi><mn>{hats['']}</mn></msub>"
            return written if node in self.once else symbols.of_time(written)
        if name == "inverse_tau":
            return "<mfrac><mn>1</mn><mi>τ</mi></mfrac>"
        hats[name] = hats.get(name, 0) + 1
        if name in self.program.states or name in symbols.SPIKES:
            return symbols.hatted(_state(name), hats[name])
        written = symbols.hatted(symbols.symbol(name), hats[name] - 1)
        return written if node in self.once and not _differs_by_step(node, self.neuron) else symbols.of_time(written)

    def _is_one_over_tau(self, node: Node) -> bool:
        return {str(own.name) for own in ordered([node]) if own.operation == INPUT} == {"tau"}


def _whole(program: Program) -> Graph:
    """The step with what its prologue makes put in its place: inputs x, states, parameters and constants."""
    count = 1 + len(program.states)
    builder = Builder(program.prologue, program.forward)
    given = program.forward.inputs[count:]
    outputs = builder.substitute(program.forward.outputs, dict(zip(given, program.prologue.outputs, strict=True)))
    return Graph((*program.forward.inputs[:count], *program.prologue.inputs), tuple(outputs))


def _made_once(program: Program, graph: Graph) -> set[Node]:
    """Values that no input and no state of a neuron enters."""
    loop = set(graph.inputs[: 1 + len(program.states)])
    varying: set[Node] = set(loop)
    for node in graph.nodes:
        if any(own in varying for own in node.sources()):
            varying.add(node)
    return {node for node in graph.nodes if node not in varying}


def _differs_by_step(node: Node, neuron: Neuron) -> bool:
    """Whether a parameter that has a value for each step enters."""
    learned = neuron.learnables()
    names = {str(own.name) for own in ordered([node]) if own.operation == INPUT}
    return any(name in learned and learned[name].per == "step_channel" for name in names)


def _is_bound(node: Node) -> bool:
    """Whether a node keeps a parameter within its bounds, which is written out where it is used."""
    return node.operation == "where" and not isinstance(node.arguments[1], Node)


def _state(name: str) -> str:
    return "<mi>s</mi>" if name in ("spike", "spikes") else symbols.symbol(name)


def _own_name(node: Node) -> str | None:
    """The variable or property that a node is; None for a part of a line that assigns several values at once."""
    if node.name is None or node.line is None:
        return node.name
    try:
        (statement,) = ast.parse(node.line.partition(": ")[2]).body
    except (SyntaxError, ValueError):
        return node.name
    several = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple)
    return None if several else node.name


def _formula(content: str) -> str:
    return f'<math display="block"><mrow>{content}</mrow></math>'
