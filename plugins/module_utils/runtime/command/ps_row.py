# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""One container as a row of `ps`, in Docker's words."""

from __future__ import annotations

import typing as t

from ..container.health import STARTING, Health, health_of
from .units import ago, human_duration, human_size, local_time, seconds_since

if t.TYPE_CHECKING:
    from ..container.effective import Effective
    from ..container.records import ContainerRecord
    from ..container.status import Status
    from ..container.storage import VolumeMount
    from ..network.model import PublishedPort
    from .context import Context
    from .table import Row

_SHORT = 12  # digits of an id
_LONGEST = 20  # characters of a command or a mount


def row_of(context: Context, record: ContainerRecord, status: Status, *, whole: bool, size: bool) -> Row:
    """`whole`: nothing is shortened. `size`: count the bytes of the container, which takes time."""
    from ..network.records import endpoints_of, open_ports

    rows = context.engine.records.read()
    details = _effective(record)
    running = status.status in ("running", "paused", "restarting")
    ports = port_texts(open_ports(rows, record.id), _exposed(record)) if running else []
    mounts = [mount.source for mount in details.volumes if mount.source] if details else []
    labels = details.labels if details else record.config.labels or {}
    command = " ".join(details.arguments) if details else ""
    return {
        "ID": record.id if whole else record.id[:_SHORT],
        "Image": _image_name(rows, record) if record.image_name else "",
        "Command": f'"{command if whole else shortened(command)}"',
        "CreatedAt": local_time(record.created),
        "RunningFor": ago(record.created),
        "Status": status_text(status, health_of(context.engine.paths, record)),
        "State": status.status,
        "Ports": ", ".join(ports),
        "Names": record.name,
        "Size": _size(context, record) if size else "0B",
        "Labels": ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
        "Mounts": ",".join(mounts if whole else map(shortened, mounts)),
        "LocalVolumes": str(sum(not mount.startswith("/") for mount in mounts)),
        "Networks": ",".join(endpoint.network for endpoint in endpoints_of(rows, record.id))
        or (details.network_mode if details else ""),
        "Label": lambda name: labels.get(name, ""),
    }


def status_text(status: Status, health: Health | None = None) -> str:
    """`Up 2 seconds (healthy)`, `Exited (0) 3 minutes ago`, `Restarting (1) 2 seconds ago`, `Created`."""
    if status.status in ("running", "paused"):
        up = f"Up {human_duration(seconds_since(status.started_at) or 0)}"
        if status.status == "paused":
            return f"{up} (Paused)"
        if health is None:
            return up
        return f"{up} (health: starting)" if health.status == STARTING else f"{up} ({health.status})"
    if status.status == "restarting":
        return f"Restarting ({status.exit_code}) {ago(status.finished_at)}"
    if status.status == "exited":
        return f"Exited ({status.exit_code}) {ago(status.finished_at)}"
    return {"created": "Created", "removing": "Removal In Progress"}.get(status.status, "Dead")


def port_texts(ports: t.Iterable[PublishedPort], exposed: t.Iterable[str]) -> list[str]:
    """`0.0.0.0:8080->80/tcp`, neighbours as one range, and ports that are only exposed: `80/tcp`."""
    published = sorted(
        ports, key=lambda port: (":" in port.host_ip, port.host_ip, port.protocol, port.host_port)
    )
    runs: list[list[PublishedPort]] = []
    for port in published:
        last = runs[-1][-1] if runs else None
        steps = last and (
            port.host_ip == last.host_ip
            and port.protocol == last.protocol
            and (port.host_port - last.host_port, port.container_port - last.container_port) == (1, 1)
        )
        if steps:
            runs[-1].append(port)
        else:
            runs.append([port])
    led = {f"{port.container_port}/{port.protocol}" for port in published}
    texts = [(run[0].container_port, _port_text(run)) for run in runs]
    texts += [(int(text.partition("/")[0]), text) for text in exposed if text not in led]
    return [text for _number, text in sorted(texts, key=lambda each: each[0])]


def _port_text(run: t.Sequence[PublishedPort]) -> str:
    first, last = run[0], run[-1]
    address = f"[{first.host_ip}]" if ":" in first.host_ip else first.host_ip
    host = _range(first.host_port, last.host_port)
    return f"{address}:{host}->{_range(first.container_port, last.container_port)}/{first.protocol}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def shortened(text: str, length: int = _LONGEST) -> str:
    """As Docker does: an ellipsis in place of what is too much."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _exposed(record: ContainerRecord) -> list[str]:
    from ..container.attachments import has_interfaces, network_mode

    if not has_interfaces(network_mode(record.config)):
        return []
    return sorted({*record.image.exposed_ports, *(record.config.exposed_ports or ())})


def _effective(record: ContainerRecord) -> Effective | None:
    """None for a container whose record is damaged."""
    from ..container.effective import effective_of
    from ..errors import CoracleError

    try:
        return effective_of(record)
    except CoracleError:
        return None


def _image_name(rows: t.Any, record: ContainerRecord) -> str:
    """The name that was asked for, as long as it leads to the container's image; else the id of the image."""
    from ..content.images import find_name
    from ..oci.reference import familiar_name, is_image_id

    if is_image_id(record.image_name):
        return record.image_id.removeprefix("sha256:")[:_SHORT]
    name = find_name(rows, record.image_name)
    if name is not None and name.image_id != record.image_id:
        return record.image_id.removeprefix("sha256:")[:_SHORT]
    return familiar_name(record.image_name).removesuffix(":latest")


def mounts_of(record: ContainerRecord) -> list[VolumeMount]:
    details = _effective(record)
    return details.volumes if details else []


def _size(context: Context, record: ContainerRecord) -> str:
    """`0B (virtual 4.43MB)`"""
    own, whole = sizes_of(context, record)
    return f"{human_size(own)} (virtual {human_size(whole)})"


def sizes_of(context: Context, record: ContainerRecord) -> tuple[int, int]:
    """Bytes that the container has written, and these with its image."""
    import os

    from ..content.images import select_image
    from ..linux.tree_size import tree_size

    own = tree_size(os.path.join(context.engine.paths.container(record.id), "upper"))
    image = select_image(context.engine.records.read(), record.image_id)
    return own, own + (image.size if image else 0)
