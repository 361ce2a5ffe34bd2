"""ONNX's own examples of every operator: what ONNX Runtime computes right, it computes right after reading, too."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from edgekit.errors import ConversionError, UnsupportedLayerError
from edgekit.protocols import ReadOptions
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import file_session, hub_session
from edgekit_converters.sources.onnx import OnnxSource

EVERY = 6
"""One case in so many, so that the suite stays fast."""


def usable_cases():
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in sorted(cases, key=lambda case: case.name)[::EVERY]:
        values = [*case.model.graph.input, *case.model.graph.output]
        default = all(entry.domain in ("", "ai.onnx") for entry in case.model.opset_import)
        newest = max(entry.version for entry in case.model.opset_import)
        tensors = all(value.type.WhichOneof("value") == "tensor_type" for value in values)
        if default and tensors and newest >= 7 and case.data_sets:
            yield case


def reference(case, path):
    """What ONNX Runtime computes, when that is what the case expects; None when it can't run the case."""
    inputs, expected = case.data_sets[0]
    feeds = {value.name: np.asarray(array) for value, array in zip(case.model.graph.input, inputs, strict=False)}
    if any(array.dtype not in _PLAIN for array in (*feeds.values(), *map(np.asarray, expected))):
        return None
    try:
        found = file_session(path).run(feeds)
    except Exception:  # noqa: BLE001  # whatever it is, this case can't be compared
        return None
    pairs = zip(found.values(), expected, strict=True)
    right = all(np.allclose(one, other, rtol=1e-3, atol=1e-4, equal_nan=True) for one, other in pairs)
    return (feeds, found) if right else None


@pytest.mark.slow
def test_a_sample_of_all_operators_computes_the_same(tmp_path):
    path = tmp_path / "case.onnx"
    compared, failed = 0, []
    for case in usable_cases():
        path.write_bytes(case.model.SerializeToString())
        known = reference(case, path)
        if known is None:
            continue
        feeds, expected = known
        try:
            found = hub_session(normalize(OnnxSource().read(path, ReadOptions()))).run(feeds)
        except UnsupportedLayerError:
            continue
        except ConversionError as error:
            failed.append(f"{case.name}: {error}")
            continue
        compared += 1
        same = all(np.allclose(found[name], expected[name], rtol=1e-4, atol=1e-5, equal_nan=True) for name in expected)
        if not same or list(found) != list(expected):
            failed.append(case.name)
    assert not failed
    assert compared > 100


_PLAIN = frozenset(map(np.dtype, ("float32", "int64", "int32", "int8", "uint8", "bool")))
