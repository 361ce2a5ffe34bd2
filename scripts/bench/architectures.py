"""Fourteen networks of seven architectures, from Keras and PyTorch, in every format and precision, beside the peers.

EDGEKIT_DATA=<folder> python scripts/bench/architectures.py [--architecture lstm] [--framework keras] [--untrained] [--resume]

Each is trained briefly on real data; a figure is the signal to noise ratio, in dB, between a file's outputs and those of the
framework that the network was made in, on samples that it was neither trained nor calibrated on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Sequence

from architecture_cells import PEERS, Cell, own_cells, peer_cells
from architecture_data import CALIBRATE, EVALUATE
from architecture_training import FRAMEWORKS, TASKS, trained
from models import WORK
from results import Figure, Result, load_average, publish

FLOAT_LIMIT, INT8_LIMIT, TRANSFORMER_LIMIT = 110.0, 36.0, 34.0
TRANSFORMERS = ("encoder", "decoder")
OWN = ("float32", "float16", "int8-dynamic", "int8")
EVEN = 0.05
"""Decibels by which two figures may differ and count as equal: less than what another seed does to them."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", action="append", choices=tuple(TASKS), help="Only this one. Repeatable.")
    parser.add_argument("--framework", action="append", choices=tuple(FRAMEWORKS), help="Only this one. Repeatable.")
    parser.add_argument("--untrained", action="store_true", help="Weights as a network begins with them.")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="Leave the other quantizers out.")
    parser.add_argument(
        "--resume", action="store_true", help="Keep the figures of networks that a run before finished."
    )
    options = parser.parse_args()
    load, found = load_average(), []
    for architecture in options.architecture or TASKS:
        for framework in options.framework or FRAMEWORKS:
            found += _measured(architecture, framework, options)
    print(table(found))
    whole = not (options.architecture or options.framework)
    name = "architectures_untrained" if options.untrained else "architectures"
    return publish(_result(found, name if whole else f"{name}_selected"), load)


def _measured(architecture: str, framework: str, options: argparse.Namespace) -> list[Cell]:
    """The cells of one network, which are also kept as JSON."""
    model = trained(architecture, framework, options.untrained)
    folder = WORK / "architectures" / "files" / framework
    found: list[Cell] = []
    for kind, measure in (("own", own_cells), ("peers", peer_cells)) if options.peers else (("own", own_cells),):
        kept = folder / f"{model.path.stem}.{kind}.json"
        if not (options.resume and kept.exists()):
            made = [_told(cell) for cell in measure(architecture, framework, model, folder)]
            kept.write_text(json.dumps([dataclasses.asdict(cell) for cell in made]), "utf-8")
        found += [Cell(**known) for known in json.loads(kept.read_text("utf-8"))]
    return found


def _told(cell: Cell) -> Cell:
    print(f"{_name(cell)}: {cell.failure if cell.db is None else f'{cell.db:.1f} dB'}", file=sys.stderr, flush=True)
    return cell


def table(found: Sequence[Cell]) -> str:
    """One line a network and format; the format's peer in the last column."""
    heads = ("network", "from", "to", *OWN, "peer's int8")
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for key in dict.fromkeys((cell.architecture, cell.framework, cell.file_format) for cell in found):
        own = {cell.maker: cell for cell in _of(found, key)}
        peer = peer_of(found, key)
        shown = [_shown(own.get(maker)) for maker in OWN]
        lines.append("| " + " | ".join((*key, *shown, _peer_shown(peer))) + " |")
    return "\n".join(lines) + "\n"


def peer_of(found: Iterable[Cell], key: tuple[str, str, str]) -> Cell | None:
    """The peer's file of a network and format; None without peers, or where it made none."""
    return next((cell for cell in _of(found, key) if cell.maker == PEERS[key[2]] and cell.db is not None), None)


def limit(cell: Cell) -> float | None:
    """What a file has to reach, or None for precisions that are told alone."""
    if cell.maker == "float32":
        return FLOAT_LIMIT
    if cell.maker == "int8":
        return TRANSFORMER_LIMIT if cell.architecture in TRANSFORMERS else INT8_LIMIT
    return None


def _result(found: Sequence[Cell], name: str) -> Result:
    own = [cell for cell in found if cell.maker in OWN]
    failures = [f"{_name(cell)} failed: {cell.failure}" for cell in found if cell.db is None]
    broken = Figure("cells without a file", sum(cell.db is None for cell in own), limit=0)
    return Result(
        name=name,
        title="Architectures, frameworks, formats, precisions",
        figures=[broken, *(figure for cell in own if cell.db is not None for figure in _figures(cell, found))],
        samples=f"{CALIBRATE} to calibrate, {EVALUATE} others to evaluate",
        notes=failures,
    )


def _figures(cell: Cell, found: Sequence[Cell]) -> Iterator[Figure]:
    assert cell.db is not None
    yield Figure(_name(cell), cell.db, "dB", limit=limit(cell), at_least=True)
    peer = peer_of(found, (cell.architecture, cell.framework, cell.file_format)) if cell.maker == "int8" else None
    if peer is not None and peer.db is not None:
        wanted = None if peer.stays_float else -EVEN
        yield Figure(f"{_name(cell)}, over {peer.maker}", cell.db - peer.db, "dB", wanted, True, _peer_shown(peer))


def _of(found: Iterable[Cell], key: tuple[str, str, str]) -> list[Cell]:
    return [cell for cell in found if (cell.architecture, cell.framework, cell.file_format) == key]


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return "**failed**" if cell.db is None else f"{cell.db:.1f}"


def _peer_shown(peer: Cell | None) -> str:
    if peer is None:
        return ""
    return f"{_shown(peer)} (layer left float)" if peer.stays_float else _shown(peer)


def _name(cell: Cell) -> str:
    return f"{cell.architecture}, {cell.framework}, {cell.maker} {cell.file_format}"


if __name__ == "__main__":
    sys.exit(main())
