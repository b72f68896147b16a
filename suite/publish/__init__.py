"""Publishing a run: into this repository, and on to a branch of pages or a Hugging Face data set."""

from suite.publish.index import write_index
from suite.publish.local import publish
from suite.publish.remote import Target, send

__all__ = ["Target", "publish", "send", "write_index"]
