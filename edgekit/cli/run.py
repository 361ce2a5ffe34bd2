"""``edgekit run``: a file's answers to samples, as arrays."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.shared_options import delegate_option, device_option
from edgekit.json_text import json_text
from edgekit.table import Table, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.datasets import Chunks, FittedDataset
    from edgekit.devices.address import Address
    from edgekit.inference import Model
    from edgekit.protocols import Delegate, Progress

SCHEMA = "edgekit.run/1"
BATCH = 16


@dataclass(frozen=True, slots=True)
class WrittenArray:
    """One output as it was written: ``shape[0]`` counts the samples."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What was run and written. ``seconds``: all runs together, reading and writing included."""

    file: Path
    runtime: str
    threads: int
    delegates: tuple[str, ...]
    raw: bool
    samples: int
    seconds: float
    output: Path
    outputs: tuple[WrittenArray, ...]
    schema: str = SCHEMA

    def to_json(self) -> str:
        return json_text(self)

    def sections(self) -> Sequence[Table | str]:
        rows = [(array.name, array.dtype, " x ".join(map(str, array.shape))) for array in self.outputs]
        head = f"{self.file.name}: {self.samples} samples in {self.seconds:.2f} s on {', '.join((self.runtime, *self.delegates))}"
        return [table("output,dtype,shape", rows, title=head), f"Written to {self.output}"]


@command(example="edgekit run out/model.int8.tflite --input samples.npz --output answers.npz")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--input", "samples", required=True, metavar="SAMPLES", help="Samples to run (docs/samples.md).")
@click.option("--output", required=True, type=click.Path(path_type=Path), help=".npz to write, one array an output.")
@click.option("--runtime", metavar="NAME", help="onnxruntime, litert or tflite_runtime. [default: first installed]")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the runtime.")
@delegate_option
@device_option
@click.option("--raw", is_flag=True, help="Take and give the file's own integers instead of real numbers.")
def run(
    console: Console,
    file: Path,
    samples: str,
    output: Path,
    runtime: str | None,
    threads: int,
    delegates: tuple[Delegate, ...],
    device: Address | None,
    raw: bool,
) -> None:
    """Run a model file on arrays and write its outputs.

    FILE is an .onnx or .tflite file. Its batch may be 1: the samples are then run one after the other. Samples without arrays for
    FILE's states are consecutive chunks of streams: the states are carried from each to the next.
    """
    from edgekit.datasets import chunks_of, open_dataset, tokenizer_of
    from edgekit.devices.there import opened_model
    from edgekit.errors import UsageError

    if output.suffix != ".npz":
        raise UsageError(f"--output is {str(output)!r}; expected a name that ends in .npz")
    began = time.perf_counter()
    with opened_model(file, device, threads=threads, runtime=runtime, delegates=delegates) as model:
        specs = [dataclasses.replace(spec, quantization=None) for spec in model.inputs] if raw else model.inputs
        states = model.states
        dataset = open_dataset(
            samples,
            specs,
            preprocess=model.preprocessing,
            labels="none",
            states=states,
            tokenizer=tokenizer_of(file),
        )
        chunks = chunks_of(dataset, states)
        if chunks is None:
            outputs = _answers(model, dataset, raw, console.progress)
        elif raw:
            raise UsageError(
                f"{samples} holds chunks of a stream, whose states go round as real numbers; leave --raw out"
            )
        else:
            outputs = _streamed(model, chunks, console.progress)
        name = model.runtime
    _write(outputs, output)
    arrays = tuple(WrittenArray(key, str(array.dtype), array.shape) for key, array in outputs.items())
    seconds = time.perf_counter() - began
    console.show(RunResult(file, name, threads, tuple(map(str, delegates)), raw, len(dataset), seconds, output, arrays))


def _answers(model: Model, dataset: FittedDataset, raw: bool, progress: Progress) -> dict[str, NDArray[Any]]:
    import numpy as np

    parts: dict[str, list[NDArray[Any]]] = {spec.name: [] for spec in model.outputs}
    progress.stage("running", len(dataset))
    for batch in dataset.batches(BATCH):
        for name, array in model.run(batch.feeds, raw=raw).items():
            parts[name].append(np.atleast_1d(array))
        progress.step(len(batch))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _streamed(model: Model, chunks: Chunks, progress: Progress) -> dict[str, NDArray[Any]]:
    import numpy as np

    stream = model.stream()
    parts: dict[str, list[NDArray[Any]]] = {spec.name: [] for spec in stream.outputs}
    progress.stage("running", len(chunks))
    for chunk in chunks.batches(1):
        if chunk.starts:
            stream.reset()
        for name, array in stream.run(chunk.feeds).items():
            parts[name].append(np.atleast_1d(array))
        progress.step()
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _write(outputs: dict[str, NDArray[Any]], path: Path) -> None:
    """An .npz, member by member: ``np.savez`` takes names as keywords and has none left for an output called "file"."""
    import zipfile

    import numpy as np

    from edgekit.artifact import written_whole

    with written_whole(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, array in outputs.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
