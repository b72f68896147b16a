"""Whatever is wrong with a line, one line says so and what would be right, with exit code 2, and nothing is started."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from suite import cli
from suite.runs import execute, plan
from suite.runs.text import plain

RUN = "run --profile smoke --tasks accuracy --datasets digits --neurons lif --out OUT"
MEMORY = "run --profile smoke --tasks memory --neurons lif --out OUT"
ENERGY = "run --profile smoke --tasks energy --neurons lif --datasets digits --out OUT"
GRADIENT = "run --profile smoke --tasks temporal_gradient --neurons lif --out OUT"
WRONG = {
    # names
    "run --neurons cliff --out OUT": "unknown neuron 'cliff'; did you mean 'clif'?",
    "run --tasks acuracy --out OUT": "unknown task 'acuracy'; did you mean 'accuracy'?",
    "run --datasets digit --out OUT": "unknown data set 'digit'; did you mean 'digits'?",
    "run --profile quik --out OUT": "unknown profile 'quik'; did you mean 'quick'?",
    "run --backends refrence --out OUT": "unknown backend 'refrence'; did you mean 'reference'?",
    "run --neurons '' --out OUT": "'' has an empty name",
    "run --neurons , --out OUT": "',' has an empty name",
    "run --tasks '' --out OUT": "'' has an empty name",
    "run --datasets 'digits,' --out OUT": "'digits,' has an empty name",
    "run --backends ' ' --out OUT": "' ' has an empty name",
    "list neuron": "unknown kind 'neuron'; did you mean 'neurons'?",
    "list ''": "unknown kind ''",
    "packages --profile quik --out OUT": "unknown profile 'quik'; did you mean 'quick'?",
    "packages --profile '' --out OUT": "unknown profile ''",
    "compare-backends liff": "unknown neuron 'liff'; did you mean 'lif'?",
    "study nothing --out OUT": "unknown study 'nothing'",
    "study all --profile quik --out OUT": "unknown profile 'quik'",
    "study all --dataset digit --out OUT": "unknown data set 'digit'",
    "study all --network mpl8 --out OUT": "unknown network 'mpl8'; did you mean 'mlp8'?",
    "kernels liff": "unknown neuron 'liff'",
    "kernels lif --target cuda": "cuda",
    "kernels lif --target cuda:90:90": "cuda:90:90",
    # options
    "": "required: COMMAND",
    "rnu": "invalid choice: 'rnu'",
    "run --profil quick": "unrecognized arguments: --profil quick",
    "run extra": "unrecognized arguments: extra",
    "run --seeds 0 --out OUT": "--seeds must be at least 1, not 0",
    "run --seeds -1 --out OUT": "--seeds must be at least 1, not -1",
    "run --seeds 1.5 --out OUT": "invalid int value: '1.5'",
    "run --seeds 1000000000 --out OUT": "--seeds must be at most 10000",
    "run --time-limit 0 --out OUT": "--time-limit is a number of seconds above 0, not 0",
    "run --time-limit -5 --out OUT": "--time-limit is a number of seconds above 0, not -5",
    "run --time-limit nan --out OUT": "--time-limit is a number of seconds above 0, not nan",
    "run --time-limit inf --out OUT": "--time-limit is a number of seconds above 0, not inf",
    "run --time-limit soon --out OUT": "invalid float value: 'soon'",
    "study all --time-limit 0 --out OUT": "--time-limit is a number of seconds above 0, not 0",
    "packages --time-limit nan --out OUT": "--time-limit is a number of seconds above 0, not nan",
    "kernels lif --timesteps -1 --source": "'-1' is not a whole number from 1 on",
    "kernels lif --timesteps 0": "'0' is not a whole number from 1 on",
    "kernels lif --timesteps 2.5": "'2.5' is not a whole number from 1 on",
    "kernels lif --tile 100": "invalid choice: 100",
    f"{RUN} --tune 1": "--tune must be at least 2 and at most 1,024, not 1",
    f"{RUN} --tune 0": "--tune must be at least 2 and at most 1,024, not 0",
    f"{RUN} --tune 5000": "--tune must be at least 2 and at most 1,024, not 5,000",
    f"{RUN} --tune many": "invalid int value: 'many'",
    f"{MEMORY} --tune 4": "--tune chooses settings of the task accuracy; --tasks has none",
    f"{RUN} --set tuning=tuned": "unknown setting 'tuning'",
    # settings
    f"{RUN} --set epoch=3": "unknown setting 'epoch'; did you mean 'epochs'?",
    f"{RUN} --set epochs": "write it as key=value",
    f"{RUN} --set =3": "write it as key=value",
    f"{RUN} --set epochs=2 --set epochs=3": "--set epochs is given twice",
    f"{RUN} --set epochs=many": "setting epochs=many: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=": "setting epochs=: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=0": "setting epochs=0: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=-1": "setting epochs=-1: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=1.5": "setting epochs=1.5: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=true": "setting epochs=True: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=null": "setting epochs=None: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=[3]": "setting epochs=[3]: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=NaN": "setting epochs=nan: a whole number at least 1 is wanted",
    f"{RUN} --set epochs=1e300": "setting epochs=1e+300: a whole number at least 1 is wanted",
    f"{RUN} --set epochs={'9' * 400}": "a whole number at least 1 is wanted",
    f"{RUN} --set batch_size=1": "setting batch_size=1: a whole number at least 2 is wanted",
    f"{RUN} --set batch_size=0": "setting batch_size=0: a whole number at least 2 is wanted",
    f"{RUN} --set train_samples=1": "setting train_samples=1: a whole number at least 2 is wanted, or null",
    f"{RUN} --set width=0": "setting width=0: a whole number at least 1 is wanted, or null",
    f"{RUN} --set timesteps=-4": "setting timesteps=-4: a whole number at least 1 is wanted",
    f"{RUN} --set timesteps=0": "setting timesteps=0: a whole number at least 1 is wanted",
    f"{RUN} --set bptt_steps=2.5": "setting bptt_steps=2.5: a whole number at least 1 is wanted, or null",
    f"{RUN} --set bptt_steps=0": "setting bptt_steps=0: a whole number at least 1 is wanted, or null",
    f"{RUN} --set learning_rate=abc": "setting learning_rate=abc: a number above 0 is wanted, or null",
    f"{RUN} --set learning_rate=0": "setting learning_rate=0: a number above 0 is wanted, or null",
    f"{RUN} --set learning_rate=Infinity": "setting learning_rate=inf: a number above 0 is wanted, or null",
    f"{RUN} --set learning_rate=NaN": "setting learning_rate=nan: a number above 0 is wanted, or null",
    f"{RUN} --set weight_decay=-1": "setting weight_decay=-1: a number at least 0 is wanted, or null",
    f"{RUN} --set optimizer=adam": "unknown optimizer 'adam'; did you mean 'adamw'?",
    f"{RUN} --set loss=3": "setting loss=3: a name is wanted",
    f"{RUN} --set network=mpl8": "unknown network 'mpl8'; did you mean 'mlp8'?",
    f"{RUN} --set protocol=paper": "unknown protocol 'paper'",
    f"{RUN} --set exchange_to=nobody": "unknown exchange_to 'nobody'",
    f"{RUN} --set exchange_at=-1": "setting exchange_at=-1: a whole number at least 0 is wanted",
    f"{RUN} --set dataset=digits": "data sets are chosen by --datasets",
    f"{GRADIENT} --set progress=2": "setting progress=2: a number at least 0 and at most 1 is wanted",
    f"{GRADIENT} --set samples=0": "setting samples=0: a whole number at least 1 is wanted",
    f"{MEMORY} --set epochs=3": "unknown setting 'epochs'",
    f"{MEMORY} --set elements=0": "setting elements=0: a whole number at least 1 is wanted",
    f"{MEMORY} --set dtype=float": "unknown dtype 'float'",
    "run --tasks throughput --neurons lif --set rounds=0 --out OUT": "setting rounds=0: a whole number at least 1 is",
    "run --tasks startup --neurons lif --set processes=0 --out OUT": "setting processes=0: a whole number at least 1",
    "run --tasks dynamics --neurons lif --set input_rate=2 --out OUT": "at least 0 and at most 1 is wanted",
    # settings that cannot be honoured
    f"{RUN} --set train_samples=1258": "setting train_samples=1258: the train set of digits has 1257",
    f"{RUN.replace('digits', 'digits,delayed_recall')} --set train_samples=5000": "the train set of digits has 1257",
    f"{ENERGY} --set train_samples=9999": "setting train_samples=9999: the train set of digits has 1257",
    f"{ENERGY} --set samples=361": "setting samples=361: the test set of digits has 360",
    f"{GRADIENT} --set samples=100000": "setting samples=100000: the train set of digits has 1257",
    f"{RUN} --set exchange_to=clif": "exchange_at=0: with epochs=2 an exchange is after epoch 1 to 1",
    f"{RUN} --set exchange_to=clif --set exchange_at=2": "exchange_at=2: with epochs=2 an exchange is after epoch 1",
    f"{RUN} --set epochs=9 --set exchange_to=clif --set exchange_at=10": "an exchange is after epoch 1 to 8",
    f"{RUN} --set epochs=1 --set exchange_to=clif --set exchange_at=1": "epochs=1 has no epoch after an exchange",
    f"{RUN} --set exchange_at=1": "setting exchange_at=1: exchange_to=NEURON says for which",
    f"{ENERGY} --set exchange_to=clif --set exchange_at=1": "energy trains one neuron to the end; accuracy exchanges",
    # parameters of neurons
    f"{RUN} --set neuron.foo=1": "unknown parameter of lif 'foo'",
    f"{RUN} --set neuron.=1": "unknown parameter of lif ''",
    f"{RUN} --set neuron.tau=abc": "setting neuron.tau=abc: a finite number is wanted",
    f"{RUN} --set neuron.tau=0.5": "tau must be at least 1 step",
    f"{RUN} --set neuron.tau=null": "setting neuron.tau=None: a finite number is wanted",
    f"{RUN} --set neuron.v_th=[1]": "setting neuron.v_th=[1]: a finite number is wanted",
    f"{RUN} --set neuron.v_th=NaN": "setting neuron.v_th=nan: a finite number is wanted",
    f"{RUN} --set neuron.v_th=true": "setting neuron.v_th=True: a finite number is wanted",
    f"{RUN} --set neuron.detach_reset=1": "setting neuron.detach_reset=1: true or false is wanted",
    f"{RUN} --set neuron.surrogate=square": "unknown surrogate 'square'",
    f"{RUN} --set neuron.surrogate=1": "setting neuron.surrogate=1: surrogate must be a word",
    f"{RUN} --set neuron.reset=none": "unknown reset 'none'",
    f"{RUN} --set neuron.surrogate_width=0": "surrogate_width must be above 0",
    f"{RUN.replace('lif', 'plif')} --set neuron.tau=1": "plif",
    f"{RUN.replace('lif', 'lif,plif')} --set neuron.w=0": "unknown parameter of lif 'w'",
    # files and folders
    "run --out ''": "an empty path",
    "run --out ' '": "an empty path",
    "study all --out ''": "an empty path",
    "packages --out ''": "an empty path",
    "merge FULL --out ''": "an empty path",
    "run --out /dev/null --tasks memory --neurons lif": "/dev/null is not a folder",
    "run --out /proc/run --tasks memory --neurons lif": "cannot write /proc/run",
    "run --out FILE --tasks memory --neurons lif": "is not a folder",
    "run --out FILE/below --tasks memory --neurons lif": "is not a folder",
    "run --neuron-file nowhere.py --out OUT": "no such file",
    "run --neuron-file '' --out OUT": "no such file",
    "run --neuron-file . --out OUT": "no such file",
    "run --neuron-file FILE --out OUT": "not a Python file",
    "run --neuron-file exits.py --out OUT": "it ends the program when it is imported (exit code 0)",
    "run --neuron-file syntax.py --out OUT": "SyntaxError",
    "run --neuron-file twolines.py --out OUT": "ValueError: one two",
    "run --neuron-file binary.py --out OUT": "binary.py",
    "run --neuron-file empty.py --out OUT": "registers no neuron",
    "run --neuron-file missing.py --out OUT": "No module named 'nothing_of_that_name'",
    "check nowhere.py": "no such file",
    "check exits.py": "it ends the program when it is imported (exit code 0)",
    "check empty.py": "registers no neuron",
    "report nowhere": "nowhere: no results.parquet",
    "report FILE": "no results.parquet",
    "report ''": "no results.parquet",
    "compare nowhere elsewhere": "nowhere: no results.parquet",
    "compare nowhere": "required: RUN",
    "merge nowhere": "the following arguments are required: --out",
    "merge nowhere --out OUT": "nowhere: no results.parquet",
    "publish nowhere": "nowhere: no results.parquet",
}
FILES = {
    "exits.py": b"import sys\nsys.exit(0)\n",
    "syntax.py": b"def\n",
    "twolines.py": b"raise ValueError('one\\ntwo')\n",
    "binary.py": bytes(range(256)),
    "empty.py": b"",
    "missing.py": b"import nothing_of_that_name\n",
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the lines name, in which no process is ever started."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(execute.LocalExecutor, "run", refuse)
    return tmp_path


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line[:60] or "nothing")
def test_one_line_and_exit_code_2(
    line: str, workplace: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    known = {"OUT": workplace / "out", "FILE": workplace / "file", "FULL": workplace / "full"}
    words = [str(known.get(word, word)) for word in shlex.split(line)]
    words = [word.replace("FILE/", f"{workplace}/file/") for word in words]
    before = sorted(os.listdir(workplace))
    try:
        code = cli.main(words)
    except SystemExit as ended:
        code = int(str(ended.code))
    said = capfd.readouterr()
    assert code == 2, said.err
    assert WRONG[line] in said.err
    assert len(said.err.splitlines()) == 1
    assert not said.out
    assert not caplog.records, "a second line"
    assert {name for name in os.listdir(workplace) if name != "__pycache__"} == set(before)


def test_a_message_without_end_is_shortened_and_keeps_its_hint(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--neurons", "x" * 5000]) == 2
    said = capfd.readouterr().err
    assert len(said) < 700
    assert said.startswith("suite: unknown neuron 'xxx")
    assert "known: " in said or "did you mean" in said or "lif" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a[/b]", "a[/b]"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("bell\x07", "bell\\x07"),
        ("τ × γ", "τ × γ"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_terminal_shows(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_long_text_keeps_its_ends() -> None:
    assert plain("abcdefghij" * 10, 11) == "abcdef…ghij"
    assert plain("abc", 3) == "abc"


@pytest.mark.parametrize(
    "settings",
    [{"train_samples": 1257}, {"exchange_to": "clif", "exchange_at": 1}, {"exchange_to": "clif", "exchange_at": 8}],
    ids=str,
)
def test_the_last_setting_that_can_be_honoured_is_taken(settings: dict[str, object]) -> None:
    asked = {"epochs": 9 if settings.get("exchange_at") == 8 else 2, **settings}
    request = plan.Request("smoke", tasks=["accuracy"], neurons=["lif"], datasets=["digits"], settings=asked)
    (cell,) = plan.make(request)
    assert asked.items() <= cell.settings.items()


EQUAL = [
    ("epochs=3", "epochs=3.0"),
    ("learning_rate=1", "learning_rate=1.0"),
    ("neuron.tau=2", "neuron.tau=2.0"),
]


@pytest.mark.parametrize("pair", EQUAL, ids=str)
def test_equal_numbers_are_one_cell(pair: tuple[str, str], workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.runs import cell_key, measure

    asked: list[set[str]] = []

    def note(members: dict[str, list[object]], *_: object) -> int:
        asked.append({cell_key.identity(cell) for cells in members.values() for cell in cells})  # type: ignore[arg-type]
        return 0

    monkeypatch.setattr(measure, "execute", note)
    for setting in pair:
        assert cli.main([*shlex.split(RUN), "--set", setting]) == 0
    assert asked[0] == asked[1]
