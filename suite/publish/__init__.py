"""Publishing a run: into this repository, and on to a branch of pages or a Hugging Face data set."""

from suite.publish.local import publish, write_index
from suite.publish.remote import send

__all__ = ["publish", "send", "write_index"]
