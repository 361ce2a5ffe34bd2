"""Projections: of saliencies, (groups, rows, columns), the weights that stay, by pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.sparsity import Sparsity
from edgekit_converters.sparsify.solve import Floats, Mask, Projection


def projection(sparsity: Sparsity, share: float, channels: int) -> Projection:
    """The pattern's projection; ``share`` of zeros is the layer's own, where the pattern leaves it free.

    ``channels``: see `Matrix`; groups of N:M begin anew with them.
    """
    if sparsity.group is not None:
        return lambda saliency: _within_groups(saliency, sparsity, channels)
    return lambda saliency: _blocks(saliency, sparsity.block, share)


def fits(sparsity: Sparsity, rows: int, columns: int, channels: int) -> bool:
    """True where a matrix can hold the pattern: N:M wants channels to spare and no group cut in two, blocks a block at least."""
    if sparsity.group is not None:
        whole = columns % channels == 0 or (channels % sparsity.group == 0 and columns % sparsity.group == 0)
        return whole and sparsity.kept_of(channels) < channels
    return rows >= sparsity.block[0] and channels % sparsity.block[1] == 0


def _within_groups(saliency: Floats, sparsity: Sparsity, channels: int) -> Mask:
    assert sparsity.group is not None
    rest = channels % sparsity.group
    if not rest:
        return _largest_of_each(saliency, sparsity.group, sparsity.kept_of_group)
    runs = saliency.reshape(*saliency.shape[:-1], -1, channels)
    whole = _largest_of_each(runs[..., :-rest], sparsity.group, sparsity.kept_of_group)
    last = _largest_of_each(runs[..., -rest:], rest, sparsity.kept_of(rest))
    return np.concatenate([whole, last], axis=-1).reshape(saliency.shape)


def _largest_of_each(saliency: Floats, group: int, kept: int) -> Mask:
    parts = saliency.reshape(*saliency.shape[:-1], saliency.shape[-1] // group, group)
    order = np.argsort(np.argsort(-parts, axis=-1, kind="stable"), axis=-1, kind="stable")
    return (order < kept).reshape(saliency.shape)


def _blocks(saliency: Floats, block: tuple[int, int], share: float) -> Mask:
    rows, columns = block
    if block == (1, 1):
        return _largest(saliency, share)
    groups, height, width = saliency.shape
    padded = np.pad(np.square(saliency), ((0, 0), (0, -height % rows), (0, -width % columns)))
    tiles = padded.reshape(groups, padded.shape[1] // rows, rows, padded.shape[2] // columns, columns)
    mask = _largest(tiles.sum(axis=(2, 4)), share)
    return mask.repeat(rows, axis=1).repeat(columns, axis=2)[:, :height, :width]


def _largest(saliency: NDArray[np.float32], share: float) -> Mask:
    """All but ``share`` of them."""
    drop = min(saliency.size - 1, round(share * saliency.size))
    if drop <= 0:
        return np.ones(saliency.shape, np.bool_)
    flat = saliency.reshape(-1)
    mask = np.ones(flat.size, np.bool_)
    mask[np.argpartition(flat, drop - 1)[:drop]] = False
    return mask.reshape(saliency.shape)
