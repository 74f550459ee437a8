#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container
short_description: Run containers, without a daemon
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Creates, starts, stops, replaces and removes a container on the target.
  - What was asked for is stored, and the next run compares it with what is asked now. What is deleted from
    the playbook is undone on the target. Every change comes with its reason.
  - A container is replaced only after the new one has been prepared. If the new one does not start, the old
    one runs again.
  - Options have the names and the syntax of M(community.docker.docker_container).
extends_documentation_fragment:
  - coracle.engine._container_options
  - coracle.engine._container_storage
  - coracle.engine._container_limits
  - coracle.engine._container_networking
  - coracle.engine._docker_options
  - coracle.engine._registry
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
      - With O(restart=true), O(recreate=true) or O(detach=false) every run changes something.
options:
  name:
    description:
      - Name of the container, or its full ID (64 digits). Neither is ever matched in part.
    type: str
    required: true
  state:
    description:
      - V(present) - the container exists. It is neither started nor stopped. A container that has to be
        replaced runs afterwards if it ran before.
      - V(started) - it exists and runs.
      - V(healthy) - the same, and its health check says that it is well. The task waits for that, fails at
        once when the container is unhealthy, and says then what the last probe has written. A container that
        is replaced comes back if the new one does not become healthy.
      - V(stopped) - it exists and does not run. With O(restart_policy=always), a reboot starts it again.
      - V(absent) - it does not exist. It is stopped first. All options but O(name), O(force_kill),
        O(kill_signal), O(stop_timeout) and O(keep_volumes) are ignored; O(recreate) and O(new_name)
        contradict it.
    type: str
    default: started
    choices:
      - absent
      - healthy
      - present
      - started
      - stopped
  healthy_wait_timeout:
    description:
      - Seconds to wait with O(state=healthy). V(0) and less mean for ever.
    type: float
    default: 300
  replace:
    description:
      - How a container gives way to the one that takes its place.
      - V(stop-first) - the old one stops, then the new one starts.
      - V(start-first) - the new one starts beside the old one, with an address of its own. When it is healthy
        (O(state=healthy)) or O(ready), whatever is asked for, published ports and names move to it in one
        step, and the old one stops when its connections have ended. If the new one fails, the old one has
        not been touched.
      - Until then both write to the same volumes.
      - V(start-first) is refused where there can be one only, that is with C(ipv4_address), C(ipv6_address)
        or a MAC address, with the network of another container, and with ports and O(network_mode=host) or
        O(network_mode=none). If the old one does not run, there is nothing to wait for.
    type: str
    default: stop-first
    choices:
      - start-first
      - stop-first
  ready:
    description:
      - What shows that the container does its work. The task waits for it after every change, and before a
        new container takes the place of an old one, whatever O(replace) says. If it does not come true, the
        old one runs (again), and the task fails with the last answer and the last lines of the new one.
      - Give one of C(tcp), C(http) and C(exec). The first two ask at the container's own address, from within
        its network.
    type: dict
    suboptions:
      tcp:
        description: Somebody accepts connections.
        type: dict
        suboptions:
          port:
            description: Port of the container.
            type: int
            required: true
      http:
        description: A page is there.
        type: dict
        suboptions:
          port:
            description: Port of the container.
            type: int
            required: true
          path:
            description: Path of the page.
            type: str
            default: /
          status:
            description: The status codes that are right. When not given, 200 to 399.
            type: list
            elements: int
      exec:
        description: A program in the container that ends with 0.
        type: list
        elements: str
      interval:
        description: Time between the beginnings of two attempts.
        type: str
        default: 1s
      timeout:
        description: Time for the container to become ready.
        type: str
        default: 60s
  drain_timeout:
    description:
      - With O(replace=start-first), seconds that the old container has to end the connections that it has,
        before it is stopped. It is stopped earlier if nobody is connected for a second, unless it has
        published ports of UDP, where nobody can tell.
    type: float
    default: 10
  keep_previous:
    description:
      - How many previous versions of the container are kept, stopped, when another one takes its place. They
        are called C(web.previous-1f2e3d4c5b6a), have no address and no port, and are neither started nor
        pruned. M(coracle.engine.container_info) shows them with C(KeptSince).
      - With a number, older ones are removed, with V(0) all of them. When not given, a replaced container is
        removed and versions that are kept stay.
      - They are removed with their container (O(state=absent)).
    type: int
  rollback:
    description:
      - Go back to the newest version that is kept. A new container is made from what was asked for then and
        from the image that it had then, and takes the place of the present one, which is removed. How is said
        by O(replace) and O(ready). The version is not kept any longer.
      - The task says nothing else about the container, not even O(image). It fails if no version is kept.
    type: bool
    default: false
  pull:
    description:
      - V(missing) (or V(false)) - pull the image if it is not on the target.
      - V(always) (or V(true)) and V(newer) - ask the registry, and pull the image if the name leads to
        another one there. Also in check mode. With V(newer), a registry that cannot be reached is no
        failure if the image is on the target.
      - V(never) - fail if the image is not on the target.
    type: raw
    default: missing
    choices:
      - missing
      - always
      - never
      - newer
      - true
      - false
  comparisons:
    description:
      - How strictly options are compared with what was asked for before, by option. V(*) stands for all that
        are not named.
      - V(strict), the default - what is not asked for any more goes.
      - V(ignore) - what the container has is right, also for one that takes its place. Only where there was
        none, it gets what is asked for.
      - V(allow_more_present) - for lists and dictionaries. More than is asked for is right, too. When
        something else differs, it stays; but of lists whose order counts, such as O(command), nothing stays.
      - C(image) can be ignored as well.
    type: dict
    default: {}
  image_name_mismatch:
    description:
      - What to do when O(image) is another name for the image that the container was made from.
      - V(ignore) - the new name is written down, and the container goes on running.
      - V(recreate) - the container is replaced.
    type: str
    default: ignore
    choices:
      - ignore
      - recreate
  new_name:
    description:
      - Rename the container O(name) to this. Its ID stays the same, and it goes on running.
      - If only a container with the new name exists, it is the one that is meant, so that the task can be
        run again.
    type: str
  restart:
    description:
      - Restart the container if it runs. A container that has just been replaced is not restarted once more.
    type: bool
    default: false
  recreate:
    description:
      - Replace the container even if nothing differs. Needs O(image).
    type: bool
    default: false
  paused:
    description:
      - V(true) freezes all processes of the running container, V(false) lets them go on.
      - When not given, a container stays as it is.
    type: bool
  force_kill:
    description:
      - Stop the container by O(kill_signal) instead of its stop signal.
    type: bool
    default: false
    aliases:
      - forcekill
  kill_signal:
    description:
      - Signal for O(force_kill=true). A container that outlives it for O(stop_timeout) is ended by
        V(SIGKILL).
      - The default is V(SIGKILL).
    type: str
  detach:
    description:
      - V(false) runs the container, waits until it has ended, and returns RV(status) and RV(output). Every
        run of the task runs it.
      - The task fails if the exit code is not 0.
    type: bool
    default: true
  cleanup:
    description:
      - With O(detach=false), remove the container when it has ended.
    type: bool
    default: false
  keep_volumes:
    description:
      - When the container is removed, keep its volumes that have no name. Otherwise they are removed too,
        unless another container uses them. Volumes with a name always stay.
      - With O(auto_remove=true) they are always removed.
    type: bool
    default: false
seealso:
  - module: coracle.engine.container_info
  - module: coracle.engine.image
  - module: coracle.engine.network
  - module: coracle.engine.volume
"""

EXAMPLES = r"""
- name: A web server
  coracle.engine.container:
    name: web
    image: nginx:1.27
    volumes:
      - /srv/www:/usr/share/nginx/html:ro
    memory: 256m
    restart_policy: unless-stopped

- name: A service with environment, limits and no more rights than it needs
  coracle.engine.container:
    name: api
    image: registry.example.com/team/api:4.2
    username: deploy
    password: "{{ vault_registry_password }}"
    command: [serve, --port, "8080"]
    env:
      DATABASE_URL: "{{ vault_database_url }}"
      WORKERS: "4"
    user: app
    read_only: true
    tmpfs:
      - /tmp:size=64m
    cap_drop:
      - ALL
    security_opts:
      - no-new-privileges
    cpus: 1.5
    pids_limit: 200

- name: Storage of every kind
  coracle.engine.container:
    name: shop
    image: shop:3
    mounts:
      - target: /var/lib/shop
        source: shop-data
      - type: bind
        source: /etc/shop
        target: /etc/shop
        read_only: true
      - type: image
        source: shop-assets:3
        subpath: public
        target: /srv/public
      - type: tmpfs
        target: /tmp
        tmpfs_size: 64m

- name: On two networks, found there by name, and reached from outside
  coracle.engine.container:
    name: shop
    image: shop:3
    networks:
      - name: front
      - name: back
        aliases: [store]
        ipv4_address: 10.20.0.10
    published_ports:
      - "443:8443"
      - "127.0.0.1:9000:9000"
    etc_hosts:
      build.example.com: host-gateway

- name: Onto another network and with another port, while it runs
  coracle.engine.container:
    name: shop
    networks:
      - name: front
    published_ports:
      - "443:8443"

- name: Stop it for a while (nothing else about it changes)
  coracle.engine.container:
    name: api
    state: stopped

- name: Run a migration and look at what it said
  coracle.engine.container:
    name: migrate
    image: registry.example.com/team/api:4.2
    command: [migrate, --all]
    detach: false
    cleanup: true
  register: migration

- name: Give it another name
  coracle.engine.container:
    name: api
    new_name: api-old

- name: A new version without a failed request
  coracle.engine.container:
    name: api
    image: registry.example.com/team/api:4.3
    published_ports:
      - "8080:8080"
    replace: start-first
    ready:
      http:
        port: 8080
        path: /health
      timeout: 2m
    drain_timeout: 30
    keep_previous: 2

- name: Back to the version before
  coracle.engine.container:
    name: api
    rollback: true
    replace: start-first

- name: Remove it
  coracle.engine.container:
    name: api-old
    state: absent
"""

RETURN = r"""
container:
  description:
    - The container in the shape of C(docker inspect). In check mode, as it would be.
    - Not returned when there is no container (any more).
  returned: success, unless there is no container
  type: dict
  sample:
    Id: 6e5a1c0f6f0b4f1c8a4d9c0e7b1f2a3d4c5b6a79880f1e2d3c4b5a6978808f9e
    Name: /web
    State:
      Status: running
      Running: true
      Pid: 4711
      ExitCode: 0
    NetworkSettings:
      Ports:
        8443/tcp:
          - HostIp: 0.0.0.0
            HostPort: "443"
      Networks:
        front:
          IPAddress: 10.19.0.2
          MacAddress: "02:42:0a:13:00:02"
actions:
  description: What was done, or would be done in check mode, one sentence each, with the reason.
  returned: success, and by a task that failed after it had changed something
  type: list
  elements: str
  sample:
    - "update container web: memory is 128m, should be 256m"
differences:
  description: What differed from the description, and what that needed.
  returned: success
  type: list
  elements: dict
  contains:
    field:
      description: The option.
      type: str
    before:
      description: What was asked for before. Values of environment variables are hidden.
      type: raw
    after:
      description: What is asked for now.
      type: raw
    reason:
      description: The same as a sentence.
      type: str
    how:
      description:
        - V(live) for a change in place, V(recreate) for a new container in place of the old one.
        - V(create) and V(remove) where there was none, or is none any more (field V(exists)).
      type: str
  sample:
    - field: memory
      before: 128m
      after: 256m
      reason: memory is 128m, should be 256m
      how: live
status:
  description: Exit code of the container.
  returned: O(detach=false), not in check mode
  type: int
  sample: 0
output:
  description: What the container wrote, standard output and standard error as they came. The last MiB of it.
  returned: O(detach=false), not in check mode
  type: str
  sample: "3 migrations applied\n"
"""

import contextlib
import typing as t

from ..module_utils.module.container_options import CONTROL, DESCRIPTION, read_description, read_request
from ..module_utils.module.container_results import container_result
from ..module_utils.module.docker_options import DOCKER, refusal_of
from ..module_utils.module.entry import run_module
from ..module_utils.module.registry_options import REGISTRY, registry_options
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.operations.lease import leased_container
from ..module_utils.runtime.reconcile.container import plan_container
from ..module_utils.runtime.reconcile.container_sight import Sight


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    request = read_request(params, registry_options(params))
    asked = read_description(params)
    names = filter(None, (request.name, request.new_name))
    with contextlib.nullcontext() if check_mode else leased_container(engine, names, asked):
        planned = plan_container(Sight(engine, rehearses=check_mode), asked, request)
        facts = {} if check_mode else planned.plan.execute(engine)
    return container_result(engine, planned, facts, check_mode)


def main() -> None:
    run_module(CONTROL.merge(DESCRIPTION, DOCKER, REGISTRY), run, explain=refusal_of)


if __name__ == "__main__":
    main()
