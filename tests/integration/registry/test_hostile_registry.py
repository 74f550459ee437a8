# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Registries that lie, redirect, stall and steal: no lie is accepted, no credential leaves its origin.

Every test signs in as `ann` where it is asked to, and afterwards no foreign server may have seen her
password.
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import pathlib
import socket
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    AuthenticationError,
    CoracleError,
    IntegrityError,
    NotFound,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.documents import Descriptor
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry import patience
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.client import RegistryClient
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration.registry import hostile
from ansible_collections.coracle.engine.tests.integration.registry.hostile import (
    Reply,
    Request,
    Server,
    Site,
    blob_path,
    descriptor,
    digest,
    encode,
    manifest_path,
    pull,
)

pytestmark = pytest.mark.unprivileged

PASSWORD = "hunter2-XYZ"
BASIC = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
OPTIONS = RegistryOptions(username="ann", password=PASSWORD)
HURRIED = OPTIONS._replace(timeout=0.3, retries=0)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def server() -> t.Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server)


@pytest.fixture
def foreign() -> t.Iterator[Server]:
    """Another host. Whoever finds its way there brings no secret."""
    with Server("127.0.0.2") as server:
        yield server
        assert_no_secret(server)


@pytest.fixture
def neighbour() -> t.Iterator[Server]:
    """Another port of the same host: an origin of its own."""
    with Server() as server:
        yield server
        assert_no_secret(server)


def assert_no_secret(server: Server) -> None:
    for request in server.requests:
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers
        assert PASSWORD not in request.target + request.body.decode()
        assert BASIC[6:] not in request.target + request.body.decode()


def assert_refused(
    site: Site, kind: type[CoracleError], message: str, options: RegistryOptions = OPTIONS
) -> None:
    with pytest.raises(kind, match=message) as caught:
        pull(site.server.host, options)
    assert PASSWORD not in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_image_is_good_as_long_as_nobody_lies(site: Site) -> None:
    assert pull(site.server.host, OPTIONS) == site.blobs


# B1, B3: content

WRONG_SIZE = "were promised|bytes promised|cut after|ends after|in the middle|answer of more than"
WRONG_CONTENT = {
    "other bytes": (lambda good: Reply(body=bytes(len(good))), "does not match its digest"),
    "one bit": (lambda good: Reply(body=good[:-1] + bytes([good[-1] ^ 1])), "does not match its digest"),
    "shorter": (lambda good: Reply(body=good[:-1]), WRONG_SIZE),
    "empty": (lambda good: Reply(body=b""), WRONG_SIZE),
    "longer": (lambda good: Reply(body=good + b"x"), WRONG_SIZE),
    "longer, without a length": (lambda good: _chunked(good, b"more"), WRONG_SIZE),
    "shorter, without a length": (lambda good: _until_close(good[:-1]), WRONG_SIZE),
    "cut every time": (lambda good: Reply(body=good[:-1], length=len(good)), WRONG_SIZE),
    "an error as content": (lambda good: Reply(404), "does not have the blob"),
}


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("lie", sorted(WRONG_CONTENT))
def test_wrong_content(site: Site, which: int, lie: str) -> None:
    make, message = WRONG_CONTENT[lie]
    site.route(blob_path(site.blobs[which]), make(site.blobs[which]))
    assert_refused(site, CoracleError, message)


def _chunked(*chunks: bytes) -> Reply:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)


def _until_close(body: bytes) -> Reply:
    return _raw(b"HTTP/1.1 200 OK\r\n\r\n" + body)


def _raw(data: bytes) -> Reply:
    return Reply(script=lambda connection: connection.sendall(data))


def test_a_chunked_blob_is_as_good_as_any(site: Site) -> None:
    for blob in site.blobs:
        site.route(blob_path(blob), _chunked(blob[:10], blob[10:]))
    assert pull(site.server.host, OPTIONS) == site.blobs


# B2, B5: descriptors


def _with(document: t.Any, path: t.Sequence[t.Any], value: t.Any) -> t.Any:
    """A copy of a document with one value changed."""
    copy = json.loads(json.dumps(document))
    functools.reduce(lambda node, key: node[key], path[:-1], copy)[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["layers", 0, "size"], 1, "promised"),
        (["layers", 0, "size"], 0, "does not match its digest"),
        (["layers", 1, "size"], 10**15, "promised"),
        (["config", "size"], 7, "answer of more than 7 bytes"),
        (["layers", 0, "size"], -1, "size is not a number"),
        (["layers", 0, "size"], 1 << 70, "size is not a number"),
        (["layers", 0, "size"], None, "size is not a number"),
        (["layers", 0, "digest"], "sha256:" + "../" * 21 + "x", "not a digest"),
        (["layers", 0, "digest"], "sha256:abc", "not a digest"),
        (["layers", 0, "digest"], "sha256:" + "A" * 64, "not a digest"),
        (["layers", 0, "digest"], "sha512:" + "a" * 128, "only sha256"),
        (["layers", 0, "digest"], "sha256:" + "0" * 64 + "?x=y", "not a digest"),
        (["config", "digest"], "sha256:" + "0" * 64, "does not have the blob"),
        (
            ["layers", 0, "mediaType"],
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "never fetched",
        ),
        (["config", "mediaType"], "application/vnd.cncf.helm.config.v1+json", "not a container image"),
        (["mediaType"], hostile.INDEX_TYPE, "served as|not the"),
        (["schemaVersion"], 1, "schema 1"),
    ],
)
def test_lying_descriptors(site: Site, path: list[t.Any], value: t.Any, message: str) -> None:
    site.publish_manifest(_with(site.manifest, path, value))
    assert_refused(site, CoracleError, message)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["manifests", 1, "size"], 5, "the image index promised 5"),
        (["manifests", 1, "size"], 1 << 40, "said to be"),
        (["manifests", 1, "digest"], "sha256:../../../x", "not a digest"),
        (["manifests", 1, "digest"], "sha256:" + "0" * 64, "has no digest"),
        (
            ["manifests", 1, "mediaType"],
            "application/vnd.docker.distribution.manifest.v2+json",
            "index promised",
        ),
        (["manifests", 1, "platform"], None, "no image for linux/amd64, only for linux/s390x"),
        (["manifests", 1, "platform", "architecture"], "arm64", "no image for linux/amd64"),
        (["manifests", 1, "platform", "os"], "windows", "no image for linux/amd64"),
        (["manifests"], [], "no image for linux/amd64"),
        (["manifests"], None, "not a list"),
    ],
)
def test_lying_indexes(site: Site, path: list[t.Any], value: t.Any, message: str) -> None:
    site.publish_index(_with(site.index, path, value))
    assert_refused(site, CoracleError, message)


# B4, B9: configuration


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["rootfs", "diff_ids"], [], "2 layers and the image configuration has 0 diff ids"),
        (["rootfs", "diff_ids"], ["sha256:" + "0" * 64] * 3, "2 layers and the image configuration has 3"),
        (["rootfs", "diff_ids"], None, "has 0 diff ids"),
        (["rootfs", "diff_ids"], ["x", "y"], "not a digest"),
        (["rootfs"], None, "has 0 diff ids"),
        (["architecture"], "arm64", "the image is for linux/arm64, not for linux/amd64"),
        (["os"], "windows", "the image is for windows/amd64"),
        (["config"], [], "config is not an object"),
    ],
)
def test_lying_configurations(site: Site, path: list[t.Any], value: t.Any, message: str) -> None:
    site.config = _with(site.config, path, value)
    site.publish()
    assert_refused(site, CoracleError, message)


# B6, B7: documents

BAD_JSON = {
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "duplicate keys": b'{"schemaVersion":2,"schemaVersion":2}',
    "not a number": b'{"schemaVersion":NaN}',
    "a huge number": b'{"schemaVersion":' + b"9" * 100_000 + b"}",
    "not UTF-8": b'{"schemaVersion":2,"x":"\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "half": b'{"schemaVersion":2',
    "nothing": b"",
    "a page": b"<html>",
    "too much": b'{"schemaVersion":2}' + b" " * (4 << 20),
}


@pytest.mark.parametrize("kind", sorted(BAD_JSON))
def test_bad_json_as_a_manifest(site: Site, kind: str) -> None:
    site.route(manifest_path("1"), Reply(headers={"Content-Type": hostile.INDEX_TYPE}, body=BAD_JSON[kind]))
    assert_refused(site, IntegrityError, "image manifest|sends an answer of more than")


@pytest.mark.parametrize("kind", sorted(set(BAD_JSON) - {"too much"}))
def test_bad_json_as_a_configuration(site: Site, kind: str) -> None:
    raw = BAD_JSON[kind]
    site.route(blob_path(raw), Reply(body=raw))
    site.publish_manifest({**site.manifest, "config": descriptor(raw, hostile.CONFIG_TYPE)})
    assert_refused(site, IntegrityError, "image configuration" if kind != "duplicate keys" else "same key")


@pytest.mark.parametrize("kind", sorted(set(BAD_JSON) - {"too much"}))
def test_bad_json_as_a_token(site: Site, kind: str) -> None:
    ask_for_token(site, f"http://{site.server.host}/token")
    site.route("/token", Reply(body=BAD_JSON[kind]))
    assert_refused(site, RegistryError, "token")


# B8: confusion


@pytest.mark.parametrize(
    "changes",
    [
        {"manifests": []},
        {"manifests": [{"mediaType": hostile.MANIFEST_TYPE, "digest": "sha256:" + "0" * 64, "size": 1}]},
        {"mediaType": hostile.INDEX_TYPE},
    ],
)
@pytest.mark.parametrize("content_type", [hostile.MANIFEST_TYPE, hostile.INDEX_TYPE, "application/json", ""])
def test_a_document_that_can_be_read_two_ways(site: Site, changes: t.Any, content_type: str) -> None:
    raw = encode({**site.manifest, **changes})
    site.route(
        manifest_path("1"), Reply(headers={"Content-Type": content_type} if content_type else {}, body=raw)
    )
    assert_refused(site, IntegrityError, "image manifest")


@pytest.mark.parametrize(
    "content_type", ["text/html", hostile.INDEX_TYPE, "application/vnd.docker.distribution.manifest.v2+json"]
)
def test_a_content_type_that_contradicts(site: Site, content_type: str) -> None:
    site.change(manifest_path(digest(encode(site.manifest))), headers={"Content-Type": content_type})
    assert_refused(site, IntegrityError, "served as|neither")


def test_schema_1(site: Site) -> None:
    media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    site.route(manifest_path("1"), Reply(headers={"Content-Type": media_type}, body=b'{"schemaVersion":1}'))
    assert_refused(site, IntegrityError, r"schema 1 format.*\(push it again")


# B9: indexes


def test_an_index_in_an_index_in_an_index(site: Site) -> None:
    platform = {"os": "linux", "architecture": "amd64"}
    top = site.index
    for depth in range(3):
        raw = encode(top)
        site.publish_index(top, f"level{depth}")
        top = {**site.index, "manifests": [{**descriptor(raw, hostile.INDEX_TYPE), "platform": platform}]}
    with pytest.raises(IntegrityError, match="leads to more than 2 further indexes"):
        pull(site.server.host, OPTIONS, "level2")
    assert pull(site.server.host, OPTIONS, "level1") == site.blobs


def test_an_index_of_ten_thousand(site: Site) -> None:
    site.publish_index({**site.index, "manifests": [site.index["manifests"][0]] * 10_000})
    assert_refused(site, IntegrityError, "10000 entries")


# B10: pinned digests


@pytest.mark.parametrize("header", ["", "sha256:" + "0" * 64])
def test_another_manifest_than_the_pinned_one(site: Site, header: str) -> None:
    wanted = digest(encode(site.index))
    headers = {"Content-Type": hostile.INDEX_TYPE, "Docker-Content-Digest": header or wanted}
    site.route(manifest_path(wanted), Reply(headers=headers, body=encode({**site.index, "x": 1})))
    with pytest.raises(IntegrityError, match=f"wrong manifest for app: expected {wanted}"):
        pull(site.server.host, OPTIONS, wanted)


def test_what_a_header_calls_a_manifest_is_not_its_digest(site: Site) -> None:
    raw = encode(site.index)
    headers = {"Content-Type": hostile.INDEX_TYPE, "Docker-Content-Digest": "sha256:" + "0" * 64}
    site.change(manifest_path("1"), headers=headers)
    client = RegistryClient(site.server.host, OPTIONS)
    assert client.get_manifest("app", "1").digest == digest(raw)
    with pytest.raises(IntegrityError):
        client.get_manifest("app", "1", "sha256:" + "0" * 64)
    client.close()


@pytest.mark.parametrize(
    "header", ["", "nonsense", "sha256:" + "0" * 64, "sha512:" + "0" * 128, "sha256:../../x"]
)
def test_a_head_for_a_pinned_manifest_is_checked(site: Site, header: str) -> None:
    raw = encode(site.index)
    site.change(
        manifest_path(digest(raw)),
        headers={"Content-Type": hostile.INDEX_TYPE, "Docker-Content-Digest": header},
    )
    client = RegistryClient(site.server.host, OPTIONS)
    assert client.head_manifest("app", digest(raw)) == Descriptor(hostile.INDEX_TYPE, digest(raw), len(raw))
    client.close()


# B11: foreign layers


def test_urls_of_layers_are_not_fetched(site: Site, foreign: Server) -> None:
    url = f"http://{foreign.host}/layer"
    site.publish_manifest(_with(site.manifest, ["layers", 0, "urls"], [url]))
    assert pull(site.server.host, OPTIONS) == site.blobs
    site.server.routes.pop(blob_path(site.layers[0]))
    assert_refused(site, RegistryError, "does not have the blob")
    assert foreign.requests == []


# B12: token servers


def ask_for_token(site: Site, realm: str, extra: str = "") -> None:
    """Every request without a token is answered with a challenge that names `realm`."""
    challenge = (
        f'Bearer realm="{realm}",service="registry",scope="repository:victim/private:pull,push"{extra}'
    )
    for path, route in list(site.server.routes.items()):
        site.route(path, functools.partial(_guarded, route, {"WWW-Authenticate": challenge}, "Bearer good"))


def _guarded(route: hostile.Route, challenge: dict[str, str], wanted: str, request: Request) -> Reply:
    if request.headers.get("authorization") != wanted:
        return Reply(401, challenge, b'{"errors":[{"code":"UNAUTHORIZED","message":"sign in"}]}')
    return route if isinstance(route, Reply) else route(request)


def grant(server: Server, token: str = "good", **more: t.Any) -> None:
    server.routes["/token"] = Reply(body=encode({"token": token, **more}))


def test_a_token_for_our_own_scope(site: Site) -> None:
    ask_for_token(site, f"http://{site.server.host}/token")
    grant(site.server)
    assert pull(site.server.host, OPTIONS) == site.blobs
    (request,) = site.server.asked("/token")
    assert request.headers["authorization"] == BASIC
    assert request.target == "/token?account=ann&service=registry&scope=repository%3Aapp%3Apull"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_realm_on_another_host(site: Site, foreign: Server, scheme: str) -> None:
    ask_for_token(site, f"{scheme}://{foreign.host}/token")
    grant(foreign)
    assert_refused(site, AuthenticationError, "names .* as its token server: this is not followed")
    assert foreign.requests == []


def test_a_realm_under_another_name(site: Site, neighbour: Server) -> None:
    """`localhost` is not 127.0.0.1: a name is only as good as the resolver."""
    ask_for_token(site, f"http://localhost:{neighbour.host.rpartition(':')[2]}/token")
    assert_refused(site, AuthenticationError, "which does not belong to it: it was not sent.*token_servers")
    assert neighbour.requests == []


def test_a_realm_that_the_task_names(site: Site) -> None:
    port = site.server.host.rpartition(":")[2]
    ask_for_token(site, f"http://localhost:{port}/token")
    grant(site.server)
    assert pull(site.server.host, OPTIONS._replace(token_servers=[f"localhost:{port}"])) == site.blobs


def test_an_anonymous_token_from_another_name_costs_nothing(
    site: Site, neighbour: Server, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "auth.json").write_text("{}")
    ask_for_token(site, f"http://localhost:{neighbour.host.rpartition(':')[2]}/token")
    grant(neighbour)
    assert pull(site.server.host, RegistryOptions(auth_file=str(tmp_path / "auth.json"))) == site.blobs


@pytest.mark.parametrize(
    "realm",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/token",
        "http://[fe80::1]/token",
        "http://10.0.0.1/token",
        "file:///etc/shadow",
        "ftp://127.0.0.1/token",
        "gopher://127.0.0.1/",
        "http://ann:pw@127.0.0.1/token",
        "http://",
        "",
        "token",
        "//127.0.0.1/token",
        "http://127.0.0.1:99999/token",
        "http://127.0.0.1/\r\nX: y",
    ],
)
def test_realms_that_lead_nowhere(site: Site, realm: str) -> None:
    ask_for_token(site, realm.replace("\r\n", "\t"))
    assert_refused(site, RegistryError, "token server|valid URL")


def test_a_realm_with_a_query_cannot_widen_what_is_asked(site: Site) -> None:
    ask_for_token(site, f"http://{site.server.host}/token?scope=repository:victim:pull&x=y#z")
    grant(site.server)
    pull(site.server.host, OPTIONS)
    (request,) = site.server.asked("/token")
    assert request.target.startswith("/token?scope=repository:victim:pull&x=y&account=ann&service=registry&")
    assert request.target.endswith("&scope=repository%3Aapp%3Apull")


def test_a_token_server_that_redirects(site: Site, neighbour: Server, foreign: Server) -> None:
    ask_for_token(site, f"http://{site.server.host}/token")
    site.route("/token", Reply(307, {"Location": f"http://{neighbour.host}/token"}))
    neighbour.routes["/token"] = Reply(307, {"Location": f"http://{foreign.host}/token"})
    grant(foreign)
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert foreign.requests


def test_an_identity_token_is_not_redirected(site: Site, neighbour: Server, tmp_path: pathlib.Path) -> None:
    auth = tmp_path / "auth.json"
    auth.write_text(json.dumps({"auths": {site.server.host: {"identitytoken": PASSWORD}}}))
    ask_for_token(site, f"http://{site.server.host}/token")
    grant(neighbour)
    site.route("/token", Reply(307, {"Location": f"http://{neighbour.host}/token"}))
    assert_refused(site, RegistryError, "answers 307|token", RegistryOptions(auth_file=str(auth)))
    assert neighbour.requests == []
    grant(site.server)
    assert pull(site.server.host, RegistryOptions(auth_file=str(auth))) == site.blobs
    request = site.server.asked("/token")[-1]
    assert request.method == "POST"
    assert f"refresh_token={PASSWORD}" in request.body.decode()


@pytest.mark.parametrize(
    "answer",
    [
        {"token": "a\r\nX-Evil: yes"},
        {"token": "a b"},
        {"token": "tökén"},
        {"token": ""},
        {"token": 7},
        {"token": ["x"]},
        {"token": "a" * 100_000},
        {},
        [],
    ],
)
def test_tokens_that_are_none(site: Site, answer: t.Any) -> None:
    ask_for_token(site, f"http://{site.server.host}/token")
    site.route("/token", Reply(body=encode(answer)))
    assert_refused(site, RegistryError, "token")


@pytest.mark.parametrize("lifetime", [0, -1, 1e300, 10**20, "60", None, True, [1]])
def test_lifetimes_of_tokens(site: Site, lifetime: t.Any) -> None:
    ask_for_token(site, f"http://{site.server.host}/token")
    grant(site.server, expires_in=lifetime)
    assert pull(site.server.host, OPTIONS) == site.blobs


def test_a_token_that_does_not_help_is_asked_for_once(site: Site) -> None:
    ask_for_token(site, f"http://{site.server.host}/token")
    grant(site.server, "bad")
    assert_refused(
        site, AuthenticationError, r"does not allow access to app: sign in; tried as user ann from the task"
    )
    assert len(site.server.asked("/token")) == 1


def test_a_token_that_runs_out_in_the_middle(site: Site) -> None:
    """Every token is good for two requests."""
    tokens, uses = itertools.count(1), {"left": 0, "token": 0}

    def issue(request: Request) -> Reply:
        uses.update(left=2, token=next(tokens))
        return Reply(body=encode({"access_token": f"t{uses['token']}", "expires_in": 300}))

    def guarded(route: hostile.Route, request: Request) -> Reply:
        good = request.headers.get("authorization") == f"Bearer t{uses['token']}" and uses["left"] > 0
        uses["left"] -= 1
        return _guarded(route, challenge, request.headers.get("authorization", "") if good else "no", request)

    challenge = {"WWW-Authenticate": f'Bearer realm="http://{site.server.host}/token"'}
    for path, route in list(site.server.routes.items()):
        site.route(path, functools.partial(guarded, route))
    site.route("/token", issue)
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert next(tokens) >= 3


# Basic


def ask_for_password(site: Site, challenge: str = 'Basic realm="x"') -> None:
    for path, route in list(site.server.routes.items()):
        site.route(path, functools.partial(_guarded, route, {"WWW-Authenticate": challenge}, BASIC))


def test_the_password_for_who_asks(site: Site) -> None:
    ask_for_password(site)
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert "authorization" not in site.server.requests[0].headers


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Digest realm=x", "Basi", "\x00\x01", '="', "Bearer"])
def test_challenges_that_cannot_be_met(site: Site, challenge: str) -> None:
    ask_for_password(site, challenge)
    assert_refused(site, RegistryError, "does not allow access|token server|valid URL")


def test_a_wrong_password_is_said_with_its_source(site: Site, tmp_path: pathlib.Path) -> None:
    auth = tmp_path / "config.json"
    auth.write_text(json.dumps({"auths": {site.server.host: {"username": "bob", "password": "wrong"}}}))
    ask_for_password(site)
    assert_refused(
        site, AuthenticationError, f"tried as user bob from {auth}", RegistryOptions(auth_file=str(auth))
    )


def test_forbidden_is_final(site: Site) -> None:
    site.route(manifest_path("1"), Reply(403, body=b'{"errors":[{"code":"DENIED","message":"not yours"}]}'))
    assert_refused(site, AuthenticationError, "does not allow access to app: not yours")
    assert len(site.server.asked(manifest_path("1"))) == 1


# B13, B14: redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_password_does_not_follow_a_redirect(
    site: Site, neighbour: Server, foreign: Server, status: int
) -> None:
    ask_for_password(site)
    for blob, other in zip(site.blobs, (neighbour, foreign, neighbour)):
        path = blob_path(blob)
        other.routes["/elsewhere" + path] = Reply(body=blob)
        location = {"Location": f"http://{other.host}/elsewhere{path}?signature=x%2Fy"}
        site.route(
            path, functools.partial(_guarded, Reply(status, location), {"WWW-Authenticate": "Basic"}, BASIC)
        )
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert len(neighbour.requests) == 2
    assert len(foreign.requests) == 1


def test_a_redirect_there_and_back_does_not_bring_it_back(site: Site, neighbour: Server) -> None:
    ask_for_password(site)
    layer = site.layers[0]
    site.route(blob_path(layer), Reply(307, {"Location": f"http://{neighbour.host}/x"}))
    neighbour.routes["/x"] = Reply(307, {"Location": f"http://{site.server.host}/back"})
    site.route("/back", Reply(body=layer))
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert "authorization" not in site.server.asked("/back")[0].headers


def test_a_redirect_within_the_origin_keeps_it(site: Site) -> None:
    layer = site.layers[0]
    site.route("/other", Reply(body=layer))
    site.route(blob_path(layer), Reply(307, {"Location": "/other"}))
    ask_for_password(site)
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert site.server.asked("/other")[0].headers["authorization"] == BASIC


@pytest.mark.parametrize("status", [401, 403])
def test_a_store_that_refuses_is_not_a_registry_that_does(site: Site, neighbour: Server, status: int) -> None:
    """A signed URL that has run out: the registry is asked for a new one."""
    layer = site.layers[0]
    site.route(blob_path(layer), Reply(307, {"Location": f"http://{neighbour.host}/x"}))
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    replies = iter([Reply(status, challenge), Reply(status, challenge), Reply(body=layer)])
    neighbour.routes["/x"] = lambda request: next(replies)
    assert pull(site.server.host, OPTIONS) == site.blobs
    neighbour.routes["/x"] = Reply(status, challenge)
    assert_refused(site, RegistryError, rf"redirects to http://{neighbour.host}, which answers {status}")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://127.0.0.1/x", "only http and https"),
        ("http://169.254.169.254/latest", "on a network that it cannot know"),
        ("http://[fe80::1]/", "on a network that it cannot know"),
        ("http://224.0.0.1/", "on a network that it cannot know"),
        ("http://ann:pw@127.0.0.1/", "contains a user name"),
        ("http://127.0.0.1:0/", "not valid|refuses"),
        ("http://[", "not a valid URL|not a URL"),
        ("http://a b/", "not a valid URL"),
    ],
)
def test_redirects_that_lead_nowhere(site: Site, location: str, message: str) -> None:
    site.route(blob_path(site.layers[0]), Reply(302, {"Location": location}))
    assert_refused(site, RegistryError, message)


def test_a_redirect_loop(site: Site, neighbour: Server) -> None:
    path = manifest_path("1")
    site.route(path, Reply(302, {"Location": f"http://{neighbour.host}{path}"}))
    neighbour.routes[path] = Reply(302, {"Location": f"http://{site.server.host}{path}"})
    assert_refused(site, RegistryError, "redirects more than 10 times")
    assert len(site.server.asked(path)) + len(neighbour.requests) == 11


def test_a_redirect_without_a_place(site: Site) -> None:
    site.route(manifest_path("1"), Reply(302))
    assert_refused(site, RegistryError, "redirects more than 10 times")


# B15: cuts, ranges, stalls, storms


class Cutting:
    """Serves a blob and cuts every answer after `piece` bytes; `ranges` says how it takes to requests for a
    part.
    """

    def __init__(self, blob: bytes, piece: int, ranges: str) -> None:
        self.blob = blob
        self.piece = piece
        self.ranges = ranges
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Reply:
        asked = request.headers.get("range", "")
        self.asked.append(asked)
        total = len(self.blob)
        first = int(asked[6:-1]) if asked and self.ranges != "ignored" else 0
        rest = self.blob[first:]
        headers = {} if not asked else {"Content-Range": f"bytes {first}-{total - 1}/{total}"}
        status = 206 if first else 200
        if asked and self.ranges == "shifted":
            headers = {"Content-Range": f"bytes {first + 1}-{total - 1}/{total}"}
        elif asked and self.ranges == "unsaid":
            headers = {}
        elif asked and self.ranges == "of something else":
            headers = {"Content-Range": f"bytes {first}-{total}/{total + 1}"}
        elif asked and self.ranges == "nonsense":
            headers = {"Content-Range": "bytes */x"}
        elif asked and self.ranges == "other bytes":
            rest = bytes(len(rest))
        if self.ranges in ("shifted", "unsaid", "of something else", "nonsense", "ignored") and not asked:
            return (
                Reply(status, headers, rest)
                if len(self.asked) > 1
                else Reply(status, headers, rest[: self.piece], len(rest))
            )
        return Reply(status, headers, rest[: self.piece], len(rest))


@pytest.mark.parametrize("piece", [1, 70_000])
def test_a_cut_is_resumed_where_it_was(site: Site, piece: int) -> None:
    big = bytes(range(256)) * 4096
    cutting = Cutting(big, max(piece, 70_000) if piece == 70_000 else len(big) - piece, "honoured")
    site.route(blob_path(big), cutting)
    client = RegistryClient(site.server.host, OPTIONS)
    with client.open_blob("app", Descriptor("x", digest(big), len(big))) as reader:
        assert read_all(reader) == big
    assert cutting.asked[0] == ""
    assert cutting.asked[1:] == [f"bytes={at}-" for at in range(cutting.piece, len(big), cutting.piece)]
    assert client.retries == len(cutting.asked) - 1
    client.close()


def read_all(reader: t.Any) -> bytes:
    return b"".join(iter(lambda: reader.read(1 << 16), b""))


def test_ranges_ignored(site: Site) -> None:
    """A 200 to a request for a part sends everything: what is there is skipped."""
    layer = site.layers[1]
    pieces = iter([300, 200, len(layer)])
    site.route(blob_path(layer), lambda request: Reply(body=layer[: next(pieces)], length=len(layer)))
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert [request.headers.get("range") for request in site.server.asked(blob_path(layer))] == [
        None,
        "bytes=300-",
        "bytes=300-",
    ]


@pytest.mark.parametrize("ranges", ["shifted", "unsaid", "of something else", "nonsense"])
def test_a_wrong_range_is_not_believed(site: Site, ranges: str) -> None:
    cutting = Cutting(site.layers[1], 300, ranges)
    site.route(blob_path(site.layers[1]), cutting)
    assert pull(site.server.host, OPTIONS) == site.blobs
    assert cutting.asked == ["", "bytes=300-", ""]


def test_a_right_range_with_wrong_bytes(site: Site) -> None:
    site.route(blob_path(site.layers[1]), Cutting(site.layers[1], 300, "other bytes"))
    assert_refused(site, IntegrityError, "does not match its digest")


def test_an_offset_of_the_caller(site: Site) -> None:
    layer = site.layers[1]
    site.route(blob_path(layer), Cutting(layer, len(layer), "honoured"))
    client = RegistryClient(site.server.host, OPTIONS)
    for offset in (0, 1, 300, len(layer) - 1, len(layer)):
        with client.open_blob("app", Descriptor("x", digest(layer), len(layer)), offset) as reader:
            assert read_all(reader) == layer[offset:]
            assert reader.position == len(layer)
    client.close()


def _stall(sent: bytes) -> Reply:
    def script(connection: socket.socket) -> None:
        connection.sendall(sent)
        connection.recv(1)

    return Reply(script=script)


def _trickle(head: bytes, drop: bytes) -> Reply:
    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)

    return Reply(script=script)


OK = b"HTTP/1.1 200 OK\r\n"
STALLS = {
    "silence": lambda: _stall(b""),
    "half a status line": lambda: _stall(b"HTTP/1.1 2"),
    "half a head": lambda: _stall(OK + b"Content-Len"),
    "a head and no body": lambda: _stall(OK + b"Content-Length: 1000\r\n\r\n"),
    "half a body": lambda: _stall(OK + b"Content-Length: 1000\r\n\r\n{"),
    "half a chunk": lambda: _stall(OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc"),
    "a slow status line": lambda: _trickle(b"", b"H"),
    "a slow head": lambda: _trickle(OK, b"X: y\r\n"),
    "a slow body": lambda: _trickle(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "slow chunks": lambda: _trickle(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a slow trailer": lambda: _trickle(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "a head and a slow refusal": lambda: _trickle(
        b"HTTP/1.1 500 X\r\nContent-Length: 900000\r\n\r\n", b" " * 999
    ),
    "a head and a slow redirect": lambda: _trickle(
        b"HTTP/1.1 307 X\r\nContent-Length: 9999\r\n\r\n", b" " * 99
    ),
    "slow continues": lambda: _trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("kind", sorted(STALLS))
@pytest.mark.parametrize("where", ["ping", "manifest", "token", "blob"])
def test_stalls_end(site: Site, kind: str, where: str) -> None:
    if where == "token":
        ask_for_token(site, f"http://{site.server.host}/token")
    paths = {
        "ping": "/v2/",
        "manifest": manifest_path("1"),
        "token": "/token",
        "blob": blob_path(site.layers[1]),
    }
    site.route(paths[where], STALLS[kind]())
    started = time.monotonic()
    try:
        pull(site.server.host, HURRIED)
        assert where == "ping", "only what follows the first line of the answer to a ping does not matter"
    except CoracleError:
        pass
    assert time.monotonic() - started < 20


def test_a_stall_is_named_and_tried_again(site: Site) -> None:
    site.route(manifest_path("1"), STALLS["silence"]())
    assert_refused(
        site, RegistryError, f"registry {site.server.host} stalls: ", OPTIONS._replace(timeout=2.0, retries=1)
    )
    assert len(site.server.asked(manifest_path("1"))) == 2


@pytest.mark.parametrize("retry_after", ["", "1000000000", "-1", "Fri, 31 Dec 9999 23:59:59 GMT", "nonsense"])
@pytest.mark.parametrize("status", [429, 503])
def test_storms_end(site: Site, status: int, retry_after: str) -> None:
    path = manifest_path("1")
    site.route(path, Reply(status, {"Retry-After": retry_after}, b'{"errors":[{"message":"slow down"}]}'))
    assert_refused(site, RegistryError, f"answers {status}: slow down")
    assert len(site.server.asked(path)) == 5


def test_a_passing_trouble_passes(site: Site) -> None:
    for path, route in list(site.server.routes.items()):
        replies = iter([Reply(503), Reply(429), Reply(500), route])
        site.route(path, functools.partial(lambda replies, request: next(replies), replies))
    assert pull(site.server.host, OPTIONS) == site.blobs


@pytest.mark.parametrize("status", [400, 405, 410, 418, 501, 999])
def test_other_refusals_are_final(site: Site, status: int) -> None:
    site.route(manifest_path("1"), Reply(status, body=b'{"errors":[{"message":"no \\u001b[31mred"}]}'))
    assert_refused(site, RegistryError, rf"answers {status}: no \?\[31mred")
    assert len(site.server.asked(manifest_path("1"))) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
@pytest.mark.parametrize("where", ["manifest", "blob"])
def test_what_is_not_http(site: Site, data: bytes, where: str) -> None:
    site.route(manifest_path("1") if where == "manifest" else blob_path(site.layers[0]), _raw(data))
    assert_refused(site, CoracleError, "registry|image manifest|promised|ends after")


# Names


def test_a_name_that_is_not_there(site: Site) -> None:
    client = RegistryClient(site.server.host, OPTIONS)
    assert client.head_manifest("app", "none") is None
    with pytest.raises(NotFound, match=f"registry {site.server.host} has no repository app"):
        client.get_manifest("app", "none")
    with pytest.raises(NotFound, match="has no digest sha256:0000"):
        client.get_manifest("app", "sha256:" + "0" * 64)
    client.close()


@pytest.mark.parametrize(
    "tags", [["1.20", "1.21", "latest"], [7, None, "\x1b[31m"], "x", None, ["a" * 500] * 50]
)
def test_the_tags_that_there_are(site: Site, tags: t.Any) -> None:
    site.route("/v2/app/tags/list", Reply(body=encode({"name": "app", "tags": tags})))
    client = RegistryClient(site.server.host, OPTIONS)
    with pytest.raises(NotFound, match=r"has no tag 1\.2 in app") as caught:
        client.get_manifest("app", "1.2")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    client.close()
