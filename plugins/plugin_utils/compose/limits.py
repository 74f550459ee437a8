# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host a service may use."""

from __future__ import annotations

from .place import Place
from .stack import Declaration, Service

_SWARM = "there is no swarm"
_RATES = ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops")
_RESTARTS = {"none": "no", "any": "always", "on-failure": "on-failure"}


def deploy(place: Place, service: Service) -> Declaration:
    said: Declaration = {}
    for name, item in place.entries().items():
        if not item:
            continue
        if name == "resources":
            said.update(_resources(item))
        elif name == "restart_policy":
            said.update(_restart_policy(item))
        elif name == "replicas":
            only_one(item, service)
        elif name != "mode" or item.text() != "replicated":
            raise item.refusal(_SWARM, "take it out")
    return said


def only_one(place: Place, service: Service) -> Declaration:
    if place.number() != 1:
        raise place.refusal(
            f"a service is one container here, not {place.number()}", "write a service for each container"
        )
    return {}


def _resources(place: Place) -> Declaration:
    said: Declaration = {}
    parts = place.known("limits", "reservations")
    names = {"cpus": "cpus", "memory": "memory", "pids": "pids_limit"}
    if "limits" in parts:
        said = {names[name]: item.text() for name, item in parts["limits"].known(*names).items()}
    reserved = parts["reservations"].known("cpus", "memory") if "reservations" in parts else {}
    if "memory" in reserved:
        said["memory_reservation"] = reserved["memory"].text()
    if "cpus" in reserved:
        said["cpu_shares"] = _shares(reserved["cpus"])
    return said


def _shares(place: Place) -> int:
    """What is reserved counts when processors are short: 1024 is one processor's worth."""
    try:
        return max(2, int(float(place.text()) * 1024))
    except ValueError:
        raise place.refusal(f"{place.text()} is not a number of processors") from None


def _restart_policy(place: Place) -> Declaration:
    parts = place.known("condition", "max_attempts")
    condition = parts["condition"].text() if "condition" in parts else "any"
    if condition not in _RESTARTS:
        raise parts["condition"].refusal(f"{condition} is no condition", f"write {', '.join(_RESTARTS)}")
    said: Declaration = {"restart_policy": _RESTARTS[condition]}
    if "max_attempts" in parts:
        if condition != "on-failure":
            raise parts["max_attempts"].refusal("counts only with condition: on-failure", "take it out")
        said["restart_retries"] = parts["max_attempts"].number()
    return said


def blkio_config(place: Place, service: Service) -> Declaration:
    parts = place.known("weight", *_RATES)
    said: Declaration = {}
    if "weight" in parts:
        said["blkio_weight"] = parts["weight"].number()
    for name in _RATES:
        if name in parts:
            said[name] = [_rate(item) for item in parts[name].items()]
    return said


def _rate(place: Place) -> dict[str, str]:
    return {name: item.text() for name, item in place.known("path", "rate").items()}


def ulimits(place: Place, service: Service) -> Declaration:
    said = []
    for name, item in place.entries().items():
        if item.is_mapping:
            parts = item.known("soft", "hard")
            missing = [end for end in ("soft", "hard") if end not in parts]
            if missing:
                raise item.refusal(f"has no {missing[0]} limit")
            said.append(f"{name}:{parts['soft'].text()}:{parts['hard'].text()}")
        else:
            said.append(f"{name}:{item.text()}")
    return {"ulimits": said}


def devices(place: Place, service: Service) -> Declaration:
    return {"devices": [_device(item) for item in place.items()]}


def _device(place: Place) -> str:
    if not place.is_mapping:
        return place.text()
    parts = place.known("source", "target", "permissions")
    if "source" not in parts:
        raise place.refusal("has no source")
    source = parts["source"].text()
    target = parts["target"].text() if "target" in parts else source
    return ":".join([source, target, *([parts["permissions"].text()] if "permissions" in parts else [])])
