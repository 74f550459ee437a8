# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write about a container among others: what it needs, whose limits it shares, who says that
it is ready. Parsers as in values.py.
"""

from __future__ import annotations

import typing as t

from .values import parse_container_name, parse_text, parse_texts, refuse

NOTIFY_DIRECTORY = "/run/notify"
"""Where the socket is in a container that says itself that it is ready."""
NOTIFY_NAME = "notify.sock"
CONTAINER, CONMON, IGNORE = "container", "conmon", "ignore"


def parse_sdnotify(value: t.Any, option: str) -> str | None:
    """`container` or `conmon`, as Podman names them; `ignore` is the default."""
    text = parse_text(value, option)
    if text not in ("", CONTAINER, CONMON, IGNORE):
        raise refuse(value, option, "is not a way to notify", "write container, conmon or ignore")
    return text if text in (CONTAINER, CONMON) else None


def parse_requires(value: t.Any, option: str) -> list[str]:
    """Names of containers, sorted, none twice."""
    return sorted({parse_container_name(text, option) for text in parse_texts(value, option)})


def parse_cgroup_parent(value: t.Any, option: str) -> str | None:
    """`/batch/night` as `batch/night`; `""` is the engine's own group."""
    text = parse_text(value, option).strip()
    if not text:
        return None
    names = [name for name in text.split("/") if name not in ("", ".")]
    if not names or ".." in names or any(name.startswith("cgroup.") or len(name) > 200 for name in names):
        raise refuse(value, option, "is not the path of a control group", 'write for example "/batch/night"')
    return "/".join(names)
