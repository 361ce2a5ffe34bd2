"""ONNX's own node tests through reader, normalize passes and both writers: no wrong answer, no crash."""

from __future__ import annotations

import pytest
from test_ops_doc import script

KNOWN_RIGHT = {"tflite": 1273, "onnx": 1358}
"""Of the cases that ONNX Runtime 1.31 answers right (1391 with onnx 1.23), by format; numbers that may only rise. ONNX Runtime
1.32 answers 1582."""

LEAST_SHARE = {"tflite": 0.85, "onnx": 0.97}


@pytest.mark.slow
@pytest.mark.parametrize("file_format", KNOWN_RIGHT)
def test_node_tests_are_right_or_refused(file_format: str) -> None:
    node_tests = script("node_tests")
    verdicts = node_tests.run(file_format)
    assert not [verdict for verdict in verdicts if verdict["verdict"] in ("wrong", "crashed")]
    right, answered = node_tests.right_of_answered(verdicts)
    assert right >= KNOWN_RIGHT[file_format]
    assert right / answered >= LEAST_SHARE[file_format]
