# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""container_info with filters and extras, container_logs, container_wait, host_info: as users call them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.records import find_container
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux.locks import lock
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.wait_container import (
    wait_container,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import (
    REPOSITORY,
    TARGET_PYTHON,
    Result,
    Target,
    Task,
)

SLEEP = {"command": ["sleep", "1000"], "stop_timeout": 1, "stop_signal": "SIGKILL"}


def task(target: Target, module: str, check: bool = False, **options: t.Any) -> Task:
    roots = {"root": target.paths.root, "run_root": target.paths.run_root}
    return {f"coracle.engine.{module}": {**options, **roots}, "check_mode": check}


def names(result: Result) -> list[str]:
    assert "containers" in result, result
    return [container["Name"][1:] for container in result["containers"]]


def ended(target: Target, name: str, script: str, **options: t.Any) -> None:
    target.make(name=name, command=["sh", "-c", script], **options)
    with Engine(target.paths) as engine:
        wait_container(engine, name)


def test_on_a_bare_host(bare_target: Target) -> None:
    info, wait, logs, host = bare_target.run(
        task(bare_target, "container_info", stats=True, processes=True, changes=True, size=True, logs=1),
        task(bare_target, "container_wait", name="web", state="removed"),
        task(bare_target, "container_logs", name="web"),
        task(bare_target, "host_info", disk_usage=True, check=True),
    )
    assert info["containers"] == []
    assert wait["containers"] == [{"name": "web", "status": "removed", "exit_code": None, "line": None}]
    assert logs["msg"] == "there is no container web"
    assert (host["changed"], host["counts"]["containers"]["total"]) == (False, 0)
    assert not os.path.exists(bare_target.paths.root)
    assert not os.path.exists(bare_target.paths.run_root)


def test_filters(target: Target) -> None:
    target.make(name="web-1", labels={"app": "shop", "coracle.project": "shop"}, **SLEEP)
    target.make(name="web-2", labels={"app": "blog"}, volumes=["data:/data"], **SLEEP)
    ended(target, "job", "exit 3")
    target.make(name="idle", state="present")
    asked = {
        "name": ({"name": "web-*"}, ["web-1", "web-2"]),
        "whole": ({"name": "web"}, []),
        "label": ({"label": "app"}, ["web-1", "web-2"]),
        "value": ({"label": ["app=shop", "coracle.project"]}, ["web-1"]),
        "status": ({"status": ["exited", "created"]}, ["job", "idle"]),
        "image": ({"ancestor": target.image, "status": "created"}, ["idle"]),
        "other": ({"image": "nothing:1"}, []),
        "network": ({"network": "none"}, ["web-1", "web-2", "job", "idle"]),
        "volume": ({"volume": "data"}, ["web-2"]),
        "place": ({"volume": "/data"}, ["web-2"]),
        "project": ({"project": "shop"}, ["web-1"]),
        "health": ({"health": "none", "name": "w*"}, ["web-1", "web-2"]),
        "code": ({"exit_code": [1, 3]}, ["job"]),
        "before": ({"before": "job"}, ["web-1", "web-2"]),
        "since": ({"since": "web-2"}, ["job", "idle"]),
    }
    results = target.run(
        *(task(target, "container_info", filters=given) for given, _wanted in asked.values()),
        task(target, "container_info", name=["job", "web-1"], filters={"status": "running"}),
        task(target, "container_info", filters={"since": "nobody"}),
        *(target.container(name=name, state="absent") for name in ("web-1", "web-2", "job", "idle")),
        task(target, "volume", name="data", state="absent"),
    )
    found = {key: names(result) for key, result in zip(asked, results)}
    assert found == {key: wanted for key, (_given, wanted) in asked.items()}
    both, unknown = results[len(asked) :][:2]
    assert (names(both), both["missing"], both["exists"]) == (["web-1"], [], True)
    assert unknown["msg"] == "there is no container nobody"


def test_extras(target: Target) -> None:
    script = "echo hello; echo x > /new; while :; do :; done"
    target.make(name="web", command=["sh", "-c", script], cpus=0.3, memory="64m", **_without_command(SLEEP))
    target.make(name="idle", state="present")
    everything = {"stats": True, "stats_interval": 0.5, "changes": True, "size": True, "logs": 5}
    plain, lean, full, bad, worse = target.run(
        task(target, "container_info", name="web"),
        task(target, "container_info", keys=["State", "Nosuch"], logs=1),
        task(target, "container_info", processes_columns=["pid", "user", "args"], **everything),
        task(target, "container_info", processes_columns=["nosuch"]),
        task(target, "container_info", stats=True, stats_interval=-1),
    )
    extras = {"Stats", "Processes", "Changes", "SizeRw", "SizeRootFs", "Logs"}
    assert not extras & plain["container"].keys()
    assert [set(each) for each in lean["containers"]] == 2 * [{"Id", "Name", "State", "Logs"}]
    web, idle = full["containers"]
    assert extras <= web.keys() & idle.keys()
    assert 1 < web["Stats"]["CPU"] < 60
    assert (web["Stats"]["MemLimit"], idle["Stats"], idle["Processes"]) == (64 << 20, None, None)
    assert web["Processes"]["Titles"] == ["PID", "USER", "COMMAND"]
    assert web["Processes"]["Processes"][0][:2] == [str(web["State"]["Pid"]), "root"]
    assert (web["Changes"], idle["Changes"]) == ([{"Kind": "A", "Path": "/new"}], [])
    assert (web["SizeRw"], idle["SizeRw"]) == (2, 0)
    assert web["SizeRootFs"] == idle["SizeRootFs"] + 2
    assert (web["Logs"], idle["Logs"]) == (["hello"], [])
    assert "there is no column 'nosuch'" in bad["msg"]
    assert "stats_interval" in worse["msg"]
    target.remove()
    target.remove("idle")


def _without_command(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in options.items() if key != "command"}


def test_logs(target: Target) -> None:
    ended(target, "job", "seq 5; sleep 1; echo wrong >&2")
    every, last, matching, shapes, small, bad, worse = target.run(
        task(target, "container_logs", name="job"),
        task(target, "container_logs", name="job", tail=2, timestamps=True, check=True),
        task(target, "container_logs", name="job", grep="^[2-3]$", stream="stdout", since="10m"),
        task(target, "container_logs", name="job", tail=1, format=["text", "entries"]),
        task(target, "container_logs", name="job", max_size="8b"),
        task(target, "container_logs", name="job", grep="("),
        task(target, "container_logs", name="job", since="long ago"),
    )
    assert (every["lines"], every["truncated"]) == (["1", "2", "3", "4", "5", "wrong"], False)
    assert [line.split("Z ")[1] for line in last["lines"]] == ["5", "wrong"]
    assert matching["lines"] == ["2", "3"]
    [entry] = shapes["entries"]
    assert (shapes["text"], entry["stream"], entry["line"]) == ("wrong\n", "stderr", "wrong")
    assert "lines" not in shapes
    assert (small["lines"], small["truncated"]) == (["5", "wrong"], True)
    assert "grep: '(' is not a regular expression" in bad["msg"]
    assert "since: 'long ago' is not a time" in worse["msg"]
    target.remove("job")


def test_wait(target: Target) -> None:
    target.make(name="web", command=["sh", "-c", "echo ready; sleep 1000"], **_without_command(SLEEP))
    ended(target, "job", "echo broken; exit 3")
    line, code, wrong, late, unhealthy, nothing, senseless = target.run(
        task(target, "container_wait", name="web", log="^ready$", timeout=20),
        task(target, "container_wait", name=["job"], state="exited", exit_code=[0, 3], check=True),
        task(target, "container_wait", name="job", state="exited", exit_code=0),
        task(target, "container_wait", name=["web", "job"], state="exited", timeout=0.2),
        task(target, "container_wait", name="web", state="healthy"),
        task(target, "container_wait", name="web"),
        task(target, "container_wait", name="web", state="running", exit_code=0),
    )
    assert line["containers"] == [{"name": "web", "status": "running", "exit_code": None, "line": "ready"}]
    assert (code["containers"][0]["exit_code"], code["changed"]) == (3, False)
    assert wrong["msg"] == "container job ended with code 3; last lines: broken"
    assert late["msg"] == "not ended after 0.2 s: web: running; last lines: ready"
    assert late["containers"]["job"] == {"status": "exited", "exit_code": 3, "last_lines": ["broken"]}
    assert "has no health check (wait for state running" in unhealthy["msg"]
    assert "one of the following is required: state, log" in nothing["msg"]
    assert senseless["msg"].startswith("exit_code: ")
    target.remove()
    target.remove("job")


def test_host(target: Target) -> None:
    target.make(**SLEEP)
    [host] = target.run(task(target, "host_info", disk_usage=True))
    assert (host["ready"], host["problems"]) == (True, [])
    assert host["components"]["crun"]["path"].endswith("/crun")
    assert host["counts"]["containers"]["running"] == host["counts"]["containers"]["total"] == 1
    assert host["counts"]["images"] == host["disk_usage"]["images"]["total"] == 1
    assert host["disk_usage"]["images"]["size"] > 100_000
    assert host["cgroups"]["mode"] in ("v1", "hybrid", "v2")
    assert host["storage"]["free"] < host["storage"]["size"]
    target.remove()


def test_what_is_missing_is_said(bare_target: Target) -> None:
    """On a host with nothing but Python, here: where the programs are hidden."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1] + '/.collections')\n"
        "from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import open_engine\n"
        "from ansible_collections.coracle.engine.plugins.module_utils.runtime import operations\n"
        "import importlib, json\n"
        "describe_host = importlib.import_module('.describe_host', operations.__name__).describe_host\n"
        "with open_engine(sys.argv[2], sys.argv[3]) as engine:\n"
        "    print(json.dumps(describe_host(engine)))\n"
    )
    hidden = ["/usr/bin/crun", "/usr/bin/conmon", "/usr/sbin/nft"]
    mounts = " && ".join(f"mount --bind /dev/null {path}" for path in hidden)
    command = ["unshare", "--mount", "sh", "-ec", f'{mounts} && exec "$@"', "sh", TARGET_PYTHON, "-c", script]
    done = subprocess.run(
        [*command, str(REPOSITORY), *bare_target.paths], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert (found["ready"], found["components"]["crun"]) == (False, None)
    said = {problem["message"]: problem["needed_for"] for problem in found["problems"]}
    assert said["crun is not installed"] == said["conmon is not installed"] == "everything"
    assert said["nft is not installed"] == "networks"
    assert all(problem["hint"] for problem in found["problems"])


def test_looking_waits_for_no_lock(target: Target) -> None:
    target.make(name="web", command=["sh", "-c", "echo hello; sleep 1000"], **_without_command(SLEEP))
    with Engine(target.paths) as engine, contextlib.ExitStack() as held:
        record: t.Any = find_container(engine.records, "web")
        for name in ("content", f"container-{record.id}", "names"):
            held.enter_context(lock(target.paths, name))
        held.enter_context(engine.database.transaction()).execute("UPDATE containers SET name = name")
        info, logs, wait, host = target.run(
            task(target, "container_info", stats=True, processes=True, changes=True, size=True, logs=1),
            task(target, "container_logs", name="web"),
            task(target, "container_wait", name="web", state="running"),
            task(target, "host_info", disk_usage=True),
        )
    assert info["containers"][0]["Logs"] == logs["lines"] == ["hello"]
    assert wait["containers"][0]["status"] == "running"
    assert host["counts"]["containers"]["running"] == 1
    target.remove()
