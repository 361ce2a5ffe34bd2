"""Results of `edgekit bench` kept in an SQLite file: what was measured when, on which device, and how it went since."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edgekit.bench_document import SCHEMA
from edgekit.errors import UsageError

_VERSION = 1
"""Of the tables; kept in SQLite's user_version."""

_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, label TEXT NOT NULL, device TEXT NOT NULL, processor TEXT, governor TEXT,
    temperature_c REAL, elsewhere REAL, document TEXT NOT NULL
);
CREATE TABLE results (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, file TEXT NOT NULL, runtime TEXT NOT NULL,
    runtime_version TEXT NOT NULL, delegates TEXT NOT NULL, threads INTEGER NOT NULL, streams INTEGER NOT NULL,
    samples INTEGER NOT NULL, p50_ns REAL NOT NULL, p50_low_ns REAL NOT NULL, p50_high_ns REAL NOT NULL,
    p90_ns REAL NOT NULL, samples_per_second REAL NOT NULL, start_ns REAL, peak_memory_bytes INTEGER, size_bytes INTEGER
);
CREATE INDEX results_by_file ON results (file, runtime);
"""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A file's figures in one run. ``at``: ISO 8601 in UTC; ``label``: what the user called the run."""

    run: int
    at: str
    label: str
    device: str
    file: str
    runtime: str
    delegates: str
    threads: int
    streams: int
    samples: int
    p50_ns: float
    p50_low_ns: float
    p50_high_ns: float
    p90_ns: float
    samples_per_second: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Which results: names as GLOB patterns, "" for all; the newest ``limit`` of them."""

    file: str = ""
    device: str = ""
    runtime: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query of the user's own found."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class ResultsStore:
    """The file at ``path``, made with the first run. Raises UsageError for a file that is something else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, document: Mapping[str, Any], at: str, label: str = "") -> int:
        """Keep a document edgekit.bench/1; the number of its run. Raises UsageError for one without the figures of today."""
        if document.get("schema") != SCHEMA:
            raise UsageError(f"a document of the schema {document.get('schema')!r} can't be kept; expected {SCHEMA}")
        try:
            state, rows = document["after"], [_row(result) for result in document["results"]]
        except KeyError as error:
            raise UsageError(
                f"the document has no {error.args[0]}: an older edgekit made it. Run edgekit bench --json again"
            ) from error
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as connection:
            row: tuple[Any, ...] = (at, label, document["device"] or "local", state["processor"], state["governor"])
            row += (state["temperature_c"], document.get("elsewhere"), json.dumps(document))
            run = connection.execute(
                "INSERT INTO runs (at, label, device, processor, governor, temperature_c, elsewhere, document) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            assert run is not None
            connection.executemany(
                f"INSERT INTO results VALUES ({', '.join('?' * 16)})",
                [(run, *row) for row in rows],
            )
            connection.commit()
        return run

    def results(self, wanted: Selection = Selection()) -> tuple[StoredResult, ...]:
        """The newest ones, oldest first."""
        if not self.path.exists():
            return ()
        conditions = {name: getattr(wanted, name) for name in ("file", "device", "runtime") if getattr(wanted, name)}
        where = " AND ".join(f"{name} GLOB :{name}" for name in conditions) or "1"
        columns = ", ".join(field.name for field in fields(StoredResult))
        with self._opened() as connection:
            rows = connection.execute(
                f"SELECT {columns} FROM results JOIN runs ON runs.id = run WHERE {where} ORDER BY at DESC, run DESC LIMIT :limit",
                {**conditions, "limit": wanted.limit},
            ).fetchall()
        return tuple(StoredResult(*row) for row in reversed(rows))

    def query(self, sql: str) -> Answer:
        """A SELECT over the tables runs and results. Raises UsageError for what SQLite refuses, writing included."""
        if not self.path.exists():
            raise UsageError(f"there is no store {self.path}; edgekit bench FILE... --record makes it")
        with self._opened() as connection:
            connection.execute("PRAGMA query_only = 1")
            try:
                cursor = connection.execute(sql)
                columns = tuple(entry[0] for entry in cursor.description or ())
                return Answer(columns, tuple(cursor.fetchall()))
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise UsageError(f"SQLite can't answer that: {error}. The tables are runs and results") from error

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path)) as connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                known = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if version == 0 and known == 0:
                    connection.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
                elif version != _VERSION:
                    raise UsageError(
                        f"{self.path} is no store of this edgekit (its version is {version}); name another file"
                    )
                yield connection
        except sqlite3.OperationalError as error:
            raise UsageError(f"{self.path} can't be read or written: {error}") from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a value that the tables refuse: a fault of ours
                raise
            raise UsageError(f"{self.path} is no SQLite file: {error}") from error


def store_path() -> Path:
    """``results.sqlite`` in the user's data folder (XDG_DATA_HOME, else ~/.local/share)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "edgekit" / "results.sqlite"


def _row(result: Mapping[str, Any]) -> Sequence[Any]:
    """The columns of the table but the first."""
    latency, load = result["latency"], result["load"]
    return (
        Path(result["file"]).name,
        result["runtime"],
        result["runtime_version"],
        " ".join(result["delegates"]),
        result["threads"],
        result["streams"],
        result["samples"],
        latency["p50_ns"]["value"],
        latency["p50_ns"]["low"],
        latency["p50_ns"]["high"],
        latency["p90_ns"]["value"],
        result["throughput"]["value"],
        load["start_ns"],
        load["peak_memory_bytes"],
        result["size_bytes"],
    )
