# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Give a container, to which nothing new comes any more, the time to end what it has begun."""

from __future__ import annotations

import time
import typing as t

from ..container.attachments import has_interfaces, network_mode
from ..container.port_values import wanted_ports
from ..container.status import living_processes

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from ..engine import Engine

_QUIET = 1.0  # seconds without any connection after which nobody is on the way any more
_PAUSE = 0.1
_LISTENING = "0A"
_CONNECTED = ("01", "03", "04", "05", "08")  # established, accepting, closing on either side


class _Socket(t.NamedTuple):
    port: str
    state: str


def drain_container(engine: Engine, record: ContainerRecord, timeout: float) -> None:
    """Until nobody has a connection to a port on which it listens, for `timeout` seconds at most. Who sends
    datagrams cannot be seen to have ended: with published ports of UDP all of the time is given. Without
    interfaces of its own, what could be seen are connections of others.
    """
    if not has_interfaces(network_mode(record.config)):
        return
    began = quiet_since = time.monotonic()
    wanted = wanted_ports(record.config, record.image.exposed_ports)
    waits = any(port["protocol"] != "tcp" for port in wanted)
    while (now := time.monotonic()) < began + timeout:
        init = living_processes(engine.paths, record).init
        if init is None:
            return
        if waits or _is_busy(_sockets(init.pid)):
            quiet_since = now
        elif now >= quiet_since + _QUIET:
            return
        time.sleep(min(_PAUSE, began + timeout - now))


def _is_busy(sockets: t.Collection[_Socket]) -> bool:
    listening = {each.port for each in sockets if each.state == _LISTENING}
    return any(each.state in _CONNECTED and each.port in listening for each in sockets)


def _sockets(pid: int) -> list[_Socket]:
    """Those of TCP in the network namespace of a process. Source: proc(5), include/net/tcp_states.h."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as lines:
                next(lines, "")
                for line in lines:
                    words = line.split()
                    found.append(_Socket(words[1].rpartition(":")[2], words[3]))
        except FileNotFoundError:
            continue
    return found
