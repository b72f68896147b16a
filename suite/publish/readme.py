"""Figures of the README from published rows: each stands between two comments, the first of which says which it is.

`<!-- accuracy quick delayed_recall if -->100.0<!-- . -->` is filled by `python -m suite.publish.readme`, and a test
holds the README against the rows. Kinds are the functions of KINDS; the first argument is the published run.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from neurons import UnknownName
from suite.report import closing, style, timings
from suite.report.conditions import name_conditions
from suite.report.costs import layer_time
from suite.report.numbers import format_estimate, format_value
from suite.report.outcomes import Outcome, outcomes
from suite.runs import groups
from suite.statistics import Estimate, paired_differences

README = Path("README.md")
PUBLISHED = Path("results/published")
WIDTH = 110
FIGURE = re.compile(r"<!-- (\w[^>]*?) -->.*?<!-- \. -->", re.DOTALL)


class NoSuchFigure(Exception):
    """A marker asks for what the published rows do not hold."""


@cache
def _rows(run: str) -> pd.DataFrame:
    return name_conditions(groups.read_main_rows(PUBLISHED / run))


@cache
def _outcomes(run: str) -> Mapping[str, Outcome]:
    return {own.dataset: own for own in outcomes(_rows(run))}


def accuracy(run: str, dataset: str, neuron: str) -> str:
    """Mean test accuracy."""
    return format_value(_outcomes(run)[dataset].estimates[neuron].mean, 1)


def difference(run: str, dataset: str, neuron: str, baseline: str) -> str:
    """Accuracy of one neuron minus another's over the same seeds, with its 95 % interval."""
    values = _outcomes(run)[dataset].values
    return format_estimate(Estimate.of(paired_differences(values[neuron], values[baseline])), 1)


def seeds(run: str, dataset: str) -> str:
    return str(min(own.count for own in _outcomes(run)[dataset].estimates.values()))


def epochs(run: str, dataset: str) -> str:
    """Epochs of the training on a data set."""
    own = _rows(run)
    settings = own[(own.dataset == dataset) & (own.task == "accuracy")].settings.unique()
    found = {json.loads(text)["epochs"] for text in settings}
    if len(found) != 1:
        raise NoSuchFigure(f"{run} has no one number of epochs on {dataset}")
    return str(found.pop())


def time(run: str, neuron: str) -> str:
    """Time of a layer over LIF's in the same rounds."""
    cost = layer_time(_rows(run), timings.BASELINE)
    if cost is None:
        raise NoSuchFigure(f"{run} has no times of layers")
    return format_value(cost.ratios[neuron].value, 2)


def sentence(run: str) -> str:
    """The answer of the run's page."""
    return str(closing.read(PUBLISHED / run / "report")["sentence"])


def nanoseconds(run: str, steps: str, neuron: str, backend: str) -> str:
    return format_value(_layer(run, int(steps), neuron, backend), 2)


def times(run: str, steps: str, neuron: str, backend: str) -> str:
    """A backend's time over that of the fused kernel."""
    return format_value(_layer(run, int(steps), neuron, backend) / _layer(run, int(steps), neuron, "cpu"), 1)


def _layer(run: str, steps: int, neuron: str, backend: str) -> float:
    own = _rows(run)
    own = own[(own.task == "throughput") & (own.metric == "forward_backward_time") & (own.timesteps == steps)]
    own = own[(own.neuron == neuron) & (own.backend == backend)]
    if len(own) != 1:
        raise NoSuchFigure(f"{run} has {len(own)} times of {neuron} by {backend} at T = {steps}")
    return float(own.value.iloc[0])


def models() -> str:
    """How many models the suite brings."""
    return str(len(style.catalogue()))


KINDS: Mapping[str, Callable[..., str]] = {
    "accuracy": accuracy,
    "difference": difference,
    "epochs": epochs,
    "models": models,
    "nanoseconds": nanoseconds,
    "seeds": seeds,
    "sentence": sentence,
    "time": time,
    "times": times,
}


def _in_lines(marker: str, value: str) -> str:
    """The value behind its marker, a long one in lines of the README's width."""
    return textwrap.fill(value, WIDTH, initial_indent=marker, break_long_words=False, break_on_hyphens=False)


def filled(text: str) -> str:
    """The text with every figure as the published rows have it now.

    Raises:
        NoSuchFigure, UnknownName: a marker names what is not there.
    """

    def figure(found: re.Match[str]) -> str:
        kind, *arguments = found[1].split()
        if kind not in KINDS:
            raise UnknownName("figure of the README", kind, KINDS)
        try:
            return _in_lines(f"<!-- {found[1]} -->", KINDS[kind](*arguments)) + "<!-- . -->"
        except (KeyError, TypeError) as error:
            raise NoSuchFigure(f"README: '{found[1]}': {error}") from error

    return FIGURE.sub(figure, text)


def main() -> None:
    before = README.read_text(encoding="utf-8")
    after = filled(before)
    README.write_text(after, encoding="utf-8")
    count = len(FIGURE.findall(after))
    print(f"{README}: {count} figures from published rows{'' if after == before else ', some changed'}")


if __name__ == "__main__":
    main()
