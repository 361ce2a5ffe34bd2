"""A network in int8 beside the int8 files of the peers and its float files, for the benchmarks of pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from commands import attempt_peer, edgekit, entry, last_words
from models import WORK
from results import Figure

from edgekit.inference import load

PEERS = (("onnxruntime-minmax", "onnx"), ("litert-quantizer-minmax", "tflite"))


@dataclass(frozen=True, slots=True)
class Network:
    """``samples``: calibration and evaluation file. ``peak``: from the darkest to the brightest value of the pictures it makes; 0
    when it makes none. ``peers``: whether they can quantize it (they are fed one input)."""

    name: str
    title: str
    model: Path
    samples: tuple[Path, Path]
    peak: float = 0.0
    options: tuple[str, ...] = ()
    peers: bool = True

    @property
    def folder(self) -> Path:
        return WORK / "beside" / self.name

    def file(self, precision: str, file_format: str) -> Path:
        return self.folder / f"{self.model.stem}.{precision}.{file_format}"


def chosen(networks: Mapping[str, Callable[[], Network]], names: Sequence[str]) -> Iterator[Network]:
    """The networks of these names, all without any. Exits with the known names at an unknown one."""
    unknown = set(names) - set(networks)
    if unknown:
        sys.exit(f"there is no network {', '.join(sorted(unknown))}; the names are {', '.join(networks)}")
    return (networks[name]() for name in names or networks)


def converted(network: Network, *options: str) -> dict[str, Any]:
    """edgekit's report on the int8 files; the float files that the peers begin with are written beside them."""
    calibrate, evaluate = network.samples
    into = (network.model, "-o", network.folder, *network.options)
    edgekit("convert", *into, "--precision", "float32", "--no-checks")
    report, _ = edgekit("convert", *into, "--calibrate", calibrate, "--evaluate", evaluate, *options)
    return report


def peer_entries(network: Network, *options: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, entry of edgekit's report on the file) of every peer that makes a file; what another said goes to stderr."""
    calibrate, evaluate = network.samples
    for name, file_format in PEERS if network.peers else ():
        out = network.folder / f"{name}.{file_format}"
        made = attempt_peer(name, network.file("float32", file_format), calibrate, out)
        if made.code != 0:
            print(f"{network.name}: the peer {name} makes no file: {last_words(made)}", file=sys.stderr)
            continue
        against = ("--against", network.model, "--samples", evaluate, *network.options)
        report, _ = edgekit("check", out, *against, *options)
        yield name, entry(report, out.name)


def psnr_db(network: Network, agreement: dict[str, Any]) -> float:
    """The peak signal-to-noise ratio against the float network: its SQNR, with the peak in the place of the mean power."""
    with np.load(network.samples[1]) as samples:
        arrays = [samples[name][:50] for name in samples.files]
    with load(network.file("float32", "onnx")) as model:
        feeds = dict(zip((spec.name for spec in model.inputs), arrays, strict=True))
        made = next(iter(model.run(feeds).values()))
    power = float(np.mean(np.square(made)))
    return float(agreement["sqnr_db"] + 10 * np.log10(network.peak**2 / power))


def latencies(report: dict[str, Any]) -> Iterator[Figure]:
    """Of each int8 file over its float file; beyond 1 the report has to suggest what is faster."""
    suggested = {one["format"]: one["suggestion"] for one in report.get("slowdowns", ()) if one["suggestion"]}
    for file_format in ("tflite", "onnx"):
        own = entry(report, f"int8.{file_format}")["latency"]["p50_ms"]
        real = entry(report, f"float32 {file_format}")["latency"]["p50_ms"]
        hint = f"; the report suggests {suggested[file_format]}" if file_format in suggested else ""
        limit = None if file_format in suggested else 1.0
        yield Figure(
            f"latency / float, int8 {file_format}", own / real, "", limit, beside=f"{own:.3f} / {real:.3f} ms{hint}"
        )
