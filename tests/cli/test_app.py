"""The program itself: version, help, wrong usage, errors as one line, and what its start loads."""

import json
import os
import re
import resource
import subprocess
import sys

import pytest
import typer

from crepitus import __version__
from crepitus.cli import app as program
from crepitus.errors import Damaged, DataSetError

# What takes seconds to import, and what a light installation lacks; only the command that needs it loads it.
HEAVY = {"torch", "torchvision", "timm", "lightning", "numba", "sklearn", "scipy", "matplotlib", "cv2"}


def run(*arguments):
    """A process of its own, as a user's shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "crepitus", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )


def run_here(capsys, *arguments):
    """(status, stdout, lines of stderr) of the program in this process."""
    with pytest.raises(SystemExit) as ended:
        program.main(list(arguments))
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err.splitlines()


@pytest.fixture
def failing(monkeypatch):
    """A program whose only command raises the given error."""

    def make(error):
        app = typer.Typer(pretty_exceptions_enable=False)

        @app.callback()
        def options(debug: bool = False):
            pass

        @app.command()
        def fail():
            raise error

        monkeypatch.setattr(program, "app", app)

    return make


def test_version_is_printed_on_stdout_alone(capsys):
    assert run_here(capsys, "--version") == (0, f"crepitus {__version__}\n", [])


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_ends_with_status_0(capsys, option):
    status, out, err = run_here(capsys, option)
    assert (status, err) == (0, [])
    assert "Usage:" in out
    assert "--version" in out


@pytest.mark.parametrize(
    "command", [(), *((command.name,) for command in program.app.registered_commands)], ids=str
)
def test_help_names_kinds_of_values_in_words(capsys, monkeypatch, command):
    """At 80 columns, as a terminal has them: no type of Python, and nothing beside a switch."""
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run_here(capsys, *command, "--help")
    assert status == 0
    assert not re.findall(r"<(?:bool|str|int|float|list)\b[^>]*>", out)
    switches = [line for line in out.splitlines() if "--help" in line and "Usage" not in line]
    assert all("<" not in line for line in switches)
    assert max(map(len, out.splitlines())) <= 80


def test_no_arguments_show_the_help_and_are_wrong_usage(capsys):
    status, out, err = run_here(capsys)
    assert status == 2
    assert "Usage:" in out + "\n".join(err)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--nope",), "--nope"),
        (("nope",), "nope"),
        (("--debug=maybe",), "--debug"),
        (("--version=1",), "--version"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_fault(capsys, arguments, named):
    status, out, err = run_here(capsys, *arguments)
    assert (status, out) == (2, "")
    assert len(err) == 1
    assert err[0].startswith("crepitus: ")
    assert named in err[0]
    assert "--help" in err[0]


def test_wrong_usage_as_a_user_sees_it():
    done = run("nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataSetError("points.csv, row 3, column x: expected a finite number, got 'NaN'"), 2),
        (Damaged("a.png: the file ends early"), 3),
        (FileNotFoundError(2, "No such file or directory", "a.toml"), 2),
        (OSError(28, "No space left on device", "run/last.ckpt"), 2),
        (ValueError("first\nsecond"), 1),
        (KeyError("spacing"), 1),
    ],
)
def test_an_error_is_one_line_and_its_status(capsys, failing, error, status):
    failing(error)
    got, out, err = run_here(capsys, "fail")
    assert (got, out) == (status, "")
    assert len(err) == 1
    assert err[0].startswith("crepitus: ")


def test_an_unexpected_error_says_what_to_do(capsys, failing):
    failing(ValueError("odd"))
    _, _, err = run_here(capsys, "fail")
    assert "ValueError" in err[0]
    assert "--debug" in err[0]


@pytest.mark.parametrize("error", [DataSetError("broken"), ValueError("broken")])
def test_debug_lets_the_traceback_through_wherever_it_stands(failing, error):
    failing(error)
    for arguments in (["--debug", "fail"], ["fail", "--debug"]):
        with pytest.raises(type(error), match="broken"):
            program.main(arguments)


def test_an_interrupt_has_the_shells_status(capsys, failing):
    failing(KeyboardInterrupt())
    assert run_here(capsys, "fail") == (130, "", ["crepitus: interrupted"])


def test_help_loads_nothing_heavy_and_takes_little_time():
    code = (
        "import json, sys\n"
        "from crepitus.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert loaded & HEAVY == set()
    # Processor time: the wall clock of a busy machine says nothing. Importing torch alone takes longer.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0
