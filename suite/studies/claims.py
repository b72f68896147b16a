"""What the paper claims, read from results/paper/claims.toml, which explains its fields."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

Asserts = Literal["greater", "less", "equal", "check", "setting", "illustration"]
Origin = Literal["paper", "suite"]
FILE = Path(__file__).resolve().parents[2] / "results" / "paper" / "claims.toml"
TESTED = ("greater", "less", "equal")
"""What ends in a verdict; a check holds or fails, and settings and illustrations claim nothing."""


class ClaimError(Exception):
    """The list of claims contradicts itself."""


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        id: also the name under which its study gives the evidence.
        effect: what is measured, in `unit`; `asserts` says how it must lie to 0, "equal" within `margin`.
        scale: where the paper asserts it.
        origin: whose claim it is; the suite's own are no claims of the paper and are counted apart.
        study: which study tests it; None if none can, and `untested` says why.
    """

    id: str
    place: str
    claim: str
    paper: str
    asserts: Asserts
    effect: str
    scale: str
    unit: str = ""
    margin: float | None = None
    study: str | None = None
    untested: str = field(default="")
    origin: Origin = "paper"

    def __post_init__(self) -> None:
        if (self.study is None) != bool(self.untested):
            raise ClaimError(f"claim {self.id}: needs a study, or `untested` to say why it has none")
        if self.asserts == "equal" and self.margin is None:
            raise ClaimError(f"claim {self.id}: asserts equality, which needs a margin")


@cache
def claims() -> dict[str, Claim]:
    """All claims by id, in the order of the file."""
    entries = [Claim(**entry) for entry in tomllib.loads(FILE.read_text())["claim"]]
    twice = {entry.id for entry in entries if sum(other.id == entry.id for other in entries) > 1}
    if twice:
        raise ClaimError(f"claims of the same id: {', '.join(sorted(twice))}")
    return {entry.id: entry for entry in entries}


def of_study(name: str) -> list[Claim]:
    """The claims that a study tests."""
    return [claim for claim in claims().values() if claim.study == name]
