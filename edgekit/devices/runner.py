"""The one file that a device needs beside Python, numpy and a runtime: edgekit's light half as a zip that Python runs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("edgekit", "edgekit_runtimes")
_LEFT_OUT = (
    "cli", "bench_document.py", "bench_html.py", "chart_page.py", "comparison.py", "device_group.py", "line_charts.py",
    "results_store.py", "suite.py", "testing", "trends.py",
)  # fmt: skip
"""What a device never calls: commands, suites of tests, and what draws and keeps results here."""

OLDEST_PYTHON = (3, 10)
_SAME_DAY = (1980, 1, 1, 0, 0, 0)
"""Every entry's time, so that equal sources make an equal file."""

# It unpacks itself beside itself, since Python keeps what it compiled of files, but not of what a zip holds.
_MAIN = f"""\
import sys
if sys.version_info < {OLDEST_PYTHON}:
    found = "Python %d.%d" % sys.version_info[:2]
    sys.exit("edgekit-runner: %s is too old; it needs {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer" % found)
try:
    import numpy
except ImportError as error:
    sys.exit("edgekit-runner: numpy can't be used: %s; edgekit devices setup installs it" % error)
import os, shutil, zipfile
folder = sys.argv[0][:-len(".pyz")]
if not os.path.isdir(folder):
    part = "%s.%d" % (folder, os.getpid())
    try:
        zipfile.ZipFile(sys.argv[0]).extractall(part)
        os.rename(part, folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if not os.path.isdir(folder):
            sys.exit("edgekit-runner: it can't unpack itself: %s; make room there" % error)
sys.path[0] = folder
from edgekit.isolation.stdio import serve
serve(sys.argv[0])
"""


def runner() -> tuple[str, bytes]:
    """Name and content of the runner; the name holds the content's sha256."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("__main__.py", _MAIN.encode()), *_modules()):
            archive.writestr(zipfile.ZipInfo(name, _SAME_DAY), text, zipfile.ZIP_DEFLATED)
    content = buffer.getvalue()
    return f"runner-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content


def _modules() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        found = find_spec(package)
        assert found is not None
        assert found.origin is not None
        root = Path(found.origin).parent
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).parts
            if parts[0] not in _LEFT_OUT:
                yield "/".join((package, *parts)), path.read_bytes()
