"""Tables, plots and a page, made from the stored rows alone."""

from suite.report.build import build

__all__ = ["build"]
