"""Devices: where a file runs when it does not run here.

    with Device.open("ssh://pi@kitchen") as device:
        result = isolation.run("edgekit.benchmark:time_here", request, host=device)

A device is where the child process of `edgekit.isolation` lives. It gets one file with edgekit's light half, so that the
board measures with the same code as this machine.
"""

from edgekit.devices.device import Device

__all__ = ["Device"]
