"""`run`: one function in a child process of its own."""

from __future__ import annotations

from edgekit.isolation.host import Host
from edgekit.isolation.messages import Call, Limits, Outcome
from edgekit.isolation.process import ChildProcess
from edgekit.protocols import Progress, Silent


def run(
    function: str,
    request: object,
    progress: Progress | None = None,
    *,
    stage: str | None = None,
    limits: Limits | None = None,
    host: Host | None = None,
) -> Outcome:
    """What ``function`` ("module:name") returns for ``(request, progress)``, called in a fresh child process.

    Request and result consist of what `edgekit.isolation.wire` lets across. ``stage`` names the work in errors until the
    function names a stage itself. The child and its temporary files are gone when this returns or raises, Ctrl-C included.

    Raises the EdgekitError that the function raised, or StageCrashError for any other exception (the child's traceback is
    its cause), a crash of native code, and a broken limit.
    """
    limits = limits or Limits()
    child = ChildProcess(limits, stage or function, host)
    try:
        return child.ask(Call(function, request, limits.memory_bytes), progress or Silent())
    finally:
        child.stop()
