"""ONNX's own node tests through reader, normalize passes and both writers: no wrong answer, no crash."""

from __future__ import annotations

from collections import Counter

import pytest
from test_ops_doc import script

KNOWN_RIGHT = {"tflite": 850, "onnx": 1090}
"""Of the node tests of onnx 1.23, by format; numbers that may only rise."""


@pytest.mark.slow
@pytest.mark.parametrize("file_format", KNOWN_RIGHT)
def test_node_tests_are_right_or_refused(file_format: str) -> None:
    verdicts = script("node_tests").run(file_format)
    bad = [verdict for verdict in verdicts if verdict["verdict"] in ("wrong", "crashed")]
    assert not bad
    assert Counter(verdict["verdict"] for verdict in verdicts)["right"] >= KNOWN_RIGHT[file_format]
