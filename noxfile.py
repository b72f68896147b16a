"""Sessions of the project. One environment in `.nox/environment` serves all of them (torch alone takes 6 GB)."""

import hashlib
import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "venv"

ENVIRONMENT = "environment"


@nox.session(reuse_venv=True)
def environment(session: nox.Session) -> None:
    """Install the project with its tools, anew only when pyproject.toml, this folder or the Python changed."""
    done = Path(session.virtualenv.location) / "installed.txt"
    state = hashlib.sha256(Path("pyproject.toml").read_bytes()).hexdigest()
    wanted = f"{state} {Path.cwd()} {sys.version}"
    if done.exists() and done.read_text() == wanted:
        session.log("installed already")
        return
    done.unlink(missing_ok=True)
    session.install("--editable", ".[dev]")
    done.write_text(wanted)


def python(session: nox.Session) -> str:
    """The interpreter of the shared environment."""
    folder = Path(session._runner.global_config.envdir).resolve() / ENVIRONMENT
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def shared(function):
    """A session that runs in the shared environment."""
    name = function.__name__.replace("_", "-")
    return nox.session(name=name, venv_backend="none", requires=[ENVIRONMENT])(function)


@shared
def bench(session: nox.Session) -> None:
    """Run the quick profile and make its report: nox -s bench [-- options of `suite run`]."""
    session.run(python(session), "-m", "suite", "run", *session.posargs)


@shared
def gpu(session: nox.Session) -> None:
    """Measure a GPU and make the report: nox -s gpu [-- options of `suite run`]."""
    session.run(python(session), "-m", "suite", "run", "--profile", "gpu", "--device", "cuda", *session.posargs)


@shared
def tests(session: nox.Session) -> None:
    """Run all tests, a half in each of two processes: nox -s tests; or some: nox -s tests -- OPTIONS OF PYTEST."""
    session.run(python(session), "-m", *(("pytest", *session.posargs) if session.posargs else ("tests.halves",)))


@shared
def site(session: nox.Session) -> None:
    """Build the pages of all published runs from their rows into build/site: nox -s site [-- FOLDER]."""
    session.run(python(session), "-m", "suite.publish.site", *session.posargs)


@shared
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into a fresh environment, and run the smoke profile from another folder."""
    session.run(python(session), "-m", "tests.wheel", *session.posargs)


@shared
def faults(session: nox.Session) -> None:
    """Bring faults about and write what the user sees and what is lost to docs/faults.md."""
    session.run(python(session), "-m", "tests.faults", *session.posargs)


@shared
def scale(session: nox.Session) -> None:
    """Seconds and memory of plans of 1,000, 10,000 and 100,000 cells: nox -s scale [-- CELLS ...]."""
    session.run(python(session), "-m", "tests.scale.growth", *session.posargs)


@shared
def sanitize(session: nox.Session) -> None:
    """Run the C kernels under gcc's sanitizers: nox -s sanitize [-- NEURON ...]."""
    session.run(python(session), "-m", "tests.sanitize", *session.posargs)


@shared
def mutants(session: nox.Session) -> None:
    """Plant faults and see which the tests find, in changed files or: nox -s mutants [-- AREA|FILE ...] [--limit N]."""
    session.run(python(session), "-m", "pip", "install", "--quiet", "--editable", ".[dev,mutants]")
    session.run(python(session), "-m", "tests.mutants", *session.posargs)


@shared
def microbench(session: nox.Session) -> None:
    """Time every neuron and backend; -- --benchmark-compare compares with the last saved run."""
    session.run(python(session), "-m", "pytest", "suite/tracking", "--benchmark-autosave", *session.posargs)


@shared
def asv(session: nox.Session) -> None:
    """Track the current commit quickly, or a range of commits: nox -s asv -- RANGE (in environments that ASV makes)."""
    session.run(python(session), "-m", "suite.tracking.track", *session.posargs)


@shared
def asv_publish(session: nox.Session) -> None:
    """Make ASV's page of all tracked commits in .asv/html."""
    session.run(python(session), "-m", "asv", "publish")


@shared
def lint(session: nox.Session) -> None:
    """Check style, format, types, and which package may import which."""
    session.run(python(session), "-m", "ruff", "check", ".")
    session.run(python(session), "-m", "ruff", "format", "--check", ".")
    session.run(python(session), "-m", "mypy")
    session.run(str(Path(python(session)).with_name("lint-imports")), "--no-cache", external=True)


@shared
def readme(session: nox.Session) -> None:
    """Make the published answers, figures and tables anew from their rows, and fill README and what data sets need."""
    session.run(python(session), "-m", "suite.publish.site", "--renew")
    session.run(python(session), "-m", "suite.publish.readme")
    session.run(python(session), "-m", "suite.publish.needs")
