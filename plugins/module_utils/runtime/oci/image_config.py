# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What an image says about itself and about the process it wants: image-spec config.md, Docker's
image.v1+json.

Every type is checked and nothing else is: `User`, `WorkingDir`, `Volumes` and the rest are still the image
author's words when they leave here, and `container/effective.py` decides what becomes of them. `OnBuild`,
`Shell` and `ArgsEscaped` are build matters and ignored.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..errors import IntegrityError
from .digest import parse_digest
from .platforms import Platform, normalised
from .strict_json import dump_canonical, parse_json_object

MAX_DIFF_IDS = 500


@dataclasses.dataclass
class ImageConfig:
    """`None` and empty mean "the image says nothing". Order matters in lists except in `exposed_ports` and
    `volumes`.
    """

    os: str = "linux"
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    created: str = ""
    author: str = ""
    env: list[str] = dataclasses.field(default_factory=list)
    cmd: list[str] = dataclasses.field(default_factory=list)
    entrypoint: list[str] = dataclasses.field(default_factory=list)
    working_dir: str = ""
    user: str = ""
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    exposed_ports: list[str] = dataclasses.field(default_factory=list)
    volumes: list[str] = dataclasses.field(default_factory=list)
    stop_signal: str = ""
    healthcheck: dict[str, t.Any] | None = None
    """Docker's shape: `Test` list of texts; `Interval`, `Timeout`, `StartPeriod`, `StartInterval`
    nanoseconds; `Retries`.
    """
    diff_ids: list[str] = dataclasses.field(default_factory=list)
    """Digests of the uncompressed layer tars, bottom first."""
    history: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)

    @property
    def platform(self) -> Platform:
        return normalised(self.os, self.architecture, self.variant, self.os_version)

    def to_json(self) -> dict[str, t.Any]:
        """Field names and values, without what is unset: the form kept in the state database."""
        return {name: value for name, value in vars(self).items() if value}

    @classmethod
    def from_json(cls, values: t.Mapping[str, t.Any]) -> ImageConfig:
        """The inverse of `to_json`; keys of a newer engine are ignored."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


def parse_image_config(raw: bytes) -> ImageConfig:
    """The configuration in `raw`. Raises `IntegrityError` that names the first field of a wrong type."""
    document = _Fields(parse_json_object(raw, "image configuration"), "image configuration: ")
    process = document.fields("config")
    return ImageConfig(
        os=document.text("os") or "linux",
        architecture=document.text("architecture"),
        variant=document.text("variant"),
        os_version=document.text("os.version"),
        created=document.text("created"),
        author=document.text("author"),
        env=[entry for entry in process.texts("Env") if entry.find("=") > 0],
        cmd=process.words("Cmd"),
        entrypoint=process.words("Entrypoint"),
        working_dir=process.text("WorkingDir"),
        user=process.text("User"),
        labels=process.text_map("Labels"),
        exposed_ports=process.keys("ExposedPorts"),
        volumes=process.keys("Volumes"),
        stop_signal=process.text("StopSignal"),
        healthcheck=_healthcheck(process.fields("Healthcheck")),
        diff_ids=_diff_ids(document.fields("rootfs")),
        history=[_history(entry) for entry in document.list("history", dict)],
    )


def new_image_config(config: ImageConfig) -> bytes:
    """The OCI document for `config`; equal input gives equal bytes. `parse_image_config` reads it back
    unchanged.
    """
    process: dict[str, t.Any] = {
        "Env": config.env,
        "Cmd": config.cmd,
        "Entrypoint": config.entrypoint,
        "WorkingDir": config.working_dir,
        "User": config.user,
        "Labels": config.labels,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Volumes": {path: {} for path in config.volumes},
        "StopSignal": config.stop_signal,
        "Healthcheck": config.healthcheck,
    }
    optional = {
        "variant": config.variant,
        "os.version": config.os_version,
        "created": config.created,
        "author": config.author,
        "history": config.history,
    }
    return dump_canonical(
        {
            "os": config.os,
            "architecture": config.architecture,
            "config": {key: value for key, value in process.items() if value},
            "rootfs": {"type": "layers", "diff_ids": config.diff_ids},
            **{key: value for key, value in optional.items() if value},
        }
    )


class _Fields:
    """Typed access to a JSON object. `null` and an absent key both mean "nothing"."""

    def __init__(self, values: dict[str, t.Any], where: str) -> None:
        self.values = values
        self.where = where

    def get(self, key: str, kind: t.Any, name: str) -> t.Any:
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise IntegrityError(f"{self.where}{key} is not {name}")
        return value

    def fields(self, key: str) -> _Fields:
        return _Fields(self.get(key, dict, "an object") or {}, f"{self.where}{key}.")

    def text(self, key: str) -> str:
        text: str = self.get(key, str, "a text") or ""
        self._refuse_nul(key, text)
        return text

    def number(self, key: str) -> int:
        return int(self.get(key, int, "a whole number") or 0)

    def list(self, key: str, kind: type) -> t.Sequence[t.Any]:
        items: t.Sequence[t.Any] = self.get(key, list, "a list") or ()
        if not all(isinstance(item, kind) for item in items):
            raise IntegrityError(
                f"{self.where}{key} is not a list of {'texts' if kind is str else 'objects'}"
            )
        return items

    def texts(self, key: str) -> t.List[str]:  # noqa: UP006 - `list` is a method of this class
        texts = [str(item) for item in self.list(key, str)]
        self._refuse_nul(key, *texts)
        return texts

    def words(self, key: str) -> t.List[str]:  # noqa: UP006
        """A list of texts; one text alone is a list of one, as Docker reads it."""
        return [self.text(key)] if isinstance(self.values.get(key), str) else self.texts(key)

    def keys(self, key: str) -> t.List[str]:  # noqa: UP006
        """The keys of an object that is used as a set, sorted."""
        names = sorted(self.get(key, dict, "an object") or ())
        self._refuse_nul(key, *names)
        return names

    def text_map(self, key: str) -> dict[str, str]:
        mapping: dict[str, str] = self.get(key, dict, "an object") or {}
        if not all(isinstance(value, str) for value in mapping.values()):
            raise IntegrityError(f"{self.where}{key} is not a map of texts")
        self._refuse_nul(key, *mapping, *mapping.values())
        return mapping

    def _refuse_nul(self, key: str, *texts: str) -> None:
        if any("\0" in text for text in texts):
            raise IntegrityError(f"{self.where}{key} contains a NUL character")


def _healthcheck(fields: _Fields) -> dict[str, t.Any] | None:
    numbers = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
    known = {"Test": fields.words("Test"), **{key: fields.number(key) for key in numbers}}
    return {key: value for key, value in known.items() if value} or None


def _diff_ids(rootfs: _Fields) -> list[str]:
    kind = rootfs.text("type")
    if kind not in ("", "layers"):
        raise IntegrityError(f"image configuration: rootfs.type is {kind[:40]!r}, not 'layers'")
    diff_ids = rootfs.texts("diff_ids")
    if len(diff_ids) > MAX_DIFF_IDS:
        raise IntegrityError(f"image configuration: rootfs.diff_ids has {len(diff_ids)} entries")
    return [parse_digest(diff_id) for diff_id in diff_ids]


def _history(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    """`created`, `created_by`, `author`, `comment` (texts) and `empty_layer` (true or absent)."""
    fields = _Fields(entry, "image configuration: history.")
    texts = {key: fields.text(key) for key in ("created", "created_by", "author", "comment")}
    empty_layer = {"empty_layer": True} if fields.get("empty_layer", bool, "true or false") else {}
    return {**{key: text for key, text in texts.items() if text}, **empty_layer}
