# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's firewall tables: ours is replaced or taken away in one transaction, and looked for without
starting a program. Tables of others are never touched.

Sources: linux/netfilter/{nfnetlink,nf_tables}.h.
"""

from __future__ import annotations

import errno
import struct

from ..errors import HostNotReady, RuntimeFailure
from ..linux.netlink import Netlink, Request
from .ruleset import Ruleset, removal

NETLINK_NETFILTER = 12
_NFTABLES = 10 << 8  # NFNL_SUBSYS_NFTABLES
_GETTABLE, GETCHAIN, GETRULE = _NFTABLES | 1, _NFTABLES | 4, _NFTABLES | 7
GETSET, GETSETELEM = _NFTABLES | 10, _NFTABLES | 13
_INET = 1  # NFPROTO_INET
_TABLE_NAME = 1  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE
_CHAIN_NAME = 3  # NFTA_CHAIN_NAME
_TIMEOUT = 60


def apply(ruleset: Ruleset) -> None:
    """The table becomes this one, at one instant for all packets."""
    _nft(ruleset.text)


def remove(table: str) -> bool:
    """False if it was not there."""
    if not is_there(table):
        return False
    _nft(removal(table).encode("ascii"))
    return True


def is_applied(ruleset: Ruleset) -> bool:
    """Is exactly this table in the kernel, with all of its rules?"""
    with Netlink(NETLINK_NETFILTER) as netlink:
        if not _exists(netlink, GETCHAIN, _chain(ruleset.table, ruleset.fingerprint)):
            return False
        return len(netlink.dump(GETRULE, _HEADER + _attribute(_TABLE_NAME, ruleset.table))) == ruleset.rules


def is_there(table: str) -> bool:
    with Netlink(NETLINK_NETFILTER) as netlink:
        return _exists(netlink, _GETTABLE, _attribute(_TABLE_NAME, table))


def has_chain(table: str, name: str) -> bool:
    with Netlink(NETLINK_NETFILTER) as netlink:
        return _exists(netlink, GETCHAIN, _chain(table, name))


_HEADER = struct.pack(">BBH", _INET, 0, 0)  # struct nfgenmsg


def _exists(netlink: Netlink, kind: int, attributes: bytes) -> bool:
    try:
        return bool(netlink.get(Request(kind, 0, _HEADER + attributes)))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EINVAL):
            return False  # the last ones: nobody has used nf_tables since the machine was started
        raise


def _chain(table: str, name: str) -> bytes:
    return _attribute(_TABLE_NAME, table) + _attribute(_CHAIN_NAME, name)


def _attribute(kind: int, name: str) -> bytes:
    value = name.encode("ascii") + b"\0"
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nft(text: bytes) -> None:
    from ..linux.programs import run

    try:
        run(["nft", "-f", "-"], input=text, timeout=_TIMEOUT)
    except RuntimeFailure as error:
        raise HostNotReady(
            f"the firewall table cannot be written: {error.message}",
            "nft needs a kernel with nf_tables, nft_nat, nft_masq, nft_fib_inet and nft_ct",
        ) from error
