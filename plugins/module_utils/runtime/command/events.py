# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle events`: what has happened to containers, images, networks and volumes, and what happens."""

from __future__ import annotations

import argparse
import json
import time
import typing as t

from .filters import add_filter, labels_match, parse_filters

if t.TYPE_CHECKING:
    from ..operations.history import Event
    from .context import Context

_KEYS = ("container", "event", "image", "label", "network", "type", "volume")
_PAUSE = 0.1  # seconds between two looks at what happens


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="string", help='Show what happened since then: a time, or "42m"')
    parser.add_argument("--until", metavar="string", help='Show what happened until then: a time, or "0s"')
    add_filter(parser, _KEYS, "type=container")
    parser.add_argument("--format", metavar="string", help="Format output with a template, or json")
    parser.epilog = """
        coracle events                              what happens from now on, until you interrupt it
        coracle events --since 24h --until 0s       the last day
        coracle events --since 1h --filter container=web --filter event=die
    """


def run(context: Context, options: argparse.Namespace) -> int:
    from ..container.moments import parse_moment
    from ..operations.history import Follower, read_history

    since = parse_moment(options.since, "--since") if options.since else ""
    until = parse_moment(options.until, "--until") if options.until else ""
    filters = parse_filters(options.filter, _KEYS)
    say = _sayer(context, options.format)
    follower = Follower(context.engine.paths)
    if since or until:
        for event in read_history(context.engine.paths):
            if event.time >= since and (not until or event.time <= until) and _fits(event, filters):
                say(event)
    while not until:
        for event in follower.new():
            if _fits(event, filters):
                say(event)
        time.sleep(_PAUSE)
    return 0


def _sayer(context: Context, form: str | None) -> t.Callable[[Event], None]:
    def said(text: str) -> None:
        context.say(text)
        context.out.flush()

    if context.json or form == "json":
        return lambda event: said(json.dumps(event.to_docker(), ensure_ascii=False))
    if form:
        from .template import parse_template

        template = parse_template(form)
        return lambda event: said(template.render(event.to_docker()))
    return lambda event: said(_text(event))


def _text(event: Event) -> str:
    """`2026-11-24T13:00:00.123456789Z container start 0f5d… (image=web:1, name=web)`"""
    attributes = ", ".join(f"{name}={value}" for name, value in sorted(event.attributes.items()))
    return f"{event.time} {event.kind} {event.action} {event.id} ({attributes})"


def _fits(event: Event, filters: t.Mapping[str, t.Sequence[str]]) -> bool:
    """Several values of one key are alternatives; of labels all have to be there."""
    for key, values in filters.items():
        if key == "label":
            fits = labels_match(event.attributes, values)
        elif key == "type":
            fits = event.kind in values
        elif key == "event":
            fits = event.action.partition(":")[0] in values or event.action in values
        else:
            names = (event.attributes.get("name", ""), event.attributes.get("image", ""))
            fits = event.kind == key and any(event.id.startswith(value) or value in names for value in values)
            if key == "image":
                fits = fits or event.attributes.get("image") in values
        if not fits:
            return False
    return True
