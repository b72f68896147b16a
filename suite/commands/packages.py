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
    from suite.publish.terminal import print_report
    from suite.runs import dry_run, executors, measure, packages, plan
    from tasks.measuring import devices

    if options.profile not in plan.PROFILES:
        raise UnknownName("profile", options.profile, plan.PROFILES)
    out = options.out or Path("results/runs") / f"packages-{options.profile}"
    limit = plan.time_limit(options.time_limit, options.profile)
    cells = packages.grid(options.profile, devices.resolve(options.device))
    if options.dry_run:
        return dry_run.show(cells, out)
    executor = executors.choose(options.executor, options.address)
    return measure.execute({packages.GROUP: cells}, out, limit, arguments, report=print_report, executor=executor)
