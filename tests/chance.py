"""What chance alone claims: one neuron under two names, through training, tuning and the test of the report.

`python -m tests.chance RUN [--neuron N] [--datasets D,…] [--seeds S] [--tune N]` trains every setting that `--tune N`
tries with every seed (into RUN; the same line again goes on), draws from these trainings what two names would have
got, 2,000 times, and prints how often the test tells them apart; then what successive halving of the trials would save
and cost. Nothing here is measured of another model: whatever is claimed is false.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import suite
from suite.runs import plan, tuning
from suite.statistics import SIGNIFICANCE, step_down_p_values

SEEDS_OF_A_RUN = 8
DRAWS = 2000
WIDTHS = (1, 2, 4, 8)
"""Trainings whose mean validation accuracy a setting is chosen by."""


@dataclass(frozen=True)
class Pool:
    """Every setting with every seed, on one data set.

    Attributes:
        test: test accuracy (percent) at the selected epoch, [settings, seeds].
        curves: the highest worth up to each epoch, [settings, seeds, epochs]: validation accuracy less 1e-4 of its
            loss, which breaks ties.
    """

    test: np.ndarray
    curves: np.ndarray

    @property
    def worth(self) -> np.ndarray:
        """Of the selected epoch, [settings, seeds]."""
        return self.curves[:, :, -1]


def trained(root: Path, neuron: str, dataset: str, tune: int, seeds: int) -> Pool:
    """The trainings of all settings that tuning tries, those that are in the run directory already from there."""
    request = plan.Request("quick", ["accuracy"], [neuron], datasets=[dataset], tune=tune)
    (search,) = tuning.searches(plan.make(request), request)
    tried = [{name: trial.settings[name] for name in trial.settings["untuned"]} for trial in search.trials]
    found = [
        suite.run(neuron, "accuracy", dataset, seeds, settings=chosen, out=root / f"{dataset}-{number}")
        for number, chosen in enumerate(tried)
    ]
    curves = np.stack([_curves(rows) for rows in found])
    test = np.stack([_of(rows, "accuracy_selected").to_numpy() for rows in found])
    return Pool(test, np.maximum.accumulate(curves, axis=2))


def _of(rows: pd.DataFrame, metric: str) -> pd.Series:
    return rows[rows.metric == metric].set_index("seed").value.sort_index()


def _curves(rows: pd.DataFrame) -> np.ndarray:
    """[seeds, epochs]"""
    accuracy, loss = (
        rows[rows.metric == metric].pivot(index="seed", columns="step", values="value").to_numpy()
        for metric in ("validation_accuracy", "validation_loss")
    )
    return accuracy - 1e-4 * loss


Choose = Callable[[Pool, np.ndarray], int]
"""The setting that is taken, by the trainings of these seeds."""


def as_it_is(pool: Pool, seeds: np.ndarray) -> int:
    return 0


def best_mean(pool: Pool, seeds: np.ndarray) -> int:
    return int(pool.worth[:, seeds].mean(1).argmax())


Two = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From shuffled seeds the test accuracies of two names, one for each seed of a run."""


def told_apart(pool: Pool, choose: Choose, width: int, generator: np.random.Generator) -> float:
    """Share of draws in which the paired permutation test finds a difference between two names of one model.

    Each name has its own trials' seeds and its own seeds of the run, no training is in both.
    """

    def accuracies(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        trials, runs = drawn[: 2 * width].reshape(2, width), drawn[2 * width :][: 2 * SEEDS_OF_A_RUN]
        first, second = (
            pool.test[choose(pool, own)][seeds]
            for own, seeds in zip(trials, runs.reshape(2, SEEDS_OF_A_RUN), strict=True)
        )
        return first, second

    return _claimed(pool, accuracies, generator)


def told_apart_by_seed(pool: Pool, generator: np.random.Generator) -> float:
    """As above where every seed of a run has trials of its own: tuning is drawn anew with it."""

    def accuracies(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = drawn[: 4 * SEEDS_OF_A_RUN].reshape(2, SEEDS_OF_A_RUN, 2)
        first, second = (np.array([pool.test[best_mean(pool, own[:1]), own[1]] for own in name]) for name in both)
        return first, second

    return _claimed(pool, accuracies, generator)


def _claimed(pool: Pool, accuracies: Two, generator: np.random.Generator) -> float:
    claimed = 0
    for _ in range(DRAWS):
        first, second = accuracies(generator.permutation(pool.test.shape[1]))
        claimed += step_down_p_values((first - second)[None])[0] < SIGNIFICANCE
    return claimed / DRAWS


def halved(pool: Pool, kept: int) -> tuple[float, float, float]:
    """Successive halving (Jamieson & Talwalkar 2016) of each seed's trials: of those left one in `kept` goes on.

    Returns:
        The share of epochs that it saves, how often another setting is taken, and the mean loss of test accuracy.
    """
    settings, seeds, epochs = pool.curves.shape
    changed, lost, spent = 0, 0.0, 0
    rounds = max(1, round(np.log(settings) / np.log(kept)))
    for seed in range(seeds):
        left, done = np.arange(settings), 0
        for number in range(rounds + 1):
            until = epochs if number == rounds else max(1, epochs // kept ** (rounds - number))
            spent += len(left) * (until - done)
            order = np.argsort(-pool.curves[left, seed, until - 1], kind="stable")
            left, done = left[order[: max(1, len(left) // kept)]], until
        whole = best_mean(pool, np.array([seed]))
        changed += left[0] != whole
        lost += pool.test[whole].mean() - pool.test[left[0]].mean()
    return 1 - spent / (settings * seeds * epochs), changed / seeds, lost / seeds


def report(dataset: str, pool: Pool) -> None:
    generator = np.random.default_rng(0)
    settings, seeds, epochs = pool.curves.shape
    print(
        f"{dataset}: {settings} settings × {seeds} seeds × {epochs} epochs; {DRAWS:,} draws of {SEEDS_OF_A_RUN} seeds"
    )
    print(f"  as it is: told apart in {told_apart(pool, as_it_is, 0, generator):.1%}")
    for width in WIDTHS:
        share = told_apart(pool, best_mean, width, generator)
        print(f"  tuned by {width} training{'s' if width > 1 else ''} a setting: told apart in {share:.1%}")
    print(f"  tuned anew for each seed: told apart in {told_apart_by_seed(pool, generator):.1%}")
    for kept in (2, 4):
        saved, changed, lost = halved(pool, kept)
        print(
            f"  halving, one in {kept} goes on: saves {saved:.0%} of the epochs, "
            f"takes another setting in {changed:.0%}, loses {lost:.2f} points"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--neuron", default="lif")
    parser.add_argument("--datasets", default="digits,delayed_recall")
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--tune", type=int, default=8)
    options = parser.parse_args()
    for dataset in options.datasets.split(","):
        report(dataset, trained(options.run, options.neuron, dataset, options.tune, options.seeds))


if __name__ == "__main__":
    main()
