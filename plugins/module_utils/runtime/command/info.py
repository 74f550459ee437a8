# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle info`: this host as the engine sees it, and what stands in the way of containers."""

from __future__ import annotations

import argparse
import typing as t

if t.TYPE_CHECKING:
    from .context import Context

Facts = dict[str, t.Any]


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--format", metavar="string", help='"json", or a Go template')
    parser.epilog = """
        coracle info
        coracle info -f '{{.ServerVersion}} {{.CgroupVersion}}'
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.describe_host import describe_host

    facts = describe_host(context.engine)
    if context.json:
        context.say_json(facts)
    elif options.format == "json":
        context.say_json(_document(facts))
    elif options.format:
        from .template import parse_template

        context.say(parse_template(options.format).render(_document(facts)))
    else:
        context.out.write(_text(facts))
        context.out.flush()
        for problem in facts["problems"]:
            context.warn(
                f"{problem['message']} ({problem['hint']})" if problem["hint"] else problem["message"]
            )
    return 0


def _document(facts: Facts) -> Facts:
    """With the names of `docker info`."""
    containers = facts["counts"]["containers"]
    return {
        "Containers": containers["total"],
        "ContainersRunning": containers["running"],
        "ContainersPaused": containers["paused"],
        "ContainersStopped": _stopped(containers),
        "Images": facts["counts"]["images"],
        "Driver": facts["storage"]["driver"],
        "DriverStatus": [["Backing Filesystem", facts["storage"]["file_system"]]],
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if facts["cgroups"]["mode"] == "v2" else "1",
        "KernelVersion": facts["kernel"]["version"],
        "OperatingSystem": facts["host"]["operating_system"],
        "OSType": "linux",
        "Architecture": facts["kernel"]["machine"],
        "NCPU": facts["host"]["processors"],
        "MemTotal": facts["host"]["memory"],
        "Name": facts["host"]["name"],
        "DockerRootDir": facts["engine"]["root"],
        "ServerVersion": facts["engine"]["version"],
        "Warnings": [problem["message"] for problem in facts["problems"]],
    }


def _text(facts: Facts) -> str:
    from .units import binary_size, human_size

    containers, storage, groups = facts["counts"]["containers"], facts["storage"], facts["cgroups"]
    lines = [
        f"Containers: {containers['total']}",
        f" Running: {containers['running']}",
        f" Paused: {containers['paused']}",
        f" Stopped: {_stopped(containers)}",
        *(f"{name.title()}: {facts['counts'][name]}" for name in ("images", "volumes", "networks")),
        f"Server Version: {facts['engine']['version']}",
        f"Storage Driver: {storage['driver']}",
        f" Backing Filesystem: {storage['file_system']}",
        f" Free: {human_size(storage['free'])} of {human_size(storage['size'])}",
        "Logging Driver: k8s-file",
        f"Cgroup Version: {groups['mode'] or 'none'}",
        f" Controllers: {' '.join(groups['controllers'])}",
        "Components:",
        *(f" {name}: {_version(part)}" for name, part in facts["components"].items()),
        f" python: {facts['python']['version']}",
        f"Kernel Version: {facts['kernel']['version']}",
        f"Operating System: {facts['host']['operating_system']}",
        "OSType: linux",
        f"Architecture: {facts['kernel']['machine']}",
        f"CPUs: {facts['host']['processors']}",
        f"Total Memory: {binary_size(facts['host']['memory'])}",
        f"Name: {facts['host']['name']}",
        f"Coracle Root Dir: {facts['engine']['root']}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _stopped(containers: t.Mapping[str, int]) -> int:
    return containers["total"] - containers["running"] - containers["paused"]


def _version(part: t.Mapping[str, str] | None) -> str:
    return (part["version"] or "unknown version") if part else "not installed"
