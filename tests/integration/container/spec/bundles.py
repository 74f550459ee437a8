# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A bundle of our own making, run by the real OCI runtime in the foreground: no conmon, no state file."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import mount_places
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.effective import effective
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_facts import (
    read_host_facts,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.spec import build_spec
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.users import resolve_user
from ansible_collections.coracle.engine.plugins.module_utils.runtime.layers.snapshots import check_root
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

CONTAINER_ID = "c0ac1e" * 10 + "0123"
RUNTIMES = ("crun", "runc")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class Ran(t.NamedTuple):
    code: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    @property
    def status(self) -> dict[str, str]:
        """`/proc/<pid>/status`, `/proc/<pid>/limits` and the like, by the word before the first colon."""
        pairs = [line.split(":", 1) for line in self.lines if ":" in line]
        return {name.strip(): value.strip() for name, value in pairs}


class Bundle:
    """`rootfs` may be changed by a test, as an image would have it, before `run`."""

    def __init__(self, paths: Paths, rootfs_tar: pathlib.Path) -> None:
        self.paths = paths
        self.directory = pathlib.Path(paths.container(CONTAINER_ID))
        self.rootfs = self.directory / "rootfs"
        self.rootfs.mkdir(parents=True)
        subprocess.run(["tar", "-xf", str(rootfs_tar), "-C", str(self.rootfs)], check=True)
        for name in ("hosts", "hostname", "resolv.conf"):
            (self.directory / name).write_text(f"# {name} of the container\n")

    def volume(self, name: str) -> pathlib.Path:
        path = pathlib.Path(self.paths.volumes) / name / "_data"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def specification(self, config: ContainerConfig, image: ImageConfig | None = None) -> dict[str, t.Any]:
        """What `prepare_container` does for this part: look at the root, make what is missing, then build."""
        whole = effective(config, image or ImageConfig(), CONTAINER_ID)
        targets = [*(volume.target for volume in whole.volumes), *(config.tmpfs or ())]
        for volume in whole.volumes:
            if volume.type == "volume":
                self.volume(volume.source)
        root_fd = os.open(self.rootfs, os.O_PATH | os.O_DIRECTORY)
        try:
            check_root(root_fd)
            user = resolve_user(root_fd, whole.user, config.groups or ())
            mount_places.check_mount_targets(root_fd, targets)
            mount_places.make_working_directory(root_fd, whole.working_dir, targets)
            modes = mount_places.directory_modes(root_fd, config.tmpfs or ())
        finally:
            os.close(root_fd)
        mount_places.make_bind_sources(whole.volumes)
        return build_spec(CONTAINER_ID, config, whole, user, self.paths, read_host_facts(), tmpfs_modes=modes)

    def run(self, config: ContainerConfig, image: ImageConfig | None = None, runtime: str = "crun") -> Ran:
        return self.run_specification(self.specification(config, image), runtime)

    def run_specification(
        self, document: dict[str, t.Any], runtime: str = "crun", *, terminal: bool = False
    ) -> Ran:
        """`terminal`: give the runtime one, as script(1) does."""
        (self.directory / "config.json").write_text(json.dumps(document))
        os.makedirs(self.paths.oci_runtime, exist_ok=True)
        command = [runtime, "--root", self.paths.oci_runtime]
        run = [*command, "run", "--bundle", str(self.directory), CONTAINER_ID]
        try:
            done = subprocess.run(
                ["script", "-qec", shlex.join(run), "/dev/null"] if terminal else run,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=ENVIRONMENT,
                timeout=60,
                check=False,
            )
        finally:
            subprocess.run(
                [*command, "delete", "--force", CONTAINER_ID],
                capture_output=True,
                env=ENVIRONMENT,
                check=False,
            )
            cgroups.remove(self.paths.cgroup_parent)
        return Ran(done.returncode, done.stdout, done.stderr)

    def shell(
        self, script: str, runtime: str = "crun", image: ImageConfig | None = None, **options: t.Any
    ) -> Ran:
        """Run a script with busybox's shell; `options` are those of ContainerConfig."""
        return self.run(ContainerConfig(command=["/bin/sh", "-c", script], **options), image, runtime)
