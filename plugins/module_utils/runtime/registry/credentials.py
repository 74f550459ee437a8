# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the user name and password for a registry come from.

In this order, the first that has some wins:

1. the task: `username` and `password` (for the registry in the image name, not for its mirrors);
2. the task's `auth_file`, and then no other file;
3. `$REGISTRY_AUTH_FILE`, `$XDG_RUNTIME_DIR/containers/auth.json`, `~/.config/containers/auth.json`,
   `/run/containers/<uid>/auth.json`, `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`.

Formats: containers-auth.json(5) (keys may name a repository: the longest match wins) and Docker's
`config.json`; in both `credHelpers` and `credsStore` name programs `docker-credential-<name>` that are asked
by the protocol of github.com/docker/docker-credential-helpers. Nothing is read before a registry asks for
credentials.
"""

from __future__ import annotations

import base64
import os
import re
import typing as t

from ..errors import AuthenticationError, CoracleError, InvalidInput
from ..linux import files, programs
from ..oci.reference import DOCKER_HUB
from ..oci.strict_json import parse_json_object

MAX_AUTH_FILE = 1 << 20
HELPER_TIMEOUT = 30.0
_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
_HUB_KEY = "https://index.docker.io/v1/"


class Credentials(t.NamedTuple):
    """Either `username` and `password`, or an `identity_token` (an OAuth 2 refresh token). Its `repr` shows
    no secret.
    """

    username: str
    password: str
    identity_token: str
    source: str
    """For messages: `the task`, a file name, a helper's name."""

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, source={self.source!r})"

    @property
    def basic(self) -> str:
        """Value of `Authorization` (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def __str__(self) -> str:
        return f"user {self.username or '(token)'} from {self.source}"


class Found(t.NamedTuple):
    """`looked_in` lists, for a message, the places without credentials for this registry."""

    credentials: Credentials | None
    looked_in: list[str]

    def __str__(self) -> str:
        if self.credentials:
            return f"tried as {self.credentials}"
        return f"no credentials for it in {', '.join(self.looked_in) or 'the task'}"


def find_credentials(
    registry: str,
    repository: str,
    *,
    username: str = "",
    password: str = "",
    auth_file: str = "",
    environ: t.Mapping[str, str] | None = None,
) -> Found:
    """Credentials for `registry` (as in the image name) and `repository`.

    Raises `InvalidInput` for an `auth_file` that cannot be used; the user's own files are skipped with a note
    instead.
    """
    if username:
        return Found(Credentials(username, password, "", "the task"), [])
    looked_in = ["the task"]
    for path in [auth_file] if auth_file else default_files(os.environ if environ is None else environ):
        try:
            credentials = _from_file(path, registry, repository)
        except FileNotFoundError:
            if auth_file:
                raise InvalidInput(f"auth_file {path} does not exist") from None
            looked_in.append(f"{path} (absent)")
        except (OSError, CoracleError) as error:
            cause = error.strerror if isinstance(error, OSError) else str(error)
            if auth_file or isinstance(error, AuthenticationError):
                raise InvalidInput(f"auth_file {path}: {cause}") from error
            looked_in.append(f"{path} ({cause})")
        else:
            if credentials:
                return Found(credentials, looked_in)
            looked_in.append(path)
    return Found(None, looked_in)


def default_files(environ: t.Mapping[str, str]) -> list[str]:
    """The files that podman, skopeo and docker look into, in that order."""
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    directories = [environ.get("XDG_RUNTIME_DIR"), config]
    candidates = [
        environ.get("REGISTRY_AUTH_FILE"),
        *(os.path.join(directory, "containers", "auth.json") for directory in directories if directory),
        f"/run/containers/{os.geteuid()}/auth.json",
        os.path.join(docker, "config.json"),
    ]
    return [path for path in candidates if path]


def _from_file(path: str, registry: str, repository: str) -> Credentials | None:
    document = parse_json_object(files.read_bounded(path, MAX_AUTH_FILE), "the file")
    hosts = _HUB_NAMES if registry == DOCKER_HUB else (registry,)
    for host in hosts:
        helper = _object(document, "credHelpers").get(host)
        if isinstance(helper, str) and helper:
            return _from_helper(helper, path, registry)
    auths = {_normalised_key(key): entry for key, entry in _object(document, "auths").items()}
    for key in _keys(hosts, repository):
        credentials = _from_entry(auths.get(key), path)
        if credentials:
            return credentials
    store = document.get("credsStore")
    return _from_helper(store, path, registry) if isinstance(store, str) and store else None


def _object(document: dict[str, t.Any], key: str) -> dict[str, t.Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _keys(hosts: t.Sequence[str], repository: str) -> list[str]:
    """`host/a/b`, `host/a`, `host`: the most specific first."""
    parts = repository.split("/")
    paths = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [f"{host}/{path}" for path in paths for host in hosts] + list(hosts)


def _normalised_key(key: str) -> str:
    """`https://index.docker.io/v1/` → `index.docker.io`"""
    bare = re.sub("^https?://", "", key).rstrip("/")
    return re.sub("/v[12]$", "", bare)


def _from_entry(entry: t.Any, path: str) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    fields = {key: value for key, value in entry.items() if isinstance(value, str)}
    username, password = fields.get("username", ""), fields.get("password", "")
    if fields.get("auth"):
        try:
            decoded = base64.b64decode(fields["auth"], validate=True).decode("utf-8")
        except ValueError:
            raise InvalidInput("an entry under auths is not base64 of user:password") from None
        username, _colon, password = decoded.partition(":")
        password = password.strip("\0")
    if fields.get("identitytoken"):
        return Credentials(username, "", fields["identitytoken"], path)
    return Credentials(username, password, "", path) if username and password else None


def _from_helper(helper: str, path: str, registry: str) -> Credentials | None:
    """Ask `docker-credential-<helper> get`; None when it knows nothing about the registry."""
    if not re.fullmatch("[A-Za-z0-9_.-]{1,64}", helper):
        raise InvalidInput(f"{helper[:64]!r} is not the name of a credential helper")
    program = f"docker-credential-{helper}"
    asked = _HUB_KEY if registry == DOCKER_HUB else registry
    answer = programs.run(
        [program, "get"], input=asked.encode(), timeout=HELPER_TIMEOUT, env=dict(os.environ), check=False
    )
    if answer.returncode != 0:
        text = (answer.stdout + answer.stderr).decode("utf-8", "replace").strip()
        if "credentials not found" in text:
            return None
        raise CoracleError(f"{program} failed with exit code {answer.returncode}")
    fields = parse_json_object(answer.stdout, f"the answer of {program}")
    username, secret = str(fields.get("Username") or ""), str(fields.get("Secret") or "")
    source = f"{program} (named in {path})"
    if username == "<token>":
        return Credentials("", "", secret, source)
    return Credentials(username, secret, "", source) if username and secret else None
