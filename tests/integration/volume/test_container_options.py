# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every option about storage of the module container: check, do, again, again in check; then without it."""

from __future__ import annotations

import os
import pathlib
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.volume.records import list_volumes
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import QUICK

Options = dict[str, t.Any]

BIND = {"type": "bind", "source": "/etc", "target": "/a"}
VOLUME = {"source": "data", "target": "/a"}
TMPFS = {"type": "tmpfs", "target": "/a"}


def cases(target: Target, place: str) -> list[tuple[Options, str]]:
    """Options, and what is told of them when they come."""
    return [
        ({"mounts": [BIND]}, "mounts: /etc:/a is new"),
        ({"mounts": [{**BIND, "read_only": True}]}, "mounts: /etc:/a:ro is new"),
        ({"mounts": [{**BIND, "propagation": "rslave"}]}, "mounts: /etc:/a:rslave is new"),
        ({"mounts": [{**BIND, "non_recursive": True}]}, "mounts: /etc:/a:bind is new"),
        (
            {"mounts": [{**BIND, "read_only": True, "read_only_non_recursive": True}]},
            "mounts: /etc:/a:ro,ro-non-recursive is new",
        ),
        (
            {"mounts": [{**BIND, "source": f"{place}/made", "create_mountpoint": True}]},
            f"mounts: {place}/made:/a is new",
        ),
        ({"mounts": [{**BIND, "consistency": "cached"}]}, "mounts: /etc:/a is new"),
        ({"mounts": [VOLUME]}, "mounts: data:/a is new"),
        ({"mounts": [{**VOLUME, "volume_driver": "local"}]}, "mounts: data:/a is new"),
        ({"mounts": [{**VOLUME, "no_copy": True, "labels": {"a": "b"}}]}, "mounts: data:/a:nocopy is new"),
        ({"mounts": [{**VOLUME, "subpath": "x/y"}]}, "mounts: data:/a:subpath=x/y is new"),
        (
            {"mounts": [{"source": "memory", "target": "/a", "volume_options": {"type": "tmpfs"}}]},
            "mounts: memory:/a:type=tmpfs,device=tmpfs is new",
        ),
        ({"mounts": [{"target": "/a"}]}, "mounts: /a is new"),
        ({"mounts": [TMPFS]}, "mounts: tmpfs /a is new"),
        ({"mounts": [{**TMPFS, "tmpfs_size": "1m"}]}, "mounts: tmpfs /a:size=1048576 is new"),
        ({"mounts": [{**TMPFS, "tmpfs_mode": "1770"}]}, "mounts: tmpfs /a:mode=1770 is new"),
        (
            {"mounts": [{**TMPFS, "tmpfs_options": ["exec", {"uid": 7}]}]},
            "mounts: tmpfs /a:exec,uid=7 is new",
        ),
        (
            {"mounts": [{"type": "image", "source": target.image, "target": "/a", "subpath": "www"}]},
            f"mounts: image {target.image}:/a:subpath=www is new",
        ),
        ({"volumes_from": ["lender:ro"]}, 'volumes_from is [], should be ["lender:ro"]'),
        ({"volumes": ["data:/a:nocopy"]}, "volumes: data:/a:nocopy is new"),
        ({"volumes": ["data:/a:z"]}, "volumes: data:/a:z is new"),
    ]


def without_generated_names(result: Result) -> list[Options]:
    """Names of anonymous volumes follow from the id, which nobody knows before."""
    return [
        {**mount, "Name": "", "Source": ""} if len(mount.get("Name", "")) == 64 else mount
        for mount in result["container"]["Mounts"]
    ]


def test_every_option_comes_and_goes(target: Target, tmp_path: pathlib.Path) -> None:
    target.make(state="present", name="lender", volumes=["lent:/lent"], **QUICK)
    (pathlib.Path(target.paths.volumes) / "lent" / "_data").mkdir(exist_ok=True)
    base = {"image": target.image, "state": "present", **QUICK}
    options = cases(target, str(tmp_path))
    tasks = [target.container(**base)]
    for given, _told in options:
        tasks += [
            target.container(check=True, diff=True, **base, **given),
            target.container(diff=True, **base, **given),
            target.container(**base, **given),
            target.container(check=True, **base, **given),
            target.container(**base),
        ]
    _made, *results = target.run(*tasks)
    for number, (given, told) in enumerate(options):
        planned, done, again, again_planned, undone = results[5 * number : 5 * number + 5]
        assert [result.get("msg") for result in (planned, done, again, again_planned, undone)] == [
            None
        ] * 5, given
        assert planned["changed"] is done["changed"] is undone["changed"] is True, given
        assert again["changed"] is again_planned["changed"] is False, given
        assert done["actions"] == planned["actions"] == [f"recreate container web: {told}"], given
        assert planned["diff"] == done["diff"], given
        assert without_generated_names(planned) == without_generated_names(done), given
        assert undone["container"]["Mounts"] == [], given
    target.remove()
    target.remove("lender")


def test_the_same_storage_written_in_other_ways(target: Target) -> None:
    one: Options = {"volumes": ["data:/data", "/etc:/host:ro", "/nameless"], "tmpfs": ["/memory:size=1m"]}
    other: Options = {
        "mounts": [
            {"target": "/nameless"},
            {"type": "tmpfs", "target": "/memory", "tmpfs_size": "1024k"},
            {"type": "bind", "source": "/etc/", "target": "/host", "read_only": True},
            {"type": "volume", "source": "data", "target": "/data/"},
        ]
    }
    made, same, back, without_image = target.run(
        target.container(image=target.image, **one, **QUICK),
        target.container(image=target.image, **other, **QUICK),
        target.container(image=target.image, **one, **QUICK),
        target.container(**other),
    )
    assert [result["changed"] for result in (made, same, back, without_image)] == [True, False, False, False]
    target.remove()


def volumes(target: Target) -> list[str]:
    with Engine(target.paths) as engine:
        return [record.name for record in list_volumes(engine.records.read())]


def test_volumes_without_a_name_go_unless_they_are_kept(target: Target) -> None:
    target.make(volumes=["data:/data", "/nameless"], **QUICK)
    planned, gone = target.run(
        target.container(state="absent", check=True), target.container(state="absent", force_kill=True)
    )
    assert (
        planned["actions"]
        == gone["actions"]
        == [
            "stop container web",
            "remove container web and its volumes /nameless",
        ]
    )
    assert volumes(target) == ["data"]
    target.make(volumes=["/nameless"], state="present", **QUICK)
    [kept] = target.run(target.container(state="absent", keep_volumes=True))
    assert kept["actions"] == ["remove container web"]
    assert len(volumes(target)) == 2
    assert os.listdir(target.paths.trash) == []


def test_bad_input_changes_nothing(target: Target, tmp_path: pathlib.Path) -> None:
    bad: list[tuple[Options, str]] = [
        ({"mounts": [{"target": "/a"}, {"target": "/a/"}]}, "mounts: /a is there twice"),
        ({"mounts": [VOLUME], "volumes": ["data:/a"]}, "/a is in mounts and in volumes"),
        ({"mounts": [VOLUME], "tmpfs": ["/a"]}, "/a is in mounts and in tmpfs"),
        (
            {"mounts": [{**BIND, "no_copy": True}]},
            "no_copy has no meaning for type bind (it is for type volume)",
        ),
        ({"mounts": [{**BIND, "tmpfs_size": "1m"}]}, "tmpfs_size has no meaning for type bind"),
        ({"mounts": [{**VOLUME, "subpath": "../x"}]}, "is not a relative path"),
        ({"mounts": [{**BIND, "source": "etc"}]}, "is not an absolute path"),
        ({"mounts": [{**VOLUME, "volume_options": {"size": "1m"}}]}, "the driver local has no option 'size'"),
        ({"mounts": [{"target": "/proc/x"}]}, "nothing can be mounted on /proc/x"),
        (
            {"mounts": [{"type": "image", "source": "no/such:1", "target": "/a"}], "pull": "never"},
            "pull is never",
        ),
        ({"mounts": [{"type": "nfs", "target": "/a"}]}, "value of type must be one of"),
        ({"mounts": [{**BIND, "source": f"{tmp_path}/none"}]}, "/none does not exist"),
        ({"volumes_from": ["nobody"]}, "there is no container nobody"),
        ({"volumes_from": ["web"]}, "names the container itself"),
    ]
    before = target.make(volumes=["data:/data"], **QUICK)
    results = target.run(*(target.container(image=target.image, **given, **QUICK) for given, _text in bad))
    for result, (given, message) in zip(results, bad):
        assert message in result.get("msg", ""), given
    [after] = target.run(target.info(name="web"))
    assert after["container"]["State"]["Pid"] == before["container"]["State"]["Pid"]
    assert volumes(target) == ["data"]
    target.remove()


def test_a_container_that_a_task_before_would_have_made(target: Target) -> None:
    """In check mode it is not there; that is a warning and no failure."""
    _first, second = target.run(
        target.container(name="lender", image=target.image, volumes=["/lent"], check=True, **QUICK),
        target.container(image=target.image, volumes_from=["lender"], check=True, **QUICK),
    )
    assert second["actions"][0].startswith("create container web")
    assert "there is no container lender" in second["warnings"][0]
