# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What `volumes_from` brings: the mounts that other containers have now. Later they go their own ways."""

from __future__ import annotations

import typing as t

from ..container.effective import effective_of
from ..container.records import find_container_in
from ..errors import NotFound

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.storage import VolumeMount
    from ..state.database import Reader


def inherited_volumes(rows: Reader, config: ContainerConfig) -> list[VolumeMount]:
    """Sorted by target; of two at the same place the one of the later container. NotFound for a container
    that is not there.

    As in Docker, volumes are not filled from the image of the container that they come to.
    """
    found: dict[str, VolumeMount] = {}
    for source in config.volumes_from or ():
        record = find_container_in(rows, source["container"])
        if record is None:
            raise NotFound(f"volumes_from: there is no container {source['container']}", "create it first")
        for mount in effective_of(record).volumes:
            options = {*mount.options, "nocopy"} if mount.type == "volume" else mount.options
            found[mount.target] = mount._replace(
                read_only=mount.read_only or source["read_only"],
                options=tuple(sorted(options)),
                labels=None,
                driver_options=None,
            )
    return [found[target] for target in sorted(found)]
