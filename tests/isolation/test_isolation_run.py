from __future__ import annotations

import errno
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit import isolation
from edgekit.errors import MissingPackageError, SourceError, StageCrashError, UnsupportedOpError
from edgekit.isolation import Limits


class Recorder:
    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.steps = 0

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append((name, total))

    def step(self, count: int = 1) -> None:
        self.steps += count


def test_a_value_with_arrays_comes_back_from_the_child():
    request = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "n": (1, None)}
    value = isolation.run("child_functions:echo", request).value
    np.testing.assert_array_equal(value["x"], request["x"])
    assert value["n"] == (1, None)


def test_the_childs_chatter_reaches_none_of_our_streams(capfd):
    assert isolation.run("child_functions:chatter", None).value == "said"
    assert capfd.readouterr() == ("", "")


def test_an_error_crosses_with_its_class_and_message():
    with pytest.raises(SourceError, match=r"^the file is damaged$") as caught:
        isolation.run("child_functions:fail", "source")
    assert "in fail" in str(caught.value.__cause__)


def test_an_error_with_a_constructor_of_its_own_crosses_whole():
    with pytest.raises(MissingPackageError, match=r"edgekit-ml\[pytorch\]"):
        isolation.run("child_functions:fail", "package")
    with pytest.raises(UnsupportedOpError) as caught:
        isolation.run("child_functions:fail", "op")
    assert (caught.value.op, caught.value.node) == ("Foo", "node_1")


def test_a_full_disk_is_an_os_error_here_too():
    with pytest.raises(OSError, match="No space left") as caught:
        isolation.run("child_functions:fail", "disk")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "m.tflite")
    assert "in fail" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("bug", "reading failed with ZeroDivisionError"),
        ("exit", "SystemExit: 3"),
        ("connection", "ConnectionResetError"),
    ],
)
def test_any_other_exception_is_a_failed_stage_with_the_childs_traceback(request_, words):
    with pytest.raises(StageCrashError, match=words) as caught:
        isolation.run("child_functions:fail", request_)
    assert "child_functions.py" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGSEGV, r"SIGSEGV"), (signal.SIGABRT, "SIGABRT"), (signal.SIGKILL, "lack of memory")]
)
def test_a_native_crash_names_stage_signal_and_last_words(number, words):
    with pytest.raises(StageCrashError, match=words) as caught:
        isolation.run("child_functions:crash", int(number))
    assert "loading the model crashed" in str(caught.value)
    assert "about to fall" in str(caught.value)
    assert "child_functions.py" not in str(caught.value)


def test_a_native_crash_carries_the_python_stack_as_its_cause():
    with pytest.raises(StageCrashError) as caught:
        isolation.run("child_functions:crash", int(signal.SIGSEGV))
    assert "in crash" in str(caught.value.__cause__)


def test_an_exit_without_an_answer_is_a_crash_of_the_named_stage():
    with pytest.raises(StageCrashError, match=r"reading crashed: .* exit code 7"):
        isolation.run("child_functions:leave", 7, stage="reading")


def test_a_result_that_cannot_cross_is_an_error():
    with pytest.raises(StageCrashError, match="can't be sent"):
        isolation.run("child_functions:unsendable", None)


def test_progress_arrives_whole_and_from_grandchildren_too():
    recorder = Recorder()
    assert isolation.run("child_functions:nested", 1000, recorder).value == "counted"
    assert recorder.stages == [("counting", 1000)]
    assert recorder.steps == 1000


def test_the_peak_memory_is_the_childs_own():
    ballast = np.ones(400_000_000, np.uint8)
    small = isolation.run("child_functions:echo", None).peak_memory_bytes
    large = isolation.run("child_functions:allocate_and_free", 100_000_000).peak_memory_bytes
    assert ballast[-1] == 1
    assert small < 150_000_000
    assert 95_000_000 < large - small < 115_000_000


def test_the_cpu_seconds_are_the_childs_own():
    assert 0.3 <= isolation.run("child_functions:spin", 0.3).cpu_seconds < 2.0


def test_a_memory_limit_ends_in_an_error_that_names_it():
    with pytest.raises(StageCrashError, match=r"out of memory \(its memory is limited to 500 MB\)"):
        isolation.run("child_functions:allocate", 1_000_000_000, limits=Limits(memory_bytes=500_000_000))


@pytest.mark.parametrize("function", ["hang", "nested_hang"])
def test_a_time_limit_ends_the_child_its_children_and_their_files(function, tmp_path):
    with pytest.raises(StageCrashError, match="more than 1 s"):
        isolation.run(f"child_functions:{function}", str(tmp_path), limits=Limits(seconds=1.0))
    assert_all_gone(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "number"),
    [
        ("hang", signal.SIGINT),
        ("hang", signal.SIGTERM),
        ("hang", signal.SIGKILL),
        ("hang_deaf", signal.SIGINT),
        ("nested_hang", signal.SIGINT),
        ("nested_hang", signal.SIGKILL),
    ],
)
def test_the_end_of_the_parent_ends_everything(function, number, tmp_path):
    program = f"import sys; sys.path[:] = {sys.path!r}; from edgekit import isolation; "
    program += f"isolation.run('child_functions:{function}', {str(tmp_path)!r})"
    parent = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until((tmp_path / "pids").exists)
    parent.send_signal(number)
    assert parent.wait(timeout=15) != 0
    assert_all_gone(tmp_path)


def test_nothing_of_the_working_folder_shadows_a_module(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert isolation.run("child_functions:echo", 1).value == 1


def test_no_temporary_folder_and_no_open_file_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = len(list(Path("/proc/self/fd").iterdir()))
    isolation.run("child_functions:echo", 1)
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def assert_all_gone(folder: Path) -> None:
    child, grandchild, temporary = (folder / "pids").read_text().split()
    wait_until(lambda: not (alive(child) or alive(grandchild) or Path(temporary).exists()))


def alive(pid: str) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
