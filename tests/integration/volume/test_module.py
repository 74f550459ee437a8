# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The modules volume and volume_info, as users run them."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import QUICK


def check_do_again(target: Target, **options: t.Any) -> tuple[Result, Result]:
    """The planned and the real result of a task that changes something once."""
    planned, done, again, again_planned = target.run(
        target.volume(check=True, diff=True, **options),
        target.volume(diff=True, **options),
        target.volume(**options),
        target.volume(check=True, **options),
    )
    assert [result.get("msg") for result in (planned, done, again, again_planned)] == [None] * 4
    assert planned["changed"] is done["changed"] is True
    for key in ("actions", "differences", "diff"):
        assert planned[key] == done[key]
    assert again["changed"] is again_planned["changed"] is False
    return planned, done


def data(target: Target, name: str = "data") -> pathlib.Path:
    return pathlib.Path(target.paths.volumes, name, "_data")


@pytest.mark.smoke
def test_from_nothing_to_gone(bare_target: Target) -> None:
    target = bare_target
    planned, done = check_do_again(target, labels={"backup": "daily"})
    assert done["actions"] == ["create volume data"]
    assert [one["how"] for one in done["differences"]] == ["create"]
    assert done["diff"] == {"before": {"exists": False}, "after": {"exists": True}}
    assert done["volume"] == {
        "Name": "data",
        "Driver": "local",
        "Scope": "local",
        "Mountpoint": str(data(target)),
        "CreatedAt": done["volume"]["CreatedAt"],
        "Labels": {"backup": "daily"},
        "Options": {},
        "Anonymous": False,
        "UsedBy": [],
    }
    assert {**done["volume"], "CreatedAt": "0001-01-01T00:00:00Z"} == planned["volume"]
    (data(target) / "file").write_text("precious")

    _planned, labelled = check_do_again(target, labels={"backup": "weekly"})
    assert labelled["differences"][0]["how"] == "live"
    assert labelled["diff"]["before"]["labels"] == {"backup": "daily"}
    assert labelled["volume"]["CreatedAt"] == done["volume"]["CreatedAt"]
    assert (data(target) / "file").read_text() == "precious"

    _planned, gone = check_do_again(target, state="absent")
    assert gone["actions"] == ["remove volume data"]
    assert [one["how"] for one in gone["differences"]] == ["remove"]
    assert "volume" not in gone
    assert os.listdir(target.paths.volumes) == os.listdir(target.paths.trash) == []


def test_check_mode_makes_nothing(bare_target: Target) -> None:
    planned, looked = bare_target.run(bare_target.volume(check=True), bare_target.volume_info())
    assert planned["volume"]["Mountpoint"] == str(data(bare_target))
    assert looked["volumes"] == []
    assert not os.path.exists(bare_target.paths.root)
    assert not os.path.exists(bare_target.paths.run_root)


def test_other_options_are_a_warning_until_asked_for(bare_target: Target) -> None:
    target = bare_target
    _made, warned, made_anew, always, again = target.run(
        target.volume(volume_name="data"),
        target.volume(driver_options={"type": "tmpfs", "o": "size=1m"}),
        target.volume(driver_options={"type": "tmpfs", "o": "size=1m"}, recreate="options-changed"),
        target.volume(driver_options={"type": "tmpfs", "o": "size=1m"}, recreate="always"),
        target.volume(driver_options={"type": "tmpfs", "o": "size=1m"}, recreate="options-changed"),
    )
    assert (warned["changed"], warned["volume"]["Options"]) == (False, {})
    assert "volume data stays as it is: driver_options:" in warned["warnings"][0]
    assert made_anew["actions"][0].startswith("recreate volume data: driver_options:")
    assert made_anew["volume"]["Options"] == {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    assert always["actions"] == ["recreate volume data: recreate is always"]
    assert again["changed"] is False


def test_what_is_used_stays(target: Target) -> None:
    target.make(volumes=["data:/data", "/nameless"], state="present", **QUICK)
    (data(target) / "file").write_text("precious")
    refused, planned, anew, looked = target.run(
        target.volume(state="absent"),
        target.volume(state="absent", check=True),
        target.volume(recreate="always"),
        target.volume_info(),
    )
    for result in (refused, planned):
        assert result["msg"] == "remove volume data: it is used by web (remove the containers first)"
        assert result["containers"] == ["web"]
    assert anew["msg"].startswith("recreate volume data: it is used by web")
    assert (data(target) / "file").read_text() == "precious"
    nameless, named = sorted(looked["volumes"], key=lambda volume: not volume["Anonymous"])
    assert (named["Name"], named["UsedBy"], named["Anonymous"]) == ("data", ["web"], False)
    assert (nameless["UsedBy"], nameless["Anonymous"]) == (["web"], True)
    target.remove()
    [gone] = target.run(target.volume(state="absent"))
    assert gone["changed"] is True


def test_info_tells_what_is_missing(bare_target: Target) -> None:
    target = bare_target
    _a, _b, one, some, none, bad = target.run(
        target.volume(name="a"),
        target.volume(name="b"),
        target.volume_info(name="a"),
        target.volume_info(name=["b", "x", "a", "b"]),
        target.volume_info(name="x"),
        target.volume_info(name="../x"),
    )
    assert (one["exists"], one["volume"]["Name"], one["missing"]) == (True, "a", [])
    assert [volume["Name"] for volume in some["volumes"]] == ["b", "a"]
    assert (some["exists"], some["volume"], some["missing"]) == (False, None, ["x"])
    assert (none["volumes"], none["missing"]) == ([], ["x"])
    assert "is not a name for a volume" in bad["msg"]


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"name": "../x"}, "'../x' is not a name for a volume"),
    ({"driver_options": {"size": "1g"}}, "volume data: driver_options: the driver local has no option"),
    ({"driver_options": {"type": "nfs"}}, "device is missing"),
    ({"driver": "rexray"}, "value of driver must be one of: local"),
    ({"labels": {"a": True}}, "labels: the value of a is a bool"),
    ({"recreate": "sometimes"}, "value of recreate must be one of"),
]


def test_bad_input(bare_target: Target) -> None:
    results = bare_target.run(*(bare_target.volume(**options) for options, _message in BAD))
    for result, (_options, message) in zip(results, BAD):
        assert message in result["msg"]
    assert not os.path.exists(bare_target.paths.root)


def test_passwords_stay_secret(bare_target: Target) -> None:
    target = bare_target
    options = {"type": "cifs", "device": "//nas/x", "o": "username=me,password=hunter2"}
    made, changed, looked = target.run(
        target.volume(driver_options=options, diff=True),
        target.volume(
            driver_options={**options, "o": "username=me,password=hunter3"},
            recreate="options-changed",
            diff=True,
        ),
        target.volume_info(),
    )
    for result in (made, changed, looked):
        result.pop("invocation", None)  # newer Ansible keeps it to itself
        assert "hunter" not in str(result)
    assert changed["actions"] == ["recreate volume data: driver_options: a password is another one"]
