"""`python -m suite`, and the console script `neuron-suite`, which no file in the working directory can disturb."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from suite.runs import interrupt

PACKAGES = ("neurons", "tasks")


def main() -> int:
    """Run the command line; the imports come after the signals are handled, because they take seconds."""
    interrupt.end_at_once()
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        origin = Path(found.origin).resolve() if found is not None and found.origin else None
        if origin is None or origin.parent.parent != home:
            hidden = f"the package '{name}' of neuron-suite is hidden by {origin or name}"
            print(f"suite: {hidden}; use the command neuron-suite, or another folder", file=sys.stderr)
            return 2
    from suite.cli import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
