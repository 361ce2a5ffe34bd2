"""What every `Runtime` promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import ArtifactError, FeedError, RuntimeUnavailableError, UsageError
from edgekit.protocols import CPU_DEVICES, Delegate, Runtime, Session, SessionOptions

Feeds = dict[str, NDArray[Any]]


class RuntimeConformance:
    """Inherit it and give the fixture ``runtime``; one that can't be used here is skipped, with its reason.

    The model: ``z = a @ [[0, 1], [2, 3], [4, 5]]`` and ``m = relu(b @ [[1], [-1]])``, its inputs in the order b, a. It comes as
    .onnx and as .tflite; the fixture ``path`` chooses the first format of the runtime.
    """

    @pytest.fixture
    def runtime(self) -> Runtime:
        """What is tested."""
        pytest.fail("give the fixture `runtime`: it returns the Runtime to test", pytrace=False)

    @pytest.fixture
    def delegates(self) -> tuple[Delegate, ...]:
        """What sessions are opened with; give it to test a delegate."""
        return ()

    @pytest.fixture
    def refused(self) -> Sequence[SessionOptions]:
        """Options that the runtime must refuse; give it where one of these means something to yours."""
        return (
            SessionOptions(threads=0),
            SessionOptions(kernels="fast"),
            SessionOptions(settings={"no such setting": "1"}),
        )

    @pytest.fixture(autouse=True)
    def _usable(self, runtime: Runtime) -> None:
        availability = runtime.probe()
        if not availability.available:
            pytest.skip(f"{runtime.name}: {availability.reason}")

    @pytest.fixture
    def path(self, runtime: Runtime, tmp_path: Path) -> Path:
        """The model's file."""
        name = f"pair.{runtime.formats[0]}"
        copy = tmp_path / name
        copy.write_bytes((resources.files("edgekit.testing") / "models" / name).read_bytes())
        return copy

    @pytest.fixture
    def session(self, runtime: Runtime, path: Path, delegates: tuple[Delegate, ...]) -> Iterator[Session]:
        opened = runtime.open(path, SessionOptions(delegates=delegates))
        yield opened
        opened.close()

    @pytest.fixture
    def feeds(self) -> Feeds:
        return {"a": np.array([[1, 2, 3]], np.float32), "b": np.array([[5, 3]], np.float32)}

    def test_it_has_a_name_and_formats(self, runtime: Runtime) -> None:
        assert runtime.name
        assert runtime.name.strip() == runtime.name
        assert set(runtime.formats) <= {"onnx", "tflite"}
        assert len(runtime.formats) >= 1

    def test_probe_tells_version_and_accelerators(self, runtime: Runtime) -> None:
        availability = runtime.probe()
        assert availability.version
        assert availability.accelerators

    def test_inputs_and_outputs_keep_the_models_names_and_order(self, session: Session) -> None:
        assert [(spec.name, spec.dtype, spec.shape) for spec in session.inputs] == [
            ("b", "float32", (1, 2)),
            ("a", "float32", (1, 3)),
        ]
        assert [(spec.name, spec.shape) for spec in session.outputs] == [("z", (1, 2)), ("m", (1, 1))]

    def test_run_answers_by_name_in_the_order_of_outputs(self, session: Session, feeds: Feeds) -> None:
        outputs = session.run(feeds)
        assert list(outputs) == ["z", "m"]
        assert outputs["z"].tolist() == [[16.0, 22.0]]
        assert outputs["m"].tolist() == [[2.0]]

    def test_outputs_belong_to_the_caller(self, session: Session, feeds: Feeds) -> None:
        first = session.run(feeds)
        first["z"][:] = 7
        second = session.run({"a": 2 * feeds["a"], "b": feeds["b"]})
        assert (first["z"] == 7).all()
        assert second["z"].tolist() == [[32.0, 44.0]]

    def test_feeds_are_left_as_they_were(self, session: Session, feeds: Feeds) -> None:
        session.run(feeds)
        assert feeds["a"].tolist() == [[1, 2, 3]]

    def test_strided_feeds_are_read_by_their_values(self, session: Session, feeds: Feeds) -> None:
        strided = np.array([[1, 0, 2, 0, 3, 0]], np.float32)[:, ::2]
        assert session.run({**feeds, "a": strided})["z"].tolist() == [[16.0, 22.0]]

    def test_an_unknown_input_is_named_with_the_known_ones(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError, match="has no input 'c'; its inputs are 'b', 'a'"):
            session.run({**feeds, "c": feeds["a"]})

    def test_a_missing_input_is_named(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError, match="no array was given for the input 'b'"):
            session.run({"a": feeds["a"]})

    def test_a_misspelt_input_is_named(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError, match="has no input 'A'"):
            session.run({"A": feeds["a"], "b": feeds["b"]})

    def test_a_wrong_dtype_is_told_with_the_remedy(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError, match=r"input 'a' of pair\.\w+ has dtype float64; expected float32.*astype"):
            session.run({**feeds, "a": feeds["a"].astype(np.float64)})

    @pytest.mark.parametrize("shape", [(1, 4), (3,), (1, 3, 1), (0, 3)])
    def test_a_wrong_shape_is_told_with_the_expected_one(
        self, session: Session, feeds: Feeds, shape: tuple[int, ...]
    ) -> None:
        with pytest.raises(FeedError, match=r"input 'a' .* has shape .*; expected \(1, 3\)"):
            session.run({**feeds, "a": np.zeros(shape, np.float32)})

    def test_another_batch_is_told_with_the_way_out(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError, match="batch is fixed to 1"):
            session.run({name: np.repeat(array, 4, axis=0) for name, array in feeds.items()})

    def test_a_list_is_no_array(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError, match="is a list; expected a numpy array of float32"):
            session.run({**feeds, "a": [[1.0, 2.0, 3.0]]})  # type: ignore[dict-item]  # the error is what is tested

    def test_a_session_works_on_after_wrong_feeds(self, session: Session, feeds: Feeds) -> None:
        with pytest.raises(FeedError):
            session.run({})
        assert session.run(feeds)["m"].tolist() == [[2.0]]

    def test_a_closed_session_says_so(self, runtime: Runtime, path: Path, feeds: Feeds) -> None:
        session = runtime.open(path, SessionOptions())
        session.close()
        session.close()
        with pytest.raises(UsageError, match="is closed"):
            session.run(feeds)

    def test_two_threads_give_the_same_answer(self, runtime: Runtime, path: Path, feeds: Feeds) -> None:
        session = runtime.open(path, SessionOptions(threads=2))
        assert session.run(feeds)["z"].tolist() == [[16.0, 22.0]]
        session.close()

    def test_placement_names_a_device_and_types_for_every_op(self, runtime: Runtime, session: Session) -> None:
        ops = session.placement().ops
        assert len(ops) >= 2
        assert {op.device for op in ops} <= {*runtime.probe().accelerators, *CPU_DEVICES}
        assert all(("float32" in op.kernel or op.kernel.startswith("inside ")) and not op.integer for op in ops)

    def test_placement_leaves_the_session_usable(self, session: Session, feeds: Feeds) -> None:
        session.placement()
        assert session.run(feeds)["m"].tolist() == [[2.0]]

    def test_wrong_options_are_refused(self, runtime: Runtime, path: Path, refused: Sequence[SessionOptions]) -> None:
        for options in refused:
            with pytest.raises(UsageError):
                runtime.open(path, options)

    def test_an_absent_delegate_is_an_error_and_no_fallback(self, runtime: Runtime, path: Path) -> None:
        with pytest.raises(RuntimeUnavailableError, match=r"'libnope\.so'.*it has"):
            runtime.open(path, SessionOptions(delegates=(Delegate.parse("libnope.so"),)))

    @pytest.mark.parametrize("content", [b"", b"not a model", None], ids=["empty", "text", "cut"])
    def test_a_damaged_file_is_an_artifact_error(self, runtime: Runtime, path: Path, content: bytes | None) -> None:
        damaged = path.with_stem("damaged")
        damaged.write_bytes(path.read_bytes()[:150] if content is None else content)
        with pytest.raises(ArtifactError, match=path.suffix):
            runtime.open(damaged, SessionOptions())

    def test_a_missing_file_is_an_artifact_error(self, runtime: Runtime, path: Path) -> None:
        with pytest.raises(ArtifactError, match="there is no model file"):
            runtime.open(path.with_stem("none"), SessionOptions())
