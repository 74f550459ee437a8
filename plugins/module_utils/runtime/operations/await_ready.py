# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Wait until a container does its work, as the task defines it: a port answers, a page is there, a program in
it succeeds.

The question is asked from inside the container's network namespace, at the address that others know: so it is
the same on every kind of network, and a program that listens on the loopback alone is not ready for anybody.
"""

from __future__ import annotations

import socket
import time
import typing as t

from ..container.attachments import has_interfaces, network_mode
from ..container.health import HealthCheck
from ..container.records import ContainerRecord, find_container
from ..container.status import living_processes, observe
from ..errors import NotFound, RuntimeFailure, TimedOut
from ..linux.namespaces import in_network_namespace
from ..network.records import endpoints_of

if t.TYPE_CHECKING:
    from ..container.ready import Ready
    from ..engine import Engine

_SHORTEST_PROBE, _LONGEST_PROBE = 5.0, 10.0  # seconds; the last one, too, has the time to say something
_LONGEST_ANSWER = 1 << 10
_HAS_ENDED = ("exited", "dead", "removing")


def await_ready(engine: Engine, name: str, ready: Ready) -> None:
    """TimedOut with the last answer; RuntimeFailure as soon as the container has ended."""
    deadline = time.monotonic() + ready.timeout
    while True:
        begun = time.monotonic()
        record = find_container(engine.records, name)
        if record is None:
            raise NotFound(f"container {name} is gone")
        patience = min(max(deadline - begun, _SHORTEST_PROBE), _LONGEST_PROBE)
        problem = _problem(engine, record, ready, patience)
        if not problem:
            return
        now = time.monotonic()
        if now >= deadline:
            raise TimedOut(
                f"container {record.name} is not ready after {ready.timeout:g} s: {problem}",
                "give it more time with ready: timeout, or look into its log",
            )
        time.sleep(max(min(begun + ready.interval, deadline) - now, 0.0))


def _problem(engine: Engine, record: ContainerRecord, ready: Ready, patience: float) -> str:
    """Why it is not ready; empty if it is."""
    status = observe(engine, record)
    if status.status in _HAS_ENDED:
        raise RuntimeFailure(
            f"container {record.name} ended with code {status.exit_code} before it was ready"
        )
    init = living_processes(engine.paths, record).init
    if init is None:
        return f"it is {status.status}"
    if ready.arguments:
        return _ask_program(engine, record, ready, patience)
    namespace = f"/proc/{init.pid}/ns/net"
    problems = [_ask_port(namespace, address, ready, patience) for address in _addresses(engine, record)]
    return "" if "" in problems else problems[0]


def _addresses(engine: Engine, record: ContainerRecord) -> list[str]:
    """Where the container is to be reached: one address of each IP version."""
    if not has_interfaces(network_mode(record.config)):
        return ["127.0.0.1"]
    places = endpoints_of(engine.records.read(), record.id)
    found = (next(filter(None, (place.address(version) for place in places)), "") for version in (4, 6))
    return [address for address in found if address] or ["127.0.0.1"]


def _ask_program(engine: Engine, record: ContainerRecord, ready: Ready, patience: float) -> str:
    from .probe_container import probe_container

    result = probe_container(engine, record.id, HealthCheck(ready.arguments, timeout=patience))
    if result["ExitCode"] == 0:
        return ""
    said = str(result["Output"]).strip() or "it says nothing"
    return f"{ready.arguments[0]} ended with code {result['ExitCode']}: {said}"


def _ask_port(namespace: str, address: str, ready: Ready, patience: float) -> str:
    where = f"[{address}]:{ready.port}" if ":" in address else f"{address}:{ready.port}"
    try:
        line = in_network_namespace(namespace, lambda: _ask(address, where, ready, patience))
    except OSError as error:
        return f"{where}: {error.strerror or error}"
    return f"{where}{ready.path}: {line}" if line else ""


def _ask(address: str, where: str, ready: Ready, patience: float) -> str:
    with socket.create_connection((address, ready.port), timeout=patience) as sock:
        if not ready.path:
            return ""
        sock.sendall(
            f"GET {ready.path} HTTP/1.1\r\nHost: {where}\r\nUser-Agent: coracle\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        line = _first_line(sock)
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        return f"{line!r} is no answer of HTTP"
    status = int(words[1])
    welcome = status in ready.statuses if ready.statuses else 200 <= status < 400
    return "" if welcome else f"status {' '.join(words[1:])}"


def _first_line(sock: socket.socket) -> str:
    answer = b""
    while b"\n" not in answer and len(answer) < _LONGEST_ANSWER:
        more = sock.recv(_LONGEST_ANSWER)
        if not more:
            break
        answer += more
    return answer.partition(b"\n")[0].decode("latin-1").strip()
