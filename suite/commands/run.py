"""`suite run`: measure what is not yet measured, then report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from suite.commands.shared import add_run, names, settings

HELP = "run tasks over neurons"
FILES = {"neuron": "neurons", "task": "tasks", "dataset": "data sets", "network": "networks"}


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, "results/runs/PROFILE", several_devices=True)
    parser.add_argument("--tasks", type=names, default=(), metavar="A,B", help="default: all")
    parser.add_argument(
        "--neurons",
        type=names,
        default=(),
        metavar="A,B",
        help="names, tag:T, kind:K or all; default: the standard ones, and those of --neuron-file",
    )
    parser.add_argument("--backends", type=names, default=("auto",), metavar="A,B", help="default: auto")
    parser.add_argument("--datasets", type=names, default=(), metavar="A,B", help="default: all of the profile")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="seeds 0 to N - 1; default by profile, 2 for a quick run of more than 14 neurons",
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="change a setting"
    )
    parser.add_argument(
        "--tune",
        type=int,
        metavar="N",
        help="also choose the best of N settings of each neuron on each data set, by validation, and run it",
    )
    for kind, holds in FILES.items():
        parser.add_argument(f"--{kind}-file", action="append", default=[], metavar="F.py", help=f"a file with {holds}")


def run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.publish.terminal import print_report
    from suite.runs import dry_run, executors, groups, measure, paper, plan, rivals, tuning
    from suite.runs.user_files import UserFiles

    request = plan.Request(
        profile=options.profile,
        tasks=options.tasks,
        neurons=options.neurons,
        backends=options.backends,
        datasets=options.datasets,
        seeds=options.seeds,
        settings=settings(options.settings),
        devices=options.device,
        tune=options.tune,
    )
    out = options.out or Path("results/runs") / options.profile
    files = UserFiles(options.neuron_file, options.network_file, options.dataset_file, options.task_file)
    files.load()
    limit = plan.time_limit(options.time_limit, request.profile)
    group = request.profile if request.profile in rivals.PROFILES else groups.MAIN
    cells = plan.make(request)
    if told := plan.first_look(request):
        print(told, file=sys.stderr)
    trials, follow = tuning.stages(cells, request)
    members = {group: [*cells, *trials]}
    if request.profile == paper.PROFILE:
        print("\n".join(paper.estimate(cells)), flush=True)
    if options.dry_run:
        return dry_run.show(measure.distinct(members), out, tuning.promised(cells, request))
    executor = executors.choose(options.executor, options.address)
    return measure.execute(members, out, limit, arguments, files, print_report, follow, executor)
