"""ONNX's own node tests through reader, normalize passes and writer: no wrong answer, no crash."""

from __future__ import annotations

from collections import Counter

import pytest
from test_ops_doc import script

KNOWN_RIGHT = 850
"""Of the node tests of onnx 1.23; a number that may only rise."""


@pytest.mark.slow
def test_node_tests_are_right_or_refused_in_tflite() -> None:
    verdicts = script("node_tests").run("tflite")
    bad = [verdict for verdict in verdicts if verdict["verdict"] in ("wrong", "crashed")]
    assert not bad
    assert Counter(verdict["verdict"] for verdict in verdicts)["right"] >= KNOWN_RIGHT
