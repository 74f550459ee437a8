# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A `container_info` task that looks at all of 200 running containers ÷ an `ansible.builtin.ping` task: their
states, and the whole documents.

    bench/info.py [--rounds 20] [--containers 200]

Local connection with pipelining, one playbook in which the three take turns; a task's time is from its start
to its result, as a user waits for it; medians. The engine is on the target already, as after any task that
has changed something. Needs root. Prints rows of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import tempfile

from stopwatch import ROOT, Measured, Playbooks, Task

sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.in_parallel import (
    in_parallel,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import (
    Harbour,
    store_image,
)
from ansible_collections.coracle.engine.tests.integration.rootfs import write_busybox_rootfs

PING: Task = {"ansible.builtin.ping": {}}


def measure(harbour: Harbour, playbooks: Playbooks, rounds: int, containers: int) -> list[Measured]:
    """The times of ping and of both looks in turns, after one turn that is not counted."""
    names = [f"app-{number}" for number in range(containers)]
    in_parallel(lambda name: harbour.start(name, "sleep", "100000", labels={"tier": "web"}), names)
    roots = {"root": harbour.paths.root, "run_root": harbour.paths.run_root}
    install = {"coracle.engine.volume": {"name": "bench", **roots}}
    whole = {"coracle.engine.container_info": roots, "register": "found"}
    states = {"coracle.engine.container_info": {"keys": ["State"], **roots}, "register": "found"}
    check = {
        "ansible.builtin.assert": {
            "that": [
                f"found.containers | length == {containers}",
                "found.containers | map(attribute='State.Status') | unique == ['running']",
            ]
        }
    }
    before = [install, whole, check, states, check]
    return playbooks.play([*before, *[PING, states, whole] * (rounds + 1)])[len(before) + 3 :]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--containers", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coracle-bench-", dir="/var/tmp") as directory:
        work = pathlib.Path(directory)
        write_busybox_rootfs(work / "busybox.tar")
        paths = Paths(str(work / "root"), str(work / "run"))
        store_image(paths, work / "busybox.tar")
        with Harbour(paths) as harbour:
            try:
                measured = measure(harbour, Playbooks(work), asked.rounds, asked.containers)
            finally:
                harbour.remove_all()
    pings, states, whole = (
        statistics.median(task.seconds for task in measured[place::3]) for place in range(3)
    )
    report("the states of", asked, pings, states, "at most 1.5")
    report("everything about", asked, pings, whole, "—")
    return 0


def report(what: str, asked: argparse.Namespace, ping: float, look: float, target: str) -> None:
    times = f"ping {ping * 1000:.0f} ms, container_info {look * 1000:.0f} ms, median of {asked.rounds}"
    figure = f"task that returns {what} {asked.containers} running containers ÷ ping"
    sys.stdout.write(f"| {figure} | {look / ping:.2f} | {target} | {times} |\n")


if __name__ == "__main__":
    raise SystemExit(main())
