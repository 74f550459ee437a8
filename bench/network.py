# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container on a bridge with a published port: ours ÷ docker's and podman's.

    bench/network.py [--rounds 5]

Tasks: an Ansible task creates and starts the container, through our module, community.docker.docker_container
and containers.podman.podman_container; the time is that of the whole task, as a user waits for it. The
engines take turns, four tasks at a time after one that is not counted; medians.

Traffic: from another host of the LAN through the published port to a server in the container's network,
in turns, over one TCP connection (throughput) and over a new one for each request (latency); medians.

Needs root, docker.io and podman. Prints rows of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import statistics
import sys
import typing as t

from neighbourhoods import CONTAINER_PORT, PORT, Coracle, Docker, Neighbourhood, Podman, scratch_directory
from stopwatch import ROOT
from traffic import latency, served, throughput

sys.path.insert(0, str(ROOT))

from ansible_collections.coracle.engine.tests.integration.network.lan import ADDRESSES
from tests.integration.rootfs import write_busybox_rootfs

TASKS_A_TURN = 4
SECONDS_A_TURN, REQUESTS_A_TURN = 0.5, 500
TURNS_A_ROUND = 4

Times = dict[str, list[float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with scratch_directory() as directory, contextlib.ExitStack() as stack:
        tar = directory / "busybox.tar"
        write_busybox_rootfs(tar)
        ours, docker, podman = (
            stack.enter_context(engine(directory / engine.name, tar)) for engine in (Coracle, Docker, Podman)
        )
        report_tasks(tasks([ours, docker, podman], rounds))
        report_traffic(*traffic([ours, docker], rounds * TURNS_A_ROUND))
    return 0


# Tasks


def tasks(engines: t.Sequence[Neighbourhood], rounds: int) -> Times:
    """Seconds of tasks that create and start a container, by engine."""
    seconds: Times = collections.defaultdict(list)
    for _round in range(rounds):
        for engine in engines:
            measured = engine.play(*[engine.started(), engine.absent()] * (TASKS_A_TURN + 1))
            if not all(task.changed for task in measured):
                raise SystemExit(f"a task of {engine.name} that should have changed something has not")
            seconds[engine.name] += [task.seconds for task in measured[2::2]]
    return seconds


def report_tasks(seconds: Times) -> None:
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    count = len(seconds[Coracle.name])
    for peer, target in ((Docker, "at most 0.8"), (Podman, "at most 0.6")):
        names = (Coracle.name, peer.name)
        how = ", ".join(f"{name} {medians[name] * 1000:.0f} ms" for name in names) + f", median of {count}"
        ratio = medians[Coracle.name] / medians[peer.name]
        row(f"task that starts a container with a published port ÷ {peer.name}'s", ratio, target, how)


# Traffic


def traffic(engines: t.Sequence[Neighbourhood], turns: int) -> tuple[Times, Times]:
    """Bytes per second, and seconds per request, by engine, from a neighbour through the published port."""
    bytes_per_second: Times = collections.defaultdict(list)
    seconds: Times = collections.defaultdict(list)
    with contextlib.ExitStack() as stack:
        for engine in engines:
            stack.enter_context(served(engine.lan, stack.enter_context(engine.container()), CONTAINER_PORT))
        for turn in range(turns):
            for engine in engines[:: 1 if turn % 2 else -1]:
                way = (engine.lan, "neighbour", ADDRESSES["host"], PORT)
                bytes_per_second[engine.name].append(throughput(*way, SECONDS_A_TURN))
                seconds[engine.name].append(latency(*way, REQUESTS_A_TURN))
    return bytes_per_second, seconds


def report_traffic(bytes_per_second: Times, seconds: Times) -> None:
    for what, values, factor, unit, target in (
        ("TCP throughput", bytes_per_second, 1e-9, "GB/s", "at least 1.0, within noise"),
        ("request latency", seconds, 1e6, "µs", "at most 1.0, within noise"),
    ):
        medians = {name: statistics.median(column) for name, column in values.items()}
        ratios = [ours / peers for ours, peers in zip(values[Coracle.name], values[Docker.name])]
        low, _median, high = statistics.quantiles(ratios, n=4)
        how = ", ".join(f"{name} {median * factor:.3g} {unit}" for name, median in medians.items())
        how += f", median of {len(ratios)} turns; half of the turns between {low:.2f} and {high:.2f}"
        row(f"{what} through a published port ÷ docker's", statistics.median(ratios), target, how)


def row(what: str, figure: float, target: str, how: str) -> None:
    sys.stdout.write(f"| {what} | {figure:.2f} | {target} | {how} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
