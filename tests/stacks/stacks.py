# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Compose files of well-known programs, in our own words, with what their users say besides: STACKS are their
names.
"""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.coracle.engine.plugins.plugin_utils.compose.convert import (
    Converted,
    Settings,
    convert,
)
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.document import parse_document

HERE = pathlib.Path(__file__).parent
STACKS = sorted(path.stem for path in HERE.glob("*.yml"))
VARIABLES: dict[str, dict[str, str]] = {
    "elk": {"MEMLOCK": "8192", "NOFILE": "4096"},  # not every machine that runs tests gives more
    "mattermost": {
        "APP_PORT": "8065",
        "CALLS_PORT": "8443",
        "DOMAIN": "chat.example.com",
        "MATTERMOST_CONFIG_PATH": "./volumes/app/config",
        "MATTERMOST_DATA_PATH": "./volumes/app/data",
        "MATTERMOST_IMAGE": "mattermost-enterprise-edition",
        "MATTERMOST_IMAGE_TAG": "9.11",
        "POSTGRES_DATA_PATH": "./volumes/db",
        "POSTGRES_DB": "mattermost",
        "POSTGRES_IMAGE_TAG": "13-alpine",
        "POSTGRES_PASSWORD": "mmuser_password",
        "POSTGRES_USER": "mmuser",
        "RESTART_POLICY": "unless-stopped",
        "TZ": "UTC",
    },
    "nextcloud": {"REDIS_PASSWORD": "secret"},
}


def document_of(stack: str) -> dict[str, t.Any]:
    path = HERE / f"{stack}.yml"
    return parse_document(path.read_bytes(), path.name)


def read(name: str) -> bytes | None:
    path = HERE / name
    return path.read_bytes() if path.is_file() else None


def converted(stack: str, directory: str = "/srv/stack") -> Converted:
    settings = Settings(
        fallback=stack, directory=directory, variables=VARIABLES.get(stack, {}), profiles=["*"], read=read
    )
    return convert(document_of(stack), settings)
