# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Let a running container have other limits. The OCI runtime does it; what it cannot lift, we do."""

from __future__ import annotations

import typing as t

from ..container.host_facts import read_host_facts
from ..container.live_limits import Update, live_limits
from ..container.oci_runtime import find_runtime
from ..container.status import group_of
from ..linux import cgroups
from .settle_run import runtime_of

if t.TYPE_CHECKING:
    from ..container.config import ContainerConfig
    from ..container.records import ContainerRecord
    from ..engine import Engine


def limits_to_apply(engine: Engine, record: ContainerRecord, before: ContainerConfig) -> Update:
    """What has to be told so that its group, which has the limits of `before`, gets those of its record.

    Raises HostNotReady, InvalidInput or NotFound for a limit that cannot be on this host. Nothing is changed.
    """
    everything = cgroups.inherited_sets(group_of(engine.paths, record))
    return live_limits(before, record.config, read_host_facts(), everything)


def apply_limits(engine: Engine, record: ContainerRecord, update: Update) -> None:
    """The container's lock is held. Raises RuntimeFailure when the kernel refuses one (less memory than is in
    use, on control groups v1).
    """
    group = group_of(engine.paths, record)
    for controller in update.lifted:
        cgroups.lift_limit(group, controller)
    if update.resources:
        runtime = find_runtime(engine.paths, runtime_of(engine, record))
        runtime.update(record.id, update.resources)
