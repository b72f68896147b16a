"""Reads formulas in MathML back and computes them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from suite.report.cards import symbols

APPLY = "⁡"
OPERATORS = {"⋅": "*", "−": "-", "∧": "&", "=": "==", "≤": "<=", "≥": ">=", "≠": "!="}
FUNCTIONS = {
    "σ": torch.sigmoid,
    "Θ": lambda value: (value >= 0).to(value.dtype),
    "relu": torch.relu,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "ln": torch.log,
    "sin": torch.sin,
    "cos": torch.cos,
    "round": torch.round,
    "clip": torch.clamp,
    "max": lambda a, b: torch.maximum(*_tensors(a, b)),
    "min": lambda a, b: torch.minimum(*_tensors(a, b)),
}


def _tensors(*values: Tensor | float) -> list[Tensor]:
    return [torch.as_tensor(value, dtype=torch.float64) for value in values]


class Page:
    """Formulas as statements of Python over the symbols that stand in them."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def of(self, written: str) -> str:
        """The Python name of a symbol in MathML."""
        return self._name(ET.fromstring(written))

    def run(self, formulas: Iterable[str], values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The values, by Python name, after the formulas were computed in their order."""
        known = dict(values)
        for formula in formulas:
            parts = list(ET.fromstring(formula)[0])
            place = next(number for number, part in enumerate(parts) if part.text == "=")
            (left,) = parts[:place]
            right = eval(self._row(parts[place + 1 :]), {**FUNCTIONS, "root": torch.sqrt}, known)
            known[self._name(left)] = torch.as_tensor(right, dtype=torch.float64)
        return known

    def _name(self, element: ET.Element) -> str:
        return self.names.setdefault(ET.tostring(element, "unicode"), f"v{len(self.names)}")

    def _row(self, parts: list[ET.Element]) -> str:
        texts = [part.text for part in parts]
        if texts and texts[0] == "|" == texts[-1]:
            return f"abs({self._row(parts[1:-1])})"
        found = ""
        for number, part in enumerate(parts):
            if texts[number + 1 : number + 2] == [APPLY]:
                found += str(part.text)
            elif part.text != APPLY:
                found += self._one(part)
        return found

    def _one(self, part: ET.Element) -> str:
        if part.tag == "mrow":
            return self._row(list(part))
        if part.tag == "mn":
            return str(part.text)
        if part.tag == "mo":
            return OPERATORS.get(str(part.text), str(part.text))
        if part.tag == "mfrac" and part[0].tag == "mrow":
            return f"(({self._one(part[0])})/({self._one(part[1])}))"
        if part.tag == "msqrt":
            return f"root({self._row(list(part))})"
        if part.tag == "msup":
            return f"(({self._one(part[0])})**({self._one(part[1])}))"
        return self._name(part)


def text(formula: str) -> str:
    """What a formula reads like, without its markup."""
    return "".join(_text(part) for part in ET.fromstring(formula)).replace(APPLY, "")


def _text(part: ET.Element) -> str:
    inner = [_text(own) for own in part]
    if part.tag == "msub":
        return f"{inner[0]}_{inner[1]}" if len(inner[1]) == 1 else f"{inner[0]}_({inner[1]})"
    if part.tag == "mfrac":
        return f"({inner[0]})/({inner[1]})"
    if part.tag == "mover":
        return f"{inner[0]}^"
    if part.tag == "msup":
        return f"{inner[0]}^{inner[1]}"
    if part.tag == "msqrt":
        return f"√({''.join(inner)})"
    if part.tag == "mtd":
        return "".join(inner) + " "
    return (part.text or "") + "".join(inner)


def at(name: str, back: int = 0) -> str:
    """The MathML of a state, at step t or before."""
    return symbols.of_time("<mi>s</mi>" if name == "spike" else symbols.symbol(name), back)
