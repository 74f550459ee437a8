# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.doc_fragments._container_options import ModuleDocFragment
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.security_values import (
    CAPABILITIES,
    SecurityOptions,
    parse_capabilities,
    parse_security_opts,
    read_security_opts,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput


def test_the_bits_of_capabilities_are_the_kernels() -> None:
    bits = {"CHOWN": 0, "SETPCAP": 8, "NET_ADMIN": 12, "SYS_ADMIN": 21, "MKNOD": 27, "SETFCAP": 31, "BPF": 39}
    assert {name: CAPABILITIES.index(name) for name in bits} == bits
    assert len(CAPABILITIES) == 41


@given(st.lists(st.sampled_from(CAPABILITIES)), st.data())
def test_capabilities_in_any_spelling(names: list[str], data: st.DataObject) -> None:
    spelled = [
        data.draw(st.sampled_from([name, name.lower(), f"CAP_{name}", f"cap_{name.lower()}", name.title()]))
        for name in names
    ]
    normal = parse_capabilities(spelled, "capabilities")
    assert normal == sorted(set(names))
    assert parse_capabilities(normal, "capabilities") == normal


def test_all_capabilities() -> None:
    assert parse_capabilities(["all", "chown"], "cap_drop") == ["ALL"]


@pytest.mark.parametrize("name", ["NET_ADMN", "", "CAP_", "SYS-ADMIN", "CAP_CAP_CHOWN", "21"])
def test_unknown_capabilities(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"^capabilities: .* is not a capability"):
        parse_capabilities([name], "capabilities")


def test_a_slip_of_the_pen_gets_a_proposal() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_capabilities(["NET_ADMN"], "capabilities")
    assert error.value.hint == "did you mean NET_ADMIN?"


@pytest.mark.parametrize(
    ("spellings", "normal"),
    [
        (["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true", "NO-NEW-PRIVILEGES"],
         ["no-new-privileges"]),
        (["no-new-privileges:false", "seccomp=default", "seccomp=builtin", "label=disable",
         "label:disable"], []),
        (["seccomp=unconfined", "seccomp:unconfined"], ["seccomp=unconfined"]),
        (["seccomp=/etc/x.json", "seccomp=/etc//x.json"], ["seccomp=/etc/x.json"]),
        (["apparmor=my-profile", "apparmor:my-profile"], ["apparmor=my-profile"]),
        (["systempaths=unconfined", "unmask=ALL", "unmask=all"], ["unmask=ALL"]),
        (["mask=/b:/a", "mask=/a:/b/:/a"], ["mask=/a:/b"]),
    ],
)  # fmt: skip
def test_security_options(spellings: list[str], normal: list[str]) -> None:
    assert [parse_security_opts([text], "security_opts") for text in spellings] == [normal] * len(spellings)
    assert parse_security_opts(normal, "security_opts") == normal


def test_security_options_taken_apart() -> None:
    asked = [
        "unmask=/proc/kcore",
        "mask=/run/x",
        "unmask=/sys/firmware",
        "seccomp=/p.json",
        "no-new-privileges",
    ]
    assert read_security_opts(asked) == SecurityOptions(
        True, "/p.json", "", mask=("/run/x",), unmask=("/proc/kcore", "/sys/firmware")
    )


@pytest.mark.parametrize(
    "text",
    ["", "seccomp", "seccomp=", "seccomp=profile.json", "seccomp=/a/../b", "apparmor=", "apparmor=a b",
     "label=type:x_t",
     "mask=", "unmask=proc", "no-new-privileges=maybe", "systempaths=x", "foo=bar",
     "seccomp={\"defaultAction\":1}"],
)  # fmt: skip
def test_security_options_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^security_opts: "):
        parse_security_opts([text], "security_opts")


def test_security_options_that_contradict() -> None:
    with pytest.raises(InvalidInput, match="contradicts another seccomp"):
        parse_security_opts(["seccomp=unconfined", "seccomp=/x"], "security_opts")


WORDS = {
    "systempaths=unconfined": ["unmask=ALL"],
    "systempaths:unconfined": ["unmask=ALL"],
    "unmask=ALL": ["unmask=ALL"],
    "mask=/path": ["mask=/path"],
    "unmask=/path": ["unmask=/path"],
    "label=disable": [],
    "apparmor=profile": ["apparmor=profile"],
    "apparmor=unconfined": ["apparmor=unconfined"],
    "seccomp=/path/of/profile.json": ["seccomp=/path/of/profile.json"],
    "seccomp=unconfined": ["seccomp=unconfined"],
    "seccomp=default": [],
    "seccomp=builtin": [],
    "no-new-privileges": ["no-new-privileges"],
    "no-new-privileges=true": ["no-new-privileges"],
    "no-new-privileges=false": [],
}


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_documented(word: str) -> None:
    assert parse_security_opts([word], "security_opts") == WORDS[word]
    documented = ModuleDocFragment.DOCUMENTATION
    assert f"V({word.replace('systempaths:', 'systempaths=')})" in documented
