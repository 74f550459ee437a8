# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import base64
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import programs
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.credentials import (
    Credentials,
    Found,
    find_credentials,
)


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def write(tmp_path: pathlib.Path) -> t.Callable[[t.Any], str]:
    def write(content: t.Any) -> str:
        path = tmp_path / "auth.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def look(path: str, registry: str = "r.example:5000", repository: str = "team/app") -> Credentials | None:
    return find_credentials(registry, repository, auth_file=path).credentials


def test_the_task_comes_first(write: t.Callable[[t.Any], str]) -> None:
    path = write({"auths": {"r.example": auth("file", "x")}})
    found = find_credentials("r.example", "a", username="ann", password="pw", auth_file=path)
    assert found.credentials == Credentials("ann", "pw", "", "the task")
    assert str(found) == "tried as user ann from the task"
    assert found.credentials.basic == "Basic YW5uOnB3"


@pytest.mark.parametrize(
    "key",
    [
        "r.example:5000",
        "https://r.example:5000",
        "http://r.example:5000/",
        "https://r.example:5000/v1/",
        "r.example:5000/v2/",
    ],
)
def test_spellings_of_a_registry(key: str, write: t.Callable[[t.Any], str]) -> None:
    path = write({"auths": {key: auth("ann", "p:w")}})
    assert look(path) == Credentials("ann", "p:w", "", path)
    assert look(path, "r.example") is None
    assert look(path, "other:5000") is None


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_spellings_of_docker_hub(key: str, write: t.Callable[[t.Any], str]) -> None:
    path = write({"auths": {key: auth("ann", "pw")}})
    assert look(path, "docker.io", "library/nginx") == Credentials("ann", "pw", "", path)
    assert look(path, "evil.example") is None


def test_the_most_specific_repository_wins(write: t.Callable[[t.Any], str]) -> None:
    names = ("r.example", "r.example/team", "r.example/team/app", "r.example/te")
    path = write({"auths": {name: auth(name.replace("/", "-"), "x") for name in names}})
    users = {
        repository: look(path, "r.example", repository)
        for repository in ("other", "team/web", "team/app", "team/app/x")
    }
    assert {repository: found.username for repository, found in users.items() if found} == {
        "other": "r.example",
        "team/web": "r.example-team",
        "team/app": "r.example-team-app",
        "team/app/x": "r.example-team-app",
    }


@pytest.mark.parametrize(
    ("entry", "credentials"),
    [
        ({"identitytoken": "tok", **auth("ann", "")}, ("ann", "", "tok")),
        ({"identitytoken": "tok"}, ("", "", "tok")),
        ({"username": "ann", "password": "pw"}, ("ann", "pw", "")),
        ({"auth": base64.b64encode(b"ann:pw\0\0").decode()}, ("ann", "pw", "")),
        (auth("änn", "pä"), ("änn", "pä", "")),
        ({}, None),
        ({"auth": ""}, None),
        ({"auth": 7}, None),
        (auth("ann", ""), None),
        ([], None),
        (None, None),
    ],
)
def test_entries(
    entry: t.Any, credentials: tuple[str, str, str] | None, write: t.Callable[[t.Any], str]
) -> None:
    path = write({"auths": {"r.example:5000": entry}})
    assert look(path) == (Credentials(*credentials, path) if credentials else None)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"auths":{"r.example:5000":{"auth":"***"}}}', "not base64"),
        ('{"auths":{"r.example:5000":{"auth":"/w=="}}}', "not base64"),
        ('{"credsStore":"../evil"}', "not the name of a credential helper"),
        ('{"credHelpers":{"r.example:5000":"a b"}}', "not the name of a credential helper"),
        ('{"credsStore":"coracle-absent"}', "docker-credential-coracle-absent is not installed"),
    ],
)
def test_an_auth_file_that_cannot_be_used(content: str, cause: str, write: t.Callable[[t.Any], str]) -> None:
    path = write(content)
    with pytest.raises(InvalidInput, match=rf"auth_file {path}: .*{cause}"):
        look(path)


def test_an_auth_file_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        look(str(tmp_path / "none"))


def test_the_files_of_the_user_are_skipped_with_a_note(tmp_path: pathlib.Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "REGISTRY_AUTH_FILE": str(tmp_path / "first"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }
    (tmp_path / "first").write_text("{broken")
    (tmp_path / "run" / "containers" / "auth.json").mkdir(parents=True)
    (tmp_path / "config" / "containers").mkdir(parents=True)
    (tmp_path / "config" / "containers" / "auth.json").write_text("{}")
    (tmp_path / "docker").mkdir()
    found = find_credentials("r.example", "a", environ=environ)
    assert found.credentials is None
    places = str(found).removeprefix("no credentials for it in ").split(", ")
    assert places[0] == "the task"
    assert places[1].startswith(f"{tmp_path}/first (the file is not valid JSON")
    assert places[2].startswith(f"{tmp_path}/run/containers/auth.json (")
    assert places[3] == f"{tmp_path}/config/containers/auth.json"
    assert places[-1] == f"{tmp_path}/docker/config.json (absent)"
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {"r.example": auth("ann", "pw")}}))
    credentials = find_credentials("r.example", "a", environ=environ).credentials
    assert credentials == Credentials("ann", "pw", "", f"{tmp_path}/docker/config.json")


def test_the_home_directory_of_docker_and_podman(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(
        json.dumps({"auths": {"r.example": auth("docker", "x")}})
    )
    found = find_credentials("r.example", "a", environ={"HOME": str(tmp_path)})
    assert found.credentials
    assert found.credentials.username == "docker"
    (tmp_path / ".config" / "containers").mkdir(parents=True)
    (tmp_path / ".config" / "containers" / "auth.json").write_text(
        json.dumps({"auths": {"r.example": auth("podman", "x")}})
    )
    found = find_credentials("r.example", "a", environ={"HOME": str(tmp_path)})
    assert found.credentials
    assert found.credentials.username == "podman"


HELPER = """#!/bin/sh
read -r server
case "$1 $server" in
  "get r.example:5000") echo '{"ServerURL":"r.example:5000","Username":"ann","Secret":"pw"}';;
  "get https://index.docker.io/v1/") echo '{"Username":"<token>","Secret":"identity"}';;
  "get broken.example") echo '{"Username":';;
  "get failing.example") echo "cannot open the key ring" >&2; exit 1;;
  *) echo "credentials not found in native keychain"; exit 1;;
esac
"""


@pytest.fixture
def helper(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a credential helper that is installed."""
    programs_directory = tmp_path / "bin"
    programs_directory.mkdir()
    path = programs_directory / "docker-credential-test"
    path.write_text(HELPER)
    path.chmod(0o755)
    search = f"{programs_directory}:{os.environ['PATH']}"
    monkeypatch.setitem(programs.MINIMAL_ENVIRONMENT, "PATH", search)
    return "test"


def test_a_helper_for_everything(helper: str, write: t.Callable[[t.Any], str]) -> None:
    path = write({"credsStore": helper})
    source = f"docker-credential-test (named in {path})"
    assert look(path) == Credentials("ann", "pw", "", source)
    assert look(path, "docker.io") == Credentials("", "", "identity", source)
    assert look(path, "unknown.example") is None


def test_a_helper_for_one_registry(helper: str, write: t.Callable[[t.Any], str]) -> None:
    path = write({"credHelpers": {"r.example:5000": helper}, "auths": {"r.example:5000": auth("file", "x")}})
    credentials = look(path)
    assert credentials
    assert credentials.username == "ann"


def test_an_entry_comes_before_the_helper_for_everything(
    helper: str, write: t.Callable[[t.Any], str]
) -> None:
    path = write({"credsStore": helper, "auths": {"r.example:5000": auth("file", "x")}})
    credentials = look(path)
    assert credentials
    assert credentials.username == "file"


@pytest.mark.parametrize(
    ("registry", "cause"),
    [
        ("failing.example", "docker-credential-test failed with exit code 1"),
        ("broken.example", "not valid JSON"),
    ],
)
def test_a_helper_that_fails(registry: str, cause: str, helper: str, write: t.Callable[[t.Any], str]) -> None:
    path = write({"credsStore": helper})
    with pytest.raises(InvalidInput, match=cause):
        look(path, registry)


def test_no_secret_is_shown() -> None:
    for shown in (
        repr(Credentials("ann", "hunter2", "", "x")),
        str(Found(Credentials("", "", "hunter2", "x"), [])),
    ):
        assert "hunter2" not in shown
