# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What Docker's command writes in one text, and the module `container` in lists and dictionaries."""

from __future__ import annotations

import argparse
import os
import typing as t

from ..errors import InvalidInput

Texts = t.Sequence[str]


def read_pairs(texts: Texts, option: str) -> dict[str, str]:
    """`name=value`"""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"{option}: {text!r} is not name=value")
        pairs[name] = value
    return pairs


def read_names(texts: Texts, option: str) -> list[str]:
    """Names with commas between them, as Podman takes them."""
    names = [name.strip() for text in texts for name in text.split(",")]
    if not all(names):
        raise InvalidInput(f"{option}: a name is missing")
    return names


def read_hosts(texts: Texts, option: str) -> dict[str, str]:
    """`name:address`, `name=address`; an IPv6 address may be in brackets."""
    hosts = {}
    for text in texts:
        sign = "=" if "=" in text else ":"
        name, found, address = text.partition(sign)
        if not found or not name:
            raise InvalidInput(f"{option}: {text!r} is not host:ip")
        hosts[name] = address.strip("[]")
    return hosts


def read_rates(texts: Texts, option: str) -> list[dict[str, str]]:
    """`/dev/sda:1mb`"""
    rates = []
    for text in texts:
        path, colon, rate = text.rpartition(":")
        if not colon:
            raise InvalidInput(f"{option}: {text!r} is not path:rate")
        rates.append({"path": path, "rate": rate})
    return rates


def read_gpus(text: str, option: str) -> list[dict[str, t.Any]]:
    """`all`, `2`, `"device=0,1"`, `driver=amd,count=1`: fields of a CSV line."""
    import csv

    request: dict[str, t.Any] = {"capabilities": [["gpu"]]}
    for field in next(csv.reader([text]), []):
        name, equals, value = field.strip('"').partition("=")
        if not equals:
            name, value = "count", name
        if name == "count":
            request["count"] = "-1" if value == "all" else value
        elif name in ("device", "capabilities"):
            words = value.split(",")
            request.update({"device_ids": words} if name == "device" else {"capabilities": [words]})
        elif name == "driver":
            request["driver"] = value
        else:
            raise InvalidInput(f"{option}: {field!r} is not understood", "write for example all, or device=0")
    return [request]


def read_entrypoint(text: str, _option: str) -> list[str]:
    """One program, as it is; empty: without the image's."""
    return [text]


def read_volumes(texts: Texts, _option: str) -> list[str]:
    """A path that begins with a dot is one below the directory where the person is."""
    volumes = []
    for text in texts:
        source, colon, rest = text.partition(":")
        is_relative = colon and source.split("/")[0] in (".", "..")
        volumes.append(os.path.abspath(source) + colon + rest if is_relative else text)
    return volumes


_MOUNT_KEYS = {
    "type": "type", "source": "source", "src": "source", "target": "target", "destination": "target",
    "dst": "target", "readonly": "read_only", "ro": "read_only", "bind-propagation": "propagation",
    "bind-create-src": "create_mountpoint", "bind-nonrecursive": "non_recursive", "volume-nocopy": "no_copy",
    "volume-label": "labels", "volume-driver": "volume_driver", "volume-opt": "volume_options",
    "volume-subpath": "subpath", "image-subpath": "subpath", "tmpfs-size": "tmpfs_size",
    "tmpfs-mode": "tmpfs_mode", "consistency": "consistency",
}  # fmt: skip
_SWITCHES = ("read_only", "create_mountpoint", "non_recursive", "no_copy")
_MAPS = ("labels", "volume_options")


_SECRET_KEYS = {
    **{key: key for key in ("name", "path", "target", "uid", "gid", "mode", "env")},
    "id": "name",
    "src": "path",
    "source": "path",
    "dst": "target",
}


def read_mounts(texts: Texts, option: str) -> list[dict[str, t.Any]]:
    """`type=bind,source=/srv,target=/data,readonly`"""
    return [_read_mount(text, option) for text in texts]


def _read_mount(text: str, option: str) -> dict[str, t.Any]:
    mount: dict[str, t.Any] = {}
    for key, value in _fields(text, option):
        name = _known(_MOUNT_KEYS, key.lower(), f"{option}: unexpected key {key!r} in {text!r}")
        if name in _SWITCHES:
            mount[name] = _truth(value, option)
        elif name in _MAPS:
            inner, _equals, content = (value or "").partition("=")
            mount.setdefault(name, {})[inner] = content
        else:
            mount[name] = value or ""
    if mount.get("type", "volume") == "bind" and "source" in mount:
        mount["source"] = os.path.abspath(mount["source"])
    return mount


def read_secrets(texts: Texts, option: str) -> list[dict[str, t.Any]]:
    """`name=token,path=/etc/token,uid=1000,mode=0400`. There is no key for a value: others see arguments."""
    return [_read_secret(text, option) for text in texts]


def _read_secret(text: str, option: str) -> dict[str, t.Any]:
    secret: dict[str, t.Any] = {}
    for key, value in _fields(text, option):
        name = _known(_SECRET_KEYS, key.lower(), f"{option}: unexpected key {key!r}")
        secret[name] = os.path.abspath(value or "") if name == "path" else value or ""
    return secret


def _known(keys: t.Mapping[str, str], key: str, problem: str) -> str:
    if key not in keys:
        raise InvalidInput(problem, f"known: {', '.join(sorted(keys))}")
    return keys[key]


def _fields(text: str, option: str) -> list[tuple[str, str | None]]:
    """Comma-separated values with quotes, each `key=value` or `key`."""
    import csv

    rows = list(csv.reader([text]))
    if not rows or not rows[0]:
        raise InvalidInput(f"{option}: nothing is given")
    return [
        (key, value if equals else None) for key, equals, value in (cell.partition("=") for cell in rows[0])
    ]


def _truth(value: str | None, option: str) -> bool:
    if value is None or value.lower() in ("1", "true"):
        return True
    if value.lower() in ("0", "false"):
        return False
    raise InvalidInput(f"{option}: {value!r} is neither true nor false")


# Options that are several


_HEALTH_FLAGS = (
    ("--health-cmd", "test", "string", "Command to run to check health"),
    ("--health-interval", "interval", "duration", "Time between running the check (30s)"),
    ("--health-retries", "retries", "int", "Consecutive failures needed to report unhealthy (3)"),
    ("--health-timeout", "timeout", "duration", "Maximum time to allow one check to run (30s)"),
    ("--health-start-period", "start_period", "duration", "Time in which failures do not count"),
    ("--health-start-interval", "start_interval", "duration", "Time between checks in that period (5s)"),
)


def add_texts(parser: argparse.ArgumentParser) -> None:
    """Environment, labels, networks and the health check."""
    for flags, metavar, text in (
        (
            ("-e", "--env"),
            "list",
            "Set environment variables (NAME=value, or NAME for the one that is set here)",
        ),
        (("--env-file",), "file", "Read in a file of environment variables"),
        (("-l", "--label"), "list", "Set meta data on a container"),
        (("--label-file",), "file", "Read in a line delimited file of labels"),
        (
            ("--network", "--net"),
            "network",
            "Connect a container to a network (or none, host, container:NAME)",
        ),
        (("--network-alias", "--net-alias"), "list", "Add network-scoped alias for the container"),
        (("--link",), "list", "Add link to another container"),
    ):
        parser.add_argument(*flags, action="append", default=[], metavar=metavar, help=text)
    parser.add_argument("--ip", metavar="ip", help="IPv4 address (for example 172.30.100.104)")
    parser.add_argument("--ip6", metavar="ip", help="IPv6 address (for example 2001:db8::33)")
    for flag, key, metavar, text in _HEALTH_FLAGS:
        parser.add_argument(flag, dest=f"health_{key}", metavar=metavar, help=text)
    parser.add_argument(
        "--no-healthcheck", action="store_true", help="Disable any health check that the image has"
    )


def given_texts(options: argparse.Namespace) -> dict[str, t.Any]:
    """As `given_options`."""
    environment = _environment(options)
    labels = _labels(options)
    return {
        **({"env": environment} if environment else {}),
        **({"labels": labels} if labels else {}),
        **_network(options),
        **_healthcheck(options),
    }


def _healthcheck(options: argparse.Namespace) -> dict[str, t.Any]:
    asked = {key: getattr(options, f"health_{key}") for _flag, key, _metavar, _text in _HEALTH_FLAGS}
    asked = {key: value for key, value in asked.items() if value is not None}
    if options.no_healthcheck and asked:
        raise InvalidInput("--no-healthcheck conflicts with --health-* options", "give one of them")
    if options.no_healthcheck:
        asked = {"test": "NONE"}
    return {"healthcheck": asked} if asked else {}


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """Of files, then of options. A bare NAME is the variable of whoever types, if there is one."""
    lines = [line for path in options.env_file for line in _lines(path, "--env-file")]
    variables = {}
    for text in [*lines, *options.env]:
        name, equals, value = text.partition("=")
        if equals:
            variables[name] = value
        elif name in os.environ:
            variables[name] = os.environ[name]
    return variables


def _labels(options: argparse.Namespace) -> dict[str, str]:
    texts = [line for path in options.label_file for line in _lines(path, "--label-file")]
    return {
        name: value for name, _equals, value in (text.partition("=") for text in [*texts, *options.label])
    }


def _lines(path: str, option: str) -> list[str]:
    """Without comments and empty ones."""
    from ..linux.files import read_asked_file

    content = read_asked_file(option, os.path.abspath(path), 1 << 20)
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{option}: {path} is not UTF-8 text at byte {error.start}") from error
    kept = [line.rstrip("\r").lstrip(" \t") for line in lines]
    return [line for line in kept if line and not line.startswith("#")]


_MODES, _SHARED = ("none", "host", "bridge", "default"), ("container:", "ns:")
_NETWORK_KEYS = {
    "name": "name", "alias": "aliases", "ip": "ipv4_address", "ip6": "ipv6_address",
    "mac-address": "mac_address", "driver-opt": "driver_opts", "gw-priority": "gw_priority",
}  # fmt: skip


def asked_of_network(options: argparse.Namespace, aliases: Texts) -> dict[str, t.Any]:
    """What the options `--ip`, `--ip6` and `--link` say of one network, as one of `networks` says it."""
    asked = {
        "ipv4_address": options.ip,
        "ipv6_address": options.ip6,
        "aliases": aliases,
        "links": options.link,
    }
    return {name: value for name, value in asked.items() if value}


def _network(options: argparse.Namespace) -> dict[str, t.Any]:
    """One mode, or networks; addresses and aliases of their own options are those of the first one."""
    texts = options.network
    own = asked_of_network(options, options.network_alias)
    if not texts and not own:
        return {}
    if len(texts) == 1 and not own and (texts[0] in _MODES or texts[0].startswith(_SHARED)):
        return {"network_mode": texts[0]}
    networks = [_read_network(text) for text in texts or ["coracle"]]
    for network in networks:
        network["name"] = "coracle" if network["name"] in ("bridge", "default") else network["name"]
    networks[0].update(own)
    return {"networks": networks}


def _read_network(text: str) -> dict[str, t.Any]:
    """`front`, or `name=front,alias=web,ip=10.0.0.7`"""
    if "=" not in text:
        return {"name": text}
    network: dict[str, t.Any] = {}
    for key, value in _fields(text, "--network"):
        name = _known(_NETWORK_KEYS, key, f"--network: invalid field key {key}")
        if name == "aliases":
            network.setdefault(name, []).append(value or "")
        elif name == "driver_opts":
            inner, _equals, content = (value or "").partition("=")
            network.setdefault(name, {})[inner] = content
        else:
            network[name] = value or ""
    return network
