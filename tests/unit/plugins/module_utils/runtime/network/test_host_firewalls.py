# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.network.host_firewalls import (
    DOCKER,
    FIREWALLD,
    IPTABLES,
    LEGACY,
    NFT,
    UFW,
    HostChain,
    Opening,
    commands,
    kind_of,
    sentence,
    taking_back,
)


def opening(kind: str, hook: str = "forward", family: str = "ip", **chain: str) -> Opening:
    names = {"table": "filter", "name": hook.upper(), **chain}
    return Opening(HostChain(kind, family, hook=hook, **names), "cor-1", True, False, "coracle")


@pytest.mark.parametrize(
    ("table", "chain", "others", "legacy", "kind"),
    [
        ("firewalld", "filter_FORWARD", (), False, FIREWALLD),
        ("filter", "FORWARD", ("ufw-before-forward", "DOCKER-USER"), False, UFW),
        ("filter", "FORWARD", ("DOCKER-USER",), False, DOCKER),
        ("filter", "INPUT", ("DOCKER-USER",), False, IPTABLES),
        ("filter", "FORWARD", (), True, LEGACY),
        ("filter", "forward", (), False, NFT),
        ("mine", "FORWARD", (), False, NFT),
    ],
)
def test_owners(table: str, chain: str, others: tuple[str, ...], legacy: bool, kind: str) -> None:
    assert kind_of(table, chain, others, legacy) == kind


NOTE = "-m comment --comment coracle -j ACCEPT"


@pytest.mark.parametrize(
    ("wanted", "shell"),
    [
        (
            opening(FIREWALLD),
            "firewall-cmd --zone=trusted --change-interface=cor-1 && "
            "firewall-cmd --permanent --zone=trusted --change-interface=cor-1",
        ),
        (
            opening(UFW),
            "ufw route allow in on cor-1 comment coracle && ufw route allow out on cor-1 comment coracle",
        ),
        (opening(UFW, "input"), "ufw allow in on cor-1 to any port 53 comment coracle"),
        (
            opening(DOCKER, family="ip6"),
            f"ip6tables -I DOCKER-USER -i cor-1 {NOTE} && ip6tables -I DOCKER-USER -o cor-1 {NOTE}",
        ),
        (
            opening(LEGACY, "input"),
            f"iptables-legacy -I INPUT -i cor-1 -p udp --dport 53 {NOTE} && "
            f"iptables-legacy -I INPUT -i cor-1 -p tcp --dport 53 {NOTE}",
        ),
        (
            opening(NFT, "output", "inet", table="mine", name="out"),
            """nft insert rule inet mine out oifname '"cor-1"' accept comment '"coracle"'""",
        ),
    ],
)
def test_commands(wanted: Opening, shell: str) -> None:
    assert sentence(commands(wanted)) == shell


def test_names_that_no_ruleset_can_say_get_into_none() -> None:
    assert commands(opening(NFT, table="mine; flush ruleset")) == []
    with pytest.raises(ValueError, match="must not get into a ruleset"):
        commands(opening(NFT)._replace(bridge='a" accept; flush ruleset; #'))


def test_taking_back() -> None:
    assert sentence(taking_back(opening(UFW))) == (
        "ufw route delete allow in on cor-1 comment coracle && "
        "ufw route delete allow out on cor-1 comment coracle"
    )
    assert sentence(taking_back(opening(IPTABLES))) == (
        f"iptables -D FORWARD -i cor-1 {NOTE} && iptables -D FORWARD -o cor-1 {NOTE}"
    )
    assert sentence(taking_back(opening(FIREWALLD))).startswith(
        "firewall-cmd --zone=trusted --remove-interface=cor-1 && firewall-cmd --permanent"
    )
    assert taking_back(opening(NFT)) == []
