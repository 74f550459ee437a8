# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What containers use and which processes run in them; ps(1) is the judge of what is shown."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.processes import (
    list_processes,
    parse_columns,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.status import cgroup_of
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.look_at_containers import (
    look_at,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.measure_containers import (
    measure,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pause_container import (
    pause_container,
)
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until


def use(harbour: Harbour, name: str, interval: float = 0.0) -> dict[str, t.Any]:
    [found] = measure(harbour.engine, look_at(harbour.engine, [harbour.record(name)]), interval)
    assert found is not None
    return found


def test_processor_time(harbour: Harbour) -> None:
    harbour.start("busy", "sh", "-c", "while :; do :; done", cpus=0.3)
    harbour.start("idle", "sleep", "1000")
    seen = look_at(harbour.engine, [harbour.record("busy"), harbour.record("idle")])
    busy, idle = measure(harbour.engine, seen, 1.5)
    assert busy is not None
    assert idle is not None
    assert 1 < busy["CPU"] < 40  # others may be busy, too
    assert busy["Interval"] > 1.4
    assert idle["CPU"] < 1
    assert 0 < idle["CPUNano"] < 10**9
    assert 1 < use(harbour, "busy")["CPU"] < 60


def test_memory_and_processes(harbour: Harbour) -> None:
    harbour.start(
        "job",
        "sh",
        "-c",
        "head -c 30000000 /dev/zero | tail -n 2 & sleep 1000 | sleep 1000",
        memory=100 << 20,
    )
    found = wait_until(lambda: use(harbour, "job"), lambda found: found["MemUsage"] > 30_000_000)
    assert found["MemUsage"] < 90 << 20
    assert found["MemLimit"] == 100 << 20
    assert found["MemPerc"] == pytest.approx(100 * found["MemUsage"] / (100 << 20), abs=0.01)
    assert 3 <= found["PIDs"] <= 6
    assert (found["NetInput"], found["NetOutput"]) == (0, 0)


def test_page_cache_is_not_use(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "head -c 40000000 /dev/zero > /file; sync; echo done; sleep 1000")
    wait_until(lambda: harbour.output("job"), lambda text: text == "done\n")
    assert use(harbour, "job")["MemUsage"] < 20_000_000


def test_without_a_limit_it_is_the_memory_of_the_host(harbour: Harbour) -> None:
    harbour.start("job", "sleep", "1000")
    with open("/proc/meminfo", encoding="ascii") as file:
        total = int(file.readline().split()[1]) * 1024
    assert use(harbour, "job")["MemLimit"] == total


def test_what_does_not_run_uses_nothing(harbour: Harbour) -> None:
    harbour.create("never", "true")
    assert measure(harbour.engine, look_at(harbour.engine, [harbour.record("never")])) == [None]
    harbour.start("job", "sleep", "1000")
    pause_container(harbour.engine, "job")
    assert use(harbour, "job", 0.1)["CPU"] == 0


def rows(harbour: Harbour, name: str, *words: str) -> list[list[str]]:
    pids = cgroups.processes(cgroup_of(harbour.paths, harbour.record(name).id))
    found = list_processes(pids, parse_columns(words, "columns"))
    return [found["Titles"], *found["Processes"]]


def judged(pids: t.Iterable[str], *words: str) -> list[list[str]]:
    asked = ["ps", *words, "-p", ",".join(pids)]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    width = len(lines[0].split())
    return [line.split(maxsplit=width - 1) for line in lines]


def test_top(harbour: Harbour) -> None:
    harbour.start("job", "sh", "-c", "sleep 1111 & exec sleep 2222", user="app")
    found = wait_until(lambda: rows(harbour, "job"), lambda found: len(found) == 3)
    assert found[0] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert [row[-1] for row in found[1:]] == ["sleep 2222", "sleep 1111"]
    assert found[2][2] == found[1][1] == str(harbour.status("job").pid)
    assert found == judged([row[1] for row in found[1:]], "-o", "user=UID,pid,ppid,c,stime,tname,time,cmd")


@pytest.mark.parametrize(
    "columns",
    [
        "pid,ruser,group,ni,pri,nlwp,s,args",
        "pid,pgid,sid,vsz,tty,comm",
        "pid,uid,gid,%mem,lstart,cmd",
        "pid,stat,psr,command",
    ],
)
def test_columns_as_ps_has_them(harbour: Harbour, columns: str) -> None:
    harbour.start("job", "sh", "-c", "sleep 1111 & exec sleep 2222")
    found = wait_until(lambda: rows(harbour, "job", "-o", columns), lambda found: len(found) == 3)
    pids = [row[0] for row in found[1:]]

    def both() -> tuple[list[list[str]], list[list[str]]]:
        """A process that sleeps is now and then seen as running."""
        titles, *others = judged(pids, "-o", columns)
        return rows(harbour, "job", "-o", columns), [titles, *(_whole(row, titles) for row in others)]

    wait_until(both, lambda pair: pair[0] == pair[1], 10)


def _whole(row: list[str], titles: list[str]) -> list[str]:
    """`Tue Nov 24 14:00:00 2026` has five words."""
    if "STARTED" not in titles:
        return row
    at = titles.index("STARTED")
    words = " ".join(row).split()
    begun = f"{words[at]} {words[at + 1]} {words[at + 2]:>2} {words[at + 3]} {words[at + 4]}"
    return [*words[:at], begun, " ".join(words[at + 5 :])]


def test_styles(harbour: Harbour) -> None:
    harbour.start("job", "sleep", "1000")
    assert rows(harbour, "job", "aux")[0] == judged(["1"], "u")[0]
    assert rows(harbour, "job", "-e")[0] == judged(["1"])[0]
    assert rows(harbour, "job", "-eo", "pid,user=WHO")[0] == ["PID", "WHO"]
    assert rows(harbour, "job", "nspid", "comm")[1] == ["1", "sleep"]
