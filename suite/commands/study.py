"""`suite study`: put claims of the CLIF paper to the test."""

from __future__ import annotations

import argparse
from pathlib import Path

from suite.commands.shared import add_run, settings

HELP = "put claims of the CLIF paper to the test"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a study (see: list studies), or all")
    add_run(parser, "results/runs/study-PROFILE")
    parser.add_argument("--dataset", default="digits", help="default: digits")
    parser.add_argument("--network", default="mlp8", help="default: mlp8")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="change a setting of all cells",
    )


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    import tasks
    from neurons import UnknownName
    from suite import studies
    from suite.publish.terminal import print_report
    from suite.runs import dry_run, executors, measure, plan
    from tasks import data, networks
    from tasks.measuring import devices

    for kind, name, known in (
        ("profile", options.profile, plan.PROFILES),
        ("data set", options.dataset, data.SOURCES),
        ("network", options.network, networks.ARCHITECTURES),
    ):
        if name not in known:
            raise UnknownName(kind, name, known)
    names = list(studies.studies()) if options.name == "all" else [studies.get(options.name).name]
    changed = plan.checked_settings(settings(options.settings), list(tasks.TASKS.values()))
    device = devices.resolve(options.device)
    scale = studies.Scale(options.profile, options.dataset, options.network, device=device, settings=changed)
    out = options.out or Path("results/runs") / f"study-{options.profile}"
    limit = plan.time_limit(options.time_limit, scale.profile)
    cells = {name: studies.get(name).grid(scale) for name in names}
    if options.dry_run:
        return dry_run.show(measure.distinct(cells), out)
    executor = executors.choose(options.executor, options.address)
    return measure.execute(cells, out, limit, arguments, report=print_report, executor=executor)
