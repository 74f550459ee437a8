# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or
# https://www.gnu.org/licenses/gpl-3.0.txt) SPDX-License-Identifier: GPL-3.0-or-later
"""Create and start a container ÷ bare `conmon` with `crun create`, and `crun start`, on the same bundle.

    bench/start.py [--rounds 30] [--crowd 20]

Inside the engine, without Ansible and without networking; the two take turns, medians. The bare side gets the
config.json that the engine has written and a root that is mounted already. Then the memory of a crowd of
containers that sleep: the proportional set size of every process of ours, and what is left when they are
gone. Needs root. Prints rows of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups  # noqa: E402
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.remove_container import (  # noqa: E402
    remove_container,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths  # noqa: E402
from ansible_collections.coracle.engine.tests.integration.container.harbour import (  # noqa: E402
    Harbour,
    store_image,
)
from ansible_collections.coracle.engine.tests.integration.rootfs import write_busybox_rootfs  # noqa: E402

PROGRAM = ("sleep", "1000")


class Bare:
    """conmon and crun as somebody would call them by hand."""

    def __init__(self, directory: pathlib.Path, spec: dict[str, t.Any]) -> None:
        self.directory = directory
        self.spec = spec
        self.group = f"bare-{os.getpid()}"
        self.crun = ["crun", f"--root={directory}/runtime"]
        (directory / "runtime").mkdir()

    def start(self, name: str) -> float:
        bundle = self.directory / name
        (bundle / "exit").mkdir(parents=True)
        self.spec["linux"]["cgroupsPath"] = f"/{self.group}/{name}"
        (bundle / "config.json").write_text(json.dumps(self.spec))
        reading, writing = os.pipe()
        began = time.perf_counter()
        conmon = [
            "conmon",
            "--api-version",
            "1",
            "--cid",
            name,
            "--cuuid",
            name,
            "--runtime",
            "/usr/bin/crun",
        ]
        conmon += [
            "--bundle",
            bundle,
            "--container-pidfile",
            bundle / "pidfile",
            "--exit-dir",
            bundle / "exit",
        ]
        conmon += ["--full-attach", "--log-path", f"k8s-file:{bundle}/log", "--runtime-arg", self.crun[1]]
        environment = {"PATH": os.environ["PATH"], "_OCI_SYNCPIPE": str(writing)}
        self._run([str(word) for word in conmon], env=environment, pass_fds=(writing,))
        os.close(writing)
        created = json.loads(os.read(reading, 1 << 16))
        os.close(reading)
        if created["data"] < 0:
            raise SystemExit(created["message"])
        self._run([*self.crun, "start", name])
        took = time.perf_counter() - began
        self._run([*self.crun, "delete", "--force", name])
        return took

    def close(self) -> None:
        cgroups.remove(self.group)

    @staticmethod
    def _run(argv: list[str], **options: t.Any) -> None:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(argv, check=True, **quiet, **options)


def start_ours(harbour: Harbour, name: str) -> float:
    began = time.perf_counter()
    harbour.start(name, *PROGRAM)
    took = time.perf_counter() - began
    remove_container(harbour.engine, name)
    return took


def memory(harbour: Harbour, crowd: int) -> tuple[int, int]:
    """Proportional set sizes in bytes of all our processes while `crowd` containers run, and how many
    processes.
    """
    for number in range(crowd):
        harbour.start(f"crowd-{number}", *PROGRAM)
    time.sleep(1)
    ours = cgroups.processes(f"{harbour.paths.cgroup_parent}/conmon")
    return sum(map(_proportional_size, ours)), len(ours)


def _proportional_size(pid: int) -> int:
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def processes_of(harbour: Harbour) -> int:
    found = subprocess.run(["pgrep", "-f", harbour.paths.root], capture_output=True, text=True, check=False)
    return len(found.stdout.split())


def row(what: str, figure: float, target: str, how: str) -> None:
    sys.stdout.write(f"| {what} | {figure:.2f} | {target} | {how} |\n")


def measure(harbour: Harbour, bare_directory: pathlib.Path, rounds: int, crowd: int) -> None:
    model = harbour.start("model", *PROGRAM)
    spec = json.loads(pathlib.Path(harbour.paths.container(model.id), "config.json").read_text())
    bare = Bare(bare_directory, spec)
    try:
        turns = [
            (bare.start(f"bare-{turn}"), start_ours(harbour, f"ours-{turn}")) for turn in range(rounds + 1)
        ]
    finally:
        bare.close()
    alone, ours = (statistics.median(column) * 1000 for column in zip(*turns[1:]))
    times = f"bare {alone:.0f} ms, engine {ours:.0f} ms, median of {rounds}"
    row("create and start of a container ÷ bare conmon and crun", ours / alone, "at most 1.5", times)
    remove_container(harbour.engine, "model")
    size, count = memory(harbour, crowd)
    how = f"proportional set size of {count} processes, {crowd} containers that sleep"
    row("memory per running container, MB", size / crowd / 1e6, "at most 2.5", how)
    harbour.remove_all()
    time.sleep(1)
    row("processes on an idle host", processes_of(harbour), "0", "after the last container is gone")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--crowd", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coracle-bench-", dir="/var/tmp") as directory:
        run = pathlib.Path(tempfile.mkdtemp(prefix="coracle-bench-", dir="/run"))
        try:
            tar = pathlib.Path(directory, "busybox.tar")
            write_busybox_rootfs(tar)
            paths = Paths(os.path.join(directory, "root"), str(run / "run"))
            store_image(paths, tar)
            with Harbour(paths) as harbour:
                try:
                    (run / "bare").mkdir()
                    measure(harbour, run / "bare", asked.rounds, asked.crowd)
                finally:
                    harbour.remove_all()
        finally:
            shutil.rmtree(run)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
