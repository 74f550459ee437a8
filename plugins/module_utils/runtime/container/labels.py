# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Labels of a container, and those that mean something to us."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .records import ContainerRecord

PROJECT = "coracle.project"
"""The project that declares the object."""


def labels_of(record: ContainerRecord) -> dict[str, str]:
    """Those of the image, and those that were asked for."""
    return {**record.image.labels, **(record.config.labels or {})}


def has_label(labels: t.Mapping[str, str], wanted: str) -> bool:
    """`wanted` is `key` or `key=value`, as Docker's filters have it."""
    key, given, value = wanted.partition("=")
    return key in labels and (not given or labels[key] == value)
