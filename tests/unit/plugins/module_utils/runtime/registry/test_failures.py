# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import email.utils
import errno
import http.client
import socket
import ssl
import time

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    IntegrityError,
    RegistryError,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry import failures
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.connection import (
    Refused,
    Stalled,
    Unreachable,
    Untrusted,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.failures import (
    Interrupted,
    NotTls,
    explained,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.registry.response import TooLarge


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()}")
    error.reason = reason
    return error


NAME = "r.example:5000"


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            Untrusted("certificate has expired", NAME),
            RegistryError,
            f"{NAME}: the certificate is not accepted: certificate has expired",
        ),
        (
            Untrusted("bad", "cdn.example"),
            RegistryError,
            f"{NAME} at cdn.example: the certificate is not accepted",
        ),
        (Refused("169.254.169.254"), RegistryError, "sends us to 169.254.169.254"),
        (TooLarge("more than 10 bytes"), IntegrityError, "an answer of more than 10 bytes"),
        (Stalled("no byte for 15 seconds"), Interrupted, "stalls: no byte for 15 seconds"),
        (tls_error("WRONG_VERSION_NUMBER"), NotTls, "does not speak TLS"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), RegistryError, "may want a client_cert"),
        (tls_error("UNEXPECTED_EOF_WHILE_READING"), Interrupted, "TLS failed: unexpected eof"),
        (http.client.InvalidURL("bad\x1b[31m"), RegistryError, r"bad\?\[31m"),
        (http.client.IncompleteRead(b""), Interrupted, "the connection failed"),
        (http.client.BadStatusLine("x\x1b"), Interrupted, r"the connection failed: x"),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            Interrupted,
            "Connection reset by peer",
        ),
        (ValueError("bad chunk"), Interrupted, "bad chunk"),
    ],
)
def test_every_failure_has_its_sentence(error: Exception, kind: type, message: str) -> None:
    with pytest.raises(CoracleError, match=message) as caught, explained(NAME):
        raise error
    assert caught.type is kind
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("cause", "message", "is_final"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refuses the connection", True),
        (socket.timeout("timed out"), "does not answer", True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "cannot be reached: No route to host", True),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "the host name cannot be resolved",
            True,
        ),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "the host name cannot be resolved", False),
    ],
)
def test_a_server_that_was_never_there_is_not_waited_for(
    cause: OSError, message: str, is_final: bool
) -> None:
    with (
        pytest.raises(RegistryError, match=rf"registry {NAME} at cdn:443:? {message}") as caught,
        explained(NAME, known=False),
    ):
        raise Unreachable(cause, "cdn", 443)
    assert isinstance(caught.value, Interrupted) is not is_final
    assert caught.value.hint


def test_a_server_that_was_there_is() -> None:
    with pytest.raises(Interrupted, match=f"registry {NAME} refuses the connection"), explained(NAME):
        raise Unreachable(ConnectionRefusedError(errno.ECONNREFUSED, ""), "r.example", 5000)


def test_our_own_errors_pass() -> None:
    with pytest.raises(IntegrityError, match=r"^mine$"), explained(NAME):
        raise IntegrityError("mine")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0),
        ("120", 120),
        ("1000000000", 100000),
        ("-5", 0),
        ("1.5", 0),
        ("nonsense", 0),
        ("٣", 0),
        ("Wed, 99 Foo", 0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert failures.parse_retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    later = email.utils.format_datetime(email.utils.localtime().fromtimestamp(time.time() + 100).astimezone())
    assert 90 < failures.parse_retry_after(later) <= 100
    assert failures.parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}', "no; X"),
        (b'{"errors":[]}', ""),
        (b'{"errors":"x"}', ""),
        (b'{"errors":[1,{"message":7}]}', ""),
        (b"<html>", ""),
        (b"", ""),
        (b'{"errors":[{"message":"\\u001b[31mred\\nline"}]}', "?[31mred?line"),
        (b'{"errors":[{"message":"' + b"a" * 1000 + b'"}]}', "a" * 300),
    ],
)
def test_what_the_server_says_about_it(body: bytes, text: str) -> None:
    assert failures.parse_error_details(body) == text
