"""What `tests.chance` prints, from pools made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.chance import Pool, as_it_is, best_mean, halved, told_apart, told_apart_by_seed

SETTINGS, SEEDS, EPOCHS = 8, 32, 8


def pool(test: np.ndarray, worth: np.ndarray) -> Pool:
    """Of settings whose worth rises to what it is over the epochs."""
    return Pool(test, worth[:, :, None] * np.linspace(0.5, 1, EPOCHS))


def drawn(levels: np.ndarray, seed: int = 0) -> Pool:
    """Accuracies of settings at these levels, and validation that shows them with as much chance of its own."""
    generator = np.random.default_rng(seed)
    shape = (SETTINGS, SEEDS)
    return pool(levels[:, None] + generator.normal(size=shape), levels[:, None] + generator.normal(size=shape))


def test_one_setting_is_told_from_itself_in_a_twentieth() -> None:
    share = told_apart(drawn(np.full(SETTINGS, 90.0)), as_it_is, 0, np.random.default_rng(1))
    assert 0.01 < share < 0.08


def test_settings_that_chance_chooses_are_told_apart_more_often_and_less_by_more_trainings() -> None:
    """Half of the settings are worth two standard deviations more: one training takes one of the others at times."""
    known = drawn(90 + 2.0 * (np.arange(SETTINGS) % 2))
    one, eight = (told_apart(known, best_mean, width, np.random.default_rng(1)) for width in (1, 8))
    assert one > eight
    assert one > 0.06
    assert told_apart_by_seed(known, np.random.default_rng(1)) < 0.08


def test_halving_by_hand() -> None:
    """8 settings for 1 epoch, 4 to the second, 2 to the fourth, 1 to the eighth: 20 of 64 epochs."""
    worth = np.tile(np.arange(1.0, SETTINGS + 1)[:, None], (1, 3))
    assert halved(pool(worth + 80, worth), 2) == (pytest.approx(1 - 20 / 64), 0.0, 0.0)
    late = pool(worth + 80, worth)
    late.curves[-1, :, :4] = 0  # the best begins last
    saved, changed, lost = halved(late, 2)
    assert (saved, changed, lost) == (pytest.approx(1 - 20 / 64), 1.0, pytest.approx(1.0))
