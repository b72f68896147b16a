"""Where a model comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """The paper of a model, and what its equations were read in.

    Attributes:
        paper: authors and venue, as in "Fang et al., ICCV 2021".
        year: of the publication.
        equations: which of the paper's equations the step follows, where known.
        code: the public code that it was held against, as owner/repository and path.
    """

    paper: str
    year: int
    equations: str = ""
    code: str = ""
