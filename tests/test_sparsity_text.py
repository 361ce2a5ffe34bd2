"""What the report says of zeros: how many, in which file, and that no runtime gets faster from them where none does."""

from __future__ import annotations

from dataclasses import replace

from report_example import example_report

from edgekit.report_html import html
from edgekit.sparsity import FileZeros, MatrixZeros, SparsityFacts
from edgekit.sparsity_text import gain_text, sparsity_lines

FACTS = SparsityFacts(
    "50%",
    (
        MatrixZeros("body", "Conv", "50%", 8000, 4800),
        MatrixZeros("head", "Gemm", "", 2000, 200, "left dense: zeros in it cost more than elsewhere"),
    ),
    (FileZeros("net.int8.onnx", 10_000, 5_100, 12_000, 7_000),),
)


def test_the_share_counts_the_matrices_that_stayed_dense() -> None:
    assert FACTS.share == 0.5
    assert "50.00 %" in sparsity_lines(FACTS, {})[0]


def test_each_file_and_each_matrix_has_a_line() -> None:
    lines = sparsity_lines(FACTS, {})
    assert any("net.int8.onnx" in line and "51.00 %" in line and "zipped 7" in line for line in lines)
    assert any("head (Gemm)" in line and "left dense" in line for line in lines)


def test_memory_stands_beside_the_sizes_where_it_was_measured() -> None:
    assert any("41 MB of memory" in line for line in sparsity_lines(FACTS, {"net.int8.onnx": 41_000_000}))


def test_many_matrices_are_told_by_the_largest() -> None:
    many = replace(FACTS, matrices=tuple(MatrixZeros(f"m{n}", "Conv", "50%", 100 + n, 50) for n in range(20)))
    lines = sparsity_lines(many, {})
    assert any("m19" in line for line in lines)
    assert not any("m0 " in line for line in lines)
    assert "8 smaller ones" in lines[-1]


def test_nothing_gets_faster_where_nothing_is_skipped() -> None:
    assert "no runtime here has a kernel that skips them" in gain_text(FACTS)
    assert "less time" not in gain_text(FACTS)


def test_what_is_skipped_is_told_with_its_share() -> None:
    facts = replace(FACTS, files=(FileZeros("net.float32.tflite", 10_000, 8_000, 12_000, 7_000, 6_000),))
    assert "of net.float32.tflite 60.00 % of the weights" in gain_text(facts)


def test_the_html_report_lists_files_and_matrices() -> None:
    text = html(replace(example_report(), sparsity=FACTS))
    assert "Zeros among the weights" in text
    assert "net.int8.onnx" in text
    assert "<code>head</code>" in text
