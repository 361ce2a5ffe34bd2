"""The one place that turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import click

from edgekit.cli.console import Console, ReaderGoneError
from edgekit.cli.group import edgekit_group
from edgekit.errors import EdgekitError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_BROKEN_PIPE = 128 + 13
"""What a shell reports for a program that SIGPIPE ended (the number is fixed: Windows has no such signal)."""

ERROR_SCHEMA = "edgekit.error/1"


def run(argv: Sequence[str], console: Console | None = None) -> int:
    """Run the command line ``argv`` (without the program's name) and return its exit code; never raises an Exception."""
    console = console or Console(stdout=sys.stdout, stderr=sys.stderr)
    # A parse error comes before any option has reached the console.
    console.json = "--json" in argv
    console.debug = "--debug" in argv
    try:
        with _orderly_termination():
            code = _invoke(argv, console)
            console.flush()
            return code
    except ReaderGoneError:
        _discard_stdout()
        return EXIT_BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return _fail(console, "Interrupted", "interrupted; nothing half-written is left behind", EXIT_INTERRUPTED)
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException as error:  # noqa: BLE001  # no error leaves a command as a traceback
        return _report(console, error)


def _invoke(argv: Sequence[str], console: Console) -> int:
    try:
        result = edgekit_group.main(args=list(argv), prog_name="edgekit", obj=console, standalone_mode=False)
    finally:
        console.end_progress()
    return result if isinstance(result, int) else 0


def _report(console: Console, error: BaseException) -> int:
    """Print the message that fits the error; the traceback only with --debug."""
    if console.debug:
        import traceback

        console.error_text("".join(traceback.format_exception(error)).rstrip())
    message, code = _message(error)
    return _fail(console, type(error).__name__, message, code)


def _message(error: BaseException) -> tuple[str, int]:
    if isinstance(error, EdgekitError):
        return str(error), error.exit_code
    if isinstance(error, click.UsageError):
        hint = f" Try '{error.ctx.command_path} --help'." if error.ctx else ""
        return _sentence(error.format_message()) + hint, error.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    if isinstance(error, MemoryError):
        return f"not enough memory: {_sentence(str(error)) or 'an allocation failed.'} Try fewer samples.", EXIT_FAILED
    if isinstance(error, OSError):
        return _os_message(error), EXIT_FAILED
    text = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    return f"unexpected {_sentence(text)} This is a fault of edgekit: please report it with the output of --debug.", 1


def _os_message(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}: make room and run again. Nothing half-written is left behind."
    if error.errno == errno.EFBIG:
        return f"a file may not grow so large{where}: raise the limit (ulimit -f) or choose another disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to read or write{where}: {error.strerror}. Choose another place, -o for instance."
    return f"{error.strerror or error}{where}"


def _fail(console: Console, kind: str, message: str, code: int) -> int:
    """One message on stderr; with --json also a document on stdout, so that a script finds one there in any case."""
    try:
        console.error(message)
        if console.json:
            document = {"schema": ERROR_SCHEMA, "error": {"kind": kind, "message": message}, "exit_code": code}
            console.out(json.dumps(document, indent=2))
        console.flush()
    except (ReaderGoneError, OSError):  # stdout itself may be what failed: a file on a full disk
        _discard_stdout()
    return code


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".?!" else text + "."


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    return leaving.code if isinstance(leaving.code, int) else EXIT_FAILED


def _discard_stdout() -> None:
    """Let the interpreter's last flush go nowhere: the reader of the pipe has gone, or the disk is full."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


class _orderly_termination:
    """Within the block SIGTERM raises SystemExit, so that temporary files are removed on the way out."""

    def __enter__(self) -> None:
        self._before: Callable[[int, FrameType | None], object] | int | None = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _leave)

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
