# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of a Compose file have to know of each other: real names, and where files are."""

from __future__ import annotations

import posixpath
import typing as t

from .place import Place

Files = t.Callable[[str], t.Optional[bytes]]
"""The content of a file, by its path as the Compose file writes it; None if there is none."""

Declaration = dict[str, t.Any]


class Stack(t.NamedTuple):
    """`services`, `networks` and `volumes`: the names on the target by those in the file. `declared`: what
    the file says about the services. `directory`: what relative paths of the target are relative to; empty
    if nobody has said.
    """

    project: str
    directory: str
    declared: t.Mapping[str, Place]
    services: t.Mapping[str, str]
    networks: t.Mapping[str, str]
    volumes: t.Mapping[str, str]
    secrets: t.Mapping[str, Place]
    configs: t.Mapping[str, Place]
    variables: t.Mapping[str, str]
    read: Files

    def path(self, place: Place, text: str) -> str:
        """A path of the target, absolute."""
        if text.startswith("/"):
            return text
        if text.startswith("~"):
            raise place.refusal(f"{text} is in somebody's home directory", "write the absolute path")
        if not self.directory:
            raise place.refusal(
                f"{text} is relative, and nobody says to which directory of the target",
                "give compose_directory, and have its files there (module ansible.builtin.copy)",
            )
        return posixpath.normpath(posixpath.join(self.directory, text))

    def container_of(self, place: Place, service: str) -> str:
        if service not in self.services:
            raise place.refusal(
                f"there is no service {service}", f"there are {', '.join(self.services) or 'none'}"
            )
        return self.services[service]


class Service(t.NamedTuple):
    key: str
    whole: Place
    stack: Stack
