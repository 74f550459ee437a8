# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program is told in confidence: files that only the container sees, or variables of its environment.

    state.db                               the content, as everything that a container was asked to be
    <run directory>/secrets/<number>       the file, while a run lasts; in memory, as all of /run
    /run/secrets/<name> of the container   the same file, read-only

What is told about secrets (differences, inspect, errors) has their names and never their content.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import typing as t

from ..linux.files import make_private_directory, read_asked_file
from .mount_values import parse_path
from .values import LARGEST_ID, cannot_be_passed, kind_of, parse_integer, parse_text, refuse

if t.TYPE_CHECKING:
    from .config import ContainerConfig

DIRECTORY = "/run/secrets"
_LARGEST = 512_000  # bytes, as in Podman and Docker
_LARGEST_VARIABLE = 100_000  # the kernel gives 128 KiB to a variable, name included
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,255}"
_OF_A_FILE = ("target", "uid", "gid", "mode")
_KEYS = ("name", "value", "path", "env", *_OF_A_FILE)
_DEFAULT_MODE = "0444"

Secret = dict[str, t.Any]


def parse_secrets(value: t.Any, option: str) -> list[Secret]:
    """`[{"name", "content", "target", "uid", "gid", "mode"}]` or, for a variable, `[{"name", "content",
    "env"}]`, sorted by name; `content` is base64. A `path` is a file of this host and is read now.
    """
    if not isinstance(value, (list, tuple)):
        raise refuse("…", option, "is not a list", "write for example [{name: token, value: …}]")
    secrets: dict[str, Secret] = {}
    for item in value:
        secret = _parse_secret(item, option)
        if secret["name"] in secrets:
            raise refuse(secret["name"], option, "is there twice", "give each secret a name of its own")
        secrets[secret["name"]] = secret
    return [secrets[name] for name in sorted(secrets)]


def _parse_secret(item: t.Any, option: str) -> Secret:
    """No error shows the item: it may hold the content, whatever it is called there."""
    if not isinstance(item, dict):
        raise refuse("…", option, f"has an item that is {kind_of(item)}", "write name, and value or path")
    given = {str(key): content for key, content in item.items() if content is not None}
    wrong = sorted(set(given).difference(_KEYS, ("content",)))
    if wrong:
        raise refuse(wrong[0], option, "is unknown", f"known: {', '.join(_KEYS)}")
    name = parse_text(given.get("name", ""), f"{option}: name")
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise refuse(name, f"{option}: name", "is not a name", "use letters, digits, _ . -, no sign first")
    where = f"{option}: {name}"
    content = _content(given, where)
    if given.get("env"):
        return {"name": name, "content": _encoded(content), "env": _variable(given, content, where)}
    target = parse_text(given.get("target") or name, f"{where}: target")
    return {
        "name": name,
        "content": _encoded(content),
        "target": parse_path(os.path.join(DIRECTORY, target), f"{where}: target"),
        "uid": parse_integer(given.get("uid", 0), f"{where}: uid", 0, LARGEST_ID),
        "gid": parse_integer(given.get("gid", 0), f"{where}: gid", 0, LARGEST_ID),
        "mode": _mode(given.get("mode", _DEFAULT_MODE), f"{where}: mode"),
    }


def _content(given: Secret, where: str) -> bytes:
    sources = [key for key in ("value", "path", "content") if key in given]
    if len(sources) != 1:
        raise refuse(
            given["name"], where.partition(":")[0], "needs either value or path", "give exactly one of them"
        )
    [source] = sources
    if source == "path":
        content = read_asked_file(f"{where}: path", parse_path(given["path"], f"{where}: path"), _LARGEST)
    elif source == "value":
        if not isinstance(given["value"], str):
            raise refuse("…", f"{where}: value", f"is {kind_of(given['value'])}, not text", "quote it")
        content = given["value"].encode("utf-8", "surrogateescape")
    else:
        content = _decoded(given["content"], where)
    if not content:
        raise refuse("", where, "is empty", "check the variable that it comes from")
    if len(content) > _LARGEST:
        raise refuse("…", where, f"has more than {_LARGEST} bytes", "mount a file instead")
    return content


def _variable(given: Secret, content: bytes, where: str) -> str:
    name = parse_text(given["env"], f"{where}: env")
    if not re.fullmatch(_VARIABLE, name, re.ASCII):
        raise refuse(name, f"{where}: env", "is not the name of an environment variable")
    needless = [key for key in _OF_A_FILE if key in given]
    if needless:
        raise refuse(
            given[needless[0]], f"{where}: {needless[0]}", "has no meaning with env", "keep one of them"
        )
    text = content.decode("utf-8", "surrogateescape")
    if cannot_be_passed(text) or len(content) > _LARGEST_VARIABLE:
        problem = (
            f"cannot be a variable: it is no UTF-8 text, has a NUL or more than {_LARGEST_VARIABLE} bytes"
        )
        raise refuse("…", where, problem, "leave out env, and have it as a file")
    return name


def _mode(value: t.Any, option: str) -> str:
    """As text only: YAML may have made anything of digits that are not quoted."""
    if not isinstance(value, str) or not re.fullmatch("0?[0-7]{1,3}", value, re.ASCII):
        raise refuse(value, option, "is not text with a mode", 'quote octal digits, for example "0400"')
    return f"{int(value, 8):04o}"


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decoded(text: t.Any, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise refuse("…", where, "is not base64", "give value or path") from None


# In the container


def secret_targets(config: ContainerConfig) -> list[str]:
    return [secret["target"] for secret in config.secrets or () if "target" in secret]


def secret_environment(config: ContainerConfig) -> dict[str, str]:
    return {
        secret["env"]: base64.b64decode(secret["content"]).decode("utf-8", "surrogateescape")
        for secret in config.secrets or ()
        if "env" in secret
    }


def write_secrets(config: ContainerConfig, run_directory: str) -> dict[str, str]:
    """Write the files of a run and return their places by target. They go with the run directory."""
    files = [secret for secret in config.secrets or () if "target" in secret]
    if not files:
        return {}
    directory = os.path.join(run_directory, "secrets")
    make_private_directory(directory)
    places = {}
    for number, secret in enumerate(files):
        place = places[secret["target"]] = os.path.join(directory, str(number))
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(base64.b64decode(secret["content"]))
            file.flush()
            os.fchown(fd, secret["uid"], secret["gid"])
            os.fchmod(fd, int(secret["mode"], 8))
    return places


def inspect_secrets(config: ContainerConfig) -> list[dict[str, t.Any]]:
    """What may be shown, in the manner of `podman inspect`."""
    return [
        {
            "Name": secret["name"],
            **({"Env": secret["env"]} if "env" in secret else {}),
            **(
                {"Target": secret["target"], "UID": secret["uid"], "GID": secret["gid"]}
                if "target" in secret
                else {}
            ),
            **({"Mode": int(secret["mode"], 8)} if "mode" in secret else {}),
        }
        for secret in config.secrets or ()
    ]
