"""Devices: where a file runs when it does not run here.

    with Device.open(Address("ssh://pi@kitchen")) as device:
        result = isolation.run("edgekit.conditions:conditions_here", None, host=device)

A device is where the child process of `edgekit.isolation` lives. It gets one file with edgekit's light half, so that the
board measures with the same code as this machine. `There` is a device as an `edgekit.place.Place`.
"""

from edgekit.devices.address import Address
from edgekit.devices.device import Device
from edgekit.devices.there import There, opened_model

__all__ = ["Address", "Device", "There", "opened_model"]
