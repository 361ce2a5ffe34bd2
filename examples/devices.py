"""Run a converted file on a device and compare its answers with those of this machine.

python examples/devices.py out/digits_cnn.int8.tflite local
python examples/devices.py out/digits_cnn.int8.tflite ssh://pi@kitchen.local
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edgekit.devices import opened_model
from edgekit.devices.inventory import find_address
from edgekit.example_feeds import example_feeds


def main(file: str, device: str) -> None:
    path = Path(file)
    with opened_model(path, None) as here, opened_model(path, find_address(device)) as there:
        feeds = example_feeds(here.inputs)
        own, other = here.run(feeds, raw=True), there.run(feeds, raw=True)
        for name, array in own.items():
            difference = np.max(np.abs(array.astype(np.float64) - other[name]))
            print(f"{name}: {here.runtime} and {there.runtime} differ by {difference:.3g} at most")


if __name__ == "__main__":
    main(*sys.argv[1:])
