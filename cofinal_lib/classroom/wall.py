"""A wall around this process and its future threads, built by Linux itself (Landlock, since 5.13; no rights needed)."""

import ctypes
import os
import stat
import sys
from pathlib import Path

_CREATE, _ADD, _RESTRICT, _NO_NEW_PRIVILEGES = 444, 445, 446, 38
_EXECUTE, _WRITE, _READ, _READ_FOLDER, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_CONNECT, _SOCKETS_AND_SIGNALS = 2, 3


class _Rules(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64)]


class _Below(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """What this kernel's Landlock can: 0 nothing, 1 files, 4 connections too, 6 signals too."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None)
    return max(0, libc.syscall(ctypes.c_long(_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def wall(readable: list[Path], writable: list[Path]) -> bool:
    """Read below `readable`, read and write below `writable`, and nothing else: no programs, connections, signals.

    Returns:
        whether the wall stands; threads that run already are outside it.
    """
    can, libc = version(), ctypes.CDLL(None)
    if can == 0:
        return False
    files = (1 << min(can, 3) + 12) - 1
    rules = _Rules(files, _CONNECT if can >= 4 else 0, _SOCKETS_AND_SIGNALS if can >= 6 else 0)
    size = ctypes.c_size_t(24 if can >= 6 else 16 if can >= 4 else 8)
    ruleset = libc.syscall(ctypes.c_long(_CREATE), ctypes.byref(rules), size, ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    for paths, allowed in ((readable, _READ | _READ_FOLDER), (writable, files & ~_EXECUTE)):
        for path in filter(os.path.exists, paths):
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            fit = files if stat.S_ISDIR(os.fstat(folder).st_mode) else _READ | _WRITE | _TRUNCATE
            rule = _Below(allowed & files & fit, folder)
            libc.syscall(
                ctypes.c_long(_ADD), ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0)
            )
            os.close(folder)
    stands = libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    stands = stands and libc.syscall(ctypes.c_long(_RESTRICT), ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    os.close(ruleset)
    return stands
