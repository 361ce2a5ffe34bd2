"""The on-device library: ``edgekit.load(path)`` opens a written file and answers arrays with arrays.

Needs numpy and one runtime; imports no converter and no command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit import registry
from edgekit.artifact import Artifact, Manifest, State, TensorSpec
from edgekit.batching import run_in_parts, splits
from edgekit.encoding import Codec
from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UsageError
from edgekit.preprocess import apply, read_picture
from edgekit.protocols import Binder, Bound, Delegate, Feeds, Placement, Runtime, Session, SessionOptions
from edgekit.recipe import Preprocess, preprocess_from_dict
from edgekit.states import decide_states
from edgekit.streaming import Stream

if TYPE_CHECKING:
    from edgekit.throughput import RunQueue

Outputs = dict[str, NDArray[Any]]


def load(
    path: str | Path, *, threads: int = 1, runtime: str | None = None, delegates: Sequence[str | Delegate] = ()
) -> Model:
    """Open an .onnx or .tflite file, after its sha256 has been checked against the manifest beside it.

    ``runtime``: a name that ``edgekit runtimes`` lists; None takes the first that is installed for the format.
    ``delegates``: execution providers or delegates, "openvino:device_type=CPU", the preferred one first.
    Raises ArtifactError (missing, damaged or changed file), RuntimeUnavailableError, UnknownNameError.
    """
    artifact = Artifact.open(Path(path))
    asked = tuple(Delegate.parse(each) if isinstance(each, str) else each for each in delegates)
    options = SessionOptions(threads=threads, delegates=asked)
    found = find_runtime(artifact.path, runtime)

    def opened() -> Session:
        return found.open(artifact.path, options)

    return Model(artifact, opened(), found.name, opened)


def find_runtime(path: Path, name: str | None = None) -> Runtime:
    """The runtime of that name, or the first available one that opens the file's format."""
    suffix = path.suffix.removeprefix(".").lower()
    candidates = (registry.runtime(name),) if name else registry.runtimes()
    fitting = [candidate for candidate in candidates if suffix in candidate.formats]
    if not fitting:
        opener = f"the runtime {name!r}" if name else "any runtime"
        raise ArtifactError(f"{path.name} is not a file that {opener} opens; expected the suffix .onnx or .tflite")
    reasons = []
    for candidate in fitting:
        availability = candidate.probe()
        if availability.available or name:
            return candidate
        reasons.append(f"{candidate.name}: {availability.words}")
    raise RuntimeUnavailableError(f"no runtime for {suffix} files is installed. {'. '.join(reasons)}")


class Model:
    """An opened artifact; use it in a ``with`` block, or close it.

    Quantized inputs and outputs are float32 for the caller, unless ``raw`` asks for the file's own integers. A batch of any
    size is taken: where the file's is fixed, the samples are run one after the other.
    """

    def __init__(
        self, artifact: Artifact, session: Session, runtime: str, opened: Callable[[], Session] | None = None
    ) -> None:
        """``opened`` opens another session like this one, for `queue`; None where there can be one only."""
        self.path = artifact.path
        self._artifact, self._opened = artifact, opened
        self.runtime = runtime
        self.manifest: Manifest | None = artifact.manifest
        self.inputs: tuple[TensorSpec, ...] = tuple(session.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(session.outputs)
        self._session = session
        self._run_session: Callable[[Feeds], Outputs] = session.run
        codec = Codec.of(self.inputs, self.outputs)
        self._encode, self._decode = codec.encode, codec.decode
        self._plain = not (codec.inputs or codec.outputs)

    def run(self, feeds: Feeds, *, raw: bool = False) -> Outputs:
        """Outputs by name, in the order of ``outputs``; they belong to the caller.

        Raises FeedError for a wrong name, shape or dtype.
        """
        converts = not (raw or self._plain)
        if converts:
            feeds = self._encode(feeds)
        try:
            outputs = self._run_session(feeds)
        except FeedError:
            if not splits(feeds, self.inputs):
                raise
            outputs = run_in_parts(self._run_session, self.inputs, feeds)
        return self._decode(outputs) if converts else outputs

    def __call__(self, *arrays: NDArray[Any], raw: bool = False) -> NDArray[Any] | Outputs:
        """One array an input, in the order of ``inputs``; gives the output, or a dict of them when there are several."""
        if len(arrays) != len(self.inputs):
            names = ", ".join(spec.name for spec in self.inputs)
            raise FeedError(
                f"{self.path.name} has {len(self.inputs)} inputs ({names}); {len(arrays)} arrays were given"
            )
        outputs = self.run(dict(zip((spec.name for spec in self.inputs), arrays, strict=True)), raw=raw)
        return outputs[self.outputs[0].name] if len(outputs) == 1 else outputs

    def bind(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Bound:
        """Inputs and outputs as arrays in the model's own memory, in the file's own dtypes: a run copies nothing.

        ``shapes`` by input name, for inputs with open dimensions. Raises UsageError where the runtime can't, FeedError.
        """
        if not isinstance(self._session, Binder):
            raise UsageError(f"{self.runtime} runs {self.path.name} in memory of each run only; call run()")
        return self._session.bind(shapes)

    def queue(self, workers: int = 2, *, waiting: int | None = None) -> RunQueue:
        """Several runs at once, on ``workers`` opened copies of the file; ``waiting`` more may wait, as many by default.

        For throughput: a single run takes no less time. Raises UsageError where there can be no second copy.
        """
        from edgekit.throughput import RunQueue

        if workers < 1:
            raise UsageError(f"workers is {workers}; expected 1 or more")
        if self._opened is None:
            raise UsageError(f"{self.path.name} was opened once, on {self.runtime}; a queue needs copies of it")
        copies = [Model(self._artifact, self._opened(), self.runtime) for _ in range(workers)]

        def close() -> None:
            for copy in copies:
                copy.close()

        return RunQueue([copy.run for copy in copies], workers if waiting is None else waiting, close)

    def stream(self, *, states: Mapping[str, str] | None = None, initial: Feeds | None = None) -> Stream:
        """Calls one after the other, the model's states carried from each to the next, from their initial values on.

        ``states``: output by input name, for files whose manifest names none. ``initial``: other first values, by input name.
        Raises UsageError when the model has no states, or not those; FeedError for an initial value that does not fit.
        """
        carried = self.states if states is None else self._checked_states(states)
        if not carried:
            raise UsageError(
                f"{self.path.name} has no states to carry: neither its manifest nor the names of its inputs and outputs tell "
                "any. Convert it with --state INPUT=OUTPUT, or name them: stream(states={'input': 'output'})."
            )
        return Stream(self.run, self.inputs, self.outputs, carried, initial)

    @property
    def states(self) -> tuple[State, ...]:
        """What is carried from call to call: as the manifest says, or, where there is none, as the names tell."""
        recorded = self.manifest.states if self.manifest else None
        return decide_states(recorded, (), self.inputs, self.outputs).states

    def _checked_states(self, given: Mapping[str, str]) -> tuple[State, ...]:
        return decide_states(tuple(State(*pair) for pair in given.items()), (), self.inputs, self.outputs).states

    def preprocess(self, picture: str | Path | NDArray[np.uint8]) -> NDArray[np.float32]:
        """A picture file, or its pixels (H, W, C) uint8, as the model's float input with a batch axis of 1.

        The steps are those of the recipe that made the file. Raises UsageError when it had none.
        """
        pixels = read_picture(Path(picture)) if isinstance(picture, (str, Path)) else picture
        steps = self.preprocessing
        if steps is None:
            raise UsageError(
                f"{self.path.name} came without preprocessing: its recipe had no [preprocess] table. "
                "Prepare the array yourself, or convert again with that table."
            )
        return apply(pixels, steps)[np.newaxis]

    @property
    def preprocessing(self) -> Preprocess | None:
        """The recipe's preprocessing; None where the file came without."""
        recorded: Mapping[str, Any] | None = self.manifest.preprocess if self.manifest else None
        return None if recorded is None else preprocess_from_dict(recorded, str(Artifact.manifest_path(self.path)))

    def placement(self) -> Placement:
        """Which op runs where, with which kernel."""
        return self._session.placement()

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
