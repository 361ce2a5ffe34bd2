"""`SparsityFacts` in sentences for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.quantities import share_text, size_text
from edgekit.sparsity import MatrixZeros, SparsityFacts

MOST_MATRICES = 12

_NO_GAIN = (
    "zeros take as much room and time as any other weight: no runtime here has a kernel that skips them in these files. "
    "What they save is size where files are packed, on the way to a device or in an app's archive (docs/sparsity.md)"
)


def gain_text(facts: SparsityFacts) -> str:
    """What the zeros are good for, in plain words."""
    gains = [
        f"of {file.file} {share_text(file.skipped / file.weights)} of the weights are in dense layers whose zeros LiteRT skips: "
        "less time, room and memory there"
        for file in facts.files
        if file.skipped
    ]
    return f"{'; '.join(gains)}. Everywhere else {_NO_GAIN}" if gains else _NO_GAIN


def sparsity_lines(facts: SparsityFacts, memory: Mapping[str, int]) -> list[str]:
    """One line the whole, one a file, one each for the largest matrices. ``memory``: peak bytes of a process that runs nothing
    but the file, by its name, where that was measured."""
    lines = [f"zeros: {share_text(facts.share)} of the weights, asked for {facts.wanted}"]
    lines += [
        f"  {file.file}: {share_text(file.share)} zeros, {size_text(file.size_bytes)}, "
        f"zipped {size_text(file.zipped_bytes)}" + _memory_text(memory.get(file.file))
        for file in facts.files
    ]
    largest = sorted(facts.matrices, key=lambda matrix: -matrix.weights)[:MOST_MATRICES]
    lines += [f"  {_matrix_text(matrix)}" for matrix in largest]
    if len(facts.matrices) > MOST_MATRICES:
        lines.append(f"  {len(facts.matrices) - MOST_MATRICES} smaller ones; --json lists all")
    return lines


def _memory_text(peak_bytes: int | None) -> str:
    return "" if peak_bytes is None else f", {size_text(peak_bytes)} of memory to run it"


def _matrix_text(matrix: MatrixZeros) -> str:
    reason = f", {matrix.reason}" if matrix.reason else ""
    return f"{matrix.name} ({matrix.op}): {share_text(matrix.share)} of {matrix.weights} weights{reason}"
