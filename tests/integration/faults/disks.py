# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A disk of one's own: a file system in a sparse file, to be filled up, or cut off from power.

    with Disk(directory) as disk:          ext4, 320 MB; or filesystem="xfs", options="data=writeback"…
        … an engine on disk.paths …
        disk.cut_power()

What the inner file system has not synced is in the page cache of its own files, not in the image file: a copy
of the image is the disk as a power cut leaves it. Mounting the copy replays its journal, as the next boot
would. `commit=1000` keeps the journal from being written by itself. /run is gone after a power cut, and so is
the run root.
"""

from __future__ import annotations

import pathlib
import subprocess

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.trees import remove_tree
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

_MAKE = {
    # Without lazy initialisation: no kernel thread writes behind our back, and the image file stays small.
    "ext4": ["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
}
# nouuid: a mount namespace of some container may keep the disk before the cut alive for a while.
_OPTIONS = {"ext4": "commit=1000", "xfs": "nouuid"}


class Disk:
    def __init__(
        self, directory: pathlib.Path, *, megabytes: int = 320, filesystem: str = "ext4", options: str = ""
    ) -> None:
        self.mount_point = directory / "disk"
        self.paths = Paths(str(self.mount_point / "root"), str(directory / "disk-run"))
        self._image = directory / "disk.img"
        self._size = megabytes << 20
        self._filesystem = filesystem
        self._options = ",".join(filter(None, ["loop", _OPTIONS[filesystem], options]))

    def __enter__(self) -> Disk:
        self.mount_point.mkdir(parents=True)
        with open(self._image, "wb") as image:
            image.truncate(self._size)
        _run([*_MAKE[self._filesystem], str(self._image)])
        self._mount()
        return self

    def __exit__(self, *_error: object) -> None:
        self._unmount()
        self._image.unlink()

    def cut_power(self) -> None:
        """Everything on the disk that was not synced is lost; the run root is gone as after every boot."""
        after = self._image.with_suffix(".after")
        _run(["cp", "--sparse=always", str(self._image), str(after)])
        self._unmount()
        after.replace(self._image)
        self._mount()
        remove_tree(self.paths.run_root)

    def _mount(self) -> None:
        _run(["mount", "-o", self._options, str(self._image), str(self.mount_point)])

    def _unmount(self) -> None:
        for target in reversed(mounts.mounts_below(str(self.mount_point))):
            mounts.unmount(target)


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert ended.returncode == 0, (command, ended.stderr)
