# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle import`: the tar of a root file system as an image of one layer."""

from __future__ import annotations

import argparse
import typing as t

from ..errors import InvalidInput
from .load import readable

if t.TYPE_CHECKING:
    from ..oci.image_config import ImageConfig
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--change",
        action="append",
        default=[],
        metavar="list",
        help="What the image says: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR",
    )
    parser.add_argument("-m", "--message", default="", metavar="string", help="Comment in its history")
    parser.add_argument("--platform", metavar="string", help="What it is made for, like linux/arm64")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("name", nargs="?", metavar="REPOSITORY[:TAG]")
    parser.epilog = """
        coracle import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' rootfs.tar.gz busybox:local
        coracle export web | coracle import - web:copy
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..linux.processes import now
    from ..oci.image_config import ImageConfig
    from ..oci.platforms import host_platform, parse_platform
    from ..oci.reference import parse_reference
    from ..operations.import_rootfs import import_rootfs, read_rootfs

    platform = parse_platform(options.platform) if options.platform else host_platform()
    config = ImageConfig(architecture=platform.architecture, variant=platform.variant)
    for text in options.change:
        change(config, text)
    names = [parse_reference(options.name)] if options.name else []
    with readable(context, options.file) as path:
        rootfs = read_rootfs(context.engine, path, config, now(), options.message)
        pulled = import_rootfs(context.engine, rootfs, names)
    if context.json:
        context.say_json({"id": pulled.record.id, **pulled.facts})
    else:
        context.say(pulled.record.id)
    return 0


def change(config: ImageConfig, text: str) -> None:
    """One line of a Dockerfile, as far as it says something about the process. InvalidInput for others."""
    import shlex

    word, _space, rest = text.strip().partition(" ")
    word, rest = word.upper(), rest.strip()
    if word in ("CMD", "ENTRYPOINT"):
        setattr(config, word.lower(), _command(rest))
    elif word == "ENV":
        pairs = shlex.split(rest) if "=" in rest.split(" ")[0] else ["=".join(rest.split(" ", 1))]
        names = {pair.partition("=")[0] for pair in pairs}
        config.env = [kept for kept in config.env if kept.partition("=")[0] not in names] + pairs
    elif word == "LABEL":
        config.labels = {**config.labels, **dict(_pair(pair) for pair in shlex.split(rest))}
    elif word == "EXPOSE":
        ports = [port if "/" in port else f"{port}/tcp" for port in rest.split()]
        config.exposed_ports = [*config.exposed_ports, *ports]
    elif word == "VOLUME":
        config.volumes = [*config.volumes, *(_command(rest) if rest.startswith("[") else rest.split())]
    elif word in _TEXTS:
        setattr(config, _TEXTS[word], rest)
    else:
        raise InvalidInput(f"{word} is not a valid change command")


_TEXTS = {"USER": "user", "WORKDIR": "working_dir", "STOPSIGNAL": "stop_signal"}


def _command(text: str) -> list[str]:
    """The list that it is, else a line for the shell."""
    import json

    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            raise InvalidInput(
                f"{text} is not a list of texts", 'write for example ["/bin/sh", "-c"]'
            ) from None
        if all(isinstance(each, str) for each in found):
            return list(found)
        raise InvalidInput(f"{text} is not a list of texts", 'write for example ["/bin/sh", "-c"]')
    return ["/bin/sh", "-c", text]


def _pair(text: str) -> tuple[str, str]:
    name, _equals, value = text.partition("=")
    return name, value
