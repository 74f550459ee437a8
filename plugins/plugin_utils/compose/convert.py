# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole Compose file as what a task of `containers` declares.

Names are those that Compose gives: `project-service-1` or `container_name`, `project_network`,
`project_volume`, and on its networks every service has its name as an alias.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    InvalidInput,
    collecting,
    raise_all,
)

from .connections import keys_of
from .interpolate import Interpolation
from .place import Place
from .service import declaration
from .stack import Declaration, Files, Service, Stack

_TOP = ("version", "name", "services", "networks", "volumes", "secrets", "configs")
_REFUSED_AT_TOP = {
    "include": ("other files are not included", "use a task for each, or one file"),
    "models": ("there are no models here", "take it out"),
}
_NETWORK = {
    "driver": "driver",
    "driver_opts": "driver_options",
    "internal": "internal",
    "enable_ipv4": "enable_ipv4",
    "enable_ipv6": "enable_ipv6",
    "labels": "labels",
}
_PROJECT = r"[a-z0-9][a-z0-9_-]*"


class Settings(t.NamedTuple):
    """What the task says besides the file. `project` comes before the file's `name`, that before
    `fallback`.
    """

    project: str = ""
    fallback: str = ""
    directory: str = ""
    profiles: t.Collection[str] = ()
    variables: t.Mapping[str, str] = {}
    read: Files = lambda path: None


class Converted(t.NamedTuple):
    project: str
    containers: list[Declaration]
    networks: list[Declaration]
    volumes: list[Declaration]
    warnings: list[str]


def convert(document: t.Mapping[str, t.Any], settings: Settings) -> Converted:
    """InvalidInput says all that is wrong, each with its place."""
    interpolation = Interpolation({"COMPOSE_PROJECT_NAME": "", **settings.variables})
    name = _project_name(interpolation.of(document.get("name")), settings)
    interpolation.variables = {**settings.variables, "COMPOSE_PROJECT_NAME": name}
    whole = Place(interpolation.of(dict(document)), "")
    problems = interpolation.problems
    _check_top(whole, problems)
    stack = _stack(whole, name, settings, problems)
    services = [Service(key, stack.declared[key], stack) for key in stack.services]
    containers = [declaration(service, problems) for service in services]
    networks = _networks(whole, stack, services, problems)
    volumes = _volumes(whole, stack, problems)
    raise_all(problems)
    warnings = [f"the Compose file uses {name}, which has no value" for name in interpolation.missing]
    return Converted(name, containers, networks, volumes, warnings)


def _project_name(named: t.Any, settings: Settings) -> str:
    asked = settings.project or settings.variables.get("COMPOSE_PROJECT_NAME") or named
    name = str(asked or re.sub(r"[^a-z0-9_-]", "", settings.fallback.lower()).lstrip("_-"))
    if not name:
        raise InvalidInput("the Compose file has no name", "give project")
    if not asked and not re.fullmatch(_PROJECT, name):
        raise InvalidInput(f"{name} is no name for a project", "give project")
    return name


def _check_top(whole: Place, problems: list[BaseException]) -> None:
    for key, place in whole.entries().items():
        if key not in _TOP:
            problems.append(
                place.refusal(*_REFUSED_AT_TOP.get(key, ("has no counterpart here", "take it out")))
            )
    with collecting(problems):
        if not whole.below("services").keys():
            raise whole.below("services").refusal("there are none", "declare at least one service")


def _stack(whole: Place, project: str, settings: Settings, problems: list[BaseException]) -> Stack:
    declared: dict[str, Place] = {}
    names: dict[str, dict[str, str]] = {"networks": {"default": f"{project}_default"}, "volumes": {}}
    with collecting(problems):
        declared = _active(whole.below("services").entries(), settings)
    for kind, found in names.items():
        with collecting(problems):
            for key, place in whole.below(kind).entries().items():
                found[key] = _real_name(place, key, project)
    files: dict[str, dict[str, Place]] = {"secrets": {}, "configs": {}}
    for kind in files:
        with collecting(problems):
            files[kind] = whole.below(kind).entries()
    return Stack(
        project=project,
        directory=settings.directory,
        declared=declared,
        services={
            key: str(place.below("container_name").value or f"{project}-{key}-1")
            for key, place in declared.items()
        },
        variables=settings.variables,
        read=settings.read,
        **names,
        **files,
    )


def _active(services: t.Mapping[str, Place], settings: Settings) -> dict[str, Place]:
    """Those without profiles, and those with one that is asked for."""
    active = {}
    for key, place in services.items():
        profiles = place.below("profiles").texts()
        if not profiles or "*" in settings.profiles or set(profiles).intersection(settings.profiles):
            active[key] = place
    return active


def _is_external(place: Place) -> bool:
    external = place.below("external")
    return bool(external) and (external.is_mapping or external.boolean())


def _real_name(place: Place, key: str, project: str) -> str:
    """`external: {name: x}` is how it was written once."""
    external = place.below("external")
    named = place.below("name") or external.below("name")
    if named:
        return named.text()
    return key if _is_external(place) else f"{project}_{key}"


def _networks(
    whole: Place, stack: Stack, services: t.Sequence[Service], problems: list[BaseException]
) -> list[Declaration]:
    """Those that a service is on, as Compose makes them."""
    used = set()
    for service in services:
        with collecting([]):  # declaration() has said it
            if not service.whole.below("network_mode"):
                used.update(keys_of(service.whole.below("networks")))
    found = []
    for key, name in stack.networks.items():
        place = whole.below("networks").below(key)
        with collecting(problems):
            if key in used and not _is_external(place):
                found.append({"name": name, **_network(place)})
    return found


def _network(place: Place) -> Declaration:
    parts = place.known(*_NETWORK, "name", "external", "ipam", "attachable")
    said: Declaration = {}
    for key, option in _NETWORK.items():
        if key not in parts:
            continue
        if key in ("driver_opts", "labels"):
            said[option] = {name: item.text() if item else "" for name, item in parts[key].pairs().items()}
        else:
            said[option] = parts[key].text() if key == "driver" else parts[key].boolean()
    if "ipam" in parts:
        said["ipam_config"] = _ipam(parts["ipam"])
    return said


def _ipam(place: Place) -> list[Declaration]:
    parts = place.known("driver", "config")
    if "driver" in parts and parts["driver"].text() != "default":
        raise parts["driver"].refusal("addresses are given by the engine itself", "take it out")
    pools = []
    for item in parts["config"].items() if "config" in parts else ():
        known = item.known("subnet", "gateway", "ip_range", "aux_addresses")
        pool: Declaration = {
            {"ip_range": "iprange"}.get(name, name): known[name].text()
            for name in ("subnet", "gateway", "ip_range")
            if name in known
        }
        if "aux_addresses" in known:
            pool["aux_addresses"] = {
                name: address.text() for name, address in known["aux_addresses"].entries().items()
            }
        pools.append(pool)
    return pools


def _volumes(whole: Place, stack: Stack, problems: list[BaseException]) -> list[Declaration]:
    found = []
    for key, name in stack.volumes.items():
        place = whole.below("volumes").below(key)
        with collecting(problems):
            if not _is_external(place):
                found.append({"name": name, **_volume(place)})
    return found


def _volume(place: Place) -> Declaration:
    parts = place.known("name", "external", "driver", "driver_opts", "labels")
    said: Declaration = {}
    if "driver" in parts:
        said["driver"] = parts["driver"].text()
    for key, option in (("driver_opts", "driver_options"), ("labels", "labels")):
        if key in parts:
            said[option] = {name: item.text() if item else "" for name, item in parts[key].pairs().items()}
    return said
