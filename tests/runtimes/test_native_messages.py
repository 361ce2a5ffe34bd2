"""What native code prints past Python, kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from edgekit_runtimes.native_messages import caught_with_output


def test_what_native_code_prints_is_kept_and_the_rest_goes_its_way() -> None:
    code = (
        "import os\n"
        "from edgekit_runtimes.native_messages import caught_with_output\n"
        "print('before')\n"
        "with caught_with_output() as printed:\n"
        "    os.write(1, b'out '); os.write(2, b'err')\n"
        "print('after', printed.text)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n") == ["before", "after out err", ""]
    assert found.stderr == ""


def test_a_failure_inside_gives_the_streams_back() -> None:
    before = os.fstat(1), os.fstat(2)
    try:
        with caught_with_output():
            raise KeyError
    except KeyError:
        pass
    assert (os.fstat(1), os.fstat(2)) == before


def test_two_threads_take_turns() -> None:
    before, found = (os.fstat(1), os.fstat(2)), []

    def write(word: bytes) -> None:
        for _ in range(20):
            with caught_with_output() as printed:
                os.write(1, word)
            found.append(printed.text)

    threads = [threading.Thread(target=write, args=(word,)) for word in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["one"] * 20 + ["two"] * 20
    assert (os.fstat(1), os.fstat(2)) == before


def test_the_output_stays_where_only_errors_are_kept() -> None:
    code = (
        "import os\n"
        "from edgekit_runtimes.native_messages import caught\n"
        "with caught() as messages:\n"
        "    os.write(1, b'out\\n'); os.write(2, b' one \\n\\ntwo\\n')\n"
        "print(messages, messages.lines)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "out\none; two ('one', 'two')\n"
    assert found.stderr == ""
