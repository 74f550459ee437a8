# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""TLS, insecure registries, mirrors and proxies: whom we believe, and what each server gets to see."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import ssl
import time
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    AuthenticationError,
    CoracleError,
    IntegrityError,
    InvalidInput,
    NotFound,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry import patience, tls
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.client import RegistryClient
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.options import RegistryOptions
from ansible_collections.coracle.engine.tests.integration.registries import Authority, Registry
from ansible_collections.coracle.engine.tests.integration.registry.conftest import PASSWORD, USER
from ansible_collections.coracle.engine.tests.integration.registry.hostile import (
    Reply,
    Server,
    Site,
    blob_path,
    digest,
    encode,
    manifest_path,
    pull,
)
from ansible_collections.coracle.engine.tests.integration.registry.proxy import Proxy

pytestmark = pytest.mark.unprivileged

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SIGNED_IN = RegistryOptions(username=USER, password=PASSWORD)
NAMES = "IP:127.0.0.1,DNS:localhost,DNS:registry.test,DNS:cdn.test"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "Other CA")


def server_context(authority: Authority, name: str, names: str = NAMES, days: int = 10) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(name, names, days=days))
    return context


@pytest.fixture
def site(authority: Authority) -> t.Iterator[Site]:
    """An HTTPS registry with the good image."""
    with Server(context=server_context(authority, "site")) as server:
        yield Site(server)


@pytest.fixture
def plain_site() -> t.Iterator[Site]:
    with Server() as server:
        yield Site(server)


def named(site: Site, name: str = "registry.test") -> str:
    """The same server under a name that is not loopback's."""
    return site.server.host.replace("127.0.0.1", name)


def require_password(site: Site) -> None:
    for path, route in list(site.server.routes.items()):

        def guarded(request: t.Any, route: t.Any = route) -> Reply:
            if request.headers.get("authorization") != BASIC:
                return Reply(401, {"WWW-Authenticate": "Basic realm=x"})
            return t.cast(Reply, route)

        site.route(path, guarded)


# Certificates


def test_a_certificate_is_checked(site: Site, authority: Authority) -> None:
    with pytest.raises(
        RegistryError, match=r"the certificate is not accepted: .*issuer.*give its authority with ca_cert"
    ):
        pull(site.server.host, RegistryOptions())
    assert site.server.requests == []
    assert pull(site.server.host, RegistryOptions(ca_cert=str(authority.certificate))) == site.blobs


@pytest.mark.parametrize(
    ("names", "days", "message"),
    [
        ("DNS:other.example", 10, "certificate is not valid for '127.0.0.1'"),
        ("", 10, "certificate is not valid for '127.0.0.1'"),
        (NAMES, 0, "certificate has expired"),
    ],
)
def test_bad_certificates(authority: Authority, names: str, days: int, message: str) -> None:
    with Server(context=server_context(authority, "bad", names, days)) as server:
        site = Site(server)
        time.sleep(1.1 if days == 0 else 0)
        with pytest.raises(RegistryError, match=rf"the certificate is not accepted: .*{message}"):
            pull(server.host, RegistryOptions(ca_cert=str(authority.certificate), **SECRET))
        assert server.requests == []
        assert pull(server.host, RegistryOptions(validate_certs=False)) == site.blobs
        assert pull(server.host, RegistryOptions(insecure_registries=[server.host])) == site.blobs


SECRET = {"username": USER, "password": PASSWORD}


def test_not_checking_is_for_one_registry(site: Site, authority: Authority) -> None:
    """`validate_certs: false` is about the registry in the name; where it redirects is checked."""
    with Server("127.0.0.2", server_context(authority, "cdn")) as cdn:
        blob = site.layers[0]
        site.route(blob_path(blob), Reply(307, {"Location": f"https://{cdn.host}/x"}))
        cdn.routes["/x"] = Reply(body=blob)
        with pytest.raises(RegistryError, match=f"at {cdn.host}: the certificate is not accepted"):
            pull(site.server.host, RegistryOptions(validate_certs=False))
        assert cdn.requests == []
        with pytest.raises(RegistryError, match="the certificate is not accepted"):
            pull(site.server.host, RegistryOptions(insecure_registries=[cdn.host]))
        options = RegistryOptions(validate_certs=False, insecure_registries=[cdn.host])
        assert pull(site.server.host, options) == site.blobs


@pytest.mark.parametrize("directory", ["containers", "docker"])
def test_certificates_of_the_host(
    site: Site, authority: Authority, directory: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories = [tmp_path / "containers", tmp_path / "docker"]
    monkeypatch.setattr(tls, "CERTIFICATE_DIRECTORIES", [str(path) for path in directories])
    wrong, right = tmp_path / directory / "other.example", tmp_path / directory / site.server.host
    wrong.mkdir(parents=True)
    (wrong / "ca.crt").write_bytes(authority.certificate.read_bytes())
    with pytest.raises(RegistryError, match="not accepted"):
        pull(site.server.host, RegistryOptions())
    right.mkdir()
    (right / "ca.crt").write_bytes(authority.certificate.read_bytes())
    assert pull(site.server.host, RegistryOptions()) == site.blobs


@pytest.fixture
def strict_site(authority: Authority) -> t.Iterator[Site]:
    """A registry that wants a client certificate."""
    context = server_context(authority, "strict")
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with Server(context=context) as server:
        yield Site(server)


def test_client_certificates(strict_site: Site, authority: Authority) -> None:
    certificate, key = (str(path) for path in authority.issue("client", ""))
    trusted = RegistryOptions(ca_cert=str(authority.certificate))
    assert (
        pull(strict_site.server.host, trusted._replace(client_cert=certificate, client_key=key))
        == strict_site.blobs
    )
    with pytest.raises(RegistryError, match=r"may want a client_cert|connection failed|TLS failed"):
        pull(strict_site.server.host, trusted)


def test_client_certificates_of_the_host(
    strict_site: Site, authority: Authority, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "CERTIFICATE_DIRECTORIES", [str(tmp_path)])
    directory = tmp_path / strict_site.server.host
    directory.mkdir()
    certificate, key = authority.issue("client", "")
    for source, name in ((authority.certificate, "ca.crt"), (certificate, "me.cert"), (key, "me.key")):
        (directory / name).write_bytes(source.read_bytes())
    assert pull(strict_site.server.host, RegistryOptions()) == strict_site.blobs


def test_a_client_certificate_is_not_shown_to_others(site: Site, authority: Authority) -> None:
    seen: list[t.Any] = []
    context = server_context(authority, "curious", "IP:127.0.0.2")
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.sslsocket_class = type(
        "Spying",
        (ssl.SSLSocket,),
        {
            "recv_into": lambda self, *rest: (
                seen.append(self.getpeercert()),
                ssl.SSLSocket.recv_into(self, *rest),
            )[1]
        },
    )
    certificate, key = (str(path) for path in authority.issue("client", ""))
    options = RegistryOptions(ca_cert=str(authority.certificate), client_cert=certificate, client_key=key)
    with Server("127.0.0.2", context) as curious:
        site.route(blob_path(site.layers[0]), Reply(307, {"Location": f"https://{curious.host}/x"}))
        curious.routes["/x"] = Reply(body=site.layers[0])
        assert pull(site.server.host, options) == site.blobs
        assert seen
        assert not any(seen)
        with contextlib.suppress(CoracleError):
            pull(curious.host, options)
        assert seen[-1]


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("ca_cert", None, "No such file"),
        ("ca_cert", "nonsense", "no usable PEM certificate"),
        ("client_cert", None, "No such file"),
        ("client_cert", "nonsense", "no usable PEM certificate"),
    ],
)
def test_files_that_cannot_be_used(
    site: Site, option: str, content: str | None, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "file.pem"
    if content:
        path.write_text(content)
    with pytest.raises(InvalidInput, match=f"{option} {path}: {message}"):
        pull(site.server.host, RegistryOptions()._replace(**{option: str(path)}))


def test_https_does_not_become_http(site: Site, plain_site: Site, authority: Authority) -> None:
    site.route(
        manifest_path("1"), Reply(302, {"Location": f"http://{plain_site.server.host}{manifest_path('1')}"})
    )
    with pytest.raises(RegistryError, match="redirects from HTTPS to http://"):
        pull(site.server.host, RegistryOptions(ca_cert=str(authority.certificate)))
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{plain_site.server.host}/token"'}
    site.route(manifest_path("1"), Reply(401, challenge))
    with pytest.raises(AuthenticationError, match="as its token server: this is not followed"):
        pull(site.server.host, SIGNED_IN._replace(ca_cert=str(authority.certificate)))
    assert plain_site.server.requests == []


# Plain HTTP


@pytest.mark.usefixtures("names")
def test_plain_http_is_for_loopback_and_for_who_is_listed(plain_site: Site) -> None:
    host = named(plain_site)
    with pytest.raises(RegistryError, match=rf"registry {host} .*TLS.*\(list it in insecure_registries"):
        pull(host, RegistryOptions(retries=0))
    for entry in (host, f"http://{host}"):
        assert pull(host, RegistryOptions(insecure_registries=[entry])) == plain_site.blobs
    with pytest.raises(RegistryError, match=r"does not speak TLS|when TLS is tried"):
        pull(host, RegistryOptions(insecure_registries=["registry.test", "other.test"], retries=0))
    with pytest.raises(RegistryError, match=r"does not speak TLS|when TLS is tried"):
        pull(host, RegistryOptions(validate_certs=False, retries=0))


@pytest.mark.usefixtures("names")
def test_a_password_over_plain_http_is_not_silent(plain_site: Site) -> None:
    require_password(plain_site)
    for host, warned in ((named(plain_site), True), (plain_site.server.host, False)):
        options = SIGNED_IN._replace(insecure_registries=[named(plain_site)])
        with contextlib.closing(RegistryClient(host, options)) as client:
            assert client.get_manifest("app", "1")
            assert client.get_manifest("app", "1")
            wanted = [f"the credentials for registry {host} were sent over plain HTTP"] if warned else []
            assert client.warnings == wanted


@pytest.mark.usefixtures("names")
def test_an_insecure_registry_that_speaks_tls_gets_tls(site: Site) -> None:
    assert pull(named(site), RegistryOptions(insecure_registries=[named(site)])) == site.blobs


# Mirrors


@pytest.fixture
def mirror() -> t.Iterator[Site]:
    with Server("127.0.0.2") as server:
        yield Site(server)


def mirrored(site: Site, *mirrors: str, **more: t.Any) -> RegistryOptions:
    return SIGNED_IN._replace(mirrors={site.server.host: mirrors}, **more)


@pytest.mark.parametrize("spelling", ["{}", "http://{}", "http://{}/", "{}/"])
def test_a_mirror_is_asked_first(plain_site: Site, mirror: Site, spelling: str) -> None:
    options = mirrored(plain_site, spelling.format(mirror.server.host))
    assert pull(plain_site.server.host, options) == plain_site.blobs
    assert plain_site.server.requests == []


def test_a_mirror_below_a_path(plain_site: Site, mirror: Site) -> None:
    for path, route in list(mirror.server.routes.items()):
        mirror.server.routes[path.replace("/v2/app/", "/v2/hub/cache/app/")] = route
        del mirror.server.routes[path]
    assert (
        pull(plain_site.server.host, mirrored(plain_site, f"{mirror.server.host}/hub/cache"))
        == plain_site.blobs
    )
    assert plain_site.server.requests == []


@pytest.mark.parametrize(
    "trouble", ["down", "empty", "wants a password", "lies about the pinned manifest", "fails"]
)
def test_the_registry_is_asked_when_a_mirror_cannot(plain_site: Site, mirror: Site, trouble: str) -> None:
    target = digest(encode(plain_site.index))
    host = mirror.server.host
    if trouble == "down":
        host = "127.0.0.2:1"
    elif trouble == "empty":
        mirror.server.routes.clear()
    elif trouble == "wants a password":
        require_password(mirror)
    elif trouble == "lies about the pinned manifest":
        mirror.route(manifest_path(target), Reply(body=b"{}"))
    else:
        for path in list(mirror.server.routes):
            mirror.route(path, Reply(500))
    assert pull(plain_site.server.host, mirrored(plain_site, host, retries=1), target) == plain_site.blobs


def test_a_mirror_never_gets_the_password_of_the_registry(
    plain_site: Site, mirror: Site, home: pathlib.Path
) -> None:
    require_password(plain_site)
    require_password(mirror)
    assert pull(plain_site.server.host, mirrored(plain_site, mirror.server.host)) == plain_site.blobs
    assert not any("authorization" in request.headers for request in mirror.server.requests)
    entry = {"username": USER, "password": PASSWORD}
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {mirror.server.host: entry}}))
    plain_site.server.requests.clear()
    assert pull(plain_site.server.host, mirrored(plain_site, mirror.server.host)) == plain_site.blobs
    assert plain_site.server.requests == []


def test_when_nobody_has_it_everybody_is_named(plain_site: Site, mirror: Site) -> None:
    mirror.server.routes.clear()
    plain_site.server.routes.clear()
    with pytest.raises(
        NotFound,
        match=rf"registry {plain_site.server.host} has no repository app; mirror {mirror.server.host}: ",
    ):
        pull(plain_site.server.host, mirrored(plain_site, mirror.server.host))


@pytest.mark.parametrize("mirror", ["", "ftp://x", "http://", "a b", "x:y"])
def test_a_mirror_that_is_none(plain_site: Site, mirror: str) -> None:
    with pytest.raises(InvalidInput, match="is not a registry"):
        pull(plain_site.server.host, mirrored(plain_site, mirror))


# Proxies


@pytest.mark.usefixtures("names")
def test_plain_http_through_a_proxy(plain_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    host = named(plain_site)
    options = SIGNED_IN._replace(insecure_registries=[f"http://{host}"])
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:proxy-secret@{proxy.host}")
        assert pull(host, options) == plain_site.blobs
        assert proxy.requests[0] == (
            "GET",
            f"http://{host}{manifest_path('1')}",
            "Basic dXNlcjpwcm94eS1zZWNyZXQ=",
        )
        assert not any("proxy-authorization" in request.headers for request in plain_site.server.requests)
        before = len(proxy.requests)
        monkeypatch.setenv("no_proxy", "registry.test")
        assert pull(host, options) == plain_site.blobs
        assert pull(plain_site.server.host, options) == plain_site.blobs
        assert len(proxy.requests) == before


@pytest.mark.usefixtures("names")
def test_https_through_a_proxy(site: Site, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    host = named(site)
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:proxy-secret@{proxy.host}")
        with pytest.raises(RegistryError, match="the certificate is not accepted"):
            pull(host, SIGNED_IN)
        assert pull(host, SIGNED_IN._replace(ca_cert=str(authority.certificate))) == site.blobs
        assert set(proxy.requests) == {("CONNECT", host, "Basic dXNlcjpwcm94eS1zZWNyZXQ=")}
        assert not any("proxy-authorization" in request.headers for request in site.server.requests)


@pytest.mark.usefixtures("names")
def test_a_proxy_that_does_not_help(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(allow=False) as proxy:
        monkeypatch.setenv("https_proxy", proxy.host)
        with pytest.raises(RegistryError, match=f"the proxy {proxy.host} answers 403"):
            pull(named(site), SIGNED_IN)
    with pytest.raises(RegistryError, match=f"{proxy.host} refuses the connection"):
        pull(named(site), SIGNED_IN)


def test_a_lying_mirror_of_a_blob_is_caught(plain_site: Site, mirror: Site) -> None:
    mirror.route(blob_path(mirror.layers[0]), Reply(body=bytes(len(mirror.layers[0]))))
    with pytest.raises(IntegrityError, match="does not match its digest"):
        pull(plain_site.server.host, mirrored(plain_site, mirror.server.host))


def test_real_tls(tls_registry: Registry) -> None:
    client = RegistryClient(tls_registry.host, SIGNED_IN._replace(ca_cert=str(tls_registry.ca_cert)))
    assert client.head_manifest("team/app", "docker")
    client.close()
