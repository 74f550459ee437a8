# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import contextlib
import json
import os
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.effective import (
    DEFAULT_PATH,
    Effective,
    effective,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.storage import VolumeMount
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    InvalidInput,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import (
    ImageConfig,
    parse_image_config,
)

ID = "ab" * 32


def what_runs(config: t.Any = None, **image: t.Any) -> Effective:
    image.setdefault("cmd", ["sh"])
    return effective(config or ContainerConfig(), ImageConfig(**image), ID)


@pytest.mark.parametrize(
    ("asked_entrypoint", "asked_command", "arguments"),
    [
        (None, None, ["entry", "cmd"]),
        (None, ["mine"], ["entry", "mine"]),
        (["own"], None, ["own"]),
        (["own"], ["mine"], ["own", "mine"]),
        ([], None, ["cmd"]),
        ([], ["mine"], ["mine"]),
    ],
)
def test_arguments(asked_entrypoint: t.Any, asked_command: t.Any, arguments: list[str]) -> None:
    config = ContainerConfig(entrypoint=asked_entrypoint, command=asked_command)
    assert what_runs(config, entrypoint=["entry"], cmd=["cmd"]).arguments == arguments


@pytest.mark.parametrize("image", [{"cmd": []}, {"cmd": [""]}, {"cmd": ["x"], "entrypoint": [""]}])
def test_nothing_to_run(image: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidInput, match=r"^nothing to run"):
        what_runs(**image)


def test_environment_in_layers() -> None:
    config = ContainerConfig(env={"B": "asked", "C": "asked"}, tty=True, hostname="h")
    assert what_runs(config, env=["A=image", "B=image", "PATH=/image"]).environment == {
        "PATH": "/image",
        "HOSTNAME": "h",
        "TERM": "xterm",
        "A": "image",
        "B": "asked",
        "C": "asked",
    }


def test_environment_without_an_image_environment() -> None:
    assert what_runs().environment == {"PATH": DEFAULT_PATH, "HOSTNAME": ID[:12]}


@pytest.mark.parametrize("entry", ["KEY", "K*", "=x", "", "PATH"])
def test_image_variables_without_a_value_are_dropped(entry: str) -> None:
    assert what_runs(env=[entry, "A=1"]).environment == {"PATH": DEFAULT_PATH, "HOSTNAME": ID[:12], "A": "1"}


def test_home_with_a_line_break_is_refused() -> None:
    with pytest.raises(InvalidInput, match="HOME"):
        what_runs(env=["HOME=/x\nevil::0:0::/:/bin/sh"])
    assert what_runs(ContainerConfig(env={"HOME": "/h"}), env=["HOME=/x\ny"]).environment["HOME"] == "/h"
    with pytest.raises(IntegrityError, match="Env"):
        what_runs(env=["A\nB=x"])


@pytest.mark.parametrize(
    ("asked", "network", "hostname"),
    [
        ("web", "host", "web"),
        (None, "none", ID[:12]),
        (None, None, ID[:12]),
        (None, "host", os.uname().nodename),
    ],
)
def test_hostname(asked: t.Any, network: t.Any, hostname: str) -> None:
    runs = what_runs(ContainerConfig(hostname=asked, network_mode=network))
    assert (runs.hostname, runs.environment["HOSTNAME"]) == (hostname, hostname)


@pytest.mark.parametrize(
    ("image", "path"),
    [("", "/"), ("/app", "/app"), ("//app//x/", "/app/x"), ("/a/../../etc", "/etc"), ("/..", "/")],
)
def test_working_directory(image: str, path: str) -> None:
    assert what_runs(working_dir=image).working_dir == path
    assert what_runs(ContainerConfig(working_dir="/own"), working_dir=image).working_dir == "/own"


@pytest.mark.parametrize(
    "image",
    [
        "app",
        "../x",
        "/a\n",
        "/proc/self/fd/7",
        "/x/../proc/self/fd/9/..",
        "//proc",
        "/" + "a" * 256,
        "/ab" * 1400,
    ],
)
def test_working_directories_that_are_refused(image: str) -> None:
    with pytest.raises(IntegrityError, match=r"^image: WorkingDir"):
        what_runs(working_dir=image)
    assert what_runs(ContainerConfig(working_dir="/own"), working_dir=image).working_dir == "/own"


@pytest.mark.parametrize(
    "user", ["5000000000", "a:b:c", "root\n", "-1", "a b", "2147483648:0", "0:99999999999", ":", "x" * 300]
)
def test_users_that_are_refused(user: str) -> None:
    with pytest.raises(IntegrityError, match=r"^image: User") as error:
        what_runs(user=user)
    assert error.value.hint == "give user"
    assert what_runs(ContainerConfig(user="app"), user=user).user == "app"


@pytest.mark.parametrize(("image", "user"), [("", ""), ("01", "1"), ("app:adm", "app:adm"), ("1:2", "1:2")])
def test_image_user(image: str, user: str) -> None:
    assert what_runs(user=image).user == user


@pytest.mark.parametrize(
    ("asked", "image", "number"),
    [
        (None, "", 15),
        (None, "SIGQUIT", 3),
        (None, "rtmin+3", 37),
        (None, "nonsense", 15),
        (None, "99", 15),
        ("SIGINT", "SIGQUIT", 2),
        ("SIGINT", "nonsense", 2),
    ],
)
def test_stop_signal(asked: t.Any, image: str, number: int) -> None:
    assert what_runs(ContainerConfig(stop_signal=asked), stop_signal=image).stop_signal == number


def test_stop_timeout_zero_is_zero() -> None:
    assert what_runs().stop_timeout == 10
    assert what_runs(ContainerConfig(stop_timeout=0)).stop_timeout == 0


def test_labels_of_the_task_win() -> None:
    runs = what_runs(ContainerConfig(labels={"a": "task"}), labels={"a": "image", "b": "image"})
    assert runs.labels == {"a": "task", "b": "image"}


def test_volumes_of_the_image_become_anonymous_ones() -> None:
    asked = [
        {"type": "bind", "source": "/srv", "target": "/covered", "read_only": True, "options": ["z"]},
        {"type": "volume", "source": "", "target": "/own", "read_only": False, "options": []},
    ]
    config = ContainerConfig(volumes=asked, tmpfs={"/in-memory": ""})
    volumes = what_runs(config, volumes=["/covered/", "/data", "/in-memory", "/x/../data", "/data//"]).volumes
    assert [(volume.target, volume.anonymous) for volume in volumes] == [
        ("/covered", False),
        ("/data", True),
        ("/own", True),
    ]
    assert volumes[0] == VolumeMount("bind", "/srv", "/covered", True, ("z",))


def test_names_of_anonymous_volumes() -> None:
    def name(container_id: str, target: str, ancestor: str = "") -> str:
        image = ImageConfig(cmd=["x"], volumes=[target])
        return effective(ContainerConfig(), image, container_id, ancestor).volumes[0].source

    assert name("a", "/data") == name("a", "/data")
    assert len({name("a", "/data"), name("b", "/data"), name("a", "/data2")}) == 3
    assert name("b", "/data", ancestor="a") == name("a", "/data")
    assert len(name("a", "/data")) == 64


def test_more_volumes_than_anybody_needs() -> None:
    assert len(what_runs(volumes=[f"/{number}" for number in range(100)]).volumes) == 100
    with pytest.raises(IntegrityError, match=r"^image: it declares 101 volumes"):
        what_runs(volumes=[f"/{number}" for number in range(101)])


@pytest.mark.parametrize("path", ["/", "/..", "data", "", "/proc", "/proc/x", "/x\ny", "../../etc"])
def test_image_volumes_that_are_refused(path: str) -> None:
    with pytest.raises(IntegrityError, match=r"^image: Volumes"):
        what_runs(volumes=[path])


TEXT = st.text(max_size=20)
IMAGES = st.builds(
    ImageConfig,
    env=st.lists(st.one_of(TEXT, st.builds("{}={}".format, TEXT, TEXT))),
    cmd=st.lists(TEXT),
    entrypoint=st.lists(TEXT),
    working_dir=st.one_of(TEXT, TEXT.map("/{}".format)),
    user=TEXT,
    labels=st.dictionaries(TEXT, TEXT),
    volumes=st.lists(st.one_of(TEXT, TEXT.map("/{}".format))),
    stop_signal=TEXT,
    exposed_ports=st.lists(TEXT),
)


@settings(max_examples=500)
@given(IMAGES)
def test_no_image_can_do_more_than_be_refused(image: ImageConfig) -> None:
    try:
        runs = effective(ContainerConfig(), image, ID)
    except CoracleError:
        return
    assert runs.working_dir.startswith("/")
    assert all(volume.target.startswith("/") and volume.anonymous for volume in runs.volumes)
    assert all(name and "=" not in name for name in runs.environment)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    "Env",
    "Cmd",
    "Entrypoint",
    "WorkingDir",
    "User",
    "Labels",
    "Volumes",
    "ExposedPorts",
    "StopSignal",
    "Healthcheck",
    "OnBuild",
    "ArgsEscaped",
    "Shell",
]


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_fields_of_any_type(process: dict[str, t.Any]) -> None:
    """From the bytes of a configuration to what runs: an answer or an error of ours, never a traceback."""
    with contextlib.suppress(CoracleError):
        image = parse_image_config(json.dumps({"config": process}).encode())
        effective(ContainerConfig(), image, ID)


def test_what_only_builds_need_is_ignored() -> None:
    process = {"Cmd": ["x"], "OnBuild": ["RUN x"], "ArgsEscaped": True, "Shell": ["/bin/evil"]}
    runs = effective(ContainerConfig(), parse_image_config(json.dumps({"config": process}).encode()), ID)
    assert runs.arguments == ["x"]
