# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Many containers in one task: made, looked at again, changed, and gone; each after what it depends on."""

from __future__ import annotations

import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target, Task
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import QUICK

Declaration = dict[str, t.Any]


def project(target: Target, *containers: Declaration, check: bool = False, **options: t.Any) -> Task:
    """A task of the module containers; its containers are quick and have no network."""
    defaults = {"image": target.image, "network_mode": "none", **QUICK, **options.pop("defaults", {})}
    return target._task(
        "coracle.engine.containers",
        check,
        True,
        {
            "containers": list(containers),
            "defaults": defaults,
            "insecure_registries": [target.registry],
            **options,
        },
    )


def states(target: Target) -> dict[str, str]:
    [seen] = target.run(target.info())
    return {each["Name"][1:]: each["State"]["Status"] for each in seen["containers"]}


def entry(result: Result, name: str) -> Result:
    [found] = [each for each in result["results"] if each["name"] == name]
    return t.cast(Result, found)


def test_check_do_again(target: Target) -> None:
    declared: list[Declaration] = [
        {"name": "web", "depends_on": ["db"], "labels": {"a": "b"}},
        {"name": "db", "env": {"A": "1"}},
        {"name": "once", "state": "present"},
    ]
    more = {"volumes": [{"name": "data"}], "defaults": {"labels": {"c": "d"}}, "project": "shop"}
    planned, done, again, again_planned, gone, nothing = target.run(
        project(target, *declared, check=True, **more),
        project(target, *declared, **more),
        project(target, *declared, **more),
        project(target, *declared, check=True, **more),
        project(target, project="shop", state="absent", check=False),
        project(target, project="shop", state="absent"),
    )
    assert [result.get("msg") for result in (planned, done, again, again_planned, gone, nothing)] == [
        None
    ] * 6
    image = target.image
    assert done["actions"] == [
        "create volume data",
        f"create container web from {image}",
        "start container web",
        f"create container db from {image}",
        "start container db",
        f"create container once from {image}",
    ]
    for key in ("changed", "actions", "results", "diff"):
        assert planned[key] == done[key]
        assert again[key] == again_planned[key]
    assert [again["changed"], nothing["changed"]] == [False, False]
    assert again["actions"] == []
    assert set(gone["actions"]) == {
        "stop container web",
        "remove container web",
        "stop container db",
        "remove container db",
        "remove container once",
    }
    assert gone["actions"].index("remove container web") < gone["actions"].index("stop container db")
    [volumes, seen] = target.run(target.volume_info(), target.info())
    assert volumes["volumes"][0]["Labels"] == {"coracle.project": "shop"}
    assert seen["containers"] == []
    [left] = target.run(target.volume(state="absent"))
    assert left["changed"]


def test_who_depends_on_another_begins_after_it(target: Target) -> None:
    declared: list[Declaration] = [
        {"name": "last", "depends_on": {"job": {"condition": "service_completed_successfully"}}},
        {"name": "job", "command": ["sleep", "2"], "depends_on": "first"},
        {"name": "first"},
    ]
    [done, again] = target.run(project(target, *declared), project(target, *declared[:1], declared[2]))
    assert not done.get("failed"), done
    [seen] = target.run(target.info())
    at = {each["Name"][1:]: each["State"] for each in seen["containers"]}
    assert at["first"]["StartedAt"] < at["job"]["StartedAt"]
    assert at["job"]["FinishedAt"] < at["last"]["StartedAt"]
    assert "last depends on job, which is not declared here" in again["msg"]
    for name in at:
        target.remove(name)


def test_a_job_that_is_done_is_done(target: Target) -> None:
    """Unless its declaration changes; and one that ends badly is a failure, whoever waits for it or not."""

    def declared(code: int) -> list[Declaration]:
        return [
            {"name": "job", "command": ["sh", "-c", f"exit {code}"]},
            {"name": "app", "depends_on": {"job": {"condition": "completed"}}},
        ]

    done, again, failed, still = target.run(
        project(target, *declared(0)),
        project(target, *declared(0)),
        project(target, *declared(3)),
        project(target, *declared(3)),
    )
    assert not done.get("failed"), done
    assert (again["changed"], again["actions"]) == (False, [])
    assert "job: container job ended with code 3" in failed["msg"]
    assert "start container job: it is exited" in still["actions"]
    assert "job: container job ended with code 3" in still["msg"]
    assert states(target) == {"job": "exited", "app": "running"}
    for name in ("job", "app"):
        target.remove(name)


def test_a_failure_stops_those_that_depend_on_it_and_nobody_else(target: Target) -> None:
    declared: list[Declaration] = [
        {"name": "bad", "command": ["/no/such/program"]},
        {"name": "after", "depends_on": ["bad"]},
        {"name": "later", "depends_on": ["after"]},
        {"name": "apart"},
        {"name": "lost", "image": f"{target.registry}/nowhere:1"},
    ]
    refused, failed = target.run(project(target, *declared), project(target, *declared[:-1]))
    assert "has no repository nowhere" in refused["msg"]
    assert "results" not in refused
    assert failed["msg"].startswith("3 of 4 containers failed: bad: start container bad: crun create: ")
    assert entry(failed, "after")["msg"] == "was left alone: it depends on bad"
    assert entry(failed, "later")["skipped"]
    apart = entry(failed, "apart")
    assert (apart["changed"], apart["failed"], apart["skipped"]) == (True, False, False)
    assert "start container apart" in apart["actions"]
    assert states(target) == {"apart": "running"}
    target.remove("apart")


def test_what_is_no_longer_declared_is_purged_and_nothing_else(target: Target) -> None:
    target.make(name="stranger", **QUICK)
    one, other, third = ({"name": name} for name in ("one", "other", "third"))
    more = {"project": "shop", "purge": True}
    _first, planned, done, foreign, kept = target.run(
        project(target, one, other, **more),
        project(target, one, check=True, **more),
        project(target, one, **more),
        project(target, third, project="else", purge=True),
        project(target, {**one, "command": ["/no/such/program"]}, **more),
    )
    assert planned["actions"] == done["actions"] == ["stop container other", "remove container other"]
    assert not foreign.get("failed"), foreign
    assert kept["failed"]
    assert states(target) == {"stranger": "running", "one": "running", "third": "running"}
    for name in ("stranger", "one", "third"):
        target.remove(name)


def test_states_of_all(target: Target) -> None:
    declared = [{"name": "one"}, {"name": "other", "depends_on": ["one"]}]
    first, stopped, started, restarted = target.run(
        project(target, *declared),
        project(target, *declared, state="stopped"),
        project(target, *declared, state="started"),
        project(target, *declared, state="restarted"),
    )
    assert first["changed"]
    assert sorted(stopped["actions"]) == ["stop container one", "stop container other"]
    assert started["actions"][0] == "start container one: it is exited"
    assert restarted["actions"] == [f"restart container {name}: restart is true" for name in ("one", "other")]
    assert states(target) == {"one": "running", "other": "running"}
    for name in ("one", "other"):
        target.remove(name)


MISTAKES: list[tuple[list[Declaration], str]] = [
    ([{"name": "a"}, {"name": "a"}], "a is declared twice"),
    ([{"name": "a", "depends_on": ["b"]}, {"name": "b", "depends_on": ["a"]}], "a -> b -> a depend on"),
    ([{"image": "x"}], "containers: one without a name: missing required arguments: name"),
    ([{"name": "a", "comand": "x"}], "containers: a: comand is not an option (did you mean command?)"),
    ([{"name": "a", "depends_on": {"b": "soon"}}, {"name": "b"}], "'soon' is not a condition for b"),
    ([{"name": "a", "memory": "lots"}], "container a: memory: 'lots' is not a size"),
    ([{"name": "a", "tty": "perhaps"}], "containers: a: argument 'tty' is of type"),
    (
        [{"name": "a", "cpus": 1, "cpu_quota": 9000}, {"name": "b", "restart": True, "state": "stopped"}],
        "2 mistakes: ",
    ),
]


def test_mistakes_are_found_before_anything_is_done(target: Target) -> None:
    tasks = [project(target, {"name": "fine"}, *declared) for declared, _problem in MISTAKES]
    *results, seen = target.run(*tasks, project(target, purge=True), target.info())
    for (_declared, problem), result in zip(MISTAKES, results):
        assert problem in result["msg"]
    assert "purge removes what a project owns, and there is none" in results[-1]["msg"]
    assert seen["containers"] == []


def test_all_mistakes_are_said_at_once(target: Target) -> None:
    wrong: list[Declaration] = [
        {"name": "a", "comand": "x", "memmory": "1m"},
        {"name": "b", "memory": "lots", "cpus": 0.001, "image": target.image},
        {"name": "c", "depends_on": {"b": "soon"}},
        {"name": "fine"},
    ]
    reading, planning = target.run(
        project(target, *wrong, networks=[{"name": "-"}], volumes=[{"name": "v", "driver": "nfs"}]),
        project(
            target,
            {"name": "a", "image": f"{target.registry}/no:1"},
            {"name": "b", "image": f"{target.registry}/none:1"},
        ),
    )
    for said in (
        "7 mistakes: containers: a: comand is not an option (did you mean command?)",
        "; containers: a: memmory is not an option",
        "; container b: memory: 'lots' is not a size",
        "; container b: cpus: 0.001 is not a number of processors",
        "'soon' is not a condition for b",
        "; '-' is not a name for a network",
        "volumes: v: value of driver must be one of: local",
    ):
        assert said in reading["msg"]
    assert "2 mistakes: " in planning["msg"]
    assert "has no repository no" in planning["msg"]
    assert "containers: b: " in planning["msg"]


def test_what_was_not_done_is_not_told(target: Target) -> None:
    """Of those that fail and those that are left alone; in the whole result and in their entries."""
    first, failed = target.run(
        project(target, {"name": "old"}, project="shop"),
        project(
            target,
            {"name": "bad", "command": ["/no/such/program"]},
            {"name": "after", "depends_on": ["bad"]},
            {"name": "apart", "labels": {"a": "b"}},
            volumes=[{"name": "data"}],
            project="shop",
            purge=True,
        ),
    )
    assert not first.get("failed"), first
    assert failed["actions"] == [
        "create volume data",
        f"create container apart from {target.image}",
        "start container apart",
    ]
    assert failed["changed"]
    for name in ("bad", "after", "old"):
        told = entry(failed, name)
        assert (told["changed"], told["actions"], told["differences"]) == (False, [], [])
    assert set(failed["diff"]["after"]) == {"apart", "volume data"}
    assert entry(failed, "old")["skipped"]
    assert states(target) == {"old": "running", "apart": "running"}
    for name in ("old", "apart"):
        target.remove(name)
    target.run(target.volume(state="absent"))


def test_who_shares_processes_is_purged_first(target: Target) -> None:
    """Whatever their names, and in whichever order they were made."""
    target.make(name="z", labels={"coracle.project": "shop"}, **QUICK)
    for name in ("a", "m"):
        target.make(name=name, labels={"coracle.project": "shop"}, pid_mode="container:z", **QUICK)
    with Engine(target.paths) as engine, engine.database.transaction() as transaction:
        transaction.execute("UPDATE containers SET created = 1 WHERE name = 'a'")
    planned, done = target.run(
        project(target, project="shop", purge=True, check=True), project(target, project="shop", purge=True)
    )
    order = [f"{verb} container {name}" for name in ("m", "a", "z") for verb in ("stop", "remove")]
    assert planned["actions"] == done["actions"]
    assert done["actions"] == order
    assert states(target) == {}


def test_many_at_once(target: Target) -> None:
    declared = [{"name": f"c{number}"} for number in range(20)]
    done, again, gone = target.run(
        project(target, *declared),
        project(target, *declared),
        project(target, *declared, state="absent"),
    )
    assert not done.get("failed"), done
    assert again["changed"] is False
    assert len(gone["actions"]) == 40
    assert states(target) == {}


def test_versions_that_are_kept_are_no_strangers(target: Target) -> None:
    """Nothing declares them, and purge leaves them as long as their container stays."""
    options: dict[str, t.Any] = {"project": "shop", "purge": True, "defaults": {"keep_previous": 1}}
    first, second, again, gone = target.run(
        project(target, {"name": "web"}, **options),
        project(target, {"name": "web", "user": "1"}, **{**options, "defaults": {"keep_previous": 1}}),
        project(target, {"name": "web", "user": "1"}, **{**options, "defaults": {"keep_previous": 1}}),
        project(target, **{**options, "defaults": {}}),
    )
    assert not first.get("failed"), first
    assert second["actions"] == ["recreate container web, keeping the old one: user is not set, should be 1"]
    assert again["actions"] == []
    stop, version, remove = gone["actions"]
    assert (stop, remove) == ("stop container web", "remove container web")
    assert version.startswith("remove container web.previous-")
    assert states(target) == {}
