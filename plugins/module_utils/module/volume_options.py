# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `volume`, and what they mean."""

from __future__ import annotations

import typing as t

from ..runtime.container.environment_values import parse_labels
from ..runtime.errors import doing
from ..runtime.reconcile.volume import ALWAYS, NEVER, OPTIONS_CHANGED, VolumeRequest
from ..runtime.volume.driver_options import DRIVER, parse_driver_options
from ..runtime.volume.records import check_volume_name
from .argspec import ArgumentSpec

VOLUME = ArgumentSpec(
    {
        "name": {"type": "str", "required": True, "aliases": ["volume_name"]},
        "state": {"type": "str", "default": "present", "choices": ["absent", "present"]},
        "driver": {"type": "str", "default": DRIVER, "choices": [DRIVER]},
        "driver_options": {"type": "dict", "default": {}},
        "labels": {"type": "dict", "default": {}},
        "recreate": {"type": "str", "default": NEVER, "choices": [ALWAYS, NEVER, OPTIONS_CHANGED]},
    }
)


def read_volume_request(params: t.Mapping[str, t.Any]) -> VolumeRequest:
    """What the task asks for. With `absent` only the name counts. InvalidInput names the option."""
    name = check_volume_name(params["name"])
    if params["state"] == "absent":
        return VolumeRequest(name, "absent", {}, {})
    with doing(f"volume {name}"):
        return VolumeRequest(
            name=name,
            state=params["state"],
            labels=parse_labels(params["labels"], "labels"),
            driver_options=parse_driver_options(params["driver_options"], "driver_options"),
            recreate=params["recreate"],
        )
