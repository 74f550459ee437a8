# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The seccomp filter of a container: `linux.seccomp` of the OCI runtime specification.

Three choices: our own profile (`default`, the same on every host), a file in Docker's template format or in
the specification's own, and `unconfined` when somebody says so.

32-bit programs run (x86 on x86_64, ARM on aarch64), without `socketcall`: it passes the address family
behind a pointer, where no filter sees it, and would open AF_ALG and AF_VSOCK again. Its rule has to be the
first: for every `bind` or `connect` allowed on x86, libseccomp allows their `socketcall` too, unless a rule
without conditions is already there. musl uses the single calls; sockets of 32-bit glibc programs need a
profile of their own. The libc of s390x knows no other way, so there `socketcall` stays.
"""

from __future__ import annotations

import errno
import json
import typing as t

from ..errors import InvalidInput, doing
from ..linux.files import read_asked_file
from . import seccomp_calls as calls

_ALLOW, _ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_LARGEST_PROFILE = 1024**2

AF_NETLINK, AF_ALG, AF_VSOCK = 16, 38, 40
_NETLINK_AUDIT = 9
_NAMESPACE_FLAGS = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # LINUX, LINUX32, both with UNAME26, and asking

_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "i686": ["SCMP_ARCH_X86"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    "armv7l": ["SCMP_ARCH_ARM"],
    "ppc64le": ["SCMP_ARCH_PPC64LE"],
    "s390x": ["SCMP_ARCH_S390X"],
    "riscv64": ["SCMP_ARCH_RISCV64"],
    "loongarch64": ["SCMP_ARCH_LOONGARCH64"],
}
_GO_NAMES = {"x86_64": "amd64", "i686": "386", "aarch64": "arm64", "armv7l": "arm"}


class Machine(t.NamedTuple):
    """`name` as `uname -m` says it; `kernel` as (major, minor)."""

    name: str
    kernel: tuple[int, int]


def seccomp_filter(choice: str, capabilities: t.Collection[str], machine: Machine) -> dict[str, t.Any] | None:
    """`linux.seccomp` for `default`, `unconfined` (None) or a file; `capabilities` without `CAP_`."""
    if choice == "unconfined":
        return None
    if choice == "default":
        return default_filter(capabilities, machine)
    content = read_asked_file("security_opts: seccomp", choice, _LARGEST_PROFILE)
    with doing(f"security_opts: seccomp: {choice}"):
        return profile_filter(content, capabilities, machine)


def default_filter(capabilities: t.Collection[str], machine: Machine) -> dict[str, t.Any]:
    if machine.name not in _ARCHITECTURES:
        raise InvalidInput(
            f"security_opts: there is no default seccomp profile for {machine.name}",
            "name a profile with seccomp=/path, or seccomp=unconfined",
        )
    allowed = " ".join([*calls.ALWAYS, calls.BY_MACHINE.get(machine.name, "")]).split()
    granted = {
        name for capability in capabilities for name in calls.BY_CAPABILITY.get(capability, "").split()
    }
    guarded = {name for names in calls.BY_CAPABILITY.values() for name in names.split()}
    return {
        "defaultAction": _ERRNO,
        "defaultErrnoRet": errno.ENOSYS,
        "architectures": _ARCHITECTURES[machine.name],
        "syscalls": [
            *([] if "socketcall" in allowed else [_rule(["socketcall"], errno.EPERM)]),
            _rule(sorted(granted.union(allowed))),
            _rule(sorted({*guarded.difference(granted), *calls.NEVER.split()}), errno.EPERM),
            *_clone_rules("SYS_ADMIN" in capabilities, machine),
            *_socket_rules("AUDIT_WRITE" in capabilities),
            *[_rule(["personality"], _is(0, value)) for value in _PERSONALITIES],
        ],
    }


def _clone_rules(may_make_namespaces: bool, machine: Machine) -> list[dict[str, t.Any]]:
    """clone3 has its flags behind a pointer: it must look missing, so that programs use clone."""
    if may_make_namespaces:
        return [_rule(["clone", "clone3"])]
    index = 1 if machine.name == "s390x" else 0

    def flags(mask: int, value: int) -> dict[str, t.Any]:
        return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}

    refused = [_rule(["clone"], errno.EPERM, flags(flag, flag)) for flag in _NAMESPACE_FLAGS]
    return [_rule(["clone"], flags(sum(_NAMESPACE_FLAGS), 0)), *refused]


def _socket_rules(may_audit: bool) -> list[dict[str, t.Any]]:
    """Families below AF_ALG. Nothing "greater than": the kernel looks at 32 bits of the family, a filter at
    64.

    Without AUDIT_WRITE an audit socket is refused as by a kernel without auditing, or PAM would fail later,
    in the middle of a login.
    """
    refused = [_rule(["socket"], errno.EAFNOSUPPORT, _is(0, family)) for family in (AF_ALG, AF_VSOCK)]
    families = {"index": 0, "value": AF_ALG, "valueTwo": 0, "op": "SCMP_CMP_LT"}
    if may_audit:
        return [*refused, _rule(["socket"], families)]
    return [
        *refused,
        _rule(["socket"], errno.EINVAL, _is(0, AF_NETLINK), _is(2, _NETLINK_AUDIT)),
        _rule(["socket"], {**families, "value": AF_NETLINK}),
        _rule(["socket"], families, {**_is(2, _NETLINK_AUDIT), "op": "SCMP_CMP_NE"}),
    ]


def _is(index: int, value: int) -> dict[str, t.Any]:
    return {"index": index, "value": value, "valueTwo": 0, "op": "SCMP_CMP_EQ"}


def _rule(names: list[str], *parts: t.Any) -> dict[str, t.Any]:
    """Allow, or with an errno among `parts` refuse; dictionaries are conditions that must all hold."""
    rule: dict[str, t.Any] = {"names": names, "action": _ALLOW}
    for part in parts:
        if isinstance(part, int):
            rule.update(action=_ERRNO, errnoRet=part)
        else:
            rule.setdefault("args", []).append(part)
    return rule


def profile_filter(content: bytes, capabilities: t.Collection[str], machine: Machine) -> dict[str, t.Any]:
    """A profile file for this machine and these capabilities.

    Docker's template format (`archMap`, `includes`, `excludes`, `name`) and Podman's (`errno`,
    `defaultErrno`) are resolved; what is the runtime specification's own passes. Raises InvalidInput for
    anything else.
    """
    try:
        profile = json.loads(content)
        resolved = {key: profile[key] for key in ("defaultAction", "flags") if key in profile}
        resolved.update(_errno_of(profile, "defaultErrnoRet", "defaultErrno"))
        resolved["architectures"] = _architectures_of(profile, machine)
        resolved["syscalls"] = [
            _rule_of(rule) for rule in profile.get("syscalls") or () if _applies(rule, capabilities, machine)
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        remedy = "write it in Docker's format or in that of the OCI runtime specification"
        raise InvalidInput("it is not a seccomp profile", remedy) from error
    if "defaultAction" not in resolved:
        raise InvalidInput("it has no defaultAction")
    return {key: value for key, value in resolved.items() if value not in ([], None)}


def _architectures_of(profile: dict[str, t.Any], machine: Machine) -> list[str]:
    native = _ARCHITECTURES.get(machine.name, [""])[0]
    for entry in profile.get("archMap") or ():
        if entry["architecture"] == native:
            return [native, *(entry.get("subArchitectures") or ())]
    return list(profile.get("architectures") or ())


def _applies(rule: dict[str, t.Any], capabilities: t.Collection[str], machine: Machine) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    go_name = _GO_NAMES.get(machine.name, machine.name)
    return not (
        (includes.get("arches") and go_name not in includes["arches"])
        or go_name in (excludes.get("arches") or ())
        or not _plain(includes).issubset(capabilities)
        or _plain(excludes).intersection(capabilities)
        or (includes.get("minKernel") and machine.kernel < _version(includes["minKernel"]))
        or (excludes.get("minKernel") and machine.kernel >= _version(excludes["minKernel"]))
    )


def _plain(condition: dict[str, t.Any]) -> set[str]:
    return {name.upper().removeprefix("CAP_") for name in condition.get("caps") or ()}


def _version(text: str) -> tuple[int, int]:
    major, _dot, minor = text.partition(".")
    return int(major), int(minor)


def _rule_of(rule: dict[str, t.Any]) -> dict[str, t.Any]:
    resolved = {"names": list(rule.get("names") or [rule["name"]]), "action": rule["action"]}
    resolved.update(_errno_of(rule, "errnoRet", "errno"))
    if rule.get("args"):
        resolved["args"] = [{"valueTwo": 0, **argument} for argument in rule["args"]]
    return resolved


def _errno_of(document: dict[str, t.Any], number: str, name: str) -> dict[str, int]:
    if document.get(number) is not None:
        return {number: int(document[number])}
    return {number: int(getattr(errno, document[name]))} if document.get(name) else {}
