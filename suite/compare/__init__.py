"""What changed between runs, beyond noise."""

from suite.compare.table import Comparison, compare

__all__ = ["Comparison", "compare"]
