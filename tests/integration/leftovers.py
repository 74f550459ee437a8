# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a test of an engine left behind on the host, and its removal so that one bad test does not spoil the
next.

Below the engine's own directory files may stay: they go with it. Mounts, cgroups, processes, descriptors,
links and firewall table in the network namespace of this thread, and anything outside must be gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import (
    DEFAULT_ROOT,
    DEFAULT_RUN_ROOT,
    Paths,
)

# Where programs that we start, or we with a wrong path, would leave something.
_ELSEWHERE = (
    DEFAULT_ROOT,
    DEFAULT_RUN_ROOT,
    "/run/crun",
    "/run/runc",
    "/run/crio",
    "/etc/systemd/system",
    "/usr/local/bin",
)
_NAMES_OF_OURS = ("cor-", "cv-")


class Watch:
    """Looks at the host when made and again when asked; `base` is the directory that holds both roots."""

    def __init__(self, base: pathlib.Path, paths: Paths, patience: float = 5.0) -> None:
        self.base = str(base)
        self.paths = paths
        self._patience = patience
        self._elsewhere = _listing()
        self._children = _children()

    def leftovers(self) -> list[str]:
        """One line for each thing still there, after some seconds for what ends by itself: a conmon after its
        container.
        """
        deadline = time.monotonic() + self._patience
        while True:
            found = self._look()
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def _look(self) -> list[str]:
        found = [f"mounted: {target}" for target in mounts.mounts_below(self.base)]
        found += [f"cgroup: {group}" for group in self._groups()]
        found += [f"process: {pid} {_command_line(pid)}" for pid in self._processes()]
        found += [f"child: {pid} {_command_line(pid)}" for pid in sorted(_children() - self._children)]
        found += [f"link: {name}" for name in self._links()]
        found += [f"firewall: {table}" for table in self._tables()]
        found += [f"descriptor: {name}" for name in self._descriptors()]
        found += [f"elsewhere: {name}" for name in sorted(_listing() - self._elsewhere)]
        return found

    def clean(self) -> None:
        """Remove everything of the engine, by force."""
        for pid in {*self._processes(), *cgroups.processes(self.paths.cgroup_parent)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        mounts.unmount_below(self.base)
        cgroups.remove(self.paths.cgroup_parent)
        for name in self._links():
            subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
        for table in self._tables():
            subprocess.run(["nft", "delete", *table.split()], capture_output=True, check=False)
        remove_tree(self.base)

    def _groups(self) -> list[str]:
        places = [
            os.path.join(hierarchy, self.paths.cgroup_parent) for hierarchy in cgroups.layout().hierarchies
        ]
        return [place for place in places if os.path.isdir(place)]

    def _links(self) -> list[str]:
        """Those with the engine's tag, and those with names of ours that lack a tag."""
        links = json.loads(_output("ip", "-j", "link"))
        ours = f"{self.paths.instance}:"
        return [
            link["ifname"]
            for link in links
            if link.get("ifalias", "").startswith(ours)
            or (link["ifname"].startswith(_NAMES_OF_OURS) and not link.get("ifalias"))
        ]

    def _tables(self) -> list[str]:
        """As `table inet coracle-…`."""
        lines = _output("nft", "list", "tables").splitlines()
        return [line for line in lines if line.split()[-1] == self.paths.instance]

    def _processes(self) -> list[int]:
        """Processes that were told about the engine's directory or stand in it."""
        return [
            pid for pid in _pids() if pid != os.getpid() and self.base in _command_line(pid) + _places(pid)
        ]

    def _descriptors(self) -> list[str]:
        names = [_link(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        return [name for name in names if name.startswith(self.base)]


def _output(*argv: str) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command_line(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _places(pid: int) -> str:
    return " ".join(_link(f"/proc/{pid}/{name}") for name in ("cwd", "root"))


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _children() -> set[int]:
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            found.update(map(int, pathlib.Path(f"/proc/self/task/{task}/children").read_text().split()))
    return found


def _listing() -> set[str]:
    def names(directory: str) -> t.Iterator[str]:
        try:
            yield from os.listdir(directory)
        except FileNotFoundError:
            return
        yield "."

    return {os.path.join(directory, name) for directory in _ELSEWHERE for name in names(directory)}
