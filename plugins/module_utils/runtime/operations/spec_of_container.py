# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What the OCI runtime is told of a container, with everything checked that its root file system and this
host may refuse.
"""

from __future__ import annotations

import typing as t

from ..container.host_facts import read_host_facts
from ..container.mount_places import (
    check_mount_kinds,
    check_mount_targets,
    check_program,
    directory_modes,
    make_working_directory,
)
from ..container.secret_values import secret_targets
from ..container.spec import build_spec
from ..container.spec_mounts import source_of
from ..container.users import resolve_user
from ..layers.snapshots import check_root

if t.TYPE_CHECKING:
    from ..container.effective import Effective
    from ..container.records import ContainerRecord
    from ..engine import Engine


def spec_of(
    engine: Engine,
    record: ContainerRecord,
    whole: Effective,
    root_fd: int,
    places: t.Mapping[str, str],
    namespace: str,
    joined: t.Mapping[str, str],
) -> dict[str, t.Any]:
    """Looks into the root file system by a descriptor only: its names and links are the image's. The working
    directory is made.
    """
    config = record.config
    covered = [*(volume.target for volume in whole.volumes), *whole.tmpfs, *secret_targets(config)]
    sources = {
        volume.target: places.get(volume.target) or source_of(volume, engine.paths)
        for volume in whole.volumes
    }
    check_root(root_fd)
    user = resolve_user(root_fd, whole.user, config.groups or ())
    check_mount_targets(root_fd, covered)
    check_mount_kinds(root_fd, sources, covered)
    check_program(whole.arguments[0], whole.tmpfs, covered)
    make_working_directory(root_fd, whole.working_dir, covered)
    return build_spec(
        record.id,
        config,
        whole,
        user,
        engine.paths,
        read_host_facts(),
        namespace,
        tmpfs_modes=directory_modes(root_fd, whole.tmpfs),
        places=places,
        joined=joined,
    )
