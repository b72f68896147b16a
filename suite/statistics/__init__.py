"""Statistics over seeds and data sets. README.md beside this file says what each number is and where it comes from."""

from suite.statistics.estimate import CONFIDENCE, Estimate
from suite.statistics.improvement import Improvement, probability_of_improvement
from suite.statistics.paired import (
    SEEDS_TO_CLAIM,
    SIGNIFICANCE,
    Comparison,
    compare_with_baseline,
    corrected_p_values,
    holm,
    not_told_from_best,
    paired_differences,
    paired_p_value,
)
from suite.statistics.power import seeds_to_tell
from suite.statistics.ranks import Ranks, rank_intervals, rank_over_datasets
from suite.statistics.sampling import sampling_half_width
from suite.statistics.step_down import step_down_p_values

__all__ = [
    "CONFIDENCE",
    "SEEDS_TO_CLAIM",
    "SIGNIFICANCE",
    "Comparison",
    "Estimate",
    "Improvement",
    "Ranks",
    "compare_with_baseline",
    "corrected_p_values",
    "holm",
    "not_told_from_best",
    "paired_differences",
    "paired_p_value",
    "probability_of_improvement",
    "rank_intervals",
    "rank_over_datasets",
    "sampling_half_width",
    "seeds_to_tell",
    "step_down_p_values",
]
