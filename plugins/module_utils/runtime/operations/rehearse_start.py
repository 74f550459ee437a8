# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What keeps a container from starting on this host: the same looks as in earnest, before anything is
changed, and in a view of its root that is forgotten again.

What the image alone can tell (its users, its directories) has to wait for an image that is yet to be pulled.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..container.attachments import joined_container
from ..container.devices import check_devices
from ..container.effective import effective_of
from ..container.host_facts import read_host_facts
from ..container.mount_places import missing_bind_source
from ..container.records import find_container
from ..container.secret_values import secret_targets
from ..container.security_values import read_security_opts
from ..container.spec import build_spec
from ..container.spec_resources import build_limits
from ..container.users import ResolvedUser
from ..content.images import find_image
from ..errors import CoracleError, NotFound
from ..oci.image_config import ImageConfig
from .mounts_at_rest import root_at_rest
from .repair_image import damaged_layers
from .spec_of_container import spec_of

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.records import ContainerRecord
    from ..engine import Engine

_SOMEBODY = ResolvedUser(0, 0, [0], "/")


def rehearse_start(engine: Engine, record: ContainerRecord) -> CoracleError | None:
    """Raises what the start would raise. What is returned is the same, where a task before this one may do
    away with it: a file, a device or a container that is not there.
    """
    lacking = _lacking(engine, record)
    if lacking is not None:
        return lacking
    # A host that is not prepared yet has no init program, as it has no runtime.
    record = dataclasses.replace(record, config=dataclasses.replace(record.config, init=False))
    places = dict.fromkeys(secret_targets(record.config), "/")
    image = find_image(engine.records, record.image_id) if record.image_id else None
    if image is None or damaged_layers(engine, image):
        record = dataclasses.replace(record, image=ImageConfig(cmd=["/"]))
        whole, host = effective_of(record), read_host_facts()
        build_spec("", record.config, whole, _SOMEBODY, engine.paths, host, places=places)
        return None
    with root_at_rest(engine, record) as root:
        spec_of(engine, record, effective_of(record), root, places, "", {})
    return None


def rehearse_limits(config: ContainerConfig) -> None:
    """Raises what setting the limits of a container that runs would raise."""
    build_limits(config, read_host_facts())


def _lacking(engine: Engine, record: ContainerRecord) -> CoracleError | None:
    config = record.config
    for option in ("network_mode", "pid_mode", "ipc_mode"):
        name = joined_container(getattr(config, option) or "")
        if name and find_container(engine.records, name) is None:
            return NotFound(f"{option}: there is no container {name}")
    try:
        check_devices(config)
    except NotFound as error:
        return error
    profile = read_security_opts(config.security_opts or ()).seccomp
    if profile.startswith("/") and not os.path.lexists(profile):
        return NotFound(
            f"security_opts: seccomp: there is no file {profile}",
            "it is read on the target, not on the controller: copy it there first",
        )
    try:
        for volume in effective_of(record).volumes if record.image_id else ():
            missing = missing_bind_source(volume)
            if missing is not None:
                return missing
    except CoracleError:
        return None  # of the image: told by the rehearsal itself
    return None
