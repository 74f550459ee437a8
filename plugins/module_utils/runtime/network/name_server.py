# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The DNS server of the container networks, aardvark-dns: started when the first container needs it, gone
with the last one. The only file that knows its command line.

    <run root>/dns/           gone when nobody needs names
      config/                 read by the server when it starts and at SIGHUP
        <network id>[%int]    one network (names.py); `%int`: internal
        aardvark.pid          written by the server
      served                  what it has answered for: generation by network id; empty: it did not answer
      new                     a file on its way into config/, where everything is read

All functions but `is_lost` are called with the lock `network` held. A server that was killed is started again
by the next task; one that nobody has ended is found by its pid file and its command line.

What is true of versions and not obvious:

  - up to 1.10 a change closes all sockets and opens them again, up to 8 ms later; a SIGHUP meanwhile is lost,
    and a file that is half written ends the server. So files are renamed into place, and a change is
    believed when the server answers with it;
  - up to 1.11 it is not ready when its launcher has ended;
  - since 1.12 it does not start if one address cannot be had, and listens on TCP, too.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import struct
import time
import typing as t

from ..errors import CoracleError, HostNotReady
from ..linux.processes import ProcessIdentity, identity, signal_process, wait_until_gone
from .names import DOMAIN, MARKER, Zone, gateways, has_server

if t.TYPE_CHECKING:
    from ..paths import Paths
    from .model import Network

PROGRAM = "aardvark-dns"
PLACES = (
    "/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman",
    "/usr/local/bin", "/usr/bin",
)  # fmt: skip
"""Where distributions keep it: it is no program for people."""

PORT = 53
_PID_FILE = "aardvark.pid"
_START_TIMEOUT = 20.0  # seconds; it needs a hundredth of one
_PATIENCE = 3.0  # seconds for the first answer
_LITTLE_PATIENCE = 0.1  # with a network that had none the last time
_ANSWER_TIMEOUT = 0.02
_PAUSE = 0.001
_SIGNAL_AGAIN = 1.0
_END_TIMEOUT = 2.0

_QUESTION = bytes([len(MARKER)]) + MARKER.encode() + b"\0" + struct.pack(">HH", 1, 1)


class Unserved(t.NamedTuple):
    """A network whose names are not served, and why."""

    network_id: str
    reason: str


def find_server() -> str | None:
    for place in PLACES:
        path = os.path.join(place, PROGRAM)
        if os.access(path, os.X_OK):
            return path
    return None


def can_serve(paths: Paths, network: Network) -> bool:
    """Will the server be there for a network, as far as one can tell before its bridge is there?"""
    if not has_server(network):
        return False
    if _served(paths).get(network.id):
        return True
    return find_server() is not None and not any(map(_is_taken, gateways(network)))


def listening_addresses(network: Network) -> list[str]:
    """The addresses on which the server can listen now: none where the bridge is not there (yet)."""
    if not has_server(network):
        return []
    return [address for address in gateways(network) if _bind(address, 0) == 0]


# The server and what it is told


def serve(paths: Paths, wanted: t.Sequence[Zone]) -> list[Unserved]:
    """Have exactly these networks served when this returns, and say which are not. Cheap when nothing has
    changed.
    """
    program = find_server()
    if program is None or not wanted:
        end_server(paths)
        return [Unserved(zone.network_id, f"{PROGRAM} is not installed") for zone in wanted]
    server = running_server(paths)
    before = _served(paths) if server else {}
    unsure = [zone for zone in wanted if not before.get(zone.network_id)]
    taken = [zone for zone in unsure if any(map(_is_taken, zone.listen))]
    zones = [zone for zone in wanted if zone not in taken]
    unserved = [
        Unserved(zone.network_id, f"port {PORT} there is in use by another program") for zone in taken
    ]
    os.makedirs(_config(paths), 0o700, exist_ok=True)
    changed = _tell(paths, zones)
    after = {zone.network_id: zone.generation for zone in zones}
    if zones and (server is None or changed or before != after):
        try:
            server = _refresh(paths, program, server)
            silent = _silent(paths, server, zones, before)
            reason = f"{PROGRAM} does not answer there"
        except CoracleError as error:
            silent, reason = [zone.network_id for zone in zones], str(error)
        after.update(dict.fromkeys(silent, ""))
        unserved += [Unserved(network_id, reason) for network_id in silent]
    elif not zones and server is not None:
        _end(server)
    after.update({zone.network_id: "" for zone in taken})
    if after != before:
        _put(paths, os.path.join(paths.dns, "served"), json.dumps(after))
    return unserved


def end_server(paths: Paths) -> None:
    """Fine if there is none."""
    if not os.path.lexists(paths.dns):
        return
    from ..linux import cgroups
    from ..linux.trees import remove_tree

    server = running_server(paths)
    if server is not None:
        _end(server)
    cgroups.remove(_group(paths))
    remove_tree(paths.dns)


def is_lost(paths: Paths) -> bool:
    """Has somebody ended a server that is needed? Needs no lock."""
    try:
        files = os.listdir(_config(paths))
    except FileNotFoundError:
        return False
    return any(name != _PID_FILE for name in files) and running_server(paths) is None


def running_server(paths: Paths) -> ProcessIdentity | None:
    """The PID in its file is believed if the process was told about our directory."""
    config = _config(paths)
    try:
        with open(os.path.join(config, _PID_FILE), encoding="ascii") as file:
            found = identity(int(file.read(16)))
        if found is None:
            return None
        with open(f"/proc/{found.pid}/cmdline", "rb") as file:
            return found if config.encode() in file.read().split(b"\0") else None
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def _refresh(paths: Paths, program: str, server: ProcessIdentity | None) -> ProcessIdentity:
    if server is not None and signal_process(server, signal.SIGHUP):
        return server
    from ..linux import cgroups
    from ..linux.programs import run

    argv = [program, "--config", _config(paths), "--port", str(PORT)]
    run([*argv, "--filter-search-domain", f".{DOMAIN}", "run"], timeout=_START_TIMEOUT, name=PROGRAM)
    server = running_server(paths)
    if server is None:
        raise HostNotReady(f"{PROGRAM} ended at once", "look at the system log")
    cgroups.take_over(server.pid, _group(paths))
    return server


def _end(server: ProcessIdentity) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if not signal_process(server, signum) or wait_until_gone(server, _END_TIMEOUT):
            return


def _tell(paths: Paths, zones: t.Sequence[Zone]) -> bool:
    """Write what the server reads; False if it is there already."""
    config = _config(paths)
    wanted = {zone.file_name: zone.content for zone in zones}
    changed = False
    for name in os.listdir(config):
        if name not in wanted and name != _PID_FILE:
            os.unlink(os.path.join(config, name))
            changed = True
    for name, content in wanted.items():
        path = os.path.join(config, name)
        if _text(path) != content:
            _put(paths, path, content)
            changed = True
    return changed


def _put(paths: Paths, path: str, text: str) -> None:
    new = os.path.join(paths.dns, "new")
    with open(new, "w", encoding="ascii") as file:
        file.write(text)
    os.rename(new, path)


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _served(paths: Paths) -> dict[str, str]:
    try:
        return dict(json.loads(_text(os.path.join(paths.dns, "served")) or "{}"))
    except (ValueError, TypeError):
        return {}


def _config(paths: Paths) -> str:
    return os.path.join(paths.dns, "config")


def _group(paths: Paths) -> str:
    return f"{paths.cgroup_parent}/dns"


# What it answers


def _silent(
    paths: Paths, server: ProcessIdentity, zones: t.Sequence[Zone], before: t.Mapping[str, str]
) -> list[str]:
    """Ids of the networks on which the server does not answer with what it was told."""
    waiting = [(zone, address) for zone in zones for address in zone.listen]
    begun = signalled = time.monotonic()
    while True:
        waiting = [(zone, address) for zone, address in waiting if ask(address) != zone.generation]
        now = time.monotonic()
        hopeless = all(before.get(zone.network_id) == "" for zone, _address in waiting)
        if now - begun > (_LITTLE_PATIENCE if hopeless else _PATIENCE) or not waiting:
            return sorted({zone.network_id for zone, _address in waiting})
        if now - signalled > _SIGNAL_AGAIN:
            signalled = now
            if not signal_process(server, signal.SIGHUP):
                return sorted({zone.network_id for zone in zones})
        time.sleep(_PAUSE)


def ask(address: str, timeout: float = _ANSWER_TIMEOUT) -> str:
    """The generation of names that is served on an address; empty when none is. Source: RFC 1035, 4.1."""
    with contextlib.closing(_socket(address, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(timeout)
        number = os.urandom(2)
        try:
            sock.connect((address, PORT))
            sock.send(number + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + _QUESTION)
            answer = sock.recv(512)
        except OSError:
            return ""
    if answer[:2] != number or answer[6:8] != b"\0\1" or answer[-6:-4] != b"\0\4":
        return ""
    return socket.inet_ntoa(answer[-4:])


def _is_taken(address: str) -> bool:
    """Is somebody else's DNS server there?"""
    kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    if all(_bind(address, PORT, kind) != errno.EADDRINUSE for kind in kinds):
        return False
    return not ask(address).startswith("0.")


def _bind(address: str, port: int, kind: int = socket.SOCK_DGRAM) -> int:
    """0, or the errno of bind(2)."""
    with contextlib.closing(_socket(address, kind)) as sock:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError as error:
            return error.errno or errno.EINVAL
        return 0


def _socket(address: str, kind: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.socket(family, kind | socket.SOCK_CLOEXEC)
