# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""An image in the shape of `docker image inspect`, which people's filters and templates already know."""

from __future__ import annotations

import typing as t

from ..oci.reference import familiar_name
from .images import ImageName, ImageRecord


def inspect_image(record: ImageRecord, names: t.Sequence[ImageName]) -> dict[str, t.Any]:
    """Docker's keys; what the image does not say is an empty text, list or object, never null (`Healthcheck`
    is left out).

    `RepoTags` and `RepoDigests` are the names people use (`nginx:1.2` for `docker.io/library/nginx:1.2`),
    `Digest` is the manifest's.
    """
    config = record.image_config
    return {
        "Id": record.id,
        "RepoTags": [familiar_name(name.name) for name in names if "@" not in name.name],
        "RepoDigests": _repository_digests(names),
        "Digest": record.manifest_digest,
        "Created": config.created,
        "Author": config.author,
        "Os": config.os,
        "Architecture": config.architecture,
        "Variant": config.variant,
        "Size": record.size,
        "Config": {
            "User": config.user,
            "Env": config.env,
            "Cmd": config.cmd,
            "Entrypoint": config.entrypoint,
            "WorkingDir": config.working_dir,
            "Labels": config.labels,
            "ExposedPorts": {port: {} for port in config.exposed_ports},
            "Volumes": {path: {} for path in config.volumes},
            "StopSignal": config.stop_signal,
            **({"Healthcheck": config.healthcheck} if config.healthcheck else {}),
        },
        "RootFS": {"Type": "layers", "Layers": config.diff_ids},
    }


def _repository_digests(names: t.Sequence[ImageName]) -> list[str]:
    return sorted(
        {
            familiar_name(f"{name.repository_name}@{name.manifest_digest}")
            for name in names
            if name.manifest_digest
        }
    )
