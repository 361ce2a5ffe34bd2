"""``edgekit bench``: files timed side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.bench_result import BenchResult
from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import CONFIDENCE, SECONDS
from edgekit.cli.shared_options import device_option
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.artifact import TensorSpec
    from edgekit.benchmark import Contender
    from edgekit.devices.address import Address
    from edgekit.place import Place


class BenchCommand(click.Command):
    """`bench FILE...`, which also answers to `bench compare OLD NEW`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["compare"]:
            from edgekit.cli.bench_compare import compare

            return compare.make_context(f"{info_name} compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@command(example="edgekit bench out/model.int8.tflite out/model.int8.onnx --threads 1 --json", kind=BenchCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the runtimes.")
@click.option("--min-seconds", type=SECONDS, default=2.0, show_default=True, help="Measured time of each file.")
@click.option("--max-seconds", type=SECONDS, default=60.0, show_default=True, help="Give up on a file after so long.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Spread the measuring over so many processes; the intervals come from their spread.",
)
@click.option("--confidence", type=CONFIDENCE, default=0.95, show_default="95%", help="Of all intervals.")
@click.option("--input", "samples", metavar="SAMPLES", help="Time on the first sample of these. [default: random]")
@click.option("--runtime", metavar="NAME", help="Runtime of every file. [default: first installed for its format]")
@device_option
@click.option(
    "--resume",
    "journal",
    metavar="JOURNAL",
    type=click.Path(path_type=Path),
    help="Keep what a device answers in this file until all is done, and go on from there after it was lost.",
)
@click.option("--keep-samples", is_flag=True, help="Put the time of every single run into the JSON.")
def bench(
    console: Console,
    files: tuple[Path, ...],
    threads: int,
    min_seconds: float,
    max_seconds: float,
    processes: int,
    confidence: float,
    samples: str | None,
    runtime: str | None,
    device: Address | None,
    journal: Path | None,
    keep_samples: bool,
) -> None:
    """Time model files against one another.

    The files take turns in random order, so that what slows the machine down hits all of them. Ratios are to the first
    FILE. Intervals are those in which another run's figure would lie. Load time and peak memory are measured in processes of
    their own. `edgekit bench compare OLD.json NEW.json` says whether two runs differ.
    """
    from edgekit.benchmark import benchmark, contender
    from edgekit.latency import Timing
    from edgekit.place import reached

    if journal is not None and device is None:
        raise UsageError("--resume goes on with work on a device; give --device too")
    timing = Timing(min_seconds=min_seconds, max_seconds=max_seconds, confidence=confidence)
    with reached(device, journal) as place:
        contenders = [contender(file, runtime=runtime, threads=threads, place=place) for file in files]
        if samples is not None:
            contenders = [_with_sample(each, samples, place) for each in contenders]
        measured = benchmark(
            contenders,
            timing,
            processes=processes,
            keep_samples=keep_samples,
            progress=console.progress,
            place=place,
        )
    if journal is not None:
        journal.unlink(missing_ok=True)
    console.show(BenchResult(measured, keep_samples))


def _with_sample(contender: Contender, samples: str, place: Place) -> Contender:
    """The contender with the first of ``samples`` as its feeds, encoded as the file wants it; states begin a stream."""
    from edgekit.artifact import Artifact
    from edgekit.datasets import chunks_of, open_dataset, tokenizer_of
    from edgekit.encoding import Codec
    from edgekit.inference import Model

    session = place.open_file(contender.path, contender.runtime, contender.options)
    with Model(Artifact.open(contender.path), session, contender.runtime) as model:
        states = model.states
        dataset = open_dataset(
            samples,
            model.inputs,
            preprocess=model.preprocessing,
            labels="none",
            states=states,
            tokenizer=tokenizer_of(contender.path),
        )
        feeds = next((chunks_of(dataset, states) or dataset).batches(_batch(model.inputs))).feeds
        if len(feeds) < len(model.inputs):
            feeds = {**feeds, **model.stream().next_values(feeds)}
        encoded: dict[str, NDArray[Any]] = Codec.of(model.inputs, ()).encode(feeds)
    return dataclasses.replace(contender, feeds=encoded)


def _batch(inputs: Sequence[TensorSpec]) -> int:
    """Samples of one run: the file's fixed batch, or 1."""
    first = inputs[0].shape[0] if inputs[0].shape else 1
    return first if isinstance(first, int) else 1
