# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What was asked plus what the image says: the container that will run, before the host comes in.

The rules are Docker's, to the letter where an image could tell the difference. What the image says is the
word of a stranger: what would reach beyond the container is refused (IntegrityError that names the field).
Fields that an option replaces are not looked at.
"""

from __future__ import annotations

import posixpath
import typing as t

from ..errors import IntegrityError, InvalidInput
from ..oci.image_config import ImageConfig
from .attachments import Item, attachments_of
from .config import ContainerConfig
from .mount_values import is_too_long
from .sharing import host_name
from .storage import VolumeMount, effective_volumes, tmpfs_of
from .values import has_control_characters, parse_signal, parse_user, signal_number

if t.TYPE_CHECKING:
    from .records import ContainerRecord

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_STOP_SIGNAL = "SIGTERM"
DEFAULT_STOP_TIMEOUT = 10


class Effective(t.NamedTuple):
    """`environment` has HOME only if somebody gave it: the home directory is known with the resolved user.
    `tmpfs` are options by target. `networks` are those of attachments.py.
    """

    arguments: list[str]
    environment: dict[str, str]
    working_dir: str
    user: str
    hostname: str
    network_mode: str
    networks: tuple[Item, ...]
    stop_signal: int
    stop_timeout: int
    labels: dict[str, str]
    volumes: list[VolumeMount]
    tmpfs: dict[str, str]


def effective_of(record: ContainerRecord) -> Effective:
    """What a recorded container is. IntegrityError or InvalidInput only if its image was never here."""
    return effective(
        record.config, record.image, record.id, record.ancestor, record.inherited, record.mounted_images
    )


def effective(
    config: ContainerConfig,
    image: ImageConfig,
    container_id: str,
    ancestor: str = "",
    inherited: t.Sequence[VolumeMount] = (),
    mounted_images: t.Mapping[str, str] | None = None,
) -> Effective:
    """InvalidInput where an option is missing, IntegrityError where the image asks for the impossible.

    `ancestor`: the container whose anonymous volumes this one has taken over, if not its own. `inherited`:
    what `volumes_from` has brought. `mounted_images`: ids of the images that are mounted, by name.
    """
    declared = [_image_volume(path) for path in image.volumes]
    mode, networks = attachments_of(config)
    hostname = host_name(config, container_id)
    return Effective(
        arguments=_arguments(config, image),
        environment=_environment(config, image, hostname),
        working_dir=config.working_dir or _image_path(image.working_dir or "/", "WorkingDir"),
        user=config.user if config.user is not None else _image_user(image.user),
        hostname=hostname,
        network_mode=mode,
        networks=networks,
        stop_signal=stop_signal(config, image),
        stop_timeout=DEFAULT_STOP_TIMEOUT if config.stop_timeout is None else config.stop_timeout,
        labels={**image.labels, **(config.labels or {})},
        volumes=effective_volumes(
            config, declared, ancestor or container_id, inherited, mounted_images or {}
        ),
        tmpfs=tmpfs_of(config),
    )


def _arguments(config: ContainerConfig, image: ImageConfig) -> list[str]:
    """An entrypoint that is given drops the image's command too; an empty one keeps it."""
    entrypoint = image.entrypoint if config.entrypoint is None else config.entrypoint
    command = config.command or ([] if config.entrypoint else image.cmd)
    arguments = [*entrypoint, *command]
    if not arguments or not arguments[0]:
        raise InvalidInput("nothing to run: the image has no command", "give command or entrypoint")
    return arguments


def _environment(config: ContainerConfig, image: ImageConfig, hostname: str) -> dict[str, str]:
    """PATH and HOSTNAME, TERM with a terminal, over them the image's, over them what was asked.

    Image entries without `=` are dropped: passed on, they leak the host's variables (CVE-2026-57231).
    """
    environment = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if config.tty:
        environment["TERM"] = "xterm"
    for entry in image.env:
        name, equals, value = entry.partition("=")
        if equals and name:
            if has_control_characters(name):
                raise _refuse("Env", entry, "has control characters in a name")
            environment[name] = value
    environment.update(config.env or {})
    if has_control_characters(environment.get("HOME", "")):
        raise InvalidInput("env: HOME contains control characters", "give HOME in env")
    return environment


def _image_user(text: str) -> str:
    try:
        return parse_user(text, "User") if text else ""
    except InvalidInput as error:
        raise IntegrityError(f"image: {error.message}", "give user") from error


def stop_signal(config: ContainerConfig, image: ImageConfig) -> int:
    """The signal that asks the program to end. Nonsense in the image means SIGTERM, as for Docker."""
    try:
        return signal_number(config.stop_signal or parse_signal(image.stop_signal, "StopSignal"))
    except InvalidInput:
        return signal_number(DEFAULT_STOP_SIGNAL)


def _image_path(text: str, field: str) -> str:
    """An absolute path without `..`: `/a/../../etc` is `/etc` of the container."""
    if not text.startswith("/") or has_control_characters(text) or is_too_long(text):
        raise _refuse(field, text, "is not an absolute path")
    path = posixpath.normpath("/" + text.lstrip("/"))
    if path == "/proc" or path.startswith("/proc/"):
        raise _refuse(field, text, "is in /proc")
    return path


def _image_volume(text: str) -> str:
    path = _image_path(text, "Volumes")
    if path == "/":
        raise _refuse("Volumes", path, "would cover the whole container")
    return path


def _refuse(field: str, text: str, problem: str) -> IntegrityError:
    return IntegrityError(f"image: {field} {text[:80]!r} {problem}", "use an image that is made well")
