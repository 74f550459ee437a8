# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError, RegistryError
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry import origins
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.origins import (
    Origin,
    Url,
    parse_url,
)


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://registry.example", "https://registry.example", "/"),
        ("https://Registry.Example:443/v2/?a=b#c", "https://registry.example", "/v2/?a=b"),
        ("http://127.0.0.1:5000/v2/a b".replace(" ", "%20"), "http://127.0.0.1:5000", "/v2/a%20b"),
        ("http://[::1]:5000/x", "http://[::1]:5000", "/x"),
        ("https://cdn.example./blob?sig=a%2Fb+c/d==&x=~", "https://cdn.example", "/blob?sig=a%2Fb+c/d==&x=~"),
        ("http://host:80/", "http://host", "/"),
        ("https://host/ünï?ö=ß", "https://host", "/%C3%BCn%C3%AF?%C3%B6=%C3%9F"),
        ('https://host/"<>^', "https://host", "/%22%3C%3E%5E"),
    ],
)
def test_urls(text: str, origin: str, target: str) -> None:
    url = parse_url(text)
    assert (str(url.origin), url.target) == (origin, target)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry.example",
        "/path",
        "ftp://host/x",
        "file:///etc/passwd",
        "gopher://host/",
        "https://",
        "https:///x",
        "https://user@host/",
        "https://user:password@host/",
        "https://good.example@evil.example/",
        "https://host:0/",
        "https://host:65536/",
        "https://host:x/",
        "https://ho st/",
        "https://host/a b",
        "https://host/\r\nX: y",
        "https://host\n/",
        "https://host\\@evil/",
        "https://ho$t/",
        "https://-host/",
        "https://hôst/",
        "https://[::1/",
        "https://[zz]/",
        "https://host/" + "a" * 20000,
    ],
)
def test_what_is_not_connected_to(text: str) -> None:
    with pytest.raises(RegistryError):
        parse_url(text)


@given(
    st.text(max_size=100)
    | st.text("htps:/@[].%?#&=abcw0123456789\\\r\n -_", max_size=60).map(lambda text: "http://" + text)
)
def test_any_text_is_a_safe_url_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except CoracleError:
        return
    assert str(url).isascii()
    assert str(url).isprintable()
    assert " " not in str(url)
    assert parse_url(str(url)) == url


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
        ("127.0.0.1.nip.io", False),
        ("localhosts", False),
        ("0.0.0.0", False),
    ],
)
def test_loopback_is_told_by_name(host: str, loopback: bool) -> None:
    assert Origin("http", host, 5000).is_loopback is loopback


@pytest.mark.parametrize(
    ("current", "location", "result"),
    [
        ("https://r.example/v2/a/blobs/x", "https://cdn.example/x?y", "https://cdn.example/x?y"),
        ("https://r.example/v2/a/blobs/x", "/data/x", "https://r.example/data/x"),
        ("https://r.example/v2/a/blobs/x", "y", "https://r.example/v2/a/blobs/y"),
        ("https://r.example/v2/a/blobs/x", "//cdn.example/x", "https://cdn.example/x"),
        ("http://r.example/v2/", "https://r.example/v2/", "https://r.example/v2/"),
        ("http://r.example/v2/", "http://cdn.example/", "http://cdn.example/"),
        ("https://r.example/v2/", "http://r.example/v2/", None),
        ("https://r.example/v2/", "http://r.example:443/v2/", None),
        ("https://r.example/v2/", "file:///etc/passwd", None),
        ("https://r.example/v2/", "ftp://r.example/", None),
        ("https://r.example/v2/", "https://user:pw@r.example/", None),
        ("https://r.example/v2/", "", "https://r.example/v2/"),
        ("https://r.example/v2/", "http://[", None),
    ],
)
def test_redirects(current: str, location: str, result: str | None) -> None:
    url = parse_url(current)
    if result is None:
        with pytest.raises(RegistryError):
            origins.may_redirect(url, location)
    else:
        assert origins.may_redirect(url, location) == parse_url(result)


SIGN_IN = [
    # registry, token server, may be asked, may see credentials
    ("https://registry-1.docker.io", "https://auth.docker.io", True, True),
    ("https://registry.gitlab.com", "https://gitlab.com", True, True),
    ("https://quay.io", "https://quay.io", True, True),
    ("https://r.example.com", "https://auth.example.com", True, True),
    ("https://r.example.com:5000", "https://r.example.com:5001", True, True),
    ("https://r.example.com", "https://auth.example.com:8443", True, True),
    ("http://127.0.0.1:5000", "http://127.0.0.1:5001", True, True),
    ("http://127.0.0.1:5000", "https://127.0.0.1:5001", True, True),
    ("http://r.lan:5000", "http://r.lan:5001", True, True),
    ("https://r.example.co.uk", "https://auth.example.co.uk", True, True),
    ("https://r.example.com", "https://evil.com", True, False),
    ("https://r.example.com", "https://example.com.evil.com", True, False),
    ("https://a.co.uk", "https://evil.co.uk", True, False),
    ("https://one.azurecr.io", "https://other.azurecr.io", True, False),
    ("https://me.github.io", "https://you.github.io", True, False),
    ("https://1.dkr.ecr.eu-west-1.amazonaws.com", "https://evil.s3.amazonaws.com", True, False),
    ("https://localhost", "https://evil", True, False),
    ("https://r.example.com", "http://r.example.com", False, False),
    ("https://r.example.com", "http://auth.example.com", False, False),
    ("https://r.example.com", "https://169.254.169.254", False, False),
    ("https://r.example.com", "https://[::1]", False, False),
    ("https://10.0.0.1", "https://10.0.0.2", False, False),
    ("http://127.0.0.1:5000", "http://127.0.0.2:5000", False, False),
    ("http://127.0.0.1:5000", "http://169.254.169.254", False, False),
    ("http://127.0.0.1:5000", "http://evil.example", True, False),
    ("http://127.0.0.1:5000", "http://localhost:5001", True, False),
    ("http://r.lan", "http://auth.r.lan", True, False),
    ("http://r.example.com", "https://auth.example.com", True, True),
]


@pytest.mark.parametrize(("registry", "realm", "may_ask", "may_sign_in"), SIGN_IN)
def test_token_servers(registry: str, realm: str, may_ask: bool, may_sign_in: bool) -> None:
    pair = parse_url(registry).origin, parse_url(realm).origin
    assert origins.may_ask_token_at(*pair) is may_ask
    assert origins.may_sign_in_at(*pair) is may_sign_in


@pytest.mark.parametrize(
    ("realm", "named", "may_sign_in"),
    [
        ("https://login.corp.example", ["login.corp.example"], True),
        ("https://login.corp.example:8443", ["login.corp.example:8443"], True),
        ("https://login.corp.example", ["corp.example"], False),
        ("http://login.corp.example", ["login.corp.example"], False),
        ("https://169.254.169.254", ["169.254.169.254"], False),
    ],
)
def test_a_task_can_name_a_token_server(realm: str, named: list[str], may_sign_in: bool) -> None:
    registry = parse_url("https://r.example.com").origin
    assert origins.may_sign_in_at(registry, parse_url(realm).origin, named) is may_sign_in


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("auth.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("a.b.example.com", "example.com"),
        ("a.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("co.uk", None),
        ("a.b.azurecr.io", "b.azurecr.io"),
        ("azurecr.io", None),
        ("localhost", None),
        ("10.0.0.1", None),
        ("::1", None),
    ],
)
def test_registrable_domains(host: str, domain: str | None) -> None:
    assert origins.registrable_domain(host) == domain


def test_what_is_written_into_a_request() -> None:
    assert Origin("https", "host", 443).host_header == "host"
    assert Origin("https", "host", 80).host_header == "host:80"
    assert Origin("http", "::1", 5000).host_header == "[::1]:5000"
    assert str(Url(Origin("http", "::1", 80), "/x")) == "http://[::1]/x"
