# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Whose firewall is it, and how does one tell it to let a bridge of containers through?

Commands are lists of arguments: they are shown to the user, or run for one who has asked for it
(operations/open_host_firewall.py). What they add has the name of the engine on it where the firewall has room
for one.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from .packets import FORWARD, INPUT, OUTPUT
from .ruleset import interface

FIREWALLD, UFW, DOCKER, IPTABLES, LEGACY, NFT = "firewalld", "ufw", "docker", "iptables", "legacy", "nft"
_FIREWALLD_TABLE = "firewalld"
_UFW_CHAINS = ("ufw-before-forward", "ufw6-before-forward")
_DOCKER_CHAIN = "DOCKER-USER"
_OF_IPTABLES = {"INPUT", "FORWARD", "OUTPUT"}
_SAYABLE = r"[A-Za-z_][A-Za-z0-9_./\\-]*"

Command = tuple[str, ...]


class HostChain(t.NamedTuple):
    """A chain of the host's own firewall: `kind` says whose. `family`: ip, ip6, inet."""

    kind: str
    family: str
    table: str
    name: str
    hook: str

    def __str__(self) -> str:
        where = f"chain {self.name} of table {self.family} {self.table}"
        owners = {FIREWALLD: "firewalld", UFW: "ufw", DOCKER: "Docker", LEGACY: "iptables-legacy"}
        return f"{owners[self.kind]} ({where})" if self.kind in owners else where


class Opening(t.NamedTuple):
    """What has to pass: the bridge, in one chain, for these hooks' sake."""

    chain: HostChain
    bridge: str
    names: bool
    answers: bool
    mark: str


def kind_of(table: str, name: str, others: t.Container[str], legacy: bool = False) -> str:
    """By what the owner has called things; `others` are all chains of the table."""
    if table == _FIREWALLD_TABLE:
        return FIREWALLD
    if any(chain in others for chain in _UFW_CHAINS):
        return UFW
    if name == "FORWARD" and _DOCKER_CHAIN in others:
        return DOCKER
    if legacy:
        return LEGACY
    return IPTABLES if table == "filter" and name in _OF_IPTABLES else NFT


def commands(opening: Opening) -> list[Command]:
    """In the order in which they are to be run."""
    return _WAYS[opening.chain.kind](opening)


def taking_back(opening: Opening) -> list[Command]:
    """Each undoes one of them, or fails if that was never run. Rules of nft have numbers: `nft_removal`."""
    return [_inverse(command) for command in commands(opening) if command[0] != "nft"]


def nft_removal(chain: HostChain, handle: int) -> Command:
    return ("nft", "delete", "rule", chain.family, chain.table, chain.name, "handle", str(handle))


def _inverse(command: Command) -> Command:
    if command[0] == "firewall-cmd":
        interface = command[-1].replace("--change-interface", "--remove-interface")
        return (*command[:-1], interface)
    if command[0] == "ufw":
        at = command.index("allow")
        return (*command[:at], "delete", *command[at:])
    return tuple("-D" if word == "-I" else word for word in command)


def sentence(found: t.Iterable[Command]) -> str:
    """For a shell."""
    return " && ".join(shlex.join(command) for command in found)


def _firewalld(opening: Opening) -> list[Command]:
    change = ("--zone=trusted", f"--change-interface={opening.bridge}")
    return [("firewall-cmd", *change), ("firewall-cmd", "--permanent", *change)]


def _ufw(opening: Opening) -> list[Command]:
    bridge, note = opening.bridge, ("comment", opening.mark)
    if opening.chain.hook == FORWARD:
        return [("ufw", "route", "allow", way, "on", bridge, *note) for way in ("in", "out")]
    if opening.chain.hook == OUTPUT:
        return [("ufw", "allow", "out", "on", bridge, *note)]
    return [("ufw", "allow", "in", "on", bridge, "to", "any", "port", "53", *note)]


def _iptables(opening: Opening) -> list[Command]:
    chain = opening.chain
    where = _DOCKER_CHAIN if chain.kind == DOCKER else chain.name
    program = "ip6tables" if chain.family == "ip6" else "iptables"
    if chain.kind == LEGACY:
        program += "-legacy"
    end = ("-m", "comment", "--comment", opening.mark, "-j", "ACCEPT")
    return [(program, "-I", where, *match, *end) for match in _iptables_matches(opening)]


def _iptables_matches(opening: Opening) -> t.Iterator[Command]:
    bridge, hook = opening.bridge, opening.chain.hook
    if hook != OUTPUT and (hook == FORWARD or opening.answers):
        state = () if hook == FORWARD else ("-m", "conntrack", "--ctstate", "ESTABLISHED")
        yield ("-i", bridge, *state)
    if hook != INPUT:
        yield ("-o", bridge)
    if hook == INPUT and opening.names:
        for protocol in ("udp", "tcp"):
            yield ("-i", bridge, "-p", protocol, "--dport", "53")


def _nft(opening: Opening) -> list[Command]:
    chain = opening.chain
    if not all(re.fullmatch(_SAYABLE, name) for name in (chain.table, chain.name)):
        return []
    insert = ("nft", "insert", "rule", chain.family, chain.table, chain.name)
    end = ("accept", "comment", f'"{opening.mark}"')
    return [(*insert, *match, *end) for match in _nft_matches(opening)]


def _nft_matches(opening: Opening) -> t.Iterator[Command]:
    bridge, hook = interface(opening.bridge), opening.chain.hook
    if hook != OUTPUT and (hook == FORWARD or opening.answers):
        state = () if hook == FORWARD else ("ct", "state", "established")
        yield ("iifname", bridge, *state)
    if hook != INPUT:
        yield ("oifname", bridge)
    if hook == INPUT and opening.names:
        yield ("iifname", bridge, "meta", "l4proto", "{ tcp, udp }", "th", "dport", "53")


_WAYS: dict[str, t.Callable[[Opening], list[Command]]] = {
    FIREWALLD: _firewalld,
    UFW: _ufw,
    DOCKER: _iptables,
    IPTABLES: _iptables,
    LEGACY: _iptables,
    NFT: _nft,
}
