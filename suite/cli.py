"""The command line: `python -m suite …`. Bad input gives one line and exit code 2."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from neurons import InvalidValue, NeuronError, UnknownName

USER_ERRORS = (UnknownName, InvalidValue, NeuronError)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 if a cell failed, 2 for bad input, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(arguments)
    from suite.runs.store import RunError

    try:
        return options.command(options, arguments)
    except (*USER_ERRORS, RunError) as error:
        print(f"suite: {error}", file=sys.stderr)
        return 2


def _parser() -> Parser:
    parser = Parser(prog="python -m suite", description="Compare spiking neuron models.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    report = commands.add_parser("report", help="make tables, plots and page of a run", allow_abbrev=False)
    report.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    report.add_argument("--baseline", metavar="NEURON", help="whom others are compared with; default lif")
    report.set_defaults(command=_report)
    _add_kernels(commands)
    study = commands.add_parser("study", help="put claims of the CLIF paper to the test", allow_abbrev=False)
    study.add_argument("name", metavar="NAME", help="a study (see: list studies), or all")
    study.add_argument("--profile", default="quick", help="smoke, quick (default) or full")
    study.add_argument("--dataset", default="digits", help="default: digits")
    study.add_argument("--network", default="mlp8", help="default: mlp8")
    study.add_argument("--out", type=Path, metavar="RUN", help="run directory; default results/runs/study-PROFILE")
    study.add_argument("--time-limit", type=float, metavar="SECONDS", help="for one cell; default by profile")
    study.set_defaults(command=_study)
    packages = commands.add_parser("packages", help="compare the packages that people use", allow_abbrev=False)
    packages.add_argument("--profile", default="quick", help="smoke, quick (default) or full")
    packages.add_argument("--out", type=Path, metavar="RUN", help="default results/runs/packages-PROFILE")
    packages.add_argument("--time-limit", type=float, metavar="SECONDS", help="for one cell; default by profile")
    packages.set_defaults(command=_packages)
    backends = commands.add_parser("compare-backends", help="who computes the same as whom?", allow_abbrev=False)
    backends.add_argument("neuron", nargs="?", metavar="NEURON", help="a model of the suite; default: all")
    backends.add_argument("--json", action="store_true", help="a JSON list of objects")
    backends.set_defaults(command=_compare_backends)
    check = commands.add_parser("check", help="is the neuron of a file right and fast?", allow_abbrev=False)
    check.add_argument("file", type=Path, metavar="F.py", help="a file that registers neurons")
    check.set_defaults(command=_check)
    _add_results(commands)
    listing = commands.add_parser("list", help="what there is", allow_abbrev=False)
    listing.add_argument("kind", metavar="KIND", help="neurons, tasks, datasets, backends or studies")
    listing.add_argument("--json", action="store_true", help="a JSON list of objects")
    listing.set_defaults(command=_list)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="run tasks over neurons", allow_abbrev=False)
    run.add_argument("--profile", default="quick", help="smoke, quick (default) or full")
    run.add_argument("--tasks", type=_names, default=(), metavar="A,B", help="default: all")
    run.add_argument("--neurons", type=_names, default=(), metavar="A,B", help="default: all")
    run.add_argument("--backends", type=_names, default=("auto",), metavar="A,B", help="default: auto")
    run.add_argument("--datasets", type=_names, default=(), metavar="A,B", help="default: all of the profile")
    run.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1; default by profile")
    run.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="change a setting"
    )
    run.add_argument("--neuron-file", action="append", default=[], metavar="F.py", help="a file that registers neurons")
    run.add_argument("--out", type=Path, metavar="RUN", help="run directory; default results/runs/PROFILE")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="for one cell; default by profile")
    run.set_defaults(command=_run)


def _add_results(commands: Any) -> None:
    compare = commands.add_parser("compare", help="what changed between runs, beyond noise", allow_abbrev=False)
    compare.add_argument("first", type=Path, metavar="RUN", help="the run that the others are compared with")
    compare.add_argument("others", type=Path, nargs="+", metavar="RUN")
    compare.add_argument("--any-machine", action="store_true", help="compare timings of different machines too")
    compare.set_defaults(command=_compare)
    merge = commands.add_parser("merge", help="put the results of several runs into one", allow_abbrev=False)
    merge.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="of a cell in several, the first wins")
    merge.add_argument("--out", type=Path, required=True, metavar="RUN", help="a new run directory")
    merge.set_defaults(command=_merge)
    publish = commands.add_parser("publish", help="copy a run to results/published/", allow_abbrev=False)
    publish.add_argument("run", type=Path, metavar="RUN")
    publish.add_argument("--name", help="default: the name of the run directory")
    publish.add_argument("--to", metavar="TARGET", help="and send it on: hf:OWNER/DATASET or git:REPOSITORY#BRANCH")
    publish.add_argument("--force", action="store_true", help="also if dirty, incomplete or large")
    publish.set_defaults(command=_publish)


def _add_kernels(commands: Any) -> None:
    kernels = commands.add_parser("kernels", help="the fused GPU kernels, compiled ahead of time", allow_abbrev=False)
    kernels.add_argument("neuron", nargs="?", metavar="NEURON", help="default: all")
    kernels.add_argument(
        "--target", action="append", metavar="T", help="cuda:80, cuda:90, cuda:100, hip:gfx942; default all"
    )
    kernels.add_argument("--timesteps", type=int, default=8, metavar="T", help="default 8")
    kernels.add_argument("--tile", type=int, default=256, metavar="N", help="neurons of a program: 128, 256 or 512")
    kernels.add_argument("--json", action="store_true", help="a JSON list of objects")
    kernels.add_argument("--source", action="store_true", help="show the generated C and Triton source")
    kernels.set_defaults(command=_kernels)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    settings = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise InvalidValue(f"--set {pair}: write it as key=value, for example --set epochs=20")
        try:
            settings[key] = json.loads(text)
        except json.JSONDecodeError:
            settings[key] = text
    return settings


def _run(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.runs import run
    from suite.runs.plan import Request

    request = Request(
        profile=options.profile,
        tasks=options.tasks,
        neurons=options.neurons,
        backends=options.backends,
        datasets=options.datasets,
        seeds=options.seeds,
        settings=_settings(options.settings),
    )
    out = options.out or Path("results/runs") / options.profile
    return run.run(request, options.neuron_file, out, options.time_limit, arguments)


def _report(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.runs.run import print_report

    print_report(options.run, options.baseline)
    return 0


def _study(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite import studies
    from suite.runs import plan, run
    from tasks import networks
    from tasks.accuracy import datasets

    for kind, name, known in (
        ("profile", options.profile, plan.SEEDS),
        ("data set", options.dataset, datasets.SOURCES),
        ("network", options.network, networks.ARCHITECTURES),
    ):
        if name not in known:
            raise UnknownName(kind, name, known)
    names = list(studies.studies()) if options.name == "all" else [studies.get(options.name).name]
    scale = studies.Scale(options.profile, options.dataset, options.network)
    out = options.out or Path("results/runs") / f"study-{options.profile}"
    return run.run_studies(names, scale, out, options.time_limit, arguments)


def _packages(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.runs import plan, run

    if options.profile not in plan.SEEDS:
        raise UnknownName("profile", options.profile, plan.SEEDS)
    out = options.out or Path("results/runs") / f"packages-{options.profile}"
    return run.run_packages(options.profile, out, options.time_limit, arguments)


def _compare_backends(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.compare_backends import compare_backends
    from suite.listing import print_listing

    rows = compare_backends(options.neuron)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print_listing(rows)
    return 0


def _kernels(options: argparse.Namespace, arguments: list[str]) -> int:
    import neurons
    from neurons.kernels.ahead_of_time import TARGETS
    from suite import kernels

    names = [neurons.get(options.neuron).name] if options.neuron else neurons.names()
    if options.source:
        print(kernels.source(names, options.timesteps), end="")
        return 0
    rows = kernels.resources(names, options.target or list(TARGETS), options.timesteps, options.tile)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        kernels.print_resources(rows)
    return 0


def _check(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.check import check

    return 0 if check(options.file) else 1


def _compare(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.compare import compare

    table = compare([options.first, *options.others], options.any_machine)
    print(table.markdown(), end="")
    return 0


def _merge(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.merge import merge
    from suite.runs.run import print_report

    kept, dropped = merge(options.runs, options.out)
    print(f"{kept} cells in {options.out}; {dropped} that several runs have were left out once each")
    print_report(options.out)
    return 0


def _publish(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.publish import publish, send

    target = publish(options.run, options.name or options.run.resolve().name, options.force)
    print(f"published: {target}")
    if options.to:
        print(f"sent: {send(target, options.to)}")
    return 0


def _list(options: argparse.Namespace, arguments: list[str]) -> int:
    from suite.listing import listing, print_listing

    entries = listing(options.kind)
    if options.json:
        print(json.dumps(entries, indent=2))
    else:
        print_listing(entries)
    return 0
