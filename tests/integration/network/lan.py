# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A small world around an engine, in network namespaces of its own:

    host ──┐
           ├── router (a switch, 192.0.2.0/24 and 2001:db8:1::/64, and the way to) ── other
    neighbour                                                  198.51.100.0/24 and 2001:db8:2::/64

The namespaces have no names: they go with their last process and descriptor. Wherever a place is asked for
(`Place`), it is one of those four, or the path of any network namespace: that of a container, for instance.
Sockets are made by threads that visit a place, programs are started from there.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import typing as t

from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import namespaces, syscalls

Place = t.Union[str, "os.PathLike[str]"]
Probe = tuple[Place, str, str, int]

SUBNET, SUBNET6 = "192.0.2.0/24", "2001:db8:1::/64"
ADDRESSES = {"host": "192.0.2.10", "neighbour": "192.0.2.20", "router": "192.0.2.1", "other": "198.51.100.20"}
ADDRESSES6 = {
    "host": "2001:db8:1::10",
    "neighbour": "2001:db8:1::20",
    "router": "2001:db8:1::1",
    "other": "2001:db8:2::20",
}
NAMES = tuple(ADDRESSES)

_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, 132),
}
_IP_PKTINFO = 8  # linux/in.h
_THREAD_NET = "/proc/thread-self/ns/net"

_ROUTER = """
link add lan0 type bridge
link set lan0 up
address add 192.0.2.1/24 dev lan0
address add 2001:db8:1::1/64 dev lan0 nodad
link add host type veth peer name eth0 netns {host}
link add neighbour type veth peer name eth0 netns {neighbour}
link add other type veth peer name eth0 netns {other}
link set host master lan0 up
link set neighbour master lan0 up
link set other up
address add 198.51.100.1/24 dev other
address add 2001:db8:2::1/64 dev other nodad
"""
_GATEWAYS = {
    "host": ("192.0.2.1", "2001:db8:1::1"),
    "neighbour": ("192.0.2.1", "2001:db8:1::1"),
    "other": ("198.51.100.1", "2001:db8:2::1"),
}
_MEMBER = """
link set eth0 up
address add {address}/24 dev eth0
address add {address6}/64 dev eth0 nodad
route add default via {gateway}
route add default via {gateway6}
"""

_PATIENCE = 10.0


class Served:
    """A server under way. `peers`: the addresses, as seen from there, of those who asked, in their order."""

    def __init__(self, sock: socket.socket, text: str) -> None:
        self.peers: list[str] = []
        self._sock = sock
        self._text = text.encode()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes accept and recvfrom; close alone does not
        self._thread.join(5)
        self._sock.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                if self._sock.type == socket.SOCK_DGRAM:
                    self._answer_datagram()
                else:
                    self._answer_connection()

    def _answer_datagram(self) -> None:
        data, ancillary, _flags, peer = self._sock.recvmsg(64, 256)
        if not data:
            raise OSError(errno.ESHUTDOWN, "closed")
        self.peers.append(peer[0])
        # From the address that was asked, also where there are several: ip(7), IP_PKTINFO.
        self._sock.sendmsg([self._text], [_as_source(*item) for item in ancillary], 0, peer)

    def _answer_connection(self) -> None:
        connection, peer = self._sock.accept()
        with connection, contextlib.suppress(OSError):
            self.peers.append(peer[0])
            connection.sendall(self._text)


class Lan:
    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._places: dict[str, int] = {}

    def __enter__(self) -> Lan:
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            for name in NAMES:
                self._places[name] = _new_namespace()
                self._stack.callback(os.close, self._places[name])
            self._cable()
            undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End whatever still runs there, and the world with it."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._stack.close()

    @contextlib.contextmanager
    def inside(self, place: Place) -> t.Iterator[None]:
        """The calling thread, and what it starts, is in that place for the block."""
        with contextlib.ExitStack() as stack:
            before = _open(_THREAD_NET)
            stack.callback(os.close, before)
            there = self._places.get(os.fspath(place))
            if there is None:
                there = _open(place)
                stack.callback(os.close, there)
            syscalls.setns(there, syscalls.CLONE_NEWNET)
            stack.callback(syscalls.setns, before, syscalls.CLONE_NEWNET)
            yield

    def run(self, place: Place, argv: t.Sequence[str], **options: t.Any) -> str:
        """What the program writes. Its failure is the test's, with what it said."""
        with self.inside(place):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, **options)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout

    def sysctl(self, place: Place, name: str, value: str | None = None) -> str:
        """A setting below /proc/sys/net, by path (`ipv4/ip_forward`), set if a value is given."""
        path = pathlib.Path("/proc/sys/net", name)
        with self.inside(place):
            if value is not None:
                path.write_text(value)
            return path.read_text().strip()

    def serve(self, place: Place, protocol: str, address: str, port: int, text: str) -> Served:
        """Answer everybody with `text`, until the end of the test. Port 0: any, see `Served.port`. Address
        `::` is IPv6 only.
        """
        with self.inside(place):
            sock, target = _socket(protocol, address, port)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(target)
        if sock.type != socket.SOCK_DGRAM:
            sock.listen()
        elif sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        served = Served(sock, text)
        self._stack.callback(served.close)
        return served

    def probe(
        self, place: Place, protocol: str, address: str, port: int, timeout: float = 1.0, source: str = ""
    ) -> str:
        """`open:<text>`, `refused`, or `filtered` where no answer comes in `timeout` seconds or there is no
        way. `source`: an address of the place to come from.

        A connection is made by kernels, so `timeout` holds on a busy machine too: below a second, a lost
        first packet is `filtered`. Programs, who write the text then, have longer.
        """
        with self.inside(place):
            sock, target = _socket(protocol, address, port)
        with sock:
            sock.settimeout(timeout)
            try:
                if source:
                    sock.bind((source, 0))
                sock.connect(target)
                if sock.type == socket.SOCK_DGRAM:
                    sock.send(b"?")
                else:
                    sock.settimeout(max(timeout, _PATIENCE))
                return "open:" + sock.recv(4096).decode()
            except ConnectionRefusedError:
                return "refused"
            except TimeoutError:
                return "filtered"
            except OSError as error:
                if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM, errno.EACCES):
                    return "filtered"
                raise

    def probe_all(self, probes: t.Sequence[Probe], timeout: float = 1.0) -> list[str]:
        """Many probes at once, in the order given."""
        with concurrent.futures.ThreadPoolExecutor(max(1, min(64, len(probes)))) as pool:
            return list(pool.map(lambda probe: self.probe(*probe, timeout=timeout), probes))

    def processes(self) -> list[int]:
        """Those of others whose network namespace is one of the four."""
        ours = {os.fstat(fd).st_ino for fd in self._places.values()}
        found = []
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError):
                if pid != os.getpid() and os.stat(f"/proc/{pid}/ns/net").st_ino in ours:
                    found.append(pid)
        return found

    def _cable(self) -> None:
        paths = {name: f"/proc/{os.getpid()}/fd/{fd}" for name, fd in self._places.items()}
        for name in NAMES:
            # A new namespace has the IPv4 settings of the machine.
            self.sysctl(name, "ipv4/ip_forward", "1" if name == "router" else "0")
            if name != "host":
                self.sysctl(name, "ipv6/conf/default/accept_dad", "0")
        self.sysctl("router", "ipv6/conf/all/forwarding", "1")
        self._ip("router", _ROUTER.format(**paths))
        for name, (gateway, gateway6) in _GATEWAYS.items():
            values = {"address": ADDRESSES[name], "address6": ADDRESSES6[name]}
            self._ip(name, _MEMBER.format(**values, gateway=gateway, gateway6=gateway6))

        self._await_switch()

    def _await_switch(self) -> None:
        """A port forwards some moments after it is up: until then what is sent is lost, and sent again after
        a second.
        """
        deadline = time.monotonic() + 10
        while (
            self.run("router", ["ip", "-d", "link", "show", "master", "lan0"]).count("state forwarding") < 2
        ):
            assert time.monotonic() < deadline, "the switch does not forward"
            time.sleep(0.001)

    def _ip(self, place: Place, batch: str) -> None:
        self.run(place, ["ip", "-batch", "-"], input=batch)


def _new_namespace() -> int:
    """A descriptor of a new network namespace with its loopback up."""

    def make() -> int:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        namespaces.loopback_up()
        return _open(_THREAD_NET)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(make).result()


def _as_source(level: int, kind: int, data: bytes) -> tuple[int, int, bytes]:
    """The destination of a datagram as the source of its answer."""
    if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
        data = bytes(4) + data[4:8] + bytes(4)  # struct in_pktinfo: any interface, this local address
    return level, kind, data


def _open(path: Place) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _socket(protocol: str, address: str, port: int) -> tuple[socket.socket, t.Any]:
    """One for that numeric address, and the address as connect and bind want it (with the scope of
    `fe80::1%eth0`).
    """
    kind, number = _KINDS[protocol]
    family, _kind, _number, _name, target = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    return socket.socket(family, kind, number), target
