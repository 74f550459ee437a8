# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write about a container among others: what it needs. Parsers as in values.py."""

from __future__ import annotations

import typing as t

from .values import parse_container_name, parse_texts


def parse_requires(value: t.Any, option: str) -> list[str]:
    """Names of containers, sorted, none twice."""
    return sorted({parse_container_name(text, option) for text in parse_texts(value, option)})
