# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Firewalls that a host may have of its own, on the host of the LAN.

ufw is the real one, with files of its own in a mount namespace of its own. What Docker and firewalld write
was taken from real ones (`firewalls/`): dockerd 20.10 with iptables-nft 1.8.9, and firewalld 1.3 before and
after a bridge `cor-…` was put into its zone `trusted`.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import typing as t

from ansible_collections.coracle.engine.tests.integration.network.lan import Lan

RULES = pathlib.Path(__file__).parent / "firewalls"

NFT = """
table inet mine {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname "lo" accept
        tcp dport 22 accept
        meta l4proto ipv6-icmp accept
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
    }
}
"""


def load_nft(lan: Lan, text: str) -> None:
    lan.run("host", ["nft", "-f", "-"], input=text)


def load_iptables(lan: Lan, name: str) -> None:
    lan.run("host", ["iptables-nft-restore"], input=(RULES / name).read_text())


def load_legacy(lan: Lan) -> None:
    for program in ("iptables-legacy", "ip6tables-legacy"):
        for rule in (
            "-N wanted",
            "-A wanted -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
            "-A wanted -i lo -j ACCEPT",
            "-A FORWARD -j wanted",
            "-A FORWARD -j REJECT",
            "-A INPUT -j wanted",
            "-A INPUT -p ipv6-icmp -j ACCEPT",
            "-P INPUT DROP",
        ):
            lan.run("host", [program, *rule.split()])


class Ufw:
    """A real one, enabled. `prefix` begins command lines that are to be run where its files are."""

    def __init__(self, lan: Lan, work: pathlib.Path) -> None:
        self._stack = contextlib.ExitStack()
        script = f"""
            set -e
            mount --make-rprivate /
            mount -t tmpfs ufw /run
            for name in ufw default; do
                cp -a /etc/$name {work}/$name
                mount --bind {work}/$name /etc/$name
            done
            echo ready
            exec cat
        """
        with lan.inside("host"):
            holder = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self._holder = holder
        self.prefix = ["nsenter", "--mount", f"--target={holder.pid}", "--"]
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        lan.run("host", [*self.prefix, "ufw", "--force", "enable"])

    def __enter__(self) -> Ufw:
        return self

    def __exit__(self, *_error: object) -> None:
        self._holder.communicate(timeout=10)


def advice(warnings: t.Sequence[str]) -> list[str]:
    """The commands, for a shell, that the warnings tell the user to run."""
    return [
        warning.partition("(let it through: ")[2].rpartition("; or set open_host_")[0] for warning in warnings
    ]
