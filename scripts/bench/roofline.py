"""How far roofline estimates are from what is measured, on this machine.

    EDGEKIT_DATA=<folder> python scripts/bench/roofline.py [--quick]

The machine's peak rates are those of the runtime itself on large convolutions, its bandwidth that of copying an array: they make
a target of its own, by which real networks are estimated beside their times. ``--quick`` leaves EfficientNet-Lite0 out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from commands import edgekit
from models import WORK, cifar_samples, data_file, efficientnet_lite0, imagenet_samples
from results import Figure, Result, load_average, publish
from sounds import anomaly_samples, keyword_samples

from edgekit_converters.hub.build import GraphBuilder

OUT = WORK / "roofline"
LAYERS, CHANNELS, SIDE = 4, 256, 48
"""Of the convolutions whose rate counts as the peak: 604 million multiply-accumulates."""


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    files = dict(_files())
    load = load_average()
    target = _target()
    figures = [figure for name, path in files.items() for figure in _figures(name, path, target)]
    result = Result(
        name="roofline",
        title="Roofline estimates beside measured latencies (LiteRT, one thread)",
        figures=figures,
        notes=(target.read_text("utf-8").replace("\n", "; "), "error: estimate over measured median, less 1"),
        timed=True,
    )
    return publish(result, load)


def _files() -> Iterator[tuple[str, Path]]:
    tiny = (
        ("ResNet8", "pretrainedResnet.h5", cifar_samples),
        ("kws", "kws_ref_model", lambda: keyword_samples(0.003)),
        ("ad01", "ad01.h5", anomaly_samples),
    )
    for name, model, samples in tiny:
        yield from _both(name, data_file(f"mlperf_tiny/{model}"), samples()[0])
    if "--quick" not in sys.argv[1:]:
        yield from _both("EfficientNet-Lite0", efficientnet_lite0(), imagenet_samples()[0])


def _both(name: str, model: Path, calibrate: Path) -> Iterator[tuple[str, Path]]:
    """The float and the int8 TFLite file, made once."""
    stem = model.stem if model.is_file() else model.name
    for precision in ("float32", "int8"):
        path = OUT / f"{stem}.{precision}.tflite"
        if not path.exists():
            samples = ("--calibrate", calibrate) if precision == "int8" else ()
            options = ("-o", OUT, "--to", "tflite", "--precision", precision, "--no-checks")
            edgekit("convert", model, *samples, *options)
        yield f"{name}, {precision}", path


def _figures(name: str, path: Path, target: Path) -> Iterator[Figure]:
    estimate = edgekit("inspect", path, "--target", target)[0]["estimate"]
    measured_ms = _p50_ms(path)
    error = 100 * (estimate["ms"] / measured_ms - 1)
    bounds = ", ".join(f"{bound} {ms:.3g} ms" for bound, ms in estimate["bounds"].items())
    yield Figure(
        f"{name}: error", error, "%", beside=f"{estimate['ms']:.3g} ms, measured {measured_ms:.3g} ms; {bounds}"
    )


def _p50_ms(path: Path) -> float:
    report = edgekit("bench", path, "--min-seconds", "1")[0]
    return float(report["results"][0]["latency"]["p50_ns"]["value"]) / 1e6


def _target() -> Path:
    """A profile of this machine."""
    macs = LAYERS * CHANNELS * CHANNELS * SIDE * SIDE
    rates = {precision: macs / _p50_ms(path) * 1e3 for precision, path in _both("peak", _large(), OUT / "large.npz")}
    path = OUT / "here.toml"
    path.write_text(
        'title = "This machine"\n[peak]\n'
        f"int8-macs-per-second = {rates['peak, int8']:.4g}\n"
        f"float32-macs-per-second = {rates['peak, float32']:.4g}\n"
        f"memory-bytes-per-second = {_bandwidth():.4g}\n"
        f"cache-bytes = {_cache_bytes()}\n"
        'sources = ["scripts/bench/roofline.py"]\n',
        "utf-8",
    )
    return path


def _large() -> Path:
    random = np.random.default_rng(0)
    graph = GraphBuilder("large")
    value = graph.input("x", "float32", (1, CHANNELS, SIDE, SIDE))
    for _ in range(LAYERS):
        weights = random.normal(0, CHANNELS**-0.5, (CHANNELS, CHANNELS, 1, 1)).astype(np.float32)
        value = graph.op("Relu", graph.op("Conv", value, graph.constant(weights)))
    graph.output(value, "y")
    (OUT / "large.onnx").write_bytes(graph.build("bench").to_bytes())
    np.savez(OUT / "large.npz", x=random.normal(size=(4, CHANNELS, SIDE, SIDE)).astype(np.float32))
    return OUT / "large.onnx"


def _bandwidth() -> float:
    """Bytes a second that one thread reads and writes in copying what no cache holds."""
    source = np.ones(1 << 26, np.float32)
    copy = np.empty_like(source)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        np.copyto(copy, source)
        seconds.append(time.perf_counter() - began)
    return 2 * source.nbytes / min(seconds)


def _cache_bytes() -> int:
    """Of the last level, as Linux tells it; 0 where it does not."""
    levels = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"))
    return int(levels[-1].read_text().strip().removesuffix("K")) * 1024 if levels else 0


if __name__ == "__main__":
    sys.exit(main())
