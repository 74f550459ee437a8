# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand published ports: how long their table takes to be replaced, and what it costs a packet.

    bench/ports.py [--rounds 9] [--ports 1000]

Inside the engine, without Ansible. Replacement: the table has been deleted, the kernel remembers connections
through it, and all ports lead to another container now, so that those connections have to be forgotten, too.
Latency: from another host of the LAN through a published port to a server in the container, over a new TCP
connection for each request, with one port and with all of them in turns. Medians. Needs root. Prints rows of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

from neighbourhoods import scratch_directory
from stopwatch import ROOT
from traffic import latency, served

sys.path.insert(0, str(ROOT))

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.port_values import (
    parse_published_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.ports import (
    reserve_ports,
    take_over_ports,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.update_firewall import (
    update_firewall,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, store_image
from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES, Lan
from tests.integration.rootfs import write_busybox_rootfs

FIRST, CONTAINER_PORT = 10000, 80
REQUESTS_A_TURN = 500
TABLE_TARGET, LATENCY_TARGET = "under 200", "at most 1.0, within noise"


class Ports:
    """Two containers on a bridge, and ports that lead to one of them."""

    def __init__(self, harbour: Harbour, lan: Lan) -> None:
        self.harbour = harbour
        self.lan = lan
        self.ids = [harbour.start(name, "sleep", "1000", network_mode="bridge").id for name in ("one", "two")]

    def publish(self, count: int) -> None:
        with self.harbour.engine.database.transaction() as transaction:
            reserve_ports(transaction, self.ids[0], _wanted(count))
        update_firewall(self.harbour.engine)

    def replace(self, count: int) -> float:
        """Seconds until the ports of one container lead to the other."""
        with self.harbour.engine.database.transaction() as transaction:
            take_over_ports(transaction, *self.ids, _wanted(count))
        self.ids.reverse()
        table = self.harbour.paths.instance
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)
        began = time.perf_counter()
        update_firewall(self.harbour.engine)
        return time.perf_counter() - began

    def latency(self) -> float:
        return latency(self.lan, "neighbour", ADDRESSES["host"], FIRST, REQUESTS_A_TURN)

    def places(self) -> list[str]:
        return [self.harbour.paths.network_namespace(container_id) for container_id in self.ids]


def _wanted(count: int) -> list[dict[str, t.Any]]:
    return parse_published_ports([f"{FIRST}-{FIRST + count - 1}:{CONTAINER_PORT}"], "ports")


def measure(ports: Ports, rounds: int, count: int) -> None:
    requests: dict[int, list[float]] = {1: [], count: []}
    seconds = []
    with contextlib.ExitStack() as stack:
        for place in ports.places():
            stack.enter_context(served(ports.lan, place, CONTAINER_PORT))
        for _round in range(rounds):
            for number, times in requests.items():
                ports.publish(number)
                times.append(ports.latency())
            seconds.append(ports.replace(count))
    report(seconds, requests, count)


def report(seconds: t.Sequence[float], requests: t.Mapping[int, t.Sequence[float]], count: int) -> None:
    milliseconds = [value * 1000 for value in seconds]
    forgotten = REQUESTS_A_TURN * len(requests)
    how = f"median of {len(seconds)}, at most {max(milliseconds):.0f}; {forgotten} connections forgotten"
    row(f"table of {count} published ports replaced, ms", statistics.median(milliseconds), TABLE_TARGET, how)
    ratios = [many / one for one, many in zip(*requests.values())]
    low, _median, high = statistics.quantiles(ratios, n=4)
    how = ", ".join(
        f"{number}: {statistics.median(times) * 1e6:.3g} µs" for number, times in requests.items()
    )
    how += f", median of {len(ratios)} turns; half of the turns between {low:.2f} and {high:.2f}"
    row(
        f"request latency with {count} published ports ÷ with 1",
        statistics.median(ratios),
        LATENCY_TARGET,
        how,
    )


def row(what: str, figure: float, target: str, how: str) -> None:
    sys.stdout.write(f"| {what} | {figure:.2f} | {target} | {how} |\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ports", type=int, default=1000)
    asked = parser.parse_args()
    with scratch_directory() as directory, tempfile.TemporaryDirectory(dir="/run") as run, Lan() as lan:
        tar = pathlib.Path(directory, "busybox.tar")
        write_busybox_rootfs(tar)
        paths = Paths(str(directory / "root"), f"{run}/run")
        store_image(paths, tar)
        with lan.inside("host"), Harbour(paths) as harbour:
            try:
                measure(Ports(harbour, lan), asked.rounds, asked.ports)
            finally:
                harbour.remove_all()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
