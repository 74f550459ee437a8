# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`capabilities`, `cap_drop` and `security_opts`: words with one spelling each."""

from __future__ import annotations

import re
import typing as t

from .mount_values import parse_path
from .values import parse_texts, refuse

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""In the kernel's order: the index is the bit (include/uapi/linux/capability.h)."""

_OPTIONS = "no-new-privileges, seccomp=, apparmor=, label=disable, mask=, unmask=, systempaths=unconfined"
_PROFILE = r"[A-Za-z0-9_.+:/-]{1,255}"


def parse_capabilities(value: t.Any, option: str) -> list[str]:
    """`NET_ADMIN`, `cap_net_admin` and so on as sorted upper-case names without `CAP_`; `ALL` stays `ALL`."""
    names = set()
    for text in parse_texts(value, option):
        name = text.strip().upper().removeprefix("CAP_")
        if name not in CAPABILITIES and name != "ALL":
            import difflib

            near = [f"did you mean {other}?" for other in difflib.get_close_matches(name, CAPABILITIES, 1)]
            raise refuse(text, option, "is not a capability", *(near or ["see capabilities(7)"]))
        names.add(name)
    return ["ALL"] if "ALL" in names else sorted(names)


class SecurityOptions(t.NamedTuple):
    """`security_opts` taken apart. `seccomp` is `default`, `unconfined`, a path; `("ALL",)` unmasks all."""

    no_new_privileges: bool = False
    seccomp: str = "default"
    apparmor: str = ""
    mask: tuple[str, ...] = ()
    unmask: tuple[str, ...] = ()


def parse_security_opts(value: t.Any, option: str) -> list[str]:
    """One spelling per meaning, sorted; what is the default anyway is left out."""
    asked = read_security_opts(parse_texts(value, option), option)
    return sorted(
        [
            *(["no-new-privileges"] if asked.no_new_privileges else []),
            *([f"seccomp={asked.seccomp}"] if asked.seccomp != "default" else []),
            *([f"apparmor={asked.apparmor}"] if asked.apparmor else []),
            *([f"mask={':'.join(asked.mask)}"] if asked.mask else []),
            *([f"unmask={':'.join(asked.unmask)}"] if asked.unmask else []),
        ]
    )


def read_security_opts(texts: t.Sequence[str], option: str = "security_opts") -> SecurityOptions:
    """Docker's and Podman's words; `:` may stand for the first `=`, as in Docker's old syntax."""
    single: dict[str, str] = {}
    several: dict[str, set[str]] = {"mask": set(), "unmask": set()}
    for text in texts:
        key, argument = _split(text.strip())
        if key == "systempaths" and argument == "unconfined":
            key, argument = "unmask", "ALL"
        if key in several:
            several[key].update(_several(text, key, argument, option))
            continue
        setting = _single(text, key, argument, option)
        if single.setdefault(key, setting) != setting:
            raise refuse(text, option, f"contradicts another {key}")

    unmask = ("ALL",) if "ALL" in several["unmask"] else tuple(sorted(several["unmask"]))
    return SecurityOptions(
        no_new_privileges=single.get("no-new-privileges") == "true",
        seccomp=single.get("seccomp", "default"),
        apparmor=single.get("apparmor", ""),
        mask=tuple(sorted(several["mask"])),
        unmask=unmask,
    )


def _split(text: str) -> tuple[str, str]:
    match = re.match(r"([^=:]*)[=:]?(.*)", text, re.DOTALL)
    return (match[1].strip().lower(), match[2].strip()) if match else ("", "")


def _single(text: str, key: str, argument: str, option: str) -> str:
    if key == "no-new-privileges" and argument.lower() in ("", "true", "false"):
        return argument.lower() or "true"
    if key == "label" and argument == "disable":
        return argument  # what this engine does anyway: it sets no SELinux labels
    if key == "seccomp" and argument in ("default", "builtin"):
        return "default"
    if key == "seccomp" and argument == "unconfined":
        return argument
    if key == "seccomp" and argument.startswith("/"):
        return parse_path(argument, option)
    if key == "apparmor" and re.fullmatch(_PROFILE, argument, re.ASCII):
        return argument
    if key == "seccomp":
        raise refuse(
            text, option, "is not a seccomp profile", "write default, unconfined or an absolute path"
        )
    raise refuse(text, option, "is not a security option", f"known: {_OPTIONS}")


def _several(text: str, key: str, argument: str, option: str) -> list[str]:
    if key == "unmask" and argument.upper() == "ALL":
        return ["ALL"]
    if not argument:
        raise refuse(text, option, "names no path", f"write {key}=/proc/acpi:/sys/firmware")
    return [parse_path(path, option) for path in argument.split(":")]
