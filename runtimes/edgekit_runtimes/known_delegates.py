"""Delegates that have a name: which library brings each, what it is for, and how to get it.

Every other external delegate is asked for by the path of its library.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import RuntimeUnavailableError
from edgekit.protocols import Delegate


@dataclass(frozen=True, slots=True)
class KnownDelegate:
    """An external delegate. ``libraries``: its file names, newest first; ``remedy``: where it comes from."""

    name: str
    title: str
    libraries: tuple[str, ...]
    remedy: str


KNOWN = (
    KnownDelegate(
        "edgetpu",
        "Google Coral Edge TPU",
        ("libedgetpu.so.1", "libedgetpu.1.dylib"),
        "install libedgetpu1-std from Coral's repository (coral.ai/software) and compile the file with edgetpu_compiler",
    ),
    KnownDelegate(
        "armnn",
        "Arm NN on Cortex-A (Neon) and Mali GPUs",
        ("libarmnnDelegate.so",),
        "unpack a release of github.com/ARM-software/armnn and put its folder on LD_LIBRARY_PATH; the option "
        "backends=CpuAcc or backends=GpuAcc chooses the device",
    ),
    KnownDelegate(
        "ethos-u",
        "Arm Ethos-U65 of the NXP i.MX 93",
        ("libethosu_delegate.so",),
        "it is part of NXP's Linux for the i.MX 93; compile the file with vela first",
    ),
    KnownDelegate("vx", "VeriSilicon NPU of the NXP i.MX 8M Plus", ("libvx_delegate.so",), "it is part of NXP's Linux"),
    KnownDelegate(
        "neutron", "NXP eIQ Neutron NPU of the i.MX 95", ("libneutron_delegate.so",), "it is part of NXP's Linux"
    ),
    KnownDelegate("teflon", "Mesa's open NPU drivers", ("libteflon.so",), "install Mesa built with -Dteflon=true"),
    KnownDelegate(
        "qnn",
        "Qualcomm Hexagon NPU, Adreno GPU",
        ("libQnnTFLiteDelegate.so",),
        "it is part of Qualcomm's AI Engine Direct SDK; the option backend_type=htp chooses the NPU",
    ),
)


def installed() -> tuple[str, ...]:
    """Names of the known delegates whose library is on this machine; loads none of them."""
    return tuple(known.name for known in KNOWN if find_library(known.libraries))


def library_of(delegate: Delegate, usable: str) -> str:
    """The path of the library to load. Raises RuntimeUnavailableError, which tells the ``usable`` delegates."""
    if delegate.library is not None:
        return _given_library(delegate.library, usable)
    name = delegate.name.lower()
    if name == "nnapi":
        raise RuntimeUnavailableError(_no_nnapi(usable))
    for known in KNOWN:
        if known.name == name:
            return _installed_library(known, usable)
    raise RuntimeUnavailableError(
        f"there is no delegate {delegate.name!r} here; {usable}. Known: {', '.join(known.name for known in KNOWN)}; "
        "any other is asked for by the path of its library"
    )


def _given_library(library: Path, usable: str) -> str:
    found = library if library.is_file() else find_library((str(library),) if library.name == str(library) else ())
    if found is None:
        raise RuntimeUnavailableError(f"there is no delegate library {str(library)!r} here; {usable}")
    return str(found.absolute())


def _installed_library(known: KnownDelegate, usable: str) -> str:
    found = find_library(known.libraries)
    if found is None:
        raise RuntimeUnavailableError(
            f"the delegate {known.name!r} ({known.title}) is not installed: there is no {known.libraries[0]} in the folders "
            f"of libraries or on LD_LIBRARY_PATH; {usable}. To get it: {known.remedy}"
        )
    return str(found)


def _no_nnapi(usable: str) -> str:
    where = "this is Android, but" if hasattr(sys, "getandroidapilevel") else f"this is {sys.platform};"
    return (
        f"the delegate 'nnapi' is a service of Android: {where} the interpreter for Python has none; {usable}. Android 15 "
        "deprecates it: use LiteRT's GPU or NPU delegates in the app instead"
    )


def find_library(libraries: Sequence[str]) -> Path | None:
    """The first of these files in the folders of libraries and on LD_LIBRARY_PATH."""
    files = (folder / library for library in libraries for folder in _folders())
    return next((file for file in files if file.is_file()), None)


def _folders() -> tuple[Path, ...]:
    named = [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if part]
    triplet = str(sysconfig.get_config_var("MULTIARCH") or "")
    common = [Path(root, leaf) for root in ("/usr/local/lib", "/usr/lib", "/lib") for leaf in ("", triplet)]
    return tuple(dict.fromkeys((*map(Path, named), *common, Path("/vendor/lib64"))))
