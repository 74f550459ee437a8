#!/usr/bin/python

# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_exec
short_description: Run a command in a container
version_added: 0.1.0
author:
  - The Coracle authors (@coracle)
description:
  - Runs one more program in a container that runs, and returns what it wrote and how it ended.
  - The program is confined as the container's own. It has the same capabilities, system call filter, groups,
    limits, profile and control group.
  - There is no shell unless the command names one.
  - Options have the names and the syntax of M(community.docker.docker_container_exec), and of
    M(ansible.builtin.command).
extends_documentation_fragment:
  - coracle.engine._runtime_root
  - coracle.engine._attributes
  - coracle.engine._attributes.action_group
attributes:
  check_mode:
    support: partial
    details:
      - Nothing is run. The task is skipped, unless O(creates) or O(removes) tell whether it would run.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Only with O(creates) or O(removes).
options:
  container:
    description:
      - Name of the container, or its full ID (64 digits). Neither is ever matched in part.
    type: str
    required: true
    aliases:
      - name
  argv:
    description:
      - The program and its arguments. Either this or O(command) is needed.
    type: list
    elements: str
  command:
    description:
      - The same in one line, taken apart as a shell would. Variables, pipes and redirections need a shell,
        for example C(sh -c 'ls | wc -l').
    type: str
  chdir:
    description:
      - Directory in the container in which the program begins, an absolute path. Without it the container's
        own.
    type: str
  user:
    description:
      - The user and, after a colon, the group, by name or number. Names are those of the container as it is
        now. Without it the container's own user.
    type: str
  env:
    description:
      - Environment variables on top of those of the container. Values have to be strings.
      - C(HOME) is the home directory of the user, unless the container or this option has one.
    type: dict
  stdin:
    description:
      - What the program reads from its standard input. Without it there is nothing to read.
    type: str
  stdin_add_newline:
    description:
      - Whether a newline is put after O(stdin).
    type: bool
    default: true
  strip_empty_ends:
    description:
      - Whether empty lines at the ends of RV(stdout) and RV(stderr) are left out.
    type: bool
    default: true
  tty:
    description:
      - Gives the program a terminal. What it writes is all in RV(stdout) then, and its lines end with a
        carriage return and a newline. Nothing ends its input but the control character 4 in O(stdin).
    type: bool
    default: false
  privileged:
    description:
      - Gives the program all capabilities of the target. The system call filter and everything else stay.
    type: bool
    default: false
  detach:
    description:
      - Does not wait for the program. It goes on after the task, at most as long as the container, its output
        is lost, and nothing is left of it when it ends.
    type: bool
    default: false
  timeout:
    description:
      - Seconds after which the program, and with it every process of its session, is killed and the task
        fails with RV(rc) V(124). Processes that have begun a session of their own, as daemons do, go on.
      - Without it there is no limit.
    type: float
  creates:
    description:
      - A path in the container, absolute or below O(chdir). If it exists, nothing is run. It is no pattern.
    type: str
  removes:
    description:
      - A path in the container, absolute or below O(chdir). If it does not exist, nothing is run. It is no
        pattern.
    type: str
notes:
  - A container that is stopped, paused or restarting is an error, and so are a program, a user or a directory
    that the container does not have. Then RV(rc) is what a shell gives, V(127) for what is not there and
    V(126) for what cannot be run.
  - At most 16 MiB of each output are returned. The program goes on when it writes more.
  - When the task itself is killed, the program may go on. Use O(timeout) rather than the time limit of a
    connection.
seealso:
  - module: coracle.engine.container
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: A command, taken apart as a shell would
  coracle.engine.container_exec:
    container: db
    command: psql -U shop -c 'select count(*) from orders'
  register: orders

- name: What it wrote
  ansible.builtin.debug:
    var: orders.stdout_lines

- name: Through a shell, as another user, in a directory
  coracle.engine.container_exec:
    container: web
    argv:
      - sh
      - -c
      - ls -l | wc -l
    user: www-data
    chdir: /srv/www

- name: Something to read
  coracle.engine.container_exec:
    container: db
    command: psql -U shop
    stdin: "{{ lookup('file', 'schema.sql') }}"
    timeout: 60

- name: Once
  coracle.engine.container_exec:
    container: web
    command: /opt/app/bin/setup --into /data
    creates: /data/ready

- name: In the background
  coracle.engine.container_exec:
    container: web
    command: /opt/app/bin/reindex
    detach: true
"""

RETURN = r"""
cmd:
  description: The program and its arguments.
  returned: success, or when the program has failed
  type: list
  elements: str
  sample: ["id", "-u"]
rc:
  description:
    - Exit code of the program, 128 + n if signal n has killed it. 127 if there is no such program, user or
      directory, 126 if it cannot be run, 124 after O(timeout).
  returned: unless O(detach=true)
  type: int
  sample: 0
stdout:
  description: What the program wrote to its standard output. Bytes that are not UTF-8 become U+FFFD.
  returned: unless O(detach=true)
  type: str
  sample: "33"
stderr:
  description: What the program wrote to its standard error.
  returned: unless O(detach=true)
  type: str
  sample: ""
start:
  description: When the program was started.
  returned: when it has run and was waited for
  type: str
  sample: "2026-11-24 14:01:07.512091"
end:
  description: When it had ended.
  returned: when it has run and was waited for
  type: str
  sample: "2026-11-24 14:01:07.548512"
delta:
  description: How long it took.
  returned: when it has run and was waited for
  type: str
  sample: "0:00:00.036421"
exec_id:
  description: Names the program that goes on.
  returned: O(detach=true), not in check mode
  type: str
  sample: 249d9e3075655baf705ed8f40488c5e9434049cdf3431976f1bfdb73741c574d
"""

import datetime
import os
import typing as t

from ..module_utils.module.entry import run_module
from ..module_utils.module.exec_options import EXEC, read_exec_request, read_input, read_timeout
from ..module_utils.module.exec_results import not_run, ran, would_run
from ..module_utils.runtime.container.exec_process import ExecRequest
from ..module_utils.runtime.engine import Engine
from ..module_utils.runtime.errors import Conflict, NotFound
from ..module_utils.runtime.operations.exec_in_container import exec_detached, exec_in_container
from ..module_utils.runtime.operations.running_container import exists_inside, running_container


def run(engine: Engine, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    request, content, timeout = read_exec_request(params), read_input(params), read_timeout(params)
    for option, unwanted in (("creates", True), ("removes", False)):
        path = params[option]
        if path is not None:
            exists = _exists(engine, params["container"], request, path, check_mode)
            if exists is None:
                return would_run(request.arguments, certain=False)
            if exists is unwanted:
                return not_run(request.arguments, path, exists)
    if check_mode:
        return would_run(request.arguments, certain=bool(params["creates"] or params["removes"]))
    if params["detach"]:
        exec_id = exec_detached(engine, params["container"], request)
        return {"changed": True, "cmd": list(request.arguments), "exec_id": exec_id}
    begun = datetime.datetime.now()
    result = exec_in_container(engine, params["container"], request, input=content, timeout=timeout)
    return ran(request.arguments, begun, result, params["strip_empty_ends"])


def _exists(engine: Engine, name: str, request: ExecRequest, path: str, check_mode: bool) -> bool | None:
    """None in check mode for a container that does not run: a task before this one may start it."""
    try:
        running = running_container(engine, name)
    except (Conflict, NotFound):
        if check_mode:
            return None
        raise
    return exists_inside(running.init, os.path.join(request.working_dir or "/", path))


def main() -> None:
    run_module(EXEC, run)


if __name__ == "__main__":
    main()
