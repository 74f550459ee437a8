# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.origins import parse_url
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.proxies import (
    Proxy,
    is_excluded,
    proxy_for,
)

REGISTRY = parse_url("https://registry.example:5000").origin


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"https_proxy": ""}, None),
        ({"https_proxy": "http://proxy:3128"}, Proxy("proxy", 3128, "")),
        ({"HTTPS_PROXY": "proxy:3128"}, Proxy("proxy", 3128, "")),
        ({"https_proxy": "http://proxy"}, Proxy("proxy", 80, "")),
        ({"https_proxy": "http://one:1", "HTTPS_PROXY": "http://two:2"}, Proxy("one", 1, "")),
        ({"http_proxy": "http://proxy:3128"}, None),
        ({"https_proxy": "http://us%40er:p%3Aw@proxy:1"}, Proxy("proxy", 1, "Basic dXNAZXI6cDp3")),
        ({"https_proxy": "http://proxy:1", "no_proxy": "registry.example"}, None),
        ({"https_proxy": "http://proxy:1", "NO_PROXY": "other"}, Proxy("proxy", 1, "")),
    ],
)
def test_the_proxy_of_the_environment(environ: dict[str, str], proxy: Proxy | None) -> None:
    assert proxy_for(REGISTRY, environ) == proxy


def test_loopback_needs_no_proxy() -> None:
    for url in ("http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]"):
        assert proxy_for(parse_url(url).origin, {"http_proxy": "http://proxy:1"}) is None


@pytest.mark.parametrize("value", ["https://proxy:3128", "socks5://proxy:1", "http://", "http://proxy:port"])
def test_a_proxy_that_cannot_be_used(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"environment variable https_proxy"):
        proxy_for(REGISTRY, {"https_proxy": value})


@pytest.mark.parametrize(
    ("no_proxy", "url", "excluded"),
    [
        ("*", "https://registry.example", True),
        ("", "https://registry.example", False),
        (" , ", "https://registry.example", False),
        ("registry.example", "https://registry.example", True),
        ("Example", "https://registry.example", True),
        (".example", "https://registry.example", True),
        ("*.example", "https://registry.example", True),
        ("a, registry.example ,b", "https://registry.example", True),
        ("gistry.example", "https://registry.example", False),
        ("registry.example:443", "https://registry.example", True),
        ("registry.example:5000", "https://registry.example", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://registry.example", False),
        ("10.0.0.0/99", "https://10.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("fd00::1", "https://[fd00::1]", True),
        ("fd00::/8", "https://[fd00::1]", True),
    ],
)
def test_exceptions(no_proxy: str, url: str, excluded: bool) -> None:
    assert is_excluded(parse_url(url).origin, no_proxy) is excluded


def test_the_password_is_not_shown() -> None:
    proxy = proxy_for(REGISTRY, {"https_proxy": "http://user:secret@proxy:1"})
    assert "c2VjcmV0" not in repr(proxy)
    assert repr(proxy) == "Proxy(proxy:1)"
