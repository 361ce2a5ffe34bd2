"""Groups and arrays of an untrusted HDF5 file: nothing outside the file is opened, nothing absurd is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError

if TYPE_CHECKING:
    import h5py

_LARGEST_RATIO = 1100
"""No deflated chunk grows by more than 1032."""


def child(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """The member at ``path``, or None. Raises SourceError for a link that leads elsewhere."""
    import h5py

    found: Any = group
    for name in path.split("/"):
        if not isinstance(found, h5py.Group) or name not in found:
            return None
        if not isinstance(found.get(name, getlink=True), h5py.HardLink):
            raise SourceError(f"{found.name}/{name} of the weights is a link to elsewhere, which Keras never writes")
        found = found[name]
    member: h5py.Group | h5py.Dataset = found
    return member


def subgroup(group: h5py.Group, path: str) -> h5py.Group | None:
    import h5py

    found = child(group, path)
    return found if isinstance(found, h5py.Group) else None


def array(group: h5py.Group, path: str) -> NDArray[Any]:
    """The array at ``path``; half precision becomes float32. Raises SourceError when it is absent or absurd."""
    import h5py

    dataset = child(group, path)
    if not isinstance(dataset, h5py.Dataset):
        raise SourceError(f"the weights have no array {path!r} in {group.name!r}; the file is damaged")
    if dataset.external or dataset.is_virtual or dataset.dtype.kind not in "fiubV":
        raise SourceError(f"the array {dataset.name!r} is not stored as plain numbers, which Keras never writes")
    if dataset.nbytes > dataset.id.get_storage_size() * _LARGEST_RATIO:
        raise SourceError(
            f"the array {dataset.name!r} claims shape {dataset.shape}, {dataset.nbytes} bytes, but "
            f"{dataset.id.get_storage_size()} are stored; the file is damaged or made to exhaust memory"
        )
    return _float32(np.asarray(dataset[()]))


def names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names, which Keras splits into ``attribute0``, ``attribute1``, ... where it is long."""
    pieces = [attribute] if attribute in group.attrs else []
    while not (pieces and pieces[0] == attribute) and f"{attribute}{len(pieces)}" in group.attrs:
        pieces.append(f"{attribute}{len(pieces)}")
    found = [name for piece in pieces for name in np.atleast_1d(group.attrs[piece]).tolist()]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in found]


def _float32(data: NDArray[Any]) -> NDArray[Any]:
    if data.dtype.kind == "V" and data.dtype.itemsize == 2:  # bfloat16, the upper half of a float32
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return data.astype(np.float32) if data.dtype.kind == "f" else data
