# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Real registries, one of each kind per session, with the same images in each."""

from __future__ import annotations

import pathlib
import socket
import typing as t

import pytest

from ansible_collections.coracle.engine.tests.integration import registries
from ansible_collections.coracle.engine.tests.integration.registries import Registry, TokenServer

USER, PASSWORD = "ann", "hunter2-XYZ"


class Images(t.NamedTuple):
    amd64: registries.Image
    arm64: registries.Image
    zstd: registries.Image
    plain: registries.Image
    """Layers without compression."""


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    directory = tmp_path_factory.mktemp("images")
    layers = [
        {"etc/motd": b"hello\n"},
        {"data": bytes(range(256)) * 2000},
        {"data": b"2", "bin/app": b"#!/bin/sh\n"},
    ]
    config = ["--config.cmd", "/bin/app", "--config.env", "A=b", "--config.exposedports", "80/tcp"]
    amd64 = registries.build_image(directory / "amd64", layers, config=config)
    arm64 = registries.build_image(directory / "arm64", layers[:1], architecture="arm64")
    return Images(
        amd64, arm64, registries.recompressed(amd64, "zstd"), registries.recompressed(amd64, "none")
    )


def fill(registry: Registry, images: Images) -> None:
    """`team/app`: docker, oci, zstd, plain, arm64 and the index `multi`."""
    registry.push(images.amd64, "team/app:docker")
    registry.push(images.amd64, "team/app:oci", oci=True)
    registry.push(images.zstd, "team/app:zstd", oci=True)
    registry.push(images.plain, "team/app:plain", oci=True)
    registry.push(images.arm64, "team/app:arm64")
    amd64, arm64 = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}
    entries = [({**arm64, "variant": "v8"}, "team/app:arm64"), (amd64, "team/app:docker")]
    registry.push_index("team/app:multi", entries)
    registry.push_index("team/app:oci-multi", [(amd64, "team/app:oci")], registries.OCI_INDEX)


@pytest.fixture(scope="session")
def plain_registry(tmp_path_factory: pytest.TempPathFactory, images: Images) -> t.Iterator[Registry]:
    with registries.running_registry(tmp_path_factory.mktemp("plain")) as registry:
        fill(registry, images)
        yield registry


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory, images: Images) -> t.Iterator[Registry]:
    """HTTPS, and basic authentication."""
    directory = tmp_path_factory.mktemp("tls")
    with registries.running_registry(directory, tls=True, users={USER: PASSWORD}) as registry:
        fill(registry, images)
        yield registry


@pytest.fixture(scope="session")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[TokenServer]:
    with registries.running_token_server(tmp_path_factory.mktemp("tokens"), {USER: PASSWORD}) as server:
        yield server


@pytest.fixture(scope="session")
def token_registry(
    tmp_path_factory: pytest.TempPathFactory, token_server: TokenServer, images: Images
) -> t.Iterator[Registry]:
    with registries.running_registry(tmp_path_factory.mktemp("token"), tokens=token_server) as registry:
        fill(registry, images)
        registry.push(images.amd64, "public/app:1")
        yield registry


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every host name under `.test` leads to 127.0.0.1, as DNS would have it."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: t.Any, **options: t.Any) -> t.Any:
        return resolve("127.0.0.1" if host.endswith(".test") else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A home directory without credentials, and no proxies."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return home
