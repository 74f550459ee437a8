# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where things are: every path of the engine, derived from two roots, and the names that differ per engine.

    root      /var/lib/coracle   survives a reboot    state.db blobs/ ingest/ layers/ staging/ trash/
                                                      containers/ volumes/ agent/ run_root
    run_root  /run/coracle       gone after a reboot  locks/ netns/ dns/ containers/<id>/<start>/ root

User-chosen names never become paths: container directories are named by id, layers by digest. Volumes are the
one exception that users see on disk; their names are checked against `VOLUME_NAME` before they get here.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

DEFAULT_ROOT = "/var/lib/coracle"
DEFAULT_RUN_ROOT = "/run/coracle"


class Paths(t.NamedTuple):
    root: str = DEFAULT_ROOT
    run_root: str = DEFAULT_RUN_ROOT

    @property
    def instance(self) -> str:
        """`coracle` for the default root, else `coracle-<8 hex>`: prefix of all names outside both roots."""
        if self.root == DEFAULT_ROOT:
            return "coracle"
        return "coracle-" + hashlib.sha256(self.root.encode()).hexdigest()[:8]

    @property
    def database(self) -> str:
        return os.path.join(self.root, "state.db")

    @property
    def blobs(self) -> str:
        return os.path.join(self.root, "blobs", "sha256")

    @property
    def ingest(self) -> str:
        return os.path.join(self.root, "ingest")

    @property
    def layers(self) -> str:
        return os.path.join(self.root, "layers")

    @property
    def staging(self) -> str:
        return os.path.join(self.root, "staging")

    @property
    def trash(self) -> str:
        return os.path.join(self.root, "trash")

    @property
    def containers(self) -> str:
        return os.path.join(self.root, "containers")

    @property
    def volumes(self) -> str:
        return os.path.join(self.root, "volumes")

    @property
    def agent(self) -> str:
        return os.path.join(self.root, "agent")

    @property
    def locks(self) -> str:
        return os.path.join(self.run_root, "locks")

    @property
    def oci_runtime(self) -> str:
        """State directory of crun or runc (`--root`)."""
        return os.path.join(self.run_root, "runtime")

    @property
    def netns(self) -> str:
        """Network namespaces of containers: `<container id>`."""
        return os.path.join(self.run_root, "netns")

    def network_namespace(self, container_id: str) -> str:
        return os.path.join(self.netns, container_id)

    @property
    def dns(self) -> str:
        """What the DNS server of this engine is told."""
        return os.path.join(self.run_root, "dns")

    def container(self, container_id: str) -> str:
        return os.path.join(self.containers, container_id)

    def container_run(self, container_id: str) -> str:
        return os.path.join(self.run_root, "containers", container_id)

    def shared_memory(self, container_id: str) -> str:
        """`/dev/shm` of a container that lets others join it."""
        return os.path.join(self.run_root, "shm", container_id)

    @property
    def cgroup_parent(self) -> str:
        """Cgroup below which conmons and containers of this engine live, without a leading slash."""
        return self.instance
