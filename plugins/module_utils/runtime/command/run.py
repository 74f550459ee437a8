# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle run`: make a container and start it; with -d leave it, else stay until it ends."""

from __future__ import annotations

import argparse
import os
import typing as t

from ..errors import CoracleError, InvalidInput, RuntimeFailure, collecting
from ..linux import cgroups
from .create import add_creation, created
from .terminal_flags import add_detach_keys, add_sig_proxy

if t.TYPE_CHECKING:
    from ..container.records import ContainerRecord
    from .context import Context


_STREAMS = ("stdin", "stdout", "stderr")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d", "--detach", action="store_true", help="Run container in background and print its ID"
    )
    parser.add_argument(
        "-a",
        "--attach",
        action="append",
        default=[],
        metavar="list",
        type=str.lower,
        choices=_STREAMS,
        help="Attach to STDIN, STDOUT or STDERR",
    )
    add_detach_keys(parser)
    add_sig_proxy(parser)
    add_creation(parser)
    parser.epilog = """
        coracle run -d --name web -p 8080:80 --restart always nginx
        coracle run -it --rm alpine sh                  Ctrl-P Ctrl-Q leaves it running
        coracle run --rm -v data:/data -e LEVEL=debug --memory 256m --cpus 0.5 tool:1 --check
    """


def run(context: Context, options: argparse.Namespace) -> int:
    """The exit code of the container: 125 where it could not be made, 126 and 127 as a shell has it."""
    if (
        not options.detach
        and options.option_tty
        and options.option_interactive
        and not context.stdin.isatty()
    ):
        raise InvalidInput("the input device is not a TTY")
    if context.json and not options.detach:
        raise InvalidInput("--json needs -d: without it the answer is what the program says")
    if options.attach and options.detach:
        raise InvalidInput("Conflicting options: -a and -d")
    cgroups.layout()  # nothing is made that could not be started
    with created(context, options) as record:
        _warn_of_firewall(context, record)
        if not options.detach:
            return _kept_if_it_starts(context, record, lambda: _stay(context, options, record))
        if not context.json:
            context.say(record.id)
        _kept_if_it_starts(context, record, lambda: _start(context, record))
        if context.json:
            context.say_json({"Id": record.id, "Name": record.name})
    return 0


def _start(context: Context, record: ContainerRecord) -> int:
    from ..container.oci_runtime import shell_code
    from .carry_out import carry_out

    try:
        carry_out(context, record, state="started")
    except RuntimeFailure as error:
        code = shell_code(error.message)
        error.facts.update({} if code is None else {"rc": code})
        raise
    return 0


def _stay(context: Context, options: argparse.Namespace, record: ContainerRecord) -> int:
    from ..linux.terminal import Stdio
    from ..operations.run_attached import start_attached
    from .carry_out import prepare_start

    wanted = options.attach or _STREAMS
    prepare_start(context, record)
    with open(os.devnull, "r+b", buffering=0) as nowhere:
        out, err = (
            number if name in wanted else nowhere.fileno() for number, name in enumerate(_STREAMS[1:], 1)
        )
        code = start_attached(
            context.engine,
            record.id,
            stdio=Stdio(stdout=out, stderr=err),
            stdin=bool(record.config.interactive) and "stdin" in wanted,
            detach_keys=options.detach_keys,
            sig_proxy=options.sig_proxy,
        )
    return code or 0


def _kept_if_it_starts(context: Context, record: ContainerRecord, start: t.Callable[[], int]) -> int:
    """A container that was to remove itself does so if its program never ran."""
    from ..operations.remove_container import remove_container

    try:
        return start()
    except CoracleError:
        if record.config.auto_remove:
            with collecting([]):
                remove_container(context.engine, record.id, volumes=True)
        raise


def _warn_of_firewall(context: Context, record: ContainerRecord) -> None:
    """Where the host's own rules would stop what the container sends."""
    from ..container.attachments import attachments_of

    names = [item["name"] for item in attachments_of(record.config).networks]
    if names:
        from ..operations.look_at_host_firewall import host_firewall_warnings

        for sentence in host_firewall_warnings(context.engine, names):
            context.warn(sentence)
