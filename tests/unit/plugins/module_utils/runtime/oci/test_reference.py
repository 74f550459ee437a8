# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import string
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError, InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import (
    Reference,
    is_image_id,
    parse_reference,
)

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"),
        ("library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("grafana/loki:3", "docker.io/grafana/loki:3", "grafana/loki:3"),
        ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("quay.io/podman/hello", "quay.io/podman/hello:latest", "quay.io/podman/hello:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("127.0.0.1:5000/a/b_c__d-e--f.g:v1_2.3-4", "127.0.0.1:5000/a/b_c__d-e--f.g:v1_2.3-4", None),
        ("[::1]:5000/app", "[::1]:5000/app:latest", None),
        ("Registry.Example.COM/app", "registry.example.com/app:latest", None),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", f"nginx@{DIGEST}"),
        (f"nginx:1.27@{DIGEST}", f"docker.io/library/nginx:1.27@{DIGEST}", f"nginx:1.27@{DIGEST}"),
        ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
        (f"a/{HEX}", f"docker.io/a/{HEX}:latest", f"a/{HEX}:latest"),
    ],
)
def test_names_and_their_canonical_form(text: str, canonical: str, familiar: str | None) -> None:
    reference = parse_reference(text)
    assert reference.canonical == canonical
    assert str(reference) == reference.familiar == (familiar or canonical)
    assert parse_reference(reference.canonical) == reference


def test_a_digest_decides_what_is_asked_for() -> None:
    both = parse_reference(f"nginx:1.27@{DIGEST}")
    assert both == Reference("docker.io", "library/nginx", "1.27", DIGEST)
    assert both.target == DIGEST
    assert both.name_with_tag == "docker.io/library/nginx:1.27"
    assert both.name_with_digest == f"docker.io/library/nginx@{DIGEST}"
    pinned = parse_reference(f"nginx@{DIGEST}")
    assert (pinned.tag, pinned.name_with_tag) == (None, None)
    assert parse_reference("nginx").target == "latest"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Nginx",
        "nginx:",
        "nginx@",
        "nginx@sha256:abc",
        f"nginx@{DIGEST}@{DIGEST}",
        f"nginx@sha512:{HEX}{HEX}",
        "nginx:1:2",
        "nginx: 1",
        "nginx\n",
        "nginx:1\n",
        "nginx:" + "a" * 129,
        "nginx:-a",
        "nginx:.a",
        "-nginx",
        "ngi nx",
        "nginx-",
        "a//b",
        "/a",
        "a/",
        "../../etc/passwd",
        "a/../b",
        "a/./b",
        "a/%2e%2e/b",
        "a/b?c=d",
        "a/b#c",
        "https://quay.io/a/b",
        "user@host/a",
        "quay.io:0/a",
        "quay.io:70000/a",
        "quay.io:x/a",
        "-quay.io/a",
        "quay..io/a",
        "[::1/a",
        "[::1]x/a",
        "évil.example/a",
        "a/ünïcode",
        "nginx:ü",
        "\uff4eginx",
        "a\0b",
        "a" * 300,
        "a/" * 200 + "a",
        "localhost:5000/Name",
        "MYHOST/app",
        HEX,
        DIGEST,
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_reference(text)
    assert caught.value.hint


@pytest.mark.parametrize(("text", "advice"), [("Nginx:1", "write nginx"), ("Team/App", "write team/app")])
def test_upper_case_gets_its_own_advice(text: str, advice: str) -> None:
    with pytest.raises(InvalidInput, match=rf"has upper-case letters \({advice}\)"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "is_id"),
    [(HEX, True), (DIGEST, True), (HEX[:12], False), (HEX.upper(), False), ("nginx", False), ("", False)],
)
def test_image_ids_are_whole_or_none(text: str, is_id: bool) -> None:
    assert is_image_id(text) is is_id


@given(st.text(max_size=400) | st.text(string.ascii_letters + string.digits + "/:@.-_[]% ", max_size=400))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except CoracleError:
        return
    assert parse_reference(reference.canonical) == reference
    assert parse_reference(reference.familiar) == reference
    assert ".." not in reference.repository.split("/")
    assert set(reference.canonical) <= set(string.ascii_letters + string.digits + "/:@.-_[]")


_part = st.from_regex("[a-z0-9]+((_|__|-+|[.])[a-z0-9]+)*", fullmatch=True).filter(
    lambda part: len(part) < 30
)


@given(
    st.lists(_part, min_size=1, max_size=4),
    st.from_regex("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True),
)
def test_every_name_of_the_grammar_is_understood(parts: list[str], tag: t.Any) -> None:
    reference = parse_reference(f"registry.example:5000/{'/'.join(parts)}:{tag}")
    assert reference == Reference("registry.example:5000", "/".join(parts), tag, None)
