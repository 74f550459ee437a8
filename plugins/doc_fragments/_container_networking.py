# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options of a container that say where it is reached, and what it reaches.
    DOCUMENTATION = r"""
options:
  network_mode:
    description:
      - V(bridge), also written V(default), is the default network V(coracle), a bridge that is made when the
        first container needs it. The name of another network is that network.
      - V(host) shares the network of the host. V(none) gives the container only a loopback interface.
      - C(container:NAME) shares the network of another container, which has to run, with its addresses, its
        C(/etc/hosts) and its C(/etc/resolv.conf). When that one was started anew or replaced, the next task
        for this one with O(state=started) restarts it, so that it shares the new network.
      - C(ns:/PATH) is a network namespace that something else has made, such as V(ns:/run/netns/blue).
      - The default is the first of O(networks), else V(bridge).
      - From one network to another a running container moves without a restart. From and to the other modes
        it is replaced.
    type: str
  networks:
    description:
      - The networks of the container. It is connected to them, and disconnected from those that are no
        longer there, while it runs and without a restart.
      - The one of O(network_mode) is one of them, whether it is named here or not. An empty list is the same
        as none.
      - The networks have to exist (M(coracle.engine.network)), but for the default network.
      - A network to which the module M(coracle.engine.network) has connected the container stays
        connected.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the network. V(bridge) and V(default) are the default network V(coracle).
        type: str
        required: true
      ipv4_address:
        description:
          - IPv4 address of the container on this network, one of its subnets.
          - The default is the next that is free. The container keeps it until it is removed.
        type: str
      ipv6_address:
        description:
          - IPv6 address of the container on this network.
          - The default is the next that is free, if the network has an IPv6 subnet.
        type: str
      mac_address:
        description:
          - MAC address of the container's interface on this network.
          - The default is made up, and kept until the container is removed.
        type: str
      aliases:
        description:
          - More names by which other containers on this network find the container.
        type: list
        elements: str
      links:
        description:
          - Other containers on this network, as C(name:alias), that this container finds by an alias of its
            own.
        type: list
        elements: str
      driver_opts:
        description:
          - C(com.docker.network.endpoint.ifname) is the name of the interface in the container.
          - The default is V(eth0), V(eth1) and so on.
        type: dict
      gw_priority:
        description:
          - The network with the highest number has the default route; of several the first.
          - The default is V(0).
        type: int
        aliases:
          - priority
  networks_cli_compatible:
    description:
      - V(true), the default - when O(networks) is given, the container is on these networks and no other, and
        the first of them is the default of O(network_mode).
      - V(false) - the default network is added to them.
    type: bool
  mac_address:
    description:
      - MAC address of the container's interface on the network of O(network_mode).
    type: str
  links:
    description:
      - Other containers on the network of O(network_mode), as C(name:alias), that this container finds by an
        alias of its own. The same as O(networks[].links) of that network.
      - They change while the container runs.
    type: list
    elements: str
  published_ports:
    description:
      - Ports of the host that lead to ports of the container, as
        C([[address:]host port:]container port[/protocol]). Both ports can be ranges of the same length; IPv6
        addresses go in brackets; protocols are V(tcp), V(udp) and V(sctp).
      - Without an address, a port is open on all addresses of the host, IPv4 and IPv6, or on
        O(default_host_ip). With V(127.0.0.1), only programs on the host reach it.
      - Without a host port, or with V(0), one that is free is chosen and kept until the container is removed.
        With a range of host ports for one port, the first that is free.
      - Ports open and close while the container runs. A port that a container or a process of the host has is
        an error that names it, before anything is changed.
    type: list
    elements: str
    aliases:
      - ports
  publish_all_ports:
    description:
      - Publish every port that the image or O(exposed_ports) name, and O(published_ports) does not, on a free
        port of the host.
    type: bool
  exposed_ports:
    description:
      - Ports that the container listens on, as C(port[-port][/protocol]). They are shown, and looked at by
        O(publish_all_ports).
    type: list
    elements: str
    aliases:
      - expose
      - exposed
  default_host_ip:
    description:
      - The address of the host on which O(published_ports) without an address, and those of
        O(publish_all_ports), are open.
      - The default are all addresses.
    type: str
  domainname:
    description:
      - Domain name of the container.
    type: str
  dns_servers:
    description:
      - Addresses of the name servers that answer what the network's own names do not.
      - The default are those of the network, else those of the host.
    type: list
    elements: str
  dns_search_domains:
    description:
      - Domains in which names are looked for. V(.) alone is none.
    type: list
    elements: str
  dns_opts:
    description:
      - Options of C(resolv.conf), such as V(ndots:2).
    type: list
    elements: str
  etc_hosts:
    description:
      - Addresses by name, for the container's C(/etc/hosts). V(host-gateway) is the address by which the
        container reaches the host.
    type: dict
  sysctls:
    description:
      - Kernel parameters of the container's own namespaces. V(net.*), V(fs.mqueue.*), V(kernel.sem),
        V(kernel.msg*) (C(msgmax), C(msgmnb), C(msgmni)) and V(kernel.shm*) (C(shmall), C(shmmax), C(shmmni),
        C(shm_rmid_forced)) are allowed.
      - V(net.*) needs a network of the container's own.
    type: dict
"""
