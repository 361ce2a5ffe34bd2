"""What a user sees when something goes wrong: one message, one exit code, no traceback."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from edgekit.cli import border, group
from edgekit.cli.border import run
from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.errors import DatasetError, RecipeError

Failing = Callable[..., int]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Runs ``edgekit fail`` whose command raises the given error."""

    def run_with(error: BaseException, *options: str) -> int:
        @command(example="edgekit fail")
        def fail(console: Console) -> None:
            """Fail."""
            raise error

        monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
        monkeypatch.setitem(group.COMMANDS, "fail", group.LazyCommand(f"{__name__}:fail", "Fail."))
        return run(["fail", *options])

    return run_with


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DatasetError("samples are empty"), 1, "error: samples are empty"),
        (RecipeError("unknown key"), 2, "error: unknown key"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (click.Abort(), 130, "error: interrupted"),
        (MemoryError(), 1, "error: not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device", "out/m.tflite"), 1, "error: the disk is full (out/m.tflite)"),
        (OSError(errno.EFBIG, "File too large", "m.onnx"), 1, "error: a file may not grow so large (m.onnx)"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "error: no permission to read or write (/x)"),
        (OSError(errno.EIO, "Input/output error", "f"), 1, "error: Input/output error (f)"),
        (ZeroDivisionError("boom\nmore"), 1, "error: unexpected ZeroDivisionError: boom. This is a fault of edgekit"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    failing: Failing, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    assert failing(error) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().startswith(text)
    assert err.strip().count("\n") == 0


def test_debug_shows_the_traceback(failing: Failing, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(DatasetError("bad"), "--debug") == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("error: bad\n")


def test_json_gives_a_document_for_an_error_too(failing: Failing, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(DatasetError("bad"), "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "schema": "edgekit.error/1",
        "error": {"kind": "DatasetError", "message": "bad"},
        "exit_code": 1,
    }
    assert err == "error: bad\n"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["chek"], "error: there is no command named 'chek'. Did you mean 'check'?"),
        (["targets", "--nonsense"], "such option"),
        (["completion", "bahs"], "Invalid value for '{bash|zsh|fish}'"),
        (["completion"], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], argv: list[str], text: str) -> None:
    assert run(argv) == 2
    assert text in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error() -> None:
    shell = f"{sys.executable} -m edgekit.cli targets --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, border.EXIT_BROKEN_PIPE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_stdout_on_a_full_disk_is_one_message() -> None:
    call = "import sys; from edgekit.cli import main; sys.argv[1:] = ['targets', '--json']; main()"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([sys.executable, "-c", call], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the disk is full")
    assert done.stderr.count("\n") == 1


def test_a_closed_stdout_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    discarded: list[bool] = []
    monkeypatch.setattr(border, "_discard_stdout", lambda: discarded.append(True))
    err = io.StringIO()
    assert run(["completion", "bash"], Console(Closed(), err)) == border.EXIT_BROKEN_PIPE
    assert (err.getvalue(), discarded) == ("", [True])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_runs_the_clean_up(tmp_path: Path, number: signal.Signals, code: int) -> None:
    (tmp_path / "waiting.py").write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from edgekit.artifact import written_whole\n"
        "from edgekit.cli import border, group\n"
        "from edgekit.cli.command import command\n"
        "@command(example='edgekit wait')\n"
        "def wait(console):\n"
        "    with written_whole(Path('out.tflite')) as part:\n"
        "        part.write_text('half')\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(30)\n"
        "group.COMMANDS['wait'] = group.LazyCommand('waiting:wait', 'Wait.')\n"
        "if __name__ == '__main__':\n"
        "    raise SystemExit(border.run(['wait']))\n"
    )
    script = [sys.executable, "waiting.py"]
    with subprocess.Popen(script, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.05)
        os.kill(child.pid, number)
        err = child.stderr.read()
        assert child.wait(10) == code
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
