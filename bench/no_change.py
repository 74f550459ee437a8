# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A `container` task that changes nothing ÷ an `ansible.builtin.ping` task: seconds, and bytes sent.

    bench/no_change.py [--rounds 20]

Local connection with pipelining, one playbook in which the two take turns; a task's time is from its start
to its result, as a user waits for it; medians. The container runs and is described by a dozen options.
Bytes are what Ansible puts on the target for a task; the first task of a bare target brings the engine.
Prints rows of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import typing as t

from stopwatch import ROOT, Measured, Playbooks, Task

sys.path.insert(0, str(ROOT))

from tests.integration.rootfs import write_busybox_rootfs

PING: Task = {"ansible.builtin.ping": {}}


class Bench:
    """An engine below `work`, and Ansible to give it tasks."""

    def __init__(self, work: pathlib.Path) -> None:
        self.work = work
        self.roots = {"root": str(work / "root"), "run_root": str(work / "run")}
        self.playbooks = Playbooks(work)
        write_busybox_rootfs(work / "busybox.tar")
        self.image = {
            "coracle.engine.image": {
                "name": "bench:1",
                "source": "rootfs",
                "path": str(work / "busybox.tar"),
                "cmd": ["/bin/sleep", "infinity"],
                **self.roots,
            }
        }
        self.container = {
            "coracle.engine.container": {
                "name": "bench",
                "image": "bench:1",
                "env": {"ONE": "1", "TWO": "2"},
                "labels": {"role": "bench"},
                "user": "app",
                "volumes": ["data:/data", f"{work}:/host:ro"],
                "tmpfs": ["/run:size=1m"],
                "memory": "64m",
                "cpus": 1,
                "pids_limit": 100,
                "restart_policy": "unless-stopped",
                "stop_timeout": 1,
                "network_mode": "none",
                **self.roots,
            }
        }
        self.absent = {
            "coracle.engine.container": {"name": "bench", "state": "absent", "force_kill": True, **self.roots}
        }

    def bytes_sent(self, task: Task) -> int:
        """Without pipelining, payloads and archives are files on the target, and are kept if one asks for
        it.
        """
        place = self.work / "sent"
        shutil.rmtree(place, ignore_errors=True)
        keep = {"ANSIBLE_PIPELINING": "false", "ANSIBLE_KEEP_REMOTE_FILES": "true"}
        self.playbooks.play([task], {**keep, "ANSIBLE_REMOTE_TMP": str(place)})
        return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="coracle-bench-", dir="/var/tmp") as directory:
        bench = Bench(pathlib.Path(directory))
        os.chmod(directory, 0o755)
        try:
            ping, first, next_ = map(bench.bytes_sent, (PING, bench.image, bench.container))
            measured = bench.playbooks.play([PING, bench.container] * (rounds + 1))[2:]
        finally:
            bench.playbooks.play([bench.absent])
    report(measured[::2], measured[1::2], ping, first, next_)
    return 0


def report(
    pings: t.Sequence[Measured], containers: t.Sequence[Measured], ping: int, first: int, next_: int
) -> None:
    if any(measured.changed for measured in containers):
        raise SystemExit("a container task that should have changed nothing has changed something")
    one, other = (statistics.median(task.seconds for task in tasks) for tasks in (pings, containers))
    times = f"ping {one * 1000:.0f} ms, container {other * 1000:.0f} ms, median of {len(pings)}"
    sys.stdout.write(
        f"| container task that changes nothing ÷ ping | {other / one:.2f} | at most 1.35 | {times} |\n"
    )
    sizes = f"ping {ping // 1000} kB, container {next_ // 1000} kB; "
    sizes += f"the first task of a bare target, with the engine, {first // 1000} kB"
    sys.stdout.write(
        f"| task payload of container ÷ that of ping | {next_ / ping:.2f} | at most 2 | {sizes} |\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
