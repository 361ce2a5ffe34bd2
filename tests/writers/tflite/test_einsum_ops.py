"""Einsum in TFLite against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnxruntime_twin import Case, assert_equal_outputs, case, floats

CASES = [
    case("Einsum", floats(2, 3), floats(3, 4), equation="ij,jk->ik"),
    case("Einsum", floats(2, 3, 4), floats(2, 4, 5), equation="bij,bjk->bik"),
    case("Einsum", floats(2, 3, 4, 5), floats(2, 6, 4, 5), equation="bqhd,bkhd->bhqk"),
    case("Einsum", floats(2, 3), floats(2, 3, seed=1), equation="ij,ij->i"),
    case("Einsum", floats(3), floats(4), equation="i,j->ij"),
    case("Einsum", floats(2, 3, 4), equation="ijk->kj"),
    case("Einsum", floats(2, 3), floats(3, 4), equation="ij, jk"),
    case("Einsum", floats(2, 3, 4), floats(4, 5), equation="...j,jk->...k"),
]


@pytest.mark.parametrize("node", CASES, ids=str)
def test_einsum_answers_as_onnxruntime(node: Case, tmp_path: Path) -> None:
    hub, feeds = node.hub()
    assert_equal_outputs(hub, feeds, tmp_path, tolerance=3e-5)
