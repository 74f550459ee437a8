# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import (
    ImageConfig,
    new_image_config,
    parse_image_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import Platform

D1, D2 = ("sha256:" + digit * 64 for digit in "12")
FULL = {
    "created": "2024-05-01T10:00:00.123456789Z",
    "author": "ann",
    "architecture": "arm64",
    "variant": "v8",
    "os": "linux",
    "os.version": "1",
    "config": {
        "User": "www-data:adm",
        "ExposedPorts": {"443/tcp": {}, "80/tcp": {}},
        "Env": ["PATH=/bin", "EMPTY=", "A=b=c"],
        "Entrypoint": ["/entry"],
        "Cmd": ["serve", "--all"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/srv",
        "Labels": {"a": "b"},
        "StopSignal": "SIGQUIT",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30000000000, "Retries": 3, "Shell": 1},
        "ArgsEscaped": True,
        "OnBuild": ["RUN rm -rf /"],
        "Shell": ["/bin/evil"],
    },
    "rootfs": {"type": "layers", "diff_ids": [D1, D2]},
    "history": [
        {"created": "2024-05-01T10:00:00Z", "created_by": "ADD x", "empty_layer": False, "x": 1},
        {"empty_layer": True},
    ],
    "unknown": {"x": [1, 2.5]},
}
PARSED = ImageConfig(
    os="linux",
    architecture="arm64",
    variant="v8",
    os_version="1",
    created="2024-05-01T10:00:00.123456789Z",
    author="ann",
    env=["PATH=/bin", "EMPTY=", "A=b=c"],
    cmd=["serve", "--all"],
    entrypoint=["/entry"],
    working_dir="/srv",
    user="www-data:adm",
    labels={"a": "b"},
    exposed_ports=["443/tcp", "80/tcp"],
    volumes=["/data"],
    stop_signal="SIGQUIT",
    healthcheck={"Test": ["CMD", "true"], "Interval": 30000000000, "Retries": 3},
    diff_ids=[D1, D2],
    history=[{"created": "2024-05-01T10:00:00Z", "created_by": "ADD x"}, {"empty_layer": True}],
)


def encode(document: t.Any) -> bytes:
    return json.dumps(document).encode()


def test_everything_an_image_can_say() -> None:
    assert parse_image_config(encode(FULL)) == PARSED
    assert PARSED.platform == Platform("linux", "arm64", "", "1")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"config": None, "rootfs": None, "history": None},
        {"config": {}},
        {"config": dict.fromkeys(FULL["config"])},  # type: ignore[attr-defined]
        {"config": {"Env": [], "Cmd": [], "Labels": {}, "Volumes": {}, "Healthcheck": {}}},
    ],
)
def test_an_image_that_says_nothing(document: t.Any) -> None:
    assert parse_image_config(encode(document)) == ImageConfig()


def test_environment_without_a_value_is_dropped() -> None:
    """CVE-2026-57231: it would be filled from the host's environment."""
    config = parse_image_config(encode({"config": {"Env": ["SECRET", "S*", "=x", "", "A=1"]}}))
    assert config.env == ["A=1"]


def test_one_word_alone_is_a_list() -> None:
    config = parse_image_config(encode({"config": {"Cmd": "/bin/sh", "Entrypoint": "/e"}}))
    assert (config.cmd, config.entrypoint) == (["/bin/sh"], ["/e"])


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"config": []}, "config is not an object"),
        ({"config": "x"}, "config is not an object"),
        ({"os": 7}, "os is not a text"),
        ({"architecture": ["amd64"]}, "architecture is not a text"),
        ({"config": {"User": 0}}, "config.User is not a text"),
        ({"config": {"Env": {"A": "b"}}}, "config.Env is not a list"),
        ({"config": {"Env": [1]}}, "config.Env is not a list of texts"),
        ({"config": {"Cmd": [["x"]]}}, "config.Cmd is not a list of texts"),
        ({"config": {"Cmd": {}}}, "config.Cmd is not a list"),
        ({"config": {"Entrypoint": 1}}, "config.Entrypoint is not a list"),
        ({"config": {"Volumes": ["/data"]}}, "config.Volumes is not an object"),
        ({"config": {"ExposedPorts": [80]}}, "config.ExposedPorts is not an object"),
        ({"config": {"Labels": {"a": 1}}}, "config.Labels is not a map of texts"),
        ({"config": {"Labels": ["a=b"]}}, "config.Labels is not an object"),
        ({"config": {"StopSignal": 15}}, "config.StopSignal is not a text"),
        ({"config": {"Healthcheck": "CMD true"}}, "config.Healthcheck is not an object"),
        (
            {"config": {"Healthcheck": {"Interval": "30s"}}},
            "config.Healthcheck.Interval is not a whole number",
        ),
        ({"config": {"Healthcheck": {"Retries": True}}}, "config.Healthcheck.Retries is not a whole number"),
        ({"config": {"Healthcheck": {"Test": 1}}}, "config.Healthcheck.Test is not a list"),
        ({"config": {"User": "a\0b"}}, "config.User contains a NUL"),
        ({"config": {"Env": ["A=\0"]}}, "config.Env contains a NUL"),
        ({"config": {"Volumes": {"/a\0": {}}}}, "config.Volumes contains a NUL"),
        ({"config": {"Labels": {"a\0": ""}}}, "config.Labels contains a NUL"),
        ({"rootfs": {"type": "snapshot"}}, "rootfs.type is 'snapshot'"),
        ({"rootfs": {"diff_ids": ["sha256:../x"]}}, "not a digest"),
        ({"rootfs": {"diff_ids": [7]}}, "rootfs.diff_ids is not a list of texts"),
        ({"rootfs": {"diff_ids": [D1] * 501}}, "501 entries"),
        ({"history": ["x"]}, "history is not a list of objects"),
        ({"history": [{"empty_layer": "yes"}]}, "history.empty_layer is not true or false"),
        ({"history": [{"created_by": 7}]}, "history.created_by is not a text"),
    ],
)
def test_wrong_types_are_named(document: t.Any, field: str) -> None:
    with pytest.raises(IntegrityError, match=field):
        parse_image_config(encode(document))


def test_a_new_configuration_reads_back_and_is_always_the_same() -> None:
    raw = new_image_config(PARSED)
    assert parse_image_config(raw) == PARSED
    assert raw == new_image_config(ImageConfig(**dict(reversed(list(vars(PARSED).items())))))
    assert new_image_config(ImageConfig(architecture="amd64")) == (
        b'{"architecture":"amd64","config":{},"os":"linux","rootfs":{"diff_ids":[],"type":"layers"}}'
    )


def test_the_state_database_keeps_what_is_set() -> None:
    assert ImageConfig.from_json(json.loads(json.dumps(PARSED.to_json()))) == PARSED
    assert ImageConfig(architecture="amd64").to_json() == {"os": "linux", "architecture": "amd64"}
    assert ImageConfig.from_json({"os": "linux", "from_a_newer_engine": 1}) == ImageConfig()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_process = st.dictionaries(st.sampled_from(sorted(FULL["config"])), _json, max_size=6)  # type: ignore[call-overload]
_document = st.dictionaries(st.sampled_from(sorted(FULL)), _json, max_size=5)


@given(_document, _process)
def test_any_configuration_is_understood_or_refused(document: t.Any, process: t.Any) -> None:
    for candidate in ({**FULL, **document}, {**FULL, "config": {**FULL["config"], **process}}):  # type: ignore[dict-item]
        try:
            config = parse_image_config(encode(candidate))
        except CoracleError:
            continue
        assert parse_image_config(new_image_config(config)) == config
        assert all("=" in entry for entry in config.env)
