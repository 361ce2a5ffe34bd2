"""Run a command for which the newest ways to ask after files don't exist: ``python without_new_calls.py COMMAND...``.

proot 5.1 does not translate paths in the system calls statx and faccessat2. Where the kernel says that it has none, programs
use the older ones, which proot knows. A seccomp filter (linux/seccomp.h, linux/filter.h) says so in the kernel's place.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_CALLS = {"x86_64": (0xC000003E, 332, 439), "aarch64": (0xC00000B7, 291, 439)}
"""AUDIT_ARCH of a machine, its numbers of statx and faccessat2."""


def main() -> None:
    architecture, statx, faccessat2 = _CALLS[platform.machine()]
    program = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (_LOAD, 0, 0, 4),  # of struct seccomp_data: the architecture
            (_EQUAL, 0, 4, architecture),
            (_LOAD, 0, 0, 0),  # and the call's number
            (_EQUAL, 1, 0, statx),
            (_EQUAL, 0, 1, faccessat2),
            (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    content = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(content)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    nothing = ctypes.c_ulong(0)
    if prctl(_SET_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), nothing, nothing, nothing):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(filters), nothing, nothing):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
