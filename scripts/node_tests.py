#!/usr/bin/env python
"""ONNX's own node tests through the reader, the normalize passes and a writer, in the runtime of the format.

Usage: node_tests.py [--format tflite|onnx] [--match PART] [--json FILE]

Every case of the default domain is tried with its inputs as given, then with all but the first as constants (axes, pads and
the like usually are). Verdicts: right; refused (a typed error); absent (ONNX Runtime doesn't answer the original model either,
or the case's numbers are random); wrong (other numbers, an untyped error, or a file that the runtime does not take); crashed
(the process died). A verdict also says whether ONNX Runtime answers the original right: the cases to be measured by. Cases run
in a child process, so that a crash costs one case.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Verdict = dict[str, str]

VERDICTS = ("right", "refused", "absent", "wrong", "crashed")
RANDOM = ("test_bernoulli", "test_training_dropout")


def main() -> int:
    arguments = _arguments()
    if arguments.worker:
        _work(arguments.format)
        return 0
    verdicts = run(arguments.format, arguments.match)
    if arguments.json:
        arguments.json.write_text(json.dumps(verdicts, indent=1) + "\n", "utf-8")
    _show(verdicts)
    return int(any(verdict["verdict"] in ("wrong", "crashed") for verdict in verdicts))


def run(file_format: str, match: str = "") -> list[Verdict]:
    """One verdict a case, in the order of the cases."""
    pending = [name for name in case_names() if match in name]
    verdicts: list[Verdict] = []
    while pending:
        done = list(_child(file_format, pending))
        verdicts += done
        pending = pending[len(done) :]
        if pending and (not done or done[-1]["name"] != pending[0]):
            verdicts.append(_verdict(pending.pop(0), "crashed", "the process ended"))
    return verdicts


def case_names() -> list[str]:
    return [name for name, case in _cases().items() if _is_default_domain(case)]


def right_of_answered(verdicts: Iterable[Verdict]) -> tuple[int, int]:
    """How many cases are right, of how many that ONNX Runtime answers right."""
    answered = [verdict["verdict"] for verdict in verdicts if verdict["onnxruntime"] == "right"]
    return answered.count("right"), len(answered)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=("tflite", "onnx"), default="tflite")
    parser.add_argument("--match", default="", help="only cases whose name holds this text")
    parser.add_argument("--json", type=Path, help="write the verdicts there")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(file_format: str, names: Iterable[str]) -> Iterator[Verdict]:
    """Verdicts until the worker has done them all or died."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", "--format", file_format]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("\n".join(names))
        child.stdin.close()
        for line in child.stdout:
            if line.startswith('{"name"'):
                yield json.loads(line)


def _work(file_format: str) -> None:
    cases = _cases()
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.stdin.read().split():
            print(json.dumps(_judge(cases[name], file_format, Path(folder))), flush=True)


def _cases() -> Mapping[str, Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in collect_testcases(None)}


def _is_default_domain(case: Any) -> bool:
    return case.data_sets is not None and all(node.domain == "" for node in case.model.graph.node)


def _judge(case: Any, file_format: str, folder: Path) -> Verdict:
    op = case.model.graph.node[-1].op_type
    answered = "right" if _onnxruntime_is_right(case) else ""
    verdict = _attempt(case, file_format, folder, constants=False)
    if verdict[0] == "refused" and len(case.model.graph.input) > 1:
        verdict = _attempt(case, file_format, folder, constants=True)
    if verdict[0] == "wrong" and not answered and (file_format == "onnx" or case.name.startswith(RANDOM)):
        verdict = "absent", verdict[1]
    return _verdict(case.name, *verdict, op, answered)


def _onnxruntime_is_right(case: Any) -> bool:
    try:
        for inputs, outputs in case.data_sets:
            answer = _onnxruntime(case.model, _feeds(case, inputs))
            if answer is None:
                return False
            _compare(answer, [_array(value) for value in outputs], case)
    except AssertionError:
        return False
    return True


def _feeds(case: Any, inputs: Iterable[Any]) -> dict[str, Any]:
    names = [value.name for value in case.model.graph.input]
    return {name: _array(value) for name, value in zip(names, inputs, strict=True)}


def _verdict(name: str, verdict: str, reason: str = "", op: str = "", answered: str = "right") -> Verdict:
    return {"name": name, "op": op, "verdict": verdict, "reason": reason, "onnxruntime": answered}


def _attempt(case: Any, file_format: str, folder: Path, *, constants: bool) -> tuple[str, str]:
    from edgekit.errors import EdgekitError

    try:
        for inputs, outputs in case.data_sets:
            feeds = _feeds(case, inputs)
            found = _outputs(case.model, feeds, file_format, folder, constants)
            _compare_with_either(found, [_array(value) for value in outputs], feeds, case)
    except EdgekitError as error:
        return "refused", str(error)
    except Exception as error:  # noqa: BLE001  # whatever a runtime or a bug raises is a wrong answer
        return "wrong", " ".join(f"{type(error).__name__}: {error}".split())[:400]
    return "right", "with constant parameters" if constants else ""


def _array(value: Any) -> Any:
    """Types that numpy does not have come as TensorProto, sequences as lists, an empty optional as None."""
    import onnx

    if value is None or isinstance(value, (list, tuple)):
        return value if value is None else [_array(item) for item in value]
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _outputs(model: Any, feeds: dict[str, Any], file_format: str, folder: Path, constants: bool) -> list[Any]:
    from edgekit.protocols import ReadOptions
    from edgekit_converters.hub.normalize import normalize
    from edgekit_converters.sources.onnx import OnnxSource

    path = folder / "case.onnx"
    path.write_bytes(_with_shapes(model, feeds, constants).SerializeToString())
    hub = normalize(OnnxSource().read(path, ReadOptions()))
    names = [spec.name for spec in hub.inputs]
    given = {spec.name: np.asarray(feeds[spec.name]).astype(spec.dtype) for spec in hub.inputs}
    assert set(names) <= set(feeds)
    return _run_tflite(hub, given, folder) if file_format == "tflite" else _run_onnx(hub, given, folder)


def _with_shapes(model: Any, feeds: dict[str, Any], constants: bool) -> Any:
    """The model with the shapes of its feeds; with ``constants`` all inputs but the first are initializers."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    for value in list(made.graph.input)[1 if constants else len(made.graph.input) :]:
        made.graph.input.remove(value)
        if isinstance(feeds[value.name], list):
            made.graph.input.append(value)
            continue
        array = np.ascontiguousarray(feeds[value.name]).reshape(np.shape(feeds[value.name]))
        tensor = onnx.numpy_helper.from_array(array, value.name)
        tensor.data_type = value.type.tensor_type.elem_type
        made.graph.initializer.append(tensor)
    for value in made.graph.input:
        if not value.type.HasField("tensor_type"):
            continue
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for size in np.shape(feeds[value.name]):
            shape.dim.add().dim_value = size
    return made


def _run_tflite(hub: Any, feeds: dict[str, Any], folder: Path) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter

    from edgekit.recipe import Precision
    from edgekit_converters.quantize.quant_plan import QuantPlan
    from edgekit_converters.writers.tflite import TfliteOptions, write_tflite

    path = folder / "case.tflite"
    write_tflite(hub, QuantPlan(Precision.FLOAT32), path, TfliteOptions())
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    found = interpreter.get_signature_runner()(**feeds)
    return [found[spec.name] for spec in hub.outputs]


def _run_onnx(hub: Any, feeds: dict[str, Any], folder: Path) -> list[Any]:
    import onnxruntime

    from edgekit.recipe import Precision
    from edgekit_converters.quantize.quant_plan import QuantPlan
    from edgekit_converters.writers.onnx import OnnxOptions, write_onnx

    path = folder / "written.onnx"
    write_onnx(hub, QuantPlan(Precision.FLOAT32), path, OnnxOptions())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run([spec.name for spec in hub.outputs], feeds)
    return outputs


def _compare_with_either(found: list[Any], expected: list[Any], feeds: dict[str, Any], case: Any) -> None:
    """The case's numbers, or ONNX Runtime's where it reads the specification in another way than the case does."""
    try:
        _compare(found, expected, case)
    except AssertionError:
        answer = _onnxruntime(case.model, feeds)
        if answer is None:
            raise
        _compare(found, answer, case)


def _onnxruntime(model: Any, feeds: dict[str, Any]) -> list[Any] | None:
    """What ONNX Runtime makes of the original model; None when it doesn't know the op or the type."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        answer: list[Any] = session.run(None, feeds)
    except Exception:  # noqa: BLE001  # its errors have no common base
        return None
    return answer


def _compare(found: list[Any], expected: list[Any], case: Any) -> None:
    """Shape, kind of type and numbers; the tolerance is the case's, but never below float32's own."""
    for mine, theirs in zip(found, expected, strict=True):
        if theirs is None or isinstance(theirs, list):
            assert (mine is None) == (theirs is None)
            _compare(mine or [], theirs or [], case)
            continue
        wanted = np.asarray(theirs)
        assert mine.shape == wanted.shape, f"shape {mine.shape} instead of {wanted.shape}"
        if wanted.dtype.kind in "biuOUST":
            same_kind = wanted.dtype.kind not in "biu" or mine.dtype == wanted.dtype
            assert same_kind, f"{mine.dtype} instead of {wanted.dtype}"
            np.testing.assert_array_equal(mine, wanted)
        else:
            relative = max(case.rtol, 1e-3 if wanted.dtype.itemsize >= 4 else 1e-2)
            np.testing.assert_allclose(
                mine.astype(np.float64), wanted.astype(np.float64), rtol=relative, atol=max(case.atol, 1e-5)
            )


def _show(verdicts: list[Verdict]) -> None:
    by_op: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        by_op[verdict["op"]][verdict["verdict"]] += 1
    print(f"{'op':28}" + "".join(f"{verdict:>10}" for verdict in VERDICTS))
    for op, counts in sorted(by_op.items()):
        print(f"{op:28}" + "".join(f"{counts[verdict] or '':>10}" for verdict in VERDICTS))
    total = Counter(verdict["verdict"] for verdict in verdicts)
    print(f"{'all':28}" + "".join(f"{total[verdict]:>10}" for verdict in VERDICTS))
    right, answered = right_of_answered(verdicts)
    print(f"of the {answered} cases that ONNX Runtime answers right: {right} right ({right / max(answered, 1):.1%})")
    for verdict in verdicts:
        if verdict["verdict"] in ("wrong", "crashed"):
            print(f"{verdict['verdict']}: {verdict['name']}: {verdict['reason']}")


if __name__ == "__main__":
    sys.exit(main())
