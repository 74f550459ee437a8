# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Telling the service manager that has started us how it goes. Source: sd_notify(3)."""

from __future__ import annotations

import os
import socket

_VARIABLE = "NOTIFY_SOCKET"


def notice_socket() -> str:
    """Path of the socket of whoever wants to hear, `@…` in the abstract namespace; empty: nobody does."""
    path = os.environ.get(_VARIABLE, "")
    return path if path.startswith(("/", "@")) else ""


def send_notice(*assignments: str) -> None:
    """`READY=1`, `MAINPID=…`: all in one message. Fine if nobody wants to hear it. OSError if he has gone."""
    path = notice_socket()
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect("\0" + path[1:] if path.startswith("@") else path)
        sender.send("\n".join(assignments).encode())
