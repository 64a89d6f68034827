"""The process that a submission's cells run in, with limits: `python -m cofinal_lib.classroom.kernel -f <connection>`.

It stops accidents and pranks: endless output, memory, files outside the notebook's own folder, other programs, the
network. Python's audit hook says what was not allowed; where Linux has Landlock, a wall stops what no hook sees.
An attacker shares the process with the tests all the same; book/teaching.md shows the container for that.
"""

import os
import resource
import sys
from pathlib import Path

from cofinal_lib.classroom.wall import wall

MEMORY = 3 << 30  # bytes beyond what the libraries take
PROCESSOR = 600  # seconds
FILE = 64 << 20  # bytes
OUTPUT = 1 << 18  # characters a cell may print

_PROGRAMS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "pty.spawn")
_PROGRAMS += ("ctypes.dlopen", "ctypes.dlsym")
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto", "socket.bind")
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class NotAllowed(PermissionError):
    """Something a graded notebook may not do; a PermissionError, for that is what libraries are prepared for."""


class OutputLimit(Exception):
    """A cell printed too much."""


def confine(home: Path, secret: Path | None = None) -> None:
    """From here on this process writes below `home` alone, reads nothing below `secret`, starts and calls nobody."""
    home = os.path.realpath(home)
    secret = os.path.realpath(secret) if secret else None

    def below(path, folder) -> bool:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False  # a file that is open already
        real = os.path.realpath(os.fsdecode(path))
        return real == folder or real.startswith(folder + os.sep)

    def watch(event, args):
        if event == "open":
            path, mode, flags = args
            writes = (isinstance(mode, str) and mode.strip("rbtU")) or (isinstance(flags, int) and flags & _WRITING)
            named = isinstance(path, (str, bytes, os.PathLike))
            if named and writes and not below(path, home) and os.fsdecode(path) != os.devnull:
                raise NotAllowed(
                    f"grading: {os.fsdecode(path)} is outside the notebook's own folder, nothing is written"
                )
            if secret and below(path, secret):
                raise NotAllowed("grading: the course's own files are not read by a submission")
        elif event == "sqlite3.connect" and not below(args[0], home):
            raise NotAllowed(f"grading: {args[0]} is outside the notebook's own folder")
        elif event.startswith(_CHANGES):
            for path in args[:2]:
                if isinstance(path, (str, bytes, os.PathLike)) and not below(path, home):
                    raise NotAllowed(f"grading: {event}: {os.fsdecode(path)} is outside the notebook's own folder")
        elif event.startswith(_PROGRAMS):
            raise NotAllowed(f"grading: a submission starts and stops no other programs ({event})")
        elif event.startswith(_NETWORK):
            raise NotAllowed(f"grading: there is no network ({event})")

    sys.addaudithook(watch)


def limit() -> None:
    """Cap memory (beyond what is loaded now), processor time and the size of files; a core dump would be one."""
    limits = {resource.RLIMIT_CPU: PROCESSOR, resource.RLIMIT_FSIZE: FILE, resource.RLIMIT_CORE: 0}
    size = Path("/proc/self/statm")
    if size.exists():  # Linux; elsewhere the container has to do it
        limits[resource.RLIMIT_AS] = int(size.read_text().split()[0]) * resource.getpagesize() + MEMORY
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def cap_output(stream_class) -> None:
    """Let ipykernel's streams take OUTPUT characters of a cell, then raise where the cell prints."""
    write, cell, left = stream_class.write, None, 0

    def capped(self, text):
        nonlocal cell, left
        printing = self.parent_header.get("msg_id")
        if printing != cell:
            cell, left = printing, OUTPUT
        left -= len(text)
        if left < 0:
            raise OutputLimit(f"grading: this cell has printed more than {OUTPUT} characters")
        return write(self, text)

    stream_class.write = capped


def wall_in(home: Path, connection: Path) -> bool:
    """Let this process read its libraries and the data at hand, and write to `home` alone."""
    import torch

    import cofinal_lib

    libraries = [sys.prefix, sys.base_prefix, Path(torch.__file__).parents[1], Path(cofinal_lib.__file__).parent]
    system = ["/usr", "/lib", "/lib64", "/etc", "/dev", "/proc", "/sys"]
    data = os.environ.get("COFINAL_MIRROR", home)
    return wall([*libraries, *system, data], [home, connection, os.devnull])


def main() -> None:
    """Load what assignments use, set the limits, and become an ipykernel."""
    import random

    import numpy as np
    import pandas as pd  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch
    from ipykernel import kernelapp
    from ipykernel.iostream import OutStream

    from cofinal_lib.classroom import etf, fusion, grades, parsing, reviewer, scoring  # noqa: F401
    from cofinal_lib.classroom.guard import Guard, GuardedKernel

    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)  # an unseeded answer has the same score next time
    wall_in(Path.cwd(), Path(sys.argv[sys.argv.index("-f") + 1]))  # before there are threads
    app = kernelapp.IPKernelApp.instance(kernel_class=GuardedKernel)
    app.initialize(sys.argv[1:])
    cap_output(OutStream)
    confine(Path.cwd(), os.environ.pop("COFINAL_COURSE", None))
    limit()
    GuardedKernel.guard = Guard()
    app.start()


if __name__ == "__main__":
    main()
