# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `containers`: declarations as the modules `container`, `network` and `volume` take them, and
what is said about all of them.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..runtime.container.labels import PROJECT
from ..runtime.container.values import parse_container_name, parse_integer
from ..runtime.errors import InvalidInput, collecting, doing, raise_all
from ..runtime.reconcile.project import COMPLETED, HEALTHY, STARTED, Item, Project
from .argspec import ArgumentSpec
from .container_options import CONTROL, DESCRIPTION, read_description, read_request
from .docker_options import DOCKER, refusal_of
from .network_options import NETWORK, read_network_request
from .registry_options import registry_options
from .volume_options import VOLUME, read_volume_request

if t.TYPE_CHECKING:
    from ..runtime.oci.reference import Reference

_DICTS = {"type": "list", "elements": "dict", "default": []}
_STATES = ("absent", "healthy", "present", "restarted", "started", "stopped")

PROJECT_OPTIONS = ArgumentSpec(
    {
        "containers": _DICTS,
        "defaults": {"type": "dict", "default": {}},
        "networks": _DICTS,
        "volumes": _DICTS,
        "images": {"type": "list", "elements": "str", "default": []},
        "project": {"type": "str"},
        "purge": {"type": "bool", "default": False},
        "state": {"type": "str", "default": "started", "choices": list(_STATES)},
        "pull": {
            "type": "str",
            "default": "missing",
            "choices": ["always", "missing", "never", "newer"],
        },
        "parallelism": {"type": "int", "default": 0},
        "wait_timeout": {"type": "float", "default": 300.0},
        "compose": {"type": "raw"},
        "compose_file": {"type": "str"},
        "compose_directory": {"type": "str"},
        "compose_environment": {"type": "dict", "default": {}},
        "compose_profiles": {"type": "list", "elements": "str", "default": []},
        "remote_src": {"type": "bool", "default": False},
    }
)

_OF_ONE = (
    "comparisons",
    "drain_timeout",
    "force_kill",
    "healthy_wait_timeout",
    "image_name_mismatch",
    "keep_previous",
    "keep_volumes",
    "kill_signal",
    "name",
    "paused",
    "pull",
    "ready",
    "recreate",
    "replace",
    "restart",
    "state",
)
"""Control options that a declaration may have; how things are run to their end belongs to `container`."""

_DECLARATION = {
    **DESCRIPTION.options,
    **DOCKER.options,
    **{name: {**CONTROL.options[name], "default": None} for name in _OF_ONE},
    "depends_on": {"type": "raw"},
}
_DEFAULTS = {
    name: option for name, option in _DECLARATION.items() if name not in ("name", "depends_on", "state")
}
_NOT_OF_NETWORKS = ("state", "connected", "appends", "force")
_NETWORK = {name: option for name, option in NETWORK.options.items() if name not in _NOT_OF_NETWORKS}
_VOLUME = {name: option for name, option in VOLUME.options.items() if name != "state"}

_MERGED = ("env", "labels")
"""Dictionaries in which a declaration adds to the defaults; everything else takes their place."""

_CONDITIONS = {
    "service_started": STARTED,
    "service_healthy": HEALTHY,
    "service_completed_successfully": COMPLETED,
    **{word: word for word in (STARTED, HEALTHY, COMPLETED)},
}

Params = dict[str, t.Any]


def read_project(params: Params) -> Project:
    """Everything that the task declares. InvalidInput names all that is wrong, each with its declaration."""
    if params["compose"] is not None or params["compose_file"] is not None:
        raise InvalidInput(
            "Compose files are read by the action plugin, which did not run",
            "call the module by its whole name, coracle.engine.containers",
        )
    name = parse_container_name(params["project"], "project") if params["project"] else ""
    if params["purge"] and not name:
        raise InvalidInput("purge removes what a project owns, and there is none", "give project")
    registry = registry_options(params)
    problems: list[BaseException] = []
    defaults: Params = {}
    with collecting(problems):
        defaults = _declared(params["defaults"], _DEFAULTS, "defaults")
    project = Project(
        name=name,
        state=params["state"],
        items=_each(
            params["containers"], lambda given: _item(given, defaults, params, name, registry), problems
        ),
        networks=_each(params["networks"], lambda given: _network(given, name), problems),
        volumes=_each(params["volumes"], lambda given: _volume(given, name), problems),
        images=_each(params["images"], lambda text: (_reference(text), None), problems),
        purge=params["purge"],
        pull=params["pull"],
        registry=registry,
        wait_timeout=params["wait_timeout"],
    )
    raise_all(problems)
    return project


def _each(
    given: t.Iterable[t.Any], read: t.Callable[[t.Any], t.Any], problems: list[BaseException]
) -> list[t.Any]:
    """What can be read; the others are `problems`."""
    found = []
    for one in given:
        with collecting(problems):
            found.append(read(one))
    return found


def hidden_values(params: t.Mapping[str, t.Any]) -> list[str]:
    """The contents of secrets in declarations, as somebody has written them; nothing need be checked."""
    given = params.get("containers")
    declared = [*(given if isinstance(given, list) else ()), params.get("defaults")]
    secrets = [one.get("secrets") for one in declared if isinstance(one, dict)]
    items = [item for each in secrets if isinstance(each, list) for item in each if isinstance(item, dict)]
    values = [item.get("value") for item in items]
    return [str(value) for value in values if value not in (None, "") and not isinstance(value, bool)]


def read_parallelism(params: Params) -> int:
    """How many at once: as many as there are processors, and some more, since they wait for disks."""
    import os

    asked = parse_integer(params["parallelism"], "parallelism", 0, 256, "0 means as many as suit the host")
    return asked or len(os.sched_getaffinity(0)) + 2


def _item(given: Params, defaults: Params, params: Params, project: str, registry: t.Any) -> Item:
    where = f"containers: {given.get('name') or 'one without a name'}"
    own = _declared(given, _DECLARATION, where)
    whole = {**own, **{name: _merged(name, own[name], value) for name, value in defaults.items()}}
    with doing(where):
        depends_on = _conditions(whole.pop("depends_on"))
    if project and whole["image"]:
        whole["labels"] = {**(whole["labels"] or {}), PROJECT: project}
    control = {name: option.get("default") for name, option in CONTROL.options.items()}
    control["pull"] = params["pull"]
    control["state"] = "started" if params["state"] == "restarted" else params["state"]
    control["restart"] = params["state"] == "restarted" and whole["state"] in (None, "started")
    control.update({name: whole[name] for name in _OF_ONE if whole[name] is not None})
    if params["state"] == "absent":
        control["state"] = "absent"
    whole.update(control)
    return Item(read_description(whole), read_request(whole, registry), depends_on)


def _merged(name: str, own: t.Any, default: t.Any) -> t.Any:
    if name in _MERGED and own is not None and default is not None:
        return {**default, **own}
    return default if own is None else own


def _network(given: Params, project: str) -> t.Any:
    where = f"networks: {given.get('name') or 'one without a name'}"
    whole = _checked(given, _NETWORK, where)
    whole.update(state="present", connected=None, appends=False, force=False)
    whole["labels"] = {**whole["labels"], **({PROJECT: project} if project else {})}
    return read_network_request(whole)


def _volume(given: Params, project: str) -> t.Any:
    where = f"volumes: {given.get('name') or 'one without a name'}"
    whole = {**_checked(given, _VOLUME, where), "state": "present"}
    whole["labels"] = {**whole["labels"], **({PROJECT: project} if project else {})}
    return read_volume_request(whole)


def _declared(given: Params, options: dict[str, t.Any], where: str) -> Params:
    """What is said about a container."""
    refusal = refusal_of(given)
    if refusal is not None:
        refusal.during(where)
        raise refusal
    return _checked(given, options, where)


def _checked(given: Params, options: dict[str, t.Any], where: str) -> Params:
    """The values as Ansible would give them to the module of such a thing; None for what is not given."""
    aliases = [alias for option in options.values() for alias in option.get("aliases", ())]
    unknown = sorted(set(given).difference(options, aliases))
    problems = [InvalidInput(f"{where}: {name} is not an option", _meant(name, options)) for name in unknown]
    known = {name: value for name, value in given.items() if name not in unknown}
    result = ArgumentSpecValidator(options).validate(known)
    problems += [InvalidInput(f"{where}: {told}") for told in result.error_messages]
    raise_all(problems)
    return {name: result.validated_parameters.get(name) for name in options}


def _meant(text: str, options: t.Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(text, list(options), 1)
    return f"did you mean {close[0]}?" if close else "ansible-doc coracle.engine.container lists them"


def _conditions(given: t.Any) -> dict[str, str]:
    """`depends_on` as a list of names, or as names with a `condition` each."""
    if given is None:
        return {}
    if isinstance(given, str):
        given = [given]
    if isinstance(given, list):
        given = dict.fromkeys(given)
    if not isinstance(given, dict):
        raise InvalidInput("depends_on is neither a list nor a dictionary", "write a list of names")
    return {
        parse_container_name(name, "depends_on"): _condition(name, detail) for name, detail in given.items()
    }


def _condition(name: str, detail: t.Any) -> str:
    word = detail.get("condition", STARTED) if isinstance(detail, dict) else detail or STARTED
    if word not in _CONDITIONS:
        raise InvalidInput(
            f"depends_on: {word!r} is not a condition for {name}",
            f"write {STARTED}, {HEALTHY} or {COMPLETED}",
        )
    return _CONDITIONS[word]


def _reference(text: str) -> Reference:
    from ..runtime.oci.reference import parse_reference

    with doing("images"):
        return parse_reference(text)
