# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Operating system, architecture and variant: what an image is built for and what a host can run.

Values are Go's (`GOOS`, `GOARCH`, image-spec image-index.md); the names that kernels, Debian and people use
(`x86_64`, `aarch64`, `armhf`) are understood and turned into them. A variant that is its architecture's
baseline (`amd64/v1`, `arm64/v8`) is written as none, so that equal platforms are equal values.
"""

from __future__ import annotations

import os
import re
import typing as t

from ..errors import InvalidInput, NotFound

if t.TYPE_CHECKING:
    from .documents import Descriptor, Index
    from .image_config import ImageConfig

_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm/v7",
    "armv8l": "arm/v7",
    "armv7l": "arm/v7",
    "armv7": "arm/v7",
    "armv6l": "arm/v6",
    "armel": "arm/v6",
    "armv5tel": "arm/v5",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "ppc64el": "ppc64le",
    "loongarch64": "loong64",
}
_KNOWN_ARCHITECTURES = frozenset(
    ("386", "amd64", "arm", "arm64", "loong64", "mips64le", "mipsle", "ppc64le", "riscv64", "s390x")
)
_BASELINES = {"amd64": "v1", "arm64": "v8"}
_ARM_DEFAULT = "v7"


class Platform(t.NamedTuple):
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        """`linux/arm/v7`: what users write."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def normalised(system: str, architecture: str, variant: str = "", os_version: str = "") -> Platform:
    """The one spelling of a platform."""
    architecture = architecture.lower()
    architecture, _slash, implied = _ARCHITECTURES.get(architecture, architecture).partition("/")
    variant = (variant or implied).lower()
    if re.fullmatch("[0-9]+", variant):
        variant = "v" + variant
    if architecture == "arm" and not variant:
        variant = _ARM_DEFAULT
    if variant == _BASELINES.get(architecture):
        variant = ""
    return Platform(system.lower(), architecture, variant, os_version)


def parse_platform(text: str) -> Platform:
    """`linux/arm64`, `linux/arm/v7`, `arm64`, `linux`: as asked for by a user. Only Linux can run here."""
    parts = text.split("/")
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch("[A-Za-z0-9_.-]{1,32}", part) for part in parts):
        raise InvalidInput(
            f"platform {text[:100]!r} is not valid", "write os/architecture[/variant], like linux/arm64"
        )
    if parts[0].lower() != "linux":
        if normalised("linux", parts[0]).architecture not in _KNOWN_ARCHITECTURES or len(parts) == 3:
            raise InvalidInput(
                f"platform {text!r} cannot run here", "containers of this engine are Linux containers"
            )
        parts.insert(0, "linux")
    if len(parts) == 1:
        return host_platform()
    return normalised(*parts)


def host_platform() -> Platform:
    """What this host runs natively."""
    return normalised("linux", os.uname().machine)


def platform_matches(wanted: Platform, offered: Platform) -> bool:
    """Whether something built for `offered` runs where `wanted` was asked for: same, or an older variant of
    it.
    """
    if (wanted.os, wanted.architecture) != (offered.os, offered.architecture):
        return False
    return wanted.variant == offered.variant or _generation(offered) <= _generation(wanted)


def select_platform(index: Index, wanted: Platform) -> Descriptor:
    """The entry of `index` for `wanted`: the same variant, else the newest older one; the first of equals.

    image-spec, image-index.md: "If multiple manifests match a client or runtime's requirements, the first
    matching entry SHOULD be used". An entry that names no platform is taken only if it is the only one.
    Whatever is chosen, the configuration behind it is held against `wanted` again (`check_platform`).
    """
    candidates = [
        entry for entry in index.manifests if entry.platform and platform_matches(wanted, entry.platform)
    ]
    if candidates:
        return max(candidates, key=lambda entry: _preference(wanted, entry.platform))
    if len(index.manifests) == 1 and index.manifests[0].platform is None:
        return index.manifests[0]
    offered = sorted({str(entry.platform) for entry in index.manifests if _is_real(entry.platform)})
    raise NotFound(
        f"there is no image for {wanted}, only for {', '.join(offered) or 'platforms that it does not name'}",
        "ask for one of these with the option platform, if this host can run it" if offered else "",
        platforms=offered,
    )


def check_platform(wanted: Platform, config: ImageConfig) -> None:
    """Raises `NotFound` unless the image was made for `wanted`; a variant that it does not state is not held
    against it.

    An index can say anything about the manifests it lists; the configuration is part of the image.
    """
    actual = normalised(config.os, config.architecture, config.variant or wanted.variant)
    if not platform_matches(wanted, actual):
        raise NotFound(
            f"the image is for {actual}, not for {wanted}",
            "set the option platform if this host can run it anyway",
        )


def _is_real(platform: Platform | None) -> bool:
    return platform is not None and platform.architecture not in ("unknown", "")


def _generation(platform: Platform) -> float:
    """7 for `v7`; a baseline counts as its number; what is not a number can only match itself."""
    variant = platform.variant or _BASELINES.get(platform.architecture, "v0")
    match = re.fullmatch("v([0-9]{1,3})", variant)
    return float(match[1]) if match else float("nan")


def _preference(wanted: Platform, offered: Platform | None) -> tuple[bool, float]:
    if offered is None:
        return False, 0.0
    return offered.variant == wanted.variant, _generation(offered)
