# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What is told in confidence reaches the program and nobody else: set, again, changed, removed."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target
from ansible_collections.coracle.engine.tests.integration.module_container.test_lifecycle import (
    QUICK,
    check_do_again,
)

Options = dict[str, t.Any]


def inside(result: Result, path: str) -> pathlib.Path:
    return pathlib.Path(f"/proc/{result['container']['State']['Pid']}/root{path}")


def places_with(directory: str, word: bytes) -> set[str]:
    """Files below a directory that contain a word, not followed into what is mounted."""
    found = set()
    device = os.stat(directory).st_dev
    for place, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if os.lstat(f"{place}/{name}").st_dev == device]
        for name in names:
            path = os.path.join(place, name)
            if stat.S_ISREG(os.lstat(path).st_mode) and word in pathlib.Path(path).read_bytes():
                found.add(os.path.relpath(path, directory))
    return found


def test_files(target: Target) -> None:
    (target.work / "key").write_bytes(b"hunter-key\n")
    first_value: Options = {"name": "token", "value": "hunter-one", "uid": 33, "gid": 44, "mode": "0400"}
    key: Options = {"name": "key", "path": str(target.work / "key"), "target": "/etc/app/key"}
    declared: Options = {"image": target.image, "read_only": True, **QUICK}
    planned, first = check_do_again(target, **declared, secrets=[first_value, key])
    token = inside(first, "/run/secrets/token")
    assert token.read_text() == "hunter-one"
    seen = token.stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (33, 44, 0o400)
    assert inside(first, "/etc/app/key").read_bytes() == b"hunter-key\n"
    assert places_with(target.paths.root, b"hunter") == set()
    assert all("secrets/" in place for place in places_with(target.paths.run_root, b"hunter"))

    _planned, second = check_do_again(
        target, **declared, secrets=[{**first_value, "value": "hunter-two"}, key]
    )
    assert second["actions"] == ["recreate container web: secrets: token is changed"]
    assert inside(second, "/run/secrets/token").read_text() == "hunter-two"
    (target.work / "key").write_bytes(b"hunter-new-key\n")
    third = target.make(**declared, secrets=[{**first_value, "value": "hunter-two"}, key])
    assert third["actions"] == ["recreate container web: secrets: key is changed"]
    _planned, none = check_do_again(target, **declared)
    assert none["actions"] == [
        "recreate container web: secrets: key is no longer wanted, token is no longer wanted"
    ]
    for result in (planned, first, second, third, none):
        assert "hunter" not in json.dumps(result)
    assert places_with(target.paths.run_root, b"hunter") == set()
    target.remove()


def test_a_variable(target: Target) -> None:
    secret: Options = {"name": "password", "value": "hunter-three", "env": "PASSWORD"}
    declared: Options = {"image": target.image, "secrets": [secret], **QUICK}
    _planned, done = check_do_again(target, **declared)
    environment = pathlib.Path(f"/proc/{done['container']['State']['Pid']}/environ").read_bytes()
    assert b"PASSWORD=hunter-three" in environment.split(b"\0")
    said, seen = target.run(
        target.exec(argv=["sh", "-c", "test $PASSWORD = hunter-three"]),
        target.info(name="web"),
    )
    assert said["rc"] == 0
    [container] = seen["containers"]
    assert container["Config"]["Secrets"] == [{"Name": "password", "Env": "PASSWORD"}]
    assert "hunter" not in json.dumps([done, container])
    target.remove()


def test_restarts_have_them_and_errors_do_not(target: Target) -> None:
    declared: Options = {
        "image": target.image,
        "secrets": [{"name": "token", "value": "hunter-four"}],
        **QUICK,
    }
    stopped, again, wrong = target.run(
        target.container(**declared),
        target.container(**declared, restart=True),
        target.container(**{**declared, "secrets": [{"name": "t", "value": "hunter-five", "mode": 256}]}),
    )
    assert not stopped.get("failed")
    assert inside(again, "/run/secrets/token").read_text() == "hunter-four"
    assert 'mode: 256 is not text with a mode (quote octal digits, for example "0400")' in wrong["msg"]
    assert "hunter" not in json.dumps([stopped, again, wrong])
    target.remove()
