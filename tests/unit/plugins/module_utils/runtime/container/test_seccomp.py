# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import seccomp_calls as calls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.capabilities import (
    DEFAULT_CAPABILITIES,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.seccomp import (
    Machine,
    default_filter,
    profile_filter,
    seccomp_filter,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.security_values import (
    CAPABILITIES,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError, InvalidInput

X86 = Machine("x86_64", (6, 1))


def rules_for(name: str, document: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [rule for rule in document["syscalls"] if name in rule["names"]]


def verdicts(name: str, capabilities: t.Collection[str], machine: Machine = X86) -> list[t.Any]:
    """What the default profile says of a call: True, an errno, or nothing where ENOSYS holds."""
    return [rule.get("errnoRet", True) for rule in rules_for(name, default_filter(capabilities, machine))]


def test_no_call_is_in_two_lists() -> None:
    lists = [*calls.ALWAYS, calls.NEVER, *calls.BY_MACHINE.values()]
    words = [word for text in (*calls.ALWAYS, calls.NEVER) for word in text.split()]
    assert len(words) == len(set(words))
    guarded = {word for text in calls.BY_CAPABILITY.values() for word in text.split()}
    assert not guarded.intersection(word for text in lists for word in text.split())
    assert set(calls.BY_CAPABILITY) <= set(CAPABILITIES)


@pytest.mark.parametrize("name", ["read", "futex", "execve", "rseq", "statx", "chroot", "arch_prctl"])
def test_ordinary_calls(name: str) -> None:
    assert verdicts(name, DEFAULT_CAPABILITIES) == [True]


@pytest.mark.parametrize("name", [*calls.NEVER.split()])
def test_calls_that_no_capability_opens(name: str) -> None:
    assert verdicts(name, CAPABILITIES) == [1]


@pytest.mark.parametrize(
    ("capability", "name"),
    [(capability, name) for capability, names in calls.BY_CAPABILITY.items() for name in names.split()],
)
def test_calls_that_one_capability_opens(capability: str, name: str) -> None:
    assert verdicts(name, [capability]) == [True]
    assert verdicts(name, []) == [1]


def test_namespaces_need_sys_admin() -> None:
    allow, *refuse = rules_for("clone", default_filter(DEFAULT_CAPABILITIES, X86))
    every_flag = 0x7E020000
    assert allow["args"] == [{"index": 0, "value": every_flag, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
    assert sum(rule["args"][0]["value"] for rule in refuse) == every_flag
    assert all(
        rule["args"][0]["value"] == rule["args"][0]["valueTwo"] and rule["errnoRet"] == 1 for rule in refuse
    )
    assert rules_for("clone3", default_filter(DEFAULT_CAPABILITIES, X86)) == []
    assert verdicts("clone", ["SYS_ADMIN"]) == verdicts("clone3", ["SYS_ADMIN"]) == [True]
    indexes = {
        rule["args"][0]["index"] for rule in rules_for("clone", default_filter([], Machine("s390x", (6, 1))))
    }
    assert indexes == {1}


def allows_socket(document: dict[str, t.Any], family: int, protocol: int) -> bool:
    """The profile's answer to socket(family, …, protocol), by the rules as libseccomp reads them: any match
    counts.
    """
    compare = {"SCMP_CMP_EQ": int.__eq__, "SCMP_CMP_NE": int.__ne__, "SCMP_CMP_LT": int.__lt__}
    arguments = {0: family, 2: protocol}
    answers = {
        rule["action"]
        for rule in rules_for("socket", document)
        if all(compare[test["op"]](arguments[test["index"]], test["value"]) for test in rule["args"])
    }
    assert len(answers) < 2
    return answers == {"SCMP_ACT_ALLOW"}


@given(st.integers(0, 60), st.integers(0, 300), st.sampled_from([[], ["AUDIT_WRITE"]]), st.integers(0, 3))
def test_address_families(family: int, protocol: int, capabilities: list[str], high_bits: int) -> None:
    is_audit = family == 16 and protocol == 9
    odd_protocol = family > 16 and protocol == 9 and not capabilities
    expected = family < 38 and not (is_audit and not capabilities) and not odd_protocol and not high_bits
    document = default_filter(capabilities, X86)
    assert allows_socket(document, family + (high_bits << 32), protocol) == expected


@pytest.mark.parametrize("name", ["x86_64", "i686", "aarch64", "armv7l", "ppc64le", "riscv64", "loongarch64"])
def test_socketcall_is_closed_before_anything_else(name: str) -> None:
    assert default_filter(CAPABILITIES, Machine(name, (6, 1)))["syscalls"][0] == {
        "names": ["socketcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
    }  # fmt: skip


def test_architectures() -> None:
    assert default_filter([], X86)["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert default_filter([], Machine("aarch64", (5, 4)))["architectures"] == [
        "SCMP_ARCH_AARCH64",
        "SCMP_ARCH_ARM",
    ]
    assert verdicts("socketcall", [], Machine("s390x", (6, 1))) == [True]
    with pytest.raises(InvalidInput, match="no default seccomp profile for vax"):
        default_filter([], Machine("vax", (6, 1)))


def test_unknown_calls_look_like_an_old_kernel() -> None:
    document = default_filter([], X86)
    assert (document["defaultAction"], document["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert verdicts("a_call_of_the_future", CAPABILITIES) == []


def test_choices(tmp_path: pathlib.Path) -> None:
    assert seccomp_filter("unconfined", [], X86) is None
    assert seccomp_filter("default", ["CHOWN"], X86) == default_filter(["CHOWN"], X86)
    path = tmp_path / "profile.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}')
    assert seccomp_filter(str(path), [], X86) == {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
    }  # fmt: skip


TEMPLATE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrno": "ENOSYS",
    "archMap": [
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    ],
    "syscalls": [
        {
            "names": ["always"],
            "action": "SCMP_ACT_ALLOW",
            "args": [],
            "comment": "",
            "includes": {},
            "excludes": {},
        },
        {"name": "old-style", "action": "SCMP_ACT_ALLOW"},
        {"names": ["with-cap"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {
            "names": ["with-both"],
            "action": "SCMP_ACT_ALLOW",
            "includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]},
        },
        {
            "names": ["without"],
            "action": "SCMP_ACT_ERRNO",
            "errno": "EPERM",
            "excludes": {"caps": ["CAP_SYS_ADMIN"]},
        },
        {"names": ["intel"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["not-intel"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["newer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.10"}},
        {
            "names": ["args"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
        },
        {"names": ["errno"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "EINVAL"},
    ],
}


@pytest.mark.parametrize(
    ("machine", "capabilities", "names"),
    [
        (X86, [], "always old-style without intel new args errno"),
        (X86, ["SYS_ADMIN"], "always old-style with-cap intel new args errno"),
        (X86, ["SYS_ADMIN", "BPF"], "always old-style with-cap with-both intel new args errno"),
        (Machine("x86_64", (6, 10)), [], "always old-style without intel new newer args errno"),
        (Machine("aarch64", (4, 7)), [], "always old-style without not-intel args errno"),
    ],
)
def test_templates(machine: Machine, capabilities: list[str], names: str) -> None:
    resolved = profile_filter(json.dumps(TEMPLATE).encode(), capabilities, machine)
    assert [rule["names"][0] for rule in resolved["syscalls"]] == names.split()
    assert resolved["defaultErrnoRet"] == 38
    assert resolved["architectures"][0] == (
        "SCMP_ARCH_X86_64" if machine.name == "x86_64" else "SCMP_ARCH_AARCH64"
    )
    assert all(set(rule) <= {"names", "action", "args", "errnoRet"} for rule in resolved["syscalls"])
    by_name = {rule["names"][0]: rule for rule in resolved["syscalls"]}
    assert by_name["args"]["args"] == [{"valueTwo": 0, "index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]
    assert by_name["errno"]["errnoRet"] == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"{}", b'{"syscalls": 5, "defaultAction": "x"}',
     b'{"defaultAction": "x", "syscalls": [7]}',
     b'{"defaultAction": "x", "syscalls": [{}]}', b'{"defaultAction": "x", "defaultErrno": "EFOO"}',
     b"[" * 5000,
     b'{"defaultAction": "x", "syscalls": [{"name": "a", "action": "b", "includes": {"minKernel": "x"}}]}',
     b"\xff"],
)  # fmt: skip
def test_files_that_are_no_profiles(content: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=f"^security_opts: seccomp: {path}: "):
        seccomp_filter(str(path), [], X86)


def test_a_missing_profile_is_never_unconfined(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CoracleError, match=r"^security_opts: seccomp: there is no file /.*/none \(it is"):
        seccomp_filter(str(tmp_path / "none"), [], X86)
