"""`suite packages`: compare the packages that people use."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands.shared import add_run

HELP = "compare the packages that people use"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, "results/runs/packages-PROFILE")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from neurons import UnknownName
    from suite import measure
    from suite.runs import plan
    from tasks.measuring import devices

    if options.profile not in plan.PROFILES:
        raise UnknownName("profile", options.profile, plan.PROFILES)
    out = options.out or Path("results/runs") / f"packages-{options.profile}"
    device = devices.resolve(options.device)
    return measure.run_packages(options.profile, device, out, options.time_limit, arguments)
