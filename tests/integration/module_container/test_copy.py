# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The module container_copy, as users run it."""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import Engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pause_container import (
    pause_container,
)
from ansible_collections.coracle.engine.tests.integration.module_container.plays import Result, Target, Task


def task(target: Target, check: bool = False, diff: bool = False, **options: t.Any) -> Task:
    end = {} if "volume" in options else {"container": "web"}
    return target._task("coracle.engine.container_copy", check, diff, {**end, **options})


def check_do_again(target: Target, **options: t.Any) -> Result:
    """The result of a task that changes something once, and says in check mode what that will be."""
    planned, done, again, again_planned = target.run(
        task(target, check=True, diff=True, **options),
        task(target, diff=True, **options),
        task(target, **options),
        task(target, check=True, **options),
    )
    assert [result.get("msg") for result in (planned, done, again, again_planned)] == [None] * 4
    assert planned["changed"] is done["changed"] is True
    ignored = {"backup_file", "backup_files"}
    assert {**planned, "warnings": []} == {
        **{key: value for key, value in done.items() if key not in ignored},
        "warnings": [],
    }
    assert again["changed"] is again_planned["changed"] is False
    assert again["actions"] == again["differences"] == []
    return done


def fails(target: Target, **options: t.Any) -> str:
    """The message, the same in check mode."""
    planned, done = target.run(task(target, check=True, **options), task(target, **options))
    assert planned["failed"], planned
    assert done["failed"], done
    assert planned["msg"] == done["msg"]
    return str(done["msg"])


@pytest.fixture
def web(target: Target) -> t.Iterator[pathlib.Path]:
    """The root of a running container, as its program sees it."""
    made = target.make(volumes=["data:/srv/data"])
    yield pathlib.Path(f"/proc/{made['container']['State']['Pid']}/root")
    target.remove()


def described(path: pathlib.Path) -> tuple[str, str, int, int]:
    found = path.lstat()
    return path.read_text(), f"{found.st_mode & 0o7777:04o}", found.st_uid, found.st_gid


@pytest.mark.smoke
def test_content(target: Target, web: pathlib.Path) -> None:
    done = check_do_again(target, content="hello\n", dest="/etc/motd", owner="app", group="www-data")
    assert described(web / "etc/motd") == ("hello\n", "0644", 1000, 33)
    assert {key: done[key] for key in ("dest", "state", "mode", "uid", "gid", "owner", "group", "size")} == {
        "dest": "/etc/motd",
        "state": "file",
        "mode": "0644",
        "uid": 1000,
        "gid": 33,
        "owner": "app",
        "group": "www-data",
        "size": 6,
    }
    assert done["checksum"] == hashlib.sha1(b"hello\n").hexdigest()
    assert done["actions"] == ["copy to container web: /etc/motd is new"]
    assert done["diff"] == [
        {"before_header": "/etc/motd", "after_header": "/etc/motd", "before": "", "after": "hello\n"}
    ]
    done = check_do_again(target, content="other\n", dest="/etc/motd", mode="u=rw,go=", backup=True)
    assert done["actions"] == ["copy to container web: /etc/motd: content, mode"]
    assert described(web / "etc/motd") == ("other\n", "0600", 1000, 33)
    assert described(web / done["backup_file"].lstrip("/"))[0] == "hello\n"
    assert done["diff"][0]["before"] == "hello\n"
    assert done["diff"][1]["before"] == {"mode": "0644"}


def test_a_file_of_the_controller(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "app.conf"
    source.write_text("a = 1\n")
    source.chmod(0o640)
    done = check_do_again(target, src=str(source), dest="/etc/", mode="preserve")
    assert done["dest"] == "/etc/app.conf"
    assert described(web / "etc/app.conf") == ("a = 1\n", "0640", 0, 0)
    source.write_text("a = 2\n")
    done = check_do_again(target, src=str(source), dest="/etc/app.conf")
    assert done["diff"][0]["after"] == "a = 2\n"
    assert described(web / "etc/app.conf") == ("a = 2\n", "0640", 0, 0)


def test_a_large_file_travels_only_if_it_differs(
    target: Target, web: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(3 << 20))
    done = check_do_again(target, src=str(source), dest="/srv/data/large")
    assert done["checksum"] == hashlib.sha1(source.read_bytes()).hexdigest()
    assert (web / "srv/data/large").read_bytes() == source.read_bytes()
    (again,) = target.run(task(target, src=str(source), dest="/srv/data/large"))
    assert not again["changed"]
    assert target.sent == ["coracle_task"]


def test_directories(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    tree = tmp_path / "site"
    (tree / "sub" / "empty").mkdir(parents=True)
    (tree / "index").write_text("index")
    (tree / "sub" / "page").write_text("page" * 50000)
    (tree / "sub" / "link").symlink_to("page")
    done = check_do_again(target, src=str(tree), dest="/www", owner="app", local_follow=False)
    assert (done["dest"], done["files"], done["state"]) == ("/www/site", 6, "directory")
    assert os.readlink(web / "www/site/sub/link") == "page"
    assert (web / "www/site/sub/empty").is_dir()
    assert {path.lstat().st_uid for path in (web / "www/site").rglob("*")} == {1000}
    (tree / "index").write_text("other")
    done = check_do_again(target, src=f"{tree}/", dest="/www/site", owner="app", local_follow=False)
    assert done["actions"] == ["copy to container web: /www/site/index: content"]
    done = check_do_again(target, src=f"{tree}/", dest="/made/on/the/way", directory_mode="0700")
    assert (web / "made/on/the/way/sub/link").read_text() == "page" * 50000
    assert (web / "made/on").stat().st_mode & 0o7777 == 0o700


def test_a_directory_stays_one(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (web / "srv/data/app.conf").mkdir()
    (web / "srv/data/app.conf/precious").write_text("data")
    (tmp_path / "app.conf").write_text("file")
    message = fails(target, src=str(tmp_path / "app.conf"), dest="/srv/data")
    assert "/srv/data/app.conf of container web is a directory, and what is copied is a file" in message
    assert (web / "srv/data/app.conf/precious").read_text() == "data"
    assert "with content, dest is a file" in fails(target, content="x", dest="/srv/data/app.conf")
    (tmp_path / "tree" / "passwd").mkdir(parents=True)
    message = fails(target, src=f"{tmp_path}/tree/", dest="/etc")
    assert "/etc/passwd of container web is not a directory" in message
    options = {"src": str(tmp_path / "app.conf"), "dest": "/srv/data", "replace_kind": True}
    check_do_again(target, **options)
    assert (web / "srv/data/app.conf").read_text() == "file"


def test_refusals(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "there is no container none" in fails(target, container="none", content="x", dest="/x")
    assert "there is no directory /no/such" in fails(target, content="x", dest="/no/such/file")
    assert "unable to find user nobody-knows: it is not in" in fails(
        target, content="x", dest="/x", owner="nobody-knows"
    )
    assert "mode: 'rw' is not a mode" in fails(target, content="x", dest="/x", mode="rw")
    assert "is a mount of its own" in fails(target, content="x", dest="/etc/hosts")
    assert "there is no /none in container web" in fails(
        target, direction="out", src="/none", dest=f"{tmp_path}/"
    )
    assert "Could not find or access '/no/such/file'" in fails(target, src="/no/such/file", dest="/x")


@pytest.mark.parametrize("remote", [False, True])
def test_out_of_the_container(
    target: Target, web: pathlib.Path, tmp_path: pathlib.Path, remote: bool
) -> None:
    options = {"direction": "out", "remote_src": remote}
    done = check_do_again(target, src="/www/index.html", dest=f"{tmp_path}/got/", **options)
    assert done["dest"] == f"{tmp_path}/got/index.html"
    assert (tmp_path / "got/index.html").read_text() == (web / "www/index.html").read_text()
    assert done["checksum"] == hashlib.sha1((web / "www/index.html").read_bytes()).hexdigest()
    (web / "srv/data/a").mkdir()
    (web / "srv/data/a/big").write_bytes(os.urandom(1 << 20))
    (web / "srv/data/a/small").write_text("small")
    (web / "srv/data/a/out").symlink_to("/etc/shadow")
    done = check_do_again(target, src="/srv/data", dest=str(tmp_path / "tree"), local_follow=False, **options)
    assert done["dest"] == f"{tmp_path}/tree/data"
    got = tmp_path / "tree" / "data"
    assert os.readlink(got / "a/out") == "/etc/shadow"
    assert (got / "a/big").read_bytes() == (web / "srv/data/a/big").read_bytes()
    (web / "srv/data/a/small").write_text("other")
    done = check_do_again(target, src="/srv/data/", dest=str(got), local_follow=False, **options)
    assert (got / "a/small").read_text() == "other"
    assert done["files"] == 1


def test_out_is_contained(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A link that the container has put where a directory was goes no further than itself."""
    (tmp_path / "canary").mkdir()
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "sub").symlink_to(tmp_path / "canary")
    (web / "srv/data/sub").mkdir()
    (web / "srv/data/sub/file").write_text("x")
    (failed,) = target.run(task(target, direction="out", src="/srv/data/", dest=str(tmp_path / "got")))
    assert failed["failed"]
    assert os.listdir(tmp_path / "canary") == []


def test_remote_src_with_everything(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    os.link(tree / "file", tree / "other-name")
    os.chown(tree / "file", 7, 8)
    os.setxattr(tree / "file", "user.colour", b"blue")
    os.utime(tree / "file", (1_600_000_000, 1_600_000_000))
    os.truncate(tree / "file", 1 << 30)
    os.mkfifo(tree / "pipe")
    (tree / "link").symlink_to("file")
    check_do_again(target, remote_src=True, src=str(tree), dest="/srv/data/", archive=True)
    got = web / "srv/data/tree"
    assert os.path.samefile(got / "file", got / "other-name")
    found = (got / "file").stat()
    assert (found.st_uid, found.st_gid, found.st_size) == (7, 8, 1 << 30)
    assert found.st_blocks < 100
    assert os.getxattr(got / "file", "user.colour") == b"blue"
    assert (got / "pipe").is_fifo()
    assert (got / "link").is_symlink()


def test_paused_stopped_and_volumes(target: Target, web: pathlib.Path) -> None:
    with Engine(target.paths) as engine:
        pause_container(engine, "web")
    check_do_again(target, content="paused", dest="/etc/motd")
    target.make("stopped", volumes=["data:/srv/data"])
    check_do_again(target, content="stopped", dest="/etc/motd", owner="app")
    check_do_again(target, content="stopped", dest="/srv/data/motd", owner="app", group="app")
    check_do_again(target, volume="data", content="volume", dest="/motd")
    data = pathlib.Path(target.paths.volumes, "data", "_data")
    assert described(data / "motd") == ("volume", "0644", 1000, 1000)
    assert "a volume knows no names" in fails(target, volume="data", content="x", dest="/x", owner="app")


def test_validate(target: Target, web: pathlib.Path) -> None:
    options = {"dest": "/etc/app.conf", "validate": "/bin/grep -q good %s"}
    message = [result["msg"] for result in target.run(task(target, content="bad", **options))]
    assert "validate: /bin/grep ended with 1" in message[0]
    assert not (web / "etc/app.conf").exists()
    check_do_again(target, content="good", **options)
    assert [name for name in os.listdir(web / "etc") if "coracle" in name] == []
    target.make("stopped")
    assert "the container does not run" in fails(target, content="good", **options)


def test_force_and_follow(target: Target, web: pathlib.Path) -> None:
    (web / "srv/data/file").write_text("there")
    (web / "srv/data/link").symlink_to("file")
    kept, followed, replaced = target.run(
        task(target, content="new", dest="/srv/data/file", force=False),
        task(target, content="new", dest="/srv/data/link", follow=True),
        task(target, content="newer", dest="/srv/data/link"),
    )
    assert (kept["changed"], followed["changed"], replaced["changed"]) == (False, True, True)
    assert followed["dest"] == "/srv/data/file"
    assert (web / "srv/data/file").read_text() == "new"
    assert not (web / "srv/data/link").is_symlink()


def test_vault(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "password").write_text("secret")
    (tmp_path / "file").write_text("plain")
    vault = pathlib.Path(sys.executable).parent / "ansible-vault"
    password = str(tmp_path / "password")
    subprocess.run(
        [vault, "encrypt", "--vault-password-file", password, tmp_path / "file"],
        check=True,
        capture_output=True,
    )
    [done] = target.run(
        task(target, src=str(tmp_path / "file"), dest="/etc/secret"), ANSIBLE_VAULT_PASSWORD_FILE=password
    )
    assert done["changed"]
    assert (web / "etc/secret").read_text() == "plain"


def test_in_the_background(target: Target, web: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    here, there = target.run(
        {**task(target, src=str(tmp_path / "file"), dest="/x"), "async": 60, "poll": 1},
        {**task(target, src=str(tmp_path / "file"), dest="/x", remote_src=True), "async": 60, "poll": 1},
    )
    assert "remote_src: true" in here["msg"]
    assert there["changed"]
