# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Looking at files as other mount namespaces have them, by descriptors.

A descriptor of a directory keeps seeing the mounts of the namespace in which it was opened, wherever it is
used. So a thread steps in, opens, and ends; the process stays where it is.

What a crash leaves behind: nothing. A view's mounts go with the last descriptor of its namespace.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from . import syscalls
from .mounts import mounts
from .namespaces import in_thread

T = t.TypeVar("T")

_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class MountView:
    """A mount namespace: a copy of this process's own, in which one may mount what nobody else sees, or that
    of another process.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def copy(cls) -> MountView:
        """What the host unmounts goes here, too; what is mounted here stays here."""

        def make() -> int:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
            return os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

        return cls(in_thread(make))

    @classmethod
    def of_process(cls, pid: int) -> MountView:
        return cls(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))

    def visit(self, function: t.Callable[[], T]) -> T:
        """What `function` gives, called inside. It must not import, nor look up names of users: in there,
        libraries may be a stranger's (CVE-2019-14271).
        """

        def step_in() -> T:
            syscalls.unshare(syscalls.CLONE_FS)
            syscalls.setns(self._fd, syscalls.CLONE_NEWNS)
            return function()

        return in_thread(step_in)

    def open(self, path: str) -> int:
        """A descriptor (O_PATH) of a directory; of `/`, the root of the namespace, even if a process in it
        has changed its own.
        """
        return self.visit(lambda: os.open(path, _ROOT))

    def mounts(self) -> list[str]:
        """All mount points below the root of the namespace, as seen from there."""
        proc = os.open("/proc", _ROOT)  # the host's: the other namespace may have none, or a false one
        try:
            return [mount.target for mount in mounts(self.visit(lambda: _open_mountinfo(proc)))]
        finally:
            os.close(proc)

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> MountView:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self.close()


def _open_mountinfo(proc: int) -> int:
    return os.open("thread-self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
