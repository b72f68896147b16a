"""Making reports and pages of runs, and publishing: rows into this repository, pages on to a branch or a data set."""

from suite.publish.index import write_index
from suite.publish.local import publish
from suite.publish.remote import Target, send

__all__ = ["Target", "publish", "send", "write_index"]
