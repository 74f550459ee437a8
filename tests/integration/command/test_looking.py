# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Words that look into containers: logs, stats, top, diff, wait, info, version."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess

from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.command.shore import Shore
from ansible_collections.coracle.engine.tests.integration.container.harbour import Harbour, wait_until

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


def ended(harbour: Harbour, name: str, script: str) -> str:
    record = harbour.start(name, "sh", "-c", script)
    wait_container(harbour.engine, name)
    return record.id


def test_logs(harbour: Harbour, coracle: Shore) -> None:
    container_id = ended(harbour, "job", "seq 3; echo wrong >&2; printf end")
    answer = coracle.run("logs", "job")
    assert (answer.out, answer.err) == ("1\n2\n3\nend", "wrong\n")
    assert coracle.run("logs", "-n", "2", container_id[:8]).out == "end"
    assert coracle.run("logs", "--tail=all", "job").out == "1\n2\n3\nend"
    stamped = coracle.run("container", "logs", "-ft", "--tail", "3", "job")
    assert re.fullmatch(rf"{STAMP} 3\n{STAMP} end", stamped.out)
    assert re.fullmatch(rf"{STAMP} wrong\n", stamped.err)
    assert coracle("logs", "--until", "10m", "job") == ""
    assert coracle.run("logs", "--since", "10m", "job").out == "1\n2\n3\nend"
    assert [entry["stream"] for entry in coracle.json("logs", "job")].count("stderr") == 1
    assert coracle.refused("logs", "nobody") == "Error: No such container: nobody\n"
    assert "--since: 'soon' is not a time" in coracle.refused("logs", "--since", "soon", "job")


def test_logs_as_bytes(harbour: Harbour, coracle: Shore) -> None:
    ended(harbour, "job", r"printf 'a\0\377\033[1m\r\n'")
    done = subprocess.run([coracle.program, "logs", "job"], capture_output=True, check=True)
    assert done.stdout == b"a\0\377\033[1m\r\n"


def test_logs_followed(harbour: Harbour, coracle: Shore) -> None:
    harbour.start("job", "sh", "-c", "i=0; while [ $i -lt 5 ]; do i=$((i+1)); echo $i; sleep 0.1; done")
    assert coracle("logs", "-f", "job") == "1\n2\n3\n4\n5\n"


def test_logs_followed_until_ctrl_c(harbour: Harbour, coracle: Shore) -> None:
    harbour.start("job", "sh", "-c", "echo here; sleep 1000")
    with coracle.at_terminal("logs", "-f", "job") as terminal:
        terminal.wait_for("here\r\n")
        terminal.type("\3")
        assert terminal.end() == 130
    assert harbour.status("job").status == "running"


def test_stats(harbour: Harbour, coracle: Shore) -> None:
    one = harbour.start("one", "sh", "-c", "while :; do :; done", cpus=0.3, memory=64 << 20)
    harbour.create("two", "true")
    header, row = coracle("stats", "--no-stream").splitlines()
    assert re.split(r" {2,}", header) == [
        "CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS",
    ]  # fmt: skip
    cells = re.split(r" {2,}", row)
    assert cells[:2] == [one.id[:12], "one"]
    assert 1 < float(cells[2].rstrip("%")) < 45
    assert re.fullmatch(r"[\d.]+KiB / 64MiB|[\d.]+MiB / 64MiB", cells[3])
    assert cells[5:] == ["0B / 0B", cells[6], "1"]
    lines = coracle("stats", "--no-stream", "-a", "--format", "{{.Name}} {{.MemUsage}}").splitlines()
    assert lines[1] == "two -- / --"
    [row] = coracle.json("stats", "--no-stream", one.id[:10])
    assert (row["Name"], row["Container"]) == ("one", one.id[:10])
    assert coracle.refused("stats", "nobody") == "Error: No such container: nobody\n"


def test_stats_live(harbour: Harbour, coracle: Shore) -> None:
    harbour.start("one", "sleep", "1000")
    with coracle.at_terminal("stats", columns=120) as terminal:
        for _look in range(2):
            terminal.wait_for("\033[H\033[JCONTAINER ID")
            terminal.wait_for("one")
        terminal.type("\3")
        assert terminal.end() == 130


def test_top(harbour: Harbour, coracle: Shore) -> None:
    container_id = harbour.start("web", "sh", "-c", "sleep 1111 & exec sleep 2222").id
    wait_until(lambda: coracle("top", "web"), lambda text: "sleep 1111" in text and "sleep 2222" in text)
    lines = coracle("top", "web").splitlines()
    assert (
        lines[0]
        == "".join(f"{word:20}" for word in ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME")) + "CMD"
    )
    pid = str(harbour.status("web").pid)
    assert lines[1].split()[:2] == ["root", pid]
    assert coracle("top", "web", "-o", "pid,nspid,args").splitlines()[1].split(maxsplit=2) == [
        pid,
        "1",
        "sleep 2222",
    ]
    assert json.loads(coracle("top", "--json", "web", "aux"))["Titles"][0] == "USER"
    assert "there is no column 'nosuch'" in coracle.refused("top", "web", "-o", "nosuch")
    harbour.create("idle", "true")
    idle = harbour.record("idle").id
    assert coracle.refused("top", "idle") == f"Error: Container {idle} is not running\n"
    assert container_id != idle


def test_diff(harbour: Harbour, coracle: Shore) -> None:
    ended(harbour, "job", "echo x > /new; rm /etc/group; echo more >> /etc/passwd")
    assert coracle("diff", "job") == "C /etc\nD /etc/group\nC /etc/passwd\nA /new\n"
    assert coracle.json("diff", "job")[0] == {"Kind": "C", "Path": "/etc"}


def test_wait(harbour: Harbour, coracle: Shore) -> None:
    harbour.start("one", "sh", "-c", "sleep 0.5; exit 3")
    harbour.start("two", "true")
    assert coracle("wait", "one", "two") == "3\n0\n"
    assert coracle.json("wait", "one") == [{"name": "one", "exit_code": 3}]
    answer = coracle.run("wait", "nobody", "two")
    assert answer == (1, "0\n", "Error: No such container: nobody\n")


def held_by(pid: int) -> list[str]:
    """What the process has open; with a pidfd it has begun to wait."""
    directory = f"/proc/{pid}/fd"
    with contextlib.suppress(FileNotFoundError):
        return [os.readlink(os.path.join(directory, fd)) for fd in os.listdir(directory)]
    return []


def test_wait_until_ctrl_c(harbour: Harbour, coracle: Shore) -> None:
    harbour.start("one", "sleep", "1000")
    waiting = subprocess.Popen([coracle.program, "wait", "one"], stdout=subprocess.PIPE)
    wait_until(lambda: held_by(waiting.pid), lambda names: "anon_inode:[pidfd]" in names)
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(10) == 130
    assert waiting.stdout is not None
    waiting.stdout.close()


def test_info_and_version(harbour: Harbour, coracle: Shore) -> None:
    harbour.start("one", "sleep", "1000")
    harbour.create("two", "true")
    lines = coracle("info").splitlines()
    assert lines[:5] == ["Containers: 2", " Running: 1", " Paused: 0", " Stopped: 1", "Images: 1"]
    assert coracle("info", "-f", "{{.ContainersRunning}} {{.Driver}}") == "1 overlay\n"
    assert json.loads(coracle("info", "-f", "json"))["ContainersStopped"] == 1
    assert coracle.json("info")["ready"] is True
    assert coracle("version").splitlines()[0] == "Coracle:"
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", coracle("version", "-f", "{{.Server.Version}}"))
    names = [part["Name"] for part in coracle.json("version")["Server"]["Components"]]
    assert names[:2] == ["crun", "conmon"]
    assert coracle("--version") == coracle("version")
