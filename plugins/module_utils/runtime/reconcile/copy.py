# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be copied so that a container, a volume or the host has the files that a task asks for.

One end is a container or a volume, the other one the controller (which has sent what it has, as a parcel), or
the host. While a plan is open, so are both ends: what it executes is what it has looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import stat
import typing as t

from ..copying.compare import Change, Wishes
from ..copying.destinations import Destination, as_copy
from ..copying.items import DIRECTORY, FILE, Item, Source, first_of
from ..copying.landing import clear_leftovers
from ..copying.place import Place, absolute, split
from ..copying.text_diff import differences_shown
from ..copying.tree_source import TreeSource
from ..errors import Conflict, InvalidInput, doing
from ..operations.deliver import deliver, differences_at, guard_host
from ..operations.reach_files import Reached, container_files, host_files, volume_files
from .differences import CREATE, LIVE, Difference
from .steps import Plan, Step

if t.TYPE_CHECKING:
    from ..engine import Engine

_MOST_SHOWN = 100


class CopyRequest(t.NamedTuple):
    """`sent`: what came with the task (a text, a parcel), None if it lies on the host, or is to get there.

    `src` and `dest` as written. `name` and `content_only` are those of what came; a path of the host or the
    container tells them itself. `listed`: what the controller has at its end, by path; it gets what it lacks
    in another way than by a plan.
    """

    container: str
    volume: str
    outwards: bool
    src: str
    dest: str
    wishes: Wishes
    owner: str = ""
    group: str = ""
    follow: bool = False
    local_follow: bool = True
    validate: str = ""
    sent: Source | None = None
    name: str = ""
    content_only: bool = False
    listed: t.Mapping[str, Item] | None = None

    @property
    def thing(self) -> str:
        return f"volume {self.volume}" if self.volume else f"container {self.container}"


class PlannedCopy(t.NamedTuple):
    """`top` is where what is copied lies afterwards; `first` describes it. `at` is the end that gets it."""

    plan: Plan
    changes: list[Change]
    source: Source
    first: Item
    top: str
    at: Reached
    diff: list[dict[str, t.Any]]
    left_out: list[str]
    backups: list[str]


@dataclasses.dataclass(frozen=True)
class CopyFiles(Step):
    sentence: str
    work: t.Callable[[], None]

    def describe(self) -> str:
        return self.sentence

    def execute(self, engine: Engine) -> None:
        self.work()


HasContent = t.Callable[[Item], bool]


@contextlib.contextmanager
def planned_copy(
    engine: Engine, request: CopyRequest, *, writing: bool, has_content: HasContent = lambda _item: True
) -> t.Iterator[PlannedCopy]:
    """`writing` false: the plan will not be executed. Conflict for whatever must not be replaced."""
    with contextlib.ExitStack() as stack:
        with doing(f"copy {'from' if request.outwards else 'to'} {request.thing}"):
            reached = stack.enter_context(reach(engine, request, writing=writing and not request.outwards))
            source, at = _ends(stack, request, reached)
            wishes = request.wishes._replace(
                uid=_number("owner", request.owner, at), gid=_number("group", request.group, at)
            )
            first = first_of(source)
            destination = _destination(request, at.place, source, first)
            if request.outwards:
                guard_host(at.place, absolute(request.dest), destination, first)
            check = _validation(engine, request, at)
        changes = differences_at(source, at, destination, wishes)
        backups: list[str] = []
        if writing and not changes:
            clear_leftovers(at.place, destination.top)

        def work() -> None:
            backups.extend(deliver(source, at, destination, wishes, changes, check))

        yield PlannedCopy(
            _plan(changes, at.place, work),
            changes,
            source,
            first,
            destination.top,
            at,
            differences_shown(changes, at.place, source, has_content),
            list(getattr(source, "left_out", ())),
            backups,
        )


@contextlib.contextmanager
def reach(engine: Engine, request: CopyRequest, *, writing: bool) -> t.Iterator[Reached]:
    opened = (
        volume_files(engine, request.volume)
        if request.volume
        else container_files(engine, request.container, writing=writing)
    )
    with opened as reached:
        yield reached


def source_in(place: Place, request: CopyRequest) -> TreeSource:
    """What lies at `src`. A link there is followed, unless all is to be kept as it is; with a slash behind
    it, always.
    """
    path = absolute(request.src)
    if request.src.endswith("/") or request.local_follow:
        path = place.end_of_links(path)
    archive = request.wishes.archive
    source = TreeSource(place, path, follow=request.local_follow, archive=archive)
    if request.src.endswith("/") and first_of(source).kind != DIRECTORY:
        raise InvalidInput(
            f"src: {path} of {place.name} is not a directory", "take the slash at its end away"
        )
    return source


def _ends(stack: contextlib.ExitStack, request: CopyRequest, reached: Reached) -> tuple[Source, Reached]:
    if request.sent is not None:
        return request.sent, reached
    import os

    host = host_files()
    stack.callback(os.close, host.root)
    stack.callback(host.close)
    if request.outwards:
        return source_in(reached.place, request), Reached(host, None)
    return source_in(host, request), reached


def _destination(request: CopyRequest, place: Place, source: Source, first: Item) -> Destination:
    name, content_only = request.name, request.content_only
    if isinstance(source, TreeSource):
        name, content_only = split(absolute(request.src))[1], request.src.endswith("/")
    found = as_copy(
        place, request.dest, name, is_directory=first.kind == DIRECTORY, content_only=content_only
    )
    if request.follow and (not request.outwards or found.top == absolute(request.dest)):
        return found._replace(top=place.end_of_links(found.top))
    return found


def _number(option: str, text: str, at: Reached) -> int | None:
    """Names mean what the end that gets the files calls so."""
    if not text:
        return None
    if text.isdigit():
        from ..container.values import LARGEST_ID

        if int(text) > LARGEST_ID:
            raise InvalidInput(f"{option}: {text} is no number of a user or group", option=option)
        return int(text)
    if at.record is not None:
        from ..container.users import find_group, find_user

        with doing(option):
            return (find_user if option == "owner" else find_group)(at.place.root, text)
    if at.place.name.startswith("volume "):
        raise InvalidInput(f"{option}: a volume knows no names, and so not {text}", "give a number")
    import grp
    import pwd

    try:
        return pwd.getpwnam(text).pw_uid if option == "owner" else grp.getgrnam(text).gr_gid
    except KeyError:
        raise InvalidInput(f"{option}: the target has no {text}", "give a name it has, or a number") from None


def _validation(engine: Engine, request: CopyRequest, at: Reached) -> t.Callable[[str], None] | None:
    """The program runs in the container: it is the container's configuration, and its program knows it."""
    if not request.validate:
        return None
    if "%s" not in request.validate:
        problem = "validate: there is no place for the path of the file in it"
        raise InvalidInput(problem, "write %s where it belongs")
    if request.outwards or request.volume:
        raise InvalidInput("validate: the command runs in a container that files are copied to")
    if at.init is None:
        raise Conflict(
            "validate: the container does not run, and the command would run in it", "start it first"
        )

    def validate(path: str) -> None:
        import shlex

        from ..container.exec_process import ExecRequest
        from ..operations.exec_in_container import exec_in_container

        words = [word.replace("%s", path) for word in shlex.split(request.validate)]
        done = exec_in_container(engine, request.container, ExecRequest(words, user="0"), max_output=1 << 16)
        if done.code:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise InvalidInput(f"validate: {words[0]} ended with {done.code}: {said}", rc=done.code)

    return validate


# The plan


def _plan(changes: t.Sequence[Change], place: Place, work: t.Callable[[], None]) -> Plan:
    if not changes:
        return Plan()
    differences = [difference(change) for change in changes[:_MOST_SHOWN]]
    return Plan([CopyFiles(sentence(changes, f"to {place.name}"), work)], differences)


def sentence(changes: t.Sequence[Change], where: str) -> str:
    """`copy to container web: /etc/motd is new, /etc/hosts.allow: content, and 12 more`"""
    shown = ", ".join(_reason(change) for change in changes[:5])
    more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
    return f"copy {where}: {shown}{more}"


def _reason(change: Change) -> str:
    return f"{change.path} is new" if change.what == ("new",) else f"{change.path}: {', '.join(change.what)}"


def difference(change: Change) -> Difference:
    before = change.before
    there = {"mode": f"{stat.S_IMODE(before.st_mode):04o}", "size": before.st_size} if before else None
    wanted = {"mode": f"{change.mode:04o}", "size": change.item.size if change.item.kind == FILE else 0}
    how = CREATE if "new" in change.what else LIVE
    return Difference(change.path, there, wanted, _reason(change), how)
