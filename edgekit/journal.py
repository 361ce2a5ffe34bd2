"""`Journal`: results kept in a file as they come, so that work on a device that was lost goes on where it stopped.

The file is a row of frames of `edgekit.isolation.wire`, a digest of the question and its answer each. A frame that was cut off
when the machine stopped is dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, final

from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import UsageError
from edgekit.isolation.wire import pack, unpack
from edgekit.protocols import Feeds, Placement, Session

Answer = TypeVar("Answer")

_HEAD = b"edgekit journal 1\n"
"""What the file begins with: no other file is ever cut."""


class Journal:
    """Answers by question. ``path``: made with the first answer; what is there already is read.

    A question is any value that may cross to a child process. Raises UsageError for a file that is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: dict[str, int] = {}
        if path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self._offsets)

    def ask(self, question: object, find_out: Callable[[], Answer]) -> Answer:
        """The answer that is kept, or that of ``find_out``, which is then kept."""
        digest = hashlib.sha256(pack(question)).hexdigest()
        if (offset := self._offsets.get(digest)) is not None:
            kept: Answer = self._at(offset)
            return kept
        answer = find_out()
        with self._path.open("ab") as stream:
            if stream.tell() == 0:
                stream.write(_HEAD)
            self._offsets[digest] = stream.tell()
            stream.write(pack((digest, answer)))
        return answer

    def session(self, question: object, session: Session) -> Session:
        """The session, which answers from the journal what it was asked before. ``question`` says which model it holds."""
        return _Remembering(self, question, session)

    def remove(self) -> None:
        """The work is done: nothing of it needs to be kept."""
        self._path.unlink(missing_ok=True)
        self._offsets.clear()

    def _read(self) -> None:
        with self._path.open("r+b") as stream:
            if stream.read(len(_HEAD)) not in (_HEAD, b""):
                raise UsageError(f"{self._path} is no journal of an interrupted run; name another file")
            whole = stream.tell()
            try:
                while True:
                    digest, _ = unpack(stream)
                    self._offsets[digest] = whole
                    whole = stream.tell()
            except EOFError:
                stream.truncate(whole)

    def _at(self, offset: int) -> Any:
        with self._path.open("rb") as stream:
            stream.seek(offset)
            return unpack(stream)[1]


@final
class _Remembering:
    """A session that keeps its answers."""

    def __init__(self, journal: Journal, question: object, session: Session) -> None:
        self._journal, self._question, self._session = journal, question, session
        self.inputs: Sequence[TensorSpec] = session.inputs
        self.outputs: Sequence[TensorSpec] = session.outputs

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return self._journal.ask((self._question, dict(feeds)), lambda: self._session.run(feeds))

    def placement(self) -> Placement:
        return self._session.placement()

    def close(self) -> None:
        self._session.close()
