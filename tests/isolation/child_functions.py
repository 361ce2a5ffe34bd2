"""What the isolation tests run in child processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from edgekit import isolation
from edgekit.artifact import TensorSpec
from edgekit.errors import MissingPackageError, SourceError, UnsupportedOpError
from edgekit.protocols import PlacedOp, Placement


def echo(request, progress):
    return request


def chatter(request, progress):
    sys.stdout.write("to stdout\n")
    os.write(1, b"natively to stdout\n")
    warnings.warn("a warning", stacklevel=1)
    return "said"


def fail(request, progress):
    progress.stage("reading")
    raise {
        "source": SourceError("the file is damaged"),
        "package": MissingPackageError("torch", "pytorch", "reading"),
        "op": UnsupportedOpError("Foo", "node_1", "TFLite"),
        "bug": ZeroDivisionError("division by zero"),
        "exit": SystemExit(3),
        "disk": OSError(errno.ENOSPC, "No space left on device", "m.tflite"),
        "connection": ConnectionResetError(errno.ECONNRESET, "reset"),
    }[request]


def crash(request, progress):
    progress.stage("loading the model", 3)
    sys.stderr.write("about to fall\n")
    os.kill(os.getpid(), request)
    time.sleep(30)


def leave(request, progress):
    os._exit(request)


def count(request, progress):
    progress.stage("counting", request)
    for _ in range(request):
        progress.step()
    return "counted"


def allocate(request, progress):
    return int(np.ones(request, np.uint8)[-1])


def allocate_and_free(request, progress):
    np.ones(request, np.uint8)


def spin(request, progress):
    end = time.process_time() + request
    while time.process_time() < end:
        pass


def hang(request, progress):
    """Tell our pid and folder through a file, with a grandchild that hangs as well, then hang."""
    folder = Path(request)
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(tempfile.mkdtemp(), "large").write_text("temporary")
    (folder / "pids.part").write_text(f"{os.getpid()} {grandchild.pid} {tempfile.gettempdir()}")
    (folder / "pids.part").rename(folder / "pids")
    time.sleep(60)


def hang_deaf(request, progress):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(request, progress)


def nested(request, progress):
    return isolation.run("child_functions:count", request, progress).value


def nested_hang(request, progress):
    return isolation.run("child_functions:hang", request, progress).value


def unsendable(request, progress):
    return object()


class Doubler:
    """A session that doubles its input ``x``."""

    inputs = (TensorSpec("x", "float32", ("batch", 2)),)
    outputs = (TensorSpec("y", "float32", ("batch", 2)),)

    def __init__(self, closed: Path | None) -> None:
        self.closed = closed

    def run(self, feeds):
        if np.isnan(feeds["x"]).any():
            os.kill(os.getpid(), signal.SIGSEGV)
        if (feeds["x"] < 0).any():
            raise SourceError("negative")
        return {"y": 2 * feeds["x"]}

    def placement(self):
        return Placement((PlacedOp("mul", "Mul", "cpu", "double", integer=False),))

    def close(self):
        if self.closed:
            self.closed.write_text("closed")


def open_doubler(request, progress):
    return Doubler(request)


def open_nothing(request, progress):
    raise SourceError("there is no model")
