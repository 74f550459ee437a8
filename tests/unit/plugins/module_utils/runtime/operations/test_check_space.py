# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import errno
import os
import types

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import StorageError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import files
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import check_space as module
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.check_space import (
    check_space,
    megabytes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

MIB = 1 << 20


def disk(monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
    found = types.SimpleNamespace(f_frsize=4096, f_blocks=total // 4096, f_bavail=free // 4096)

    def statvfs(path: str) -> types.SimpleNamespace:
        if path.startswith("/srv/"):
            raise FileNotFoundError(path)
        return found

    for place in (files.os, module.os):
        monkeypatch.setattr(place, "statvfs", statvfs)


PATHS = Paths("/srv/not/yet", "/run/x")


@pytest.mark.parametrize(
    ("total", "free", "needed", "enough"),
    [
        (1000 * MIB, 130 * MIB, 100 * MIB, True),  # 3 % of 1000 MiB stay free
        (1000 * MIB, 129 * MIB, 100 * MIB, False),
        (1 << 44, 356 * MIB, 100 * MIB, True),  # at most 256 MiB do
        (1 << 44, 355 * MIB, 100 * MIB, False),
        (1000 * MIB, 30 * MIB, 0, True),
        (1000 * MIB, 29 * MIB, 0, False),
    ],
)
def test_a_part_of_the_disk_stays_free(
    monkeypatch: pytest.MonkeyPatch, total: int, free: int, needed: int, enough: bool
) -> None:
    disk(monkeypatch, total, free)
    if enough:
        check_space(PATHS, needed)
        return
    with pytest.raises(StorageError) as caught:
        check_space(PATHS, needed)
    assert caught.value.facts == {"errno": errno.ENOSPC}


def test_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, 1000 * MIB, 50 * MIB)
    with pytest.raises(StorageError) as caught:
        check_space(PATHS, 84_000_000)
    assert str(caught.value) == (
        "not enough space in /srv/not/yet: 84 MB are needed, 52 MB are free, 31 MB have to stay free"
        " (free some space or put the state directory on a larger disk)"
    )


def test_the_real_disk(tmp_path: os.PathLike[str]) -> None:
    check_space(Paths(str(tmp_path), str(tmp_path)), 1)


def test_megabytes() -> None:
    assert [megabytes(count) for count in (0, 1_300_000, 128_400_000)] == ["0.0 MB", "1.3 MB", "128 MB"]
