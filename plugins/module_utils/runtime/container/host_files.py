# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The container's own /etc/hosts, /etc/resolv.conf and /etc/hostname.

    <root>/containers/<id>/{hosts,resolv.conf,hostname}    0644 below a directory of 0700; written at every
    start, and in place when the names that the container has to know change
    <root>/containers/<id>/host-files                      digests of what was written last

Mounted over the image's files, so that what the program writes there stays in the container. It stays as it
is until there is something else to say. Not synced: a power cut ends the container that reads them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import typing as t

from ..errors import InvalidInput
from ..linux.files import write_all

HOSTS, RESOLV_CONF, HOSTNAME = "hosts", "resolv.conf", "hostname"
_DIGESTS = "host-files"
HOST_NAMES = ("host.docker.internal", "host.containers.internal")
"""Names of the host in containers that can reach it."""
HOST_GATEWAY = "host-gateway"

_LARGEST = 1 << 20  # bytes of a host's file that we take
_MOST_SERVERS = 3  # resolv.conf(5): more are ignored
_RESOLVED = "/run/systemd/resolve/resolv.conf"
_LOCAL_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
_WORD = re.compile(r"[!-~]+")

Hosts = t.Sequence[tuple[str, t.Sequence[str]]]


class Resolver(t.NamedTuple):
    """A resolv.conf. Source: resolv.conf(5)."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class HostFiles(t.NamedTuple):
    """What the three files say.

    `addresses`: the container's own, without prefix length. `host_addresses`: under which it reaches the
    host. `asked`: addresses, or `host-gateway`, by name. `others`: names by address, of other containers.
    `hosts_of_host`: that file of the host, where the host's names are the container's.
    """

    hostname: str
    resolver: Resolver = Resolver()
    domainname: str = ""
    name: str = ""
    addresses: tuple[str, ...] = ()
    host_addresses: tuple[str, ...] = ()
    asked: t.Mapping[str, str] = {}
    others: Hosts = ()
    hosts_of_host: str = ""


def write_host_files(directory: str, files: HostFiles) -> None:
    """Raises InvalidInput where `asked` wants the host's address and there is none."""
    if not files.host_addresses and HOST_GATEWAY in files.asked.values():
        raise InvalidInput(
            f"etc_hosts: the container has no network on which it reaches the host ({HOST_GATEWAY})",
            "give the address, or a network of driver bridge that is not internal",
        )
    _write(directory, contents(files), always=True)


def update_host_files(directory: str, files: HostFiles) -> None:
    """The same for a container that runs: only what has to say something else is written, into the file that
    is mounted.
    """
    _write(directory, contents(files), always=False)


def is_written(directory: str) -> bool:
    """Has a start written the files that are to be updated?"""
    return os.path.exists(os.path.join(directory, _DIGESTS))


def contents(files: HostFiles) -> dict[str, str]:
    return {HOSTNAME: f"{files.hostname}\n", HOSTS: _hosts(files), RESOLV_CONF: _resolv_conf(files.resolver)}


def _write(directory: str, wanted: t.Mapping[str, str], *, always: bool) -> None:
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in wanted.items()}
    place = os.path.join(directory, _DIGESTS)
    before = {} if always else _read_digests(place)
    for name, text in wanted.items():
        if before.get(name) != digests[name]:
            write_in_place(os.path.join(directory, name), text.encode(), 0o644)
    if before != digests:
        write_plain(place, json.dumps(digests).encode(), 0o600)


def _read_digests(path: str) -> dict[str, str]:
    try:
        return dict(json.loads(read_host_file(path)))
    except (ValueError, TypeError):
        return {}


# What they say


def _hosts(files: HostFiles) -> str:
    """The first line with a name wins: what was asked for comes before what we know."""
    lines: list[tuple[str, t.Sequence[str]]] = []
    for name, address in files.asked.items():
        addresses = files.host_addresses if address == HOST_GATEWAY else (address,)
        lines += [(each, (name,)) for each in addresses]
    own = tuple(dict.fromkeys(filter(None, (*_full_names(files), files.name))))
    if not files.hosts_of_host:
        lines += [(address, own) for address in files.addresses or ("127.0.0.1",)]
        names = [name for name in HOST_NAMES if name not in files.asked]
        lines += [(address, names) for address in files.host_addresses if names]
    lines += files.others
    text = files.hosts_of_host or _LOCAL_HOSTS
    if not text.endswith("\n"):
        text += "\n"
    return text + "".join(_line(address, names, "\t") for address, names in lines)


def _full_names(files: HostFiles) -> tuple[str, ...]:
    """As `hostname --fqdn` wants them: the whole name first."""
    if files.domainname:
        return f"{files.hostname}.{files.domainname}", files.hostname
    return files.hostname, files.hostname.partition(".")[0]


def _resolv_conf(resolver: Resolver) -> str:
    lines = [_line("nameserver", [server]) for server in resolver.servers[:_MOST_SERVERS]]
    search = [domain for domain in resolver.search if domain != "."]
    if search:
        lines.append(_line("search", search))
    if resolver.options:
        lines.append(_line("options", resolver.options))
    return "".join(lines)


def _line(first: str, others: t.Sequence[str], separator: str = " ") -> str:
    """One line, whatever somebody has called a container: what is not a word would say something else."""
    for word in (first, *others):
        if not _WORD.fullmatch(word):
            raise InvalidInput(f"{word!r} cannot be written to /etc/hosts or /etc/resolv.conf")
    return f"{first}{separator}{' '.join(others)}\n"


# The host's own


def hosts_of_host(etc: str = "/etc") -> str:
    return read_host_file(os.path.join(etc, "hosts")) or _LOCAL_HOSTS


def resolver_of_host(etc: str = "/etc") -> Resolver:
    return parse_resolv_conf(read_host_file(os.path.join(etc, "resolv.conf")))


def resolver_for_containers(etc: str = "/etc") -> Resolver:
    """The host's, without servers that only the host reaches: those on its loopback interface, behind which
    systemd-resolved has others, and those of one link only.
    """
    found = resolver_of_host(etc)
    servers = _reachable(found.servers)
    if found.servers and not servers:
        servers = _reachable(parse_resolv_conf(read_host_file(_RESOLVED)).servers)
    # trust-ad: the way to the host's own server is safe, this one need not be.
    return Resolver(servers, found.search, tuple(word for word in found.options if word != "trust-ad"))


def _reachable(servers: t.Iterable[str]) -> tuple[str, ...]:
    addresses = ((server, ipaddress.ip_address(server.partition("%")[0])) for server in servers)
    return tuple(
        server for server, address in addresses if not (address.is_loopback or address.is_link_local)
    )


def parse_resolv_conf(text: str) -> Resolver:
    """The last `search` or `domain` counts, as for the C library. What makes no sense is left out."""
    servers: list[str] = []
    search: t.Sequence[str] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = re.split(r"[#;]", line)[0].split()
        if len(words) < 2 or not all(map(_WORD.fullmatch, words)):
            continue
        if words[0] == "nameserver" and _is_address(words[1]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            options += words[1:]
    return Resolver(tuple(servers), tuple(search), tuple(options))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def read_host_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


# Writing


def write_plain(path: str, data: bytes, mode: int) -> None:
    """Write a file that need not survive a power cut, with its mode whatever the umask."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        write_all(fd, data)
    finally:
        os.close(fd)


def write_in_place(path: str, data: bytes, mode: int) -> None:
    """The same for a file that somebody may be reading: it is never empty, and has nothing of the old at the
    end of the new.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        spare = min(os.fstat(fd).st_size, _LARGEST) - len(data)
        write_all(fd, data + b"\n" * spare)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)
