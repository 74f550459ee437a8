# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers: one task of our module `containers` ÷ a loop of community.docker.docker_container and ÷
containers.podman.podman_containers.

    bench/containers.py [--rounds 3]

Each engine makes twenty containers that sleep on its default network, then is told the same again, then
removes them; the engines take turns, after one round that is not counted; medians. A time is that of the
whole task, or of the whole loop, as a user waits for it. Last, a hundred of ours that need nothing ÷ one.

Needs root, docker.io and podman. Prints rows of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import statistics
import sys
import typing as t

from neighbourhoods import COMMAND, IMAGE, Coracle, Docker, Neighbourhood, Podman, scratch_directory
from stopwatch import ROOT, Measured, Task

sys.path.insert(0, str(ROOT))

from tests.integration.rootfs import write_busybox_rootfs

MANY, VERY_MANY = 20, 100
REPEATS = 5
MADE, SAME = "created", "nothing to change"
TARGETS = {Docker: ("docker_container loop", 8), Podman: ("podman_containers", 4)}

Times = dict[tuple[str, str], list[float]]


def names(count: int) -> list[str]:
    return [f"bench-{number}" for number in range(count)]


def ours(engine: Coracle, count: int, **more: t.Any) -> Task:
    options = {
        "containers": [{"name": name} for name in names(count)],
        "defaults": {"image": IMAGE, "command": COMMAND, "force_kill": True},
        **more,
        **engine.roots,
    }
    return {"coracle.engine.containers": options}


def tasks_of(engine: Neighbourhood) -> tuple[Task, Task]:
    """To have twenty containers, and to have none."""
    if isinstance(engine, Coracle):
        return ours(engine, MANY), ours(engine, MANY, state="absent")
    if isinstance(engine, Docker):
        loop = {"loop": names(MANY)}
        options = {"name": "{{ item }}", "docker_host": engine.socket}
        made = {**options, "image": IMAGE, "command": COMMAND}
        gone = {**options, "state": "absent", "force_kill": True}
        module = "community.docker.docker_container"
        return {module: made, **loop}, {module: gone, **loop}
    declared = [
        {"name": name, "image": IMAGE, "command": COMMAND, "cgroup_parent": f"/{engine.cgroup}"}
        for name in names(MANY)
    ]
    # The module would wait ten seconds for each program that does not listen to signals.
    removal = {"argv": ["podman", "rm", "--force", "--time=0", *names(MANY)]}
    return (
        {"containers.podman.podman_containers": {"containers": declared}},
        {"ansible.builtin.command": removal},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with scratch_directory() as directory, contextlib.ExitStack() as stack:
        tar = directory / "busybox.tar"
        write_busybox_rootfs(tar)
        engines = [
            stack.enter_context(engine(directory / engine.name, tar)) for engine in (Coracle, Docker, Podman)
        ]
        report_peers(in_turns(engines, rounds))
        report_scale(t.cast(Coracle, engines[0]))
    return 0


def in_turns(engines: t.Sequence[Neighbourhood], rounds: int) -> Times:
    seconds: Times = collections.defaultdict(list)
    for number in range(rounds + 1):
        for engine in engines:
            made, gone = tasks_of(engine)
            first, again, last = engine.play(made, made, gone)
            check(engine, [first, last], changed=True)
            check(engine, [again], changed=False)
            if number:
                seconds[engine.name, MADE].append(first.seconds)
                seconds[engine.name, SAME].append(again.seconds)
    return seconds


def check(engine: Neighbourhood, tasks: t.Sequence[Measured], *, changed: bool) -> None:
    if any(task.changed != changed for task in tasks):
        raise SystemExit(f"a task of {engine.name} should have changed something, or nothing, and did not")


def report_peers(seconds: Times) -> None:
    for what in (MADE, SAME):
        ours_median = statistics.median(seconds[Coracle.name, what])
        for peer, (called, parts) in TARGETS.items():
            theirs = statistics.median(seconds[peer.name, what])
            how = f"coracle {ours_median:.2f} s, {peer.name} {theirs:.2f} s, median of "
            how += str(len(seconds[peer.name, what]))
            row(
                f"{MANY} containers, {what}: containers ÷ {called}",
                ours_median / theirs,
                f"at most 1/{parts}",
                how,
            )


def report_scale(engine: Coracle) -> None:
    many, one = ours(engine, VERY_MANY), ours(engine, 1)
    engine.play(many)
    try:
        measured = engine.play(*[one, many] * (REPEATS + 1))[2:]
    finally:
        engine.play(ours(engine, VERY_MANY, state="absent"))
    check(engine, measured, changed=False)
    small, large = (statistics.median(task.seconds for task in measured[part::2]) for part in (0, 1))
    how = f"one {small * 1000:.0f} ms, {VERY_MANY} {large * 1000:.0f} ms, median of {REPEATS}"
    row(f"{VERY_MANY} containers with nothing to change ÷ 1", large / small, "at most 1.5", how)


def row(what: str, figure: float, target: str, how: str) -> None:
    sys.stdout.write(f"| {what} | {figure:.2f} | {target} | {how} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
