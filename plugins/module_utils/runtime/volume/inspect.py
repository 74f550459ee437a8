# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A volume in the shape of `docker volume inspect`, which people's filters and templates already know.

Source of the shape: Docker Engine API 1.47, `GET /volumes/{name}`. `Anonymous` and `UsedBy` are ours.
"""

from __future__ import annotations

import typing as t

from ..paths import Paths
from .driver_options import DRIVER, without_secrets
from .records import VolumeRecord, volume_data

NEVER = "0001-01-01T00:00:00Z"
"""Docker's word for a time that has not come."""


def inspect_volume(paths: Paths, record: VolumeRecord, users: t.Sequence[str]) -> dict[str, t.Any]:
    """`users` are the names of the containers that need it. Passwords among the options are hidden."""
    return {
        "Name": record.name,
        "Driver": DRIVER,
        "Scope": "local",
        "Mountpoint": volume_data(paths, record.name),
        "CreatedAt": record.created or NEVER,
        "Labels": record.labels,
        "Options": without_secrets(record.driver_options),
        "Anonymous": record.anonymous,
        "UsedBy": list(users),
    }
