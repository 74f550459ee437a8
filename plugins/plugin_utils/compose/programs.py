# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a service, and with what: command, environment, health check, its logs, what it waits for."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.environment_values import (
    parse_env_file,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.values import parse_seconds

from .dotenv import parse_dotenv
from .place import Place
from .stack import Declaration, Service

_PULL = {"always": "always", "missing": "missing", "if_not_present": "missing", "never": "never"}
_TIMES = ("interval", "timeout", "start_period", "start_interval")


def command(place: Place, service: Service) -> Declaration:
    if not isinstance(place.value, list):
        return {"command": place.text()}
    if not place.value:
        raise place.refusal(
            "an empty list is the command of the image here", "take it out, or clear entrypoint"
        )
    return {"command": place.texts()}


def entrypoint(place: Place, service: Service) -> Declaration:
    if isinstance(place.value, list):
        return {"entrypoint": place.texts()}
    try:
        return {"entrypoint": shlex.split(place.text())}
    except ValueError as error:
        raise place.refusal(f"cannot be split into words: {error}", "write a list") from None


def environment(place: Place, service: Service) -> Declaration:
    """A name alone takes its value from the variables that the task gives, or is not set."""
    known = service.stack.variables
    values = {name: item.text() if item else known.get(name) for name, item in place.pairs().items()}
    return {"env": {name: value for name, value in values.items() if value is not None}}


def env_file(place: Place, service: Service) -> Declaration:
    found: dict[str, str] = {}
    for item in [place] if place.is_mapping else place.items():
        found.update(_env_file(item, service))
    return {"env": found}


def _env_file(place: Place, service: Service) -> dict[str, str]:
    parts = place.known("path", "required", "format") if place.is_mapping else {"path": place}
    if "path" not in parts:
        raise place.refusal("has no path")
    path = parts["path"].text()
    content = service.stack.read(path)
    if content is None:
        if "required" in parts and not parts["required"].boolean():
            return {}
        raise parts["path"].refusal(f"there is no file {path}", "it is looked for beside the Compose file")
    if "format" not in parts:
        return parse_dotenv(content, path, service.stack.variables)
    if parts["format"].text() != "raw":
        raise parts["format"].refusal(f"{parts['format'].value} is no format of such files", "write raw")
    return parse_env_file(content, path)


def healthcheck(place: Place, service: Service) -> Declaration:
    parts = place.known("test", "retries", "disable", *_TIMES)
    if "disable" in parts and parts["disable"].boolean():
        return {"healthcheck": {"test": "NONE"}}
    said: Declaration = {name: parts[name].text() for name in _TIMES if name in parts}
    if "test" in parts:
        test = parts["test"]
        said["test"] = test.texts() if isinstance(test.value, list) else test.text()
    if "retries" in parts:
        said["retries"] = parts["retries"].number()
    return {"healthcheck": said}


def logging(place: Place, service: Service) -> Declaration:
    parts = place.known("driver", "options")
    said: Declaration = {}
    if "driver" in parts:
        said["log_driver"] = parts["driver"].text()
    if "options" in parts:
        said["log_options"] = {name: item.text() for name, item in parts["options"].pairs().items() if item}
    return said


def stop_grace_period(place: Place, service: Service) -> Declaration:
    return {"stop_timeout": parse_seconds(place.text(), place.path)}


def pull_policy(place: Place, service: Service) -> Declaration:
    if place.text() not in _PULL:
        raise place.refusal(f"{place.text()} is no policy here", f"write {', '.join(_PULL)}")
    return {"pull": _PULL[place.text()]}


def depends_on(place: Place, service: Service) -> Declaration:
    if not place.is_mapping:
        return {"depends_on": {service.stack.container_of(item, item.text()): {} for item in place.items()}}
    said = {}
    for name, item in place.entries().items():
        parts = item.known("condition", "required", "restart")
        if "restart" in parts and parts["restart"].boolean():
            raise parts["restart"].refusal("nothing is restarted because another one is", "take it out")
        is_required = "required" not in parts or parts["required"].boolean()
        if not is_required and name not in service.stack.services:
            continue
        other = service.stack.container_of(item, name)
        said[other] = {"condition": parts["condition"].text()} if "condition" in parts else {}
    return {"depends_on": said}


def joined(option: str) -> t.Callable[[Place, Service], Declaration]:
    """`service:NAME` is `container:` with the name that it has here."""

    def read(place: Place, service: Service) -> Declaration:
        text = place.text()
        kind, colon, name = text.partition(":")
        if kind == "service" and colon:
            text = f"container:{service.stack.container_of(place, name)}"
        return {option: text}

    return read
