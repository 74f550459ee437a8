# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle exec`: run a command in a container that runs."""

from __future__ import annotations

import argparse
import os
import typing as t

from ..container.environment_values import parse_env, parse_env_file
from ..container.exec_process import ExecRequest
from ..container.mount_values import parse_working_dir
from ..container.values import parse_user
from .lookup import find_container
from .terminal_flags import add_detach_keys

if t.TYPE_CHECKING:
    from .context import Context


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "--detach", action="store_true", help="Run the command in the background")
    add_detach_keys(parser)
    parser.add_argument("-e", "--env", action="append", default=[], metavar="list", help="Set variables")
    parser.add_argument(
        "--env-file", action="append", default=[], metavar="FILE", help="Read variables from a file"
    )
    parser.add_argument("-i", "--interactive", action="store_true", help="Keep STDIN open, to type or pipe")
    parser.add_argument("--privileged", action="store_true", help="Give all capabilities to the command")
    parser.add_argument("-t", "--tty", action="store_true", help="Give the command a terminal")
    parser.add_argument(
        "-u", "--user", metavar="string", help="User name or UID (format: name|uid[:group|gid])"
    )
    parser.add_argument("-w", "--workdir", metavar="string", help="Directory in which the command begins")
    parser.add_argument("container", metavar="CONTAINER")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND [ARG...]")
    parser.epilog = """
        coracle exec -it web bash                   a shell; Ctrl-P Ctrl-Q leaves it running
        coracle exec web sh -c 'ls | wc -l'         pipes need a shell
        coracle exec -i db psql -U shop < dump.sql  reads what is piped in
        coracle exec -u app -w /srv -e DEBUG=1 web ./report
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..operations.exec_attached import exec_attached
    from ..operations.exec_in_container import exec_detached

    container_id = find_container(context, options.container).id
    request = ExecRequest(
        options.command,
        user=parse_user(options.user, "--user") if options.user else "",
        env=_environment(options.env, options.env_file),
        working_dir=parse_working_dir(options.workdir, "--workdir") if options.workdir else "",
        tty=options.tty,
        privileged=options.privileged,
    )
    if options.detach:
        exec_detached(context.engine, container_id, request)
        return 0
    code = exec_attached(
        context.engine, container_id, request, stdin=options.interactive, detach_keys=options.detach_keys
    )
    return code or 0


def _environment(entries: t.Sequence[str], files: t.Sequence[str]) -> dict[str, str]:
    """Files first. A name without a value takes the value that we have; nothing where we have none."""
    variables: dict[str, str] = {}
    for path in files:
        with open(path, "rb") as file:
            variables.update(parse_env_file(file.read(), path))
    for entry in entries:
        name, equals, value = entry.partition("=")
        if equals:
            variables[name] = value
        elif name in os.environ:
            variables[name] = os.environ[name]
    return parse_env(variables, "--env")
