#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Create, change and remove networks of containers
version_added: 0.2.0
author:
  - The Coracle authors (@coracle)
description:
  - Makes sure that a network is on the target, as it is described, or that it is not.
  - The task is the full declaration. What it does not name has its default. Only who is connected is left
    alone, unless O(connected) is given.
  - Running containers keep running through every change. O(labels), O(dns), O(dns_servers), O(routes),
    isolation, ranges, reserved addresses and O(connected) change in place. Anything else needs a new bridge.
    Containers are then taken off the old one and put on the new one, with the same MAC and aliases, and with
    the same addresses if these are still in a subnet of the network. One container is cut off for about a
    tenth of a second, ten of them for some tenths.
  - A network is a row in the state of the engine. Its links are made when the first container starts on it,
    and removed when the last one has ended.
  - The network V(coracle) need not be created. It is made for the first container that names no network.
    Names are not served on it, unless a task of this module says so.
  - Options have the names and the syntax of M(community.docker.docker_network), and those of
    M(containers.podman.podman_network) where Docker has nothing of the kind.
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(force=true) every run makes the links of the network anew.
options:
  name:
    description:
      - Name of the network.
      - V(bridge), V(container), V(default), V(host), V(none) and V(ns) are no names for networks. They mean
        something else in the option C(network_mode) of containers.
    type: str
    required: true
    aliases:
      - network_name
  state:
    description:
      - V(present) - the network exists.
      - V(absent) - it does not exist. Fails, with their names, while there are containers on it, running or
        not, unless O(force=true). Only O(name) and O(force) count.
    type: str
    default: present
    choices:
      - absent
      - present
  driver:
    description:
      - V(bridge) - a network on the target. What leaves it has the address of the target.
      - V(macvlan) - containers are stations of their own in the LAN of the parent, each with its own MAC. The
        target itself cannot reach them, nor they the target.
      - V(ipvlan) - the same with the MAC of the parent.
    type: str
    default: bridge
    choices:
      - bridge
      - ipvlan
      - macvlan
  driver_options:
    description:
      - C(mtu) - the largest packet. V(0), the default, is that of the default route of the target. Also
        C(com.docker.network.driver.mtu).
      - C(isolate) - V(true), the default, closes a bridge to containers of other networks. With V(false) it
        is open to other networks that are not isolated either. A network that becomes isolated is so at once,
        also for connections that there are.
      - C(bridge) - name of the interface of a bridge on the target, which must not be there yet. Without it
        the name is made from the ID. Also C(com.docker.network.bridge.name).
      - C(parent) - the interface of the target that leads to the LAN. Needed by V(macvlan) and V(ipvlan).
        V(eth0.50) is VLAN 50 of V(eth0).
      - C(vlan) - number of a VLAN of the parent. Its interface is made if it is not there.
      - C(mode) - of V(macvlan), V(bridge) (the default), V(private), V(vepa) or V(passthru), also
        C(macvlan_mode). Of V(ipvlan), V(l2) (the default), V(l3) or V(l3s), also C(ipvlan_mode).
      - Other options of Docker are refused, unless they have the value that describes what is always so here,
        for example V(true) for C(com.docker.network.bridge.enable_ip_masquerade).
    type: dict
    default: {}
  ipam_config:
    description:
      - Subnets of the network. There can be several, of IPv4 and IPv6. A container gets one address of each
        version, from the first subnet that has one.
      - For a version that has no subnet here one is chosen that no route, address or network of the target
        has. It stays until a task names another one.
      - Taking a subnet out of the task that was named before lets one be chosen.
    type: list
    elements: dict
    default: []
    suboptions:
      subnet:
        description:
          - The subnet, for example V(172.20.5.0/24) or V(fd00:5::/64).
        type: str
        required: true
      gateway:
        description:
          - Address of the target on a bridge, or of the router of the LAN. The first address of the subnet
            when not given.
          - There is none in the modes V(l3) and V(l3s) of V(ipvlan).
        type: str
      iprange:
        description:
          - The part of the subnet from which addresses are chosen. Those that a container asks for may lie
            outside.
        type: str
      aux_addresses:
        description:
          - Addresses by name that no container gets, such as those of other stations in a LAN.
        type: dict
  enable_ipv4:
    description:
      - Whether containers have IPv4 addresses. They do when this is not given.
    type: bool
  enable_ipv6:
    description:
      - Whether containers have IPv6 addresses. When not given, they do if O(ipam_config) has a subnet of
        IPv6.
    type: bool
  internal:
    description:
      - A network that leads nowhere else. Containers on it have no default route, names are served, and no
        question about other names leaves the target.
    type: bool
    default: false
  dns:
    description:
      - Whether containers on this network find each other by name, alias and short ID.
    type: bool
    default: true
  dns_servers:
    description:
      - Addresses of the name servers that are asked for all other names. Those of the target when not given.
    type: list
    elements: str
    default: []
  routes:
    description:
      - Routes that containers get besides those to the network itself and the default route.
    type: list
    elements: dict
    default: []
    suboptions:
      destination:
        description:
          - The subnet that the route leads to.
        type: str
        required: true
      gateway:
        description:
          - The router, an address on this network.
        type: str
        required: true
      metric:
        description:
          - Of several routes to the same place the one with the lowest is taken. That of the kernel when not
            given.
        type: int
  open_host_firewall:
    description:
      - Whether the firewall of the target itself is told to let the network through where it would stop what
        its containers send, what is sent to their published ports, or their questions about names. Only
        for V(bridge).
      - Without it the rules of others are never touched. The tasks of this module and of
        M(coracle.engine.container) warn, with the commands that would open the firewall.
      - With it the engine runs those commands. The bridge is put into the zone V(trusted) of firewalld, gets
        rules of ufw, or is accepted at the beginning of C(DOCKER-USER), of a chain of iptables, or of the
        chain of nftables that is in the way. All of it is taken back when this is no longer set, or the
        network is removed.
      - What is in chains of nftables, iptables or Docker is put there again by the next task, and at once
        where systemd runs, should somebody reload them.
      - Published ports are open to all who reach the target, and unpublished ones to nobody, with and without
        it.
    type: bool
    default: false
  labels:
    description:
      - Labels of the network.
    type: dict
    default: {}
  connected:
    description:
      - Names of the containers that are on the network. Others are disconnected, unless O(appends=true). An
        empty list disconnects all of them.
      - When not given, nobody is connected or disconnected.
      - Containers connect and disconnect without a restart. They have to exist, and to have networks, so
        those with C(network_mode) V(host) or V(none) cannot be connected.
      - For addresses and aliases use the option C(networks) of M(coracle.engine.container).
    type: list
    elements: str
    aliases:
      - containers
  appends:
    description:
      - Leave containers connected that O(connected) does not name.
    type: bool
    default: false
    aliases:
      - incremental
  force:
    description:
      - With O(state=absent), disconnect all containers first.
      - With O(state=present), make bridge and links anew even if nothing has changed. Containers keep their
        addresses.
    type: bool
    default: false
  attachable:
    description:
      - Every network is. Only V(true) is accepted.
    type: bool
  ingress:
    description:
      - There is no swarm. Only V(false) is accepted.
    type: bool
  scope:
    description:
      - A network is on one host. Only V(local) is accepted.
    type: str
    choices:
      - local
      - global
      - swarm
  config_only:
    description:
      - There is no swarm. Only V(false) is accepted.
    type: bool
  config_from:
    description:
      - There is no swarm, and this is refused. YAML anchors or C(module_defaults) share options.
    type: str
  ipam_driver:
    description:
      - Addresses are given by the engine itself. Only V(default) is accepted.
    type: str
  ipam_driver_options:
    description:
      - There are none, and anything in here is refused.
    type: dict
requirements:
  - The Python library pyroute2 on the target. The role P(coracle.engine.host#role) installs it.
seealso:
  - module: coracle.engine.network_info
  - module: coracle.engine.container
"""

EXAMPLES = r"""
- name: A network on which containers find each other by name
  coracle.engine.network:
    name: backend

- name: IPv4 and IPv6, with subnets of one's own
  coracle.engine.network:
    name: backend
    ipam_config:
      - subnet: 172.20.5.0/24
        gateway: 172.20.5.254
        iprange: 172.20.5.128/25
        aux_addresses:
          printer: 172.20.5.200
      - subnet: fd00:5::/64

- name: A network that the host's own firewall lets through, whether firewalld, ufw, Docker or plain nftables
  coracle.engine.network:
    name: backend
    open_host_firewall: true

- name: The same for the network of containers that name none, which has no names
  coracle.engine.network:
    name: coracle
    dns: false
    open_host_firewall: true

- name: A network for databases, from which nothing leaves
  coracle.engine.network:
    name: databases
    internal: true
    labels:
      owner: dba

- name: Containers as stations of VLAN 50
  coracle.engine.network:
    name: vlan50
    driver: macvlan
    driver_options:
      parent: eth0.50
    ipam_config:
      - subnet: 192.0.2.0/24
        gateway: 192.0.2.1
        iprange: 192.0.2.192/26

- name: A route to the office, through a container that is a VPN gateway
  coracle.engine.network:
    name: backend
    ipam_config:
      - subnet: 172.20.5.0/24
    routes:
      - destination: 10.20.0.0/16
        gateway: 172.20.5.2

- name: These two are connected, and nobody else
  coracle.engine.network:
    name: maintenance
    connected:
      - web
      - database

- name: One more
  coracle.engine.network:
    name: maintenance
    connected: backup
    appends: true

- name: Remove it, whoever is on it
  coracle.engine.network:
    name: maintenance
    state: absent
    force: true
"""

RETURN = r"""
network:
  description:
    - The network in the shape of C(docker network inspect). C(Containers) has all that are connected,
      running or not. C(Interface) is the name of the bridge on the target; C(Isolated), C(OpenHostFirewall),
      C(DNS) and C(Routes) are what Docker has not.
    - In check mode, as it would be, with the containers that are on it now. A network that is yet to be made
      has no ID.
  returned: success, unless O(state=absent)
  type: dict
  sample:
    Name: backend
    Id: 1f6f5c1d7d0b4d2a8a8f6f0e8d2b4c1a7e5d3c9b2a1f0e9d8c7b6a5f4e3d2c1b
    Created: "2026-11-24T09:21:07.123456789Z"
    Scope: local
    Driver: bridge
    EnableIPv4: true
    EnableIPv6: false
    IPAM:
      Driver: default
      Options: {}
      Config:
        - Subnet: 10.80.0.0/24
          Gateway: 10.80.0.1
    Internal: false
    Attachable: true
    Ingress: false
    ConfigFrom:
      Network: ""
    ConfigOnly: false
    Containers:
      5b1f0c3a7d9e2b4c6a8f1e3d5c7b9a0f2e4d6c8b0a1f3e5d7c9b1a3f5e7d9c1b:
        Name: web
        EndpointID: 9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d9c8b
        MacAddress: 02:1b:3c:5d:7e:9f
        IPv4Address: 10.80.0.2/24
        IPv6Address: ""
    Options: {}
    Labels: {}
    Interface: cor-1f6f5c1d7d
    Isolated: true
    OpenHostFirewall: false
    DNS:
      Enabled: true
      Servers: []
    Routes: []
actions:
  description: What was done or, in check mode, would be done, and why.
  returned: success
  type: list
  elements: str
  sample:
    - "update network backend: labels: owner is new"
differences:
  description: What made a change necessary.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: V(exists), V(connected), or the option that has changed.
      type: str
    before:
      description: What there was.
      type: raw
    after:
      description: What there is to be.
      type: raw
    reason:
      description: The same as a sentence.
      type: str
    how:
      description:
        - V(create) and V(remove) for the network itself, V(live) for a change in place, V(recreate) where a
          new bridge was needed.
      type: str
"""

import typing as t

from ..module_utils.module.entry import run_module
from ..module_utils.module.network_options import NETWORK, read_network_request
from ..module_utils.module.network_results import network_result
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.reconcile.network import plan_network


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    planned = plan_network(engine, read_network_request(params))
    facts = {} if check_mode else planned.plan.execute(engine)
    return network_result(engine, planned, facts, check_mode)


def main() -> None:
    run_module(NETWORK, run)


if __name__ == "__main__":
    main()
