# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's docker-registry with images pushed by skopeo: plain, with basic authentication, with tokens."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    AuthenticationError,
    NotFound,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci import documents
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.digest import VerifyingReader
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.documents import (
    Manifest,
    check_image,
    layer_compression,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import (
    ImageConfig,
    parse_image_config,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.platforms import (
    check_platform,
    parse_platform,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.client import RegistryClient
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration import registries
from ansible_collections.coracle.engine.tests.integration.registries import Registry, TokenServer
from ansible_collections.coracle.engine.tests.integration.registry.conftest import PASSWORD, USER, Images

pytestmark = pytest.mark.unprivileged

AMD64 = parse_platform("linux/amd64")
SIGNED_IN = RegistryOptions(username=USER, password=PASSWORD)


@contextlib.contextmanager
def connected(host: str, options: RegistryOptions | None = None) -> t.Iterator[RegistryClient]:
    with contextlib.closing(RegistryClient(host, options)) as client:
        yield client


def pull(
    host: str, target: str, options: RegistryOptions | None = None, platform: str = "linux/amd64"
) -> tuple[Manifest, ImageConfig]:
    """Everything a pull takes from a registry, verified."""
    with connected(host, options) as client:
        image = client.get_image("team/app", target, parse_platform(platform))
        config = parse_image_config(client.read_blob("team/app", image.manifest.config))
        check_image(image.manifest, config)
        check_platform(parse_platform(platform), config)
        for layer in image.manifest.layers:
            with VerifyingReader(client.open_blob("team/app", layer), layer.digest, layer.size) as reader:
                reader.read()
        return image.manifest, config


@pytest.mark.parametrize(
    ("target", "media_type", "compression"),
    [
        ("docker", documents.DOCKER_MANIFEST, "gzip"),
        ("oci", documents.OCI_MANIFEST, "gzip"),
        ("zstd", documents.OCI_MANIFEST, "zstd"),
        ("plain", documents.OCI_MANIFEST, "none"),
        ("multi", documents.DOCKER_MANIFEST, "gzip"),
        ("oci-multi", documents.OCI_MANIFEST, "gzip"),
    ],
)
def test_every_format(plain_registry: Registry, target: str, media_type: str, compression: str) -> None:
    manifest, config = pull(plain_registry.host, target)
    assert manifest.media_type == media_type
    assert [layer_compression(layer.media_type) for layer in manifest.layers] == [compression] * 3
    assert (config.cmd, config.exposed_ports) == (["/bin/app"], ["80/tcp"])
    assert "A=b" in config.env


def test_localhost_is_the_same_registry(plain_registry: Registry) -> None:
    assert pull(plain_registry.host.replace("127.0.0.1", "localhost"), "docker")[1].cmd == ["/bin/app"]


def test_the_choice_of_a_platform(plain_registry: Registry) -> None:
    manifest, config = pull(plain_registry.host, "multi", platform="linux/arm64")
    assert (config.architecture, len(manifest.layers)) == ("arm64", 1)
    with pytest.raises(NotFound, match="no image for linux/s390x, only for linux/amd64, linux/arm64"):
        pull(plain_registry.host, "multi", platform="linux/s390x")
    with pytest.raises(NotFound, match="the image is for linux/amd64, not for linux/arm64"):
        pull(plain_registry.host, "docker", platform="linux/arm64")


@pytest.mark.parametrize("target", ["docker", "oci", "multi"])
def test_a_head_says_what_a_get_brings(plain_registry: Registry, target: str) -> None:
    digest = plain_registry.digest(f"team/app:{target}")
    with connected(plain_registry.host) as client:
        document = client.get_manifest("team/app", target)
        head = client.head_manifest("team/app", target)
        assert head
        assert (head.digest, head.size, head.media_type) == (digest, len(document.raw), document.media_type)
        assert document.digest == digest == client.get_image("team/app", target, AMD64).digest
        assert client.get_manifest("team/app", digest) == document
        assert client.head_manifest("team/app", "none") is None
        assert client.head_manifest("team/none", "none") is None


def test_what_is_not_there(plain_registry: Registry) -> None:
    with connected(plain_registry.host) as client:
        with pytest.raises(
            NotFound, match=r"has no tag dokcer in team/app: manifest unknown; tags there: docker, …"
        ):
            client.get_manifest("team/app", "dokcer")
        with pytest.raises(NotFound, match=r"has no repository team/none"):
            client.get_manifest("team/none", "latest")
        with pytest.raises(NotFound, match=r"has no digest sha256:0{64} in team/app"):
            client.get_manifest("team/app", "sha256:" + "0" * 64)


def test_blobs_in_parallel_and_from_any_offset(plain_registry: Registry) -> None:
    with connected(plain_registry.host) as client:
        layers = client.get_image("team/app", "plain", AMD64).manifest.layers

        def read(number: int) -> tuple[str, bytes]:
            layer = layers[number % len(layers)]
            offset = layer.size * (number % 5) // 5
            with client.open_blob("team/app", layer, offset) as reader:
                return layer.digest, b"".join(iter(lambda: reader.read(1 << 16), b""))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(read, range(60)))
    whole = {digest: data for number, (digest, data) in enumerate(parts) if number % 5 == 0}
    assert {"sha256:" + hashlib.sha256(data).hexdigest() for data in whole.values()} == set(whole)
    assert all(whole[digest].endswith(data) for digest, data in parts)


def test_a_registry_that_is_down(tmp_path: pathlib.Path, images: Images) -> None:
    with registries.running_registry(tmp_path / "registry") as registry:
        registry.push(images.amd64, "team/app:docker")
    with pytest.raises(
        RegistryError, match=rf"registry {registry.host} refuses the connection .start the registry"
    ):
        pull(registry.host, "docker")


def test_a_registry_that_restarts_between_two_requests(tmp_path: pathlib.Path, images: Images) -> None:
    """The kept connection is dead, and the port refuses for a moment."""
    with registries.running_registry(tmp_path / "registry") as registry:
        registry.push(images.amd64, "team/app:docker")
        with connected(registry.host) as client:
            client.get_manifest("team/app", "docker")
            registry.restart()
            assert client.get_manifest("team/app", "docker")


# Basic authentication


def test_basic_authentication(tls_registry: Registry) -> None:
    options = SIGNED_IN._replace(ca_cert=str(tls_registry.ca_cert))
    assert pull(tls_registry.host, "multi", options)[1].cmd == ["/bin/app"]


@pytest.mark.parametrize(
    ("username", "password", "message"),
    [
        ("", "", "no credentials for it in the task, .*/home/.docker/config.json .absent."),
        (USER, "wrong", f"tried as user {USER} from the task"),
        ("nobody", PASSWORD, "tried as user nobody from the task"),
    ],
)
def test_basic_authentication_refused(
    tls_registry: Registry, username: str, password: str, message: str
) -> None:
    options = RegistryOptions(username=username, password=password, ca_cert=str(tls_registry.ca_cert))
    with pytest.raises(AuthenticationError, match=f"does not allow access to team/app: .*{message}"):
        pull(tls_registry.host, "docker", options)


@pytest.mark.parametrize("place", [".docker/config.json", ".config/containers/auth.json", "elsewhere.json"])
def test_credentials_from_files(tls_registry: Registry, home: pathlib.Path, place: str) -> None:
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (home / place).parent.mkdir(parents=True, exist_ok=True)
    (home / place).write_text(json.dumps({"auths": {tls_registry.host: {"auth": encoded}}}))
    options = RegistryOptions(ca_cert=str(tls_registry.ca_cert))
    if place == "elsewhere.json":
        options = options._replace(auth_file=str(home / place))
    assert pull(tls_registry.host, "docker", options)


def test_what_skopeo_login_writes_is_understood(tls_registry: Registry, home: pathlib.Path) -> None:
    auth_file = home / "auth.json"
    cert_dir = str(tls_registry.ca_cert.parent) if tls_registry.ca_cert else ""
    login = [
        "skopeo",
        "login",
        "--authfile",
        str(auth_file),
        "--cert-dir",
        cert_dir,
        "-u",
        USER,
        "-p",
        PASSWORD,
    ]
    registries.run([*login, tls_registry.host])
    options = RegistryOptions(ca_cert=str(tls_registry.ca_cert), auth_file=str(auth_file))
    assert pull(tls_registry.host, "docker", options)


# Tokens


def test_tokens(token_registry: Registry, token_server: TokenServer) -> None:
    token_server.requests.clear()
    assert pull(token_registry.host, "multi", SIGNED_IN)[1].cmd == ["/bin/app"]
    assert token_server.requests == [(USER, "repository:team/app:pull")]


def test_an_anonymous_token_is_enough_for_public_images(token_registry: Registry) -> None:
    with connected(token_registry.host) as client:
        assert client.get_manifest("public/app", "1")
        with pytest.raises(AuthenticationError, match=r"does not allow access to team/app: .*no credentials"):
            client.get_manifest("team/app", "docker")
        assert client.get_manifest("public/app", "1")


def test_a_wrong_password_for_a_token(token_registry: Registry) -> None:
    options = SIGNED_IN._replace(password="wrong")
    with pytest.raises(AuthenticationError, match=f"incorrect username or password; tried as user {USER}"):
        pull(token_registry.host, "docker", options)
