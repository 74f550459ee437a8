# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines, each on the host of a LAN of its own (tests/integration/network/lan.py), each with its store below
a directory of its own: nothing of them meets the network, the firewall or the engines of this machine.

All run the same container: busybox from the same file, on the engine's default bridge, with one published
port, and everything else as it is when the collection's module is not told.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

from stopwatch import ROOT, Measured, Playbooks, Task

sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

IMAGE, NAME = "bench:1", "bench"
PORT, CONTAINER_PORT = 8080, 80
PORTS = (f"{PORT}:{CONTAINER_PORT}",)
COMMAND = ("/bin/sleep", "infinity")
LIMITS = ("nofile=4096:4096", "nproc=4096:4096")  # podman asks for more than every root may give


class Neighbourhood:
    """An engine with the image in its store, and how to give it Ansible tasks, as a context."""

    name = ""

    def __init__(self, directory: pathlib.Path, tar: pathlib.Path) -> None:
        self.directory = directory
        self.tar = tar
        self.lan = Lan()
        self.environment: dict[str, str] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Neighbourhood:
        with contextlib.ExitStack() as undo:
            undo.callback(self._stack.close)
            self.directory.mkdir()
            self.playbooks = Playbooks(self.directory)
            self._stack.callback(cgroups.remove, self.cgroup)
            self._stack.enter_context(self.lan)
            self.set_up(self._stack)
            undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def cgroup(self) -> str:
        return f"{self.directory.parent.name}-{self.name}"

    def set_up(self, stack: contextlib.ExitStack) -> None:
        raise NotImplementedError

    def started(self) -> Task:
        raise NotImplementedError

    def absent(self) -> Task:
        raise NotImplementedError

    def pid(self) -> int:
        """Of the container's first process, as this machine numbers it."""
        raise NotImplementedError

    def play(self, *tasks: Task) -> list[Measured]:
        with self.lan.inside("host"):
            return self.playbooks.play(tasks, self.environment)

    def run(self, *argv: str) -> str:
        with self.lan.inside("host"):
            done = subprocess.run(
                argv, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    @contextlib.contextmanager
    def container(self) -> t.Iterator[str]:
        """While the container runs: the path of its network namespace."""
        self.play(self.started())
        try:
            yield f"/proc/{self.pid()}/ns/net"
        finally:
            self.play(self.absent())


class Coracle(Neighbourhood):
    name = "coracle"

    def set_up(self, stack: contextlib.ExitStack) -> None:
        options = {"name": IMAGE, "source": "rootfs", "path": str(self.tar)}
        self.play({"coracle.engine.image": {**options, **self.roots}})

    @property
    def roots(self) -> dict[str, str]:
        return {"root": f"{self.directory}/root", "run_root": f"{self.directory}/run"}

    def engine(self) -> Engine:
        return Engine(Paths(self.roots["root"], self.roots["run_root"]))

    def started(self, name: str = NAME, ports: t.Sequence[str] = PORTS) -> Task:
        options = {"network_mode": "bridge", "published_ports": ports, "command": COMMAND}
        return {"coracle.engine.container": {"name": name, "image": IMAGE, **options, **self.roots}}

    def absent(self, name: str = NAME) -> Task:
        options = {"name": name, "state": "absent", "force_kill": True}
        return {"coracle.engine.container": {**options, **self.roots}}

    def pid(self) -> int:
        engine = self.engine()
        try:
            record = find_container(engine.records, NAME)
        finally:
            engine.close()
        if record is None or record.state.run is None or record.state.run.init is None:
            raise RuntimeError("the container does not run")
        return record.state.run.init.pid


class Docker(Neighbourhood):
    """With a daemon of its own."""

    name = "docker"

    def set_up(self, stack: contextlib.ExitStack) -> None:
        (self.directory / "daemon.json").write_text("{}")
        places = {
            "config-file": "daemon.json",
            "data-root": "root",
            "exec-root": "run",
            "pidfile": "pid",
        }
        words = [f"--{option}={self.directory}/{name}" for option, name in places.items()]
        with self.lan.inside("host"), open(self.directory / "log", "wb") as log:
            daemon = subprocess.Popen(
                ["dockerd", "--host", self.socket, "--cgroup-parent", self.cgroup, *words],
                stdout=log,
                stderr=log,
            )
        stack.callback(daemon.wait, 60)
        stack.callback(daemon.terminate)
        self._wait_for(daemon)
        self.run("docker", "--host", self.socket, "import", str(self.tar), IMAGE)

    @property
    def socket(self) -> str:
        return f"unix://{self.directory}/socket"

    def started(self) -> Task:
        options = {"name": NAME, "image": IMAGE, "command": COMMAND, "published_ports": PORTS}
        return {"community.docker.docker_container": {**options, "docker_host": self.socket}}

    def absent(self) -> Task:
        options = {"name": NAME, "state": "absent", "force_kill": True}
        return {"community.docker.docker_container": {**options, "docker_host": self.socket}}

    def pid(self) -> int:
        return int(self.run("docker", "--host", self.socket, "inspect", "--format", "{{.State.Pid}}", NAME))

    def _wait_for(self, daemon: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 60
        while subprocess.run(
            ["docker", "--host", self.socket, "info"], capture_output=True, check=False
        ).returncode:
            if time.monotonic() > deadline or daemon.poll() is not None:
                raise RuntimeError(f"dockerd did not start: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.2)


class Podman(Neighbourhood):
    """With settings of its own, which say nothing but where things are."""

    name = "podman"

    def set_up(self, stack: contextlib.ExitStack) -> None:
        config = {
            "containers.conf": {
                "engine": {
                    "cgroup_manager": "cgroupfs",
                    "static_dir": f"{self.directory}/root/libpod",
                    "tmp_dir": f"{self.directory}/tmp",
                    "volume_path": f"{self.directory}/volumes",
                },
                "network": {"network_config_dir": f"{self.directory}/networks"},
                "containers": {"default_ulimits": LIMITS},
            },
            "storage.conf": {
                "storage": {
                    "driver": "overlay",
                    "graphroot": f"{self.directory}/root",
                    "runroot": f"{self.directory}/run",
                }
            },
        }
        for name, tables in config.items():
            (self.directory / name).write_text(_toml(tables))
        self.environment = {
            "CONTAINERS_CONF": f"{self.directory}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{self.directory}/storage.conf",
        }
        self.run("podman", "import", "--quiet", str(self.tar), IMAGE)

    def started(self) -> Task:
        options = {"name": NAME, "image": IMAGE, "command": COMMAND, "ports": PORTS}
        return {"containers.podman.podman_container": {**options, "cgroup_parent": f"/{self.cgroup}"}}

    def absent(self) -> Task:
        # The module would wait ten seconds for a program that does not listen to signals.
        return {"ansible.builtin.command": {"argv": ["podman", "rm", "--force", "--time=0", NAME]}}

    def pid(self) -> int:
        return int(self.run("podman", "inspect", "--format", "{{.State.Pid}}", NAME))


def _toml(tables: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    """Texts and lists of texts are written in TOML as they are in JSON."""
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def scratch_directory() -> t.Iterator[pathlib.Path]:
    """Gone at the end, with whatever engines have left mounted in it."""
    with tempfile.TemporaryDirectory(prefix="coracle-bench-", dir="/var/tmp") as scratch:
        os.chmod(scratch, 0o755)
        try:
            yield pathlib.Path(scratch)
        finally:
            with open("/proc/self/mountinfo", encoding="utf-8") as lines:
                mounted = [line.split()[4] for line in lines]
            for target in reversed([target for target in mounted if target.startswith(scratch + "/")]):
                subprocess.run(["umount", "--lazy", target], check=True)
