# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The user an image or a task names, as the numbers that the kernel knows.

`/etc/passwd` and `/etc/group` belong to the image: they may be links to anywhere, devices, pipes that never
answer, or gigabytes. They are opened inside the root, only as files up to 10 MiB (CVE-2026-47262), and
searched, not parsed. A number is a number, whatever those files call so (CVE-2024-40635).
Source of the rules: `GetExecUser` of github.com/moby/sys/user, the code behind Docker's `--user`.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t

from ..errors import IntegrityError, NotFound
from ..linux.files import read_bounded
from ..linux.rooted import open_in_root
from .values import LARGEST_ID, has_control_characters

_LARGEST_FILE = 10 * 1024**2


class ResolvedUser(t.NamedTuple):
    """`additional_gids` contains `gid`: without it a program could drop the group that a file shuts out."""

    uid: int
    gid: int
    additional_gids: list[int]
    home: str


class _Account(t.NamedTuple):
    name: bytes
    uid: int
    gid: int
    home: str


def resolve_user(root_fd: int, text: str, groups: t.Sequence[str] = ()) -> ResolvedUser:
    """`text` and `groups` in normal form (`values.parse_user`, `parse_groups`); an empty text is root.

    Raises NotFound for a name that the image does not know, IntegrityError for files that are none.
    """
    user, _colon, group = text.partition(":")
    group_file = _read(root_fd, "/etc/group")
    account = _find_account(_read(root_fd, "/etc/passwd"), user or "0")
    gid = _find_group(group_file, group) if group else account.gid
    member_of = [] if group else _groups_of(group_file, account.name)
    wanted = [_find_group(group_file, name) for name in groups]
    return ResolvedUser(account.uid, gid, sorted({gid, *member_of, *wanted}), account.home)


def find_user(root_fd: int, text: str) -> int:
    """The number of one user (a name of the image, or a number)."""
    return _find_account(_read(root_fd, "/etc/passwd"), text).uid


def find_group(root_fd: int, text: str) -> int:
    return _find_group(_read(root_fd, "/etc/group"), text)


def names_of(root_fd: int, uid: int, gid: int) -> tuple[str, str]:
    """What the image calls them; their numbers where it has no names, or no file that is one."""
    names = []
    for path, number in (("/etc/passwd", uid), ("/etc/group", gid)):
        try:
            line = re.search(rb"^([^:\n]+):[^:\n]*:0*%d(?=:|$)" % number, _read(root_fd, path), re.MULTILINE)
        except IntegrityError:
            line = None
        names.append(os.fsdecode(line[1]) if line else str(number))
    return names[0], names[1]


def _read(root_fd: int, path: str) -> bytes:
    """Content of a file of the image, empty if it is not there. A device is not opened: that is using it."""
    try:
        found = open_in_root(root_fd, path, os.O_PATH)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise IntegrityError(f"image: {path} leads nowhere: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise IntegrityError(f"image: {path} is not a regular file")
        fd = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(found)
    try:
        return read_bounded(fd, _LARGEST_FILE)
    except IntegrityError as error:
        raise IntegrityError(f"image: {path}: {error.message}") from error
    finally:
        os.close(fd)


def _find_account(passwd: bytes, user: str) -> _Account:
    number = int(user) if user.isdigit() else None
    name = b"[^:\n]*" if number is not None else re.escape(os.fsencode(user))
    uid = b"0*%d" % number if number is not None else rb"\d{1,20}"
    line = re.search(
        rb"^(%s):[^:\n]*:(%s):(\d{1,20})(?::[^:\n]*(?::([^:\n]*))?)?" % (name, uid), passwd, re.MULTILINE
    )
    if line is not None:
        return _Account(line[1], _id(line[2], "passwd"), _id(line[3], "passwd"), _home(line[4]))
    if number is None:
        raise NotFound(
            f"unable to find user {user}: it is not in /etc/passwd of the image",
            "give a user of the image or a number",
        )
    return _Account(b"", number, 0, "/")


def _home(field: bytes | None) -> str:
    home = os.fsdecode(field or b"/")
    return "/" if has_control_characters(home) or not home.startswith("/") else home


def _find_group(group_file: bytes, group: str) -> int:
    if group.isdigit():
        return int(group)
    line = re.search(rb"^%s:[^:\n]*:(\d{1,20})" % re.escape(os.fsencode(group)), group_file, re.MULTILINE)
    if line is None:
        raise NotFound(
            f"unable to find group {group}: it is not in /etc/group of the image",
            "give a group of the image or a number",
        )
    return _id(line[1], "group")


def _groups_of(group_file: bytes, name: bytes) -> list[int]:
    if not name:
        return []
    pattern = rb"^[^:\n]*:[^:\n]*:(\d{1,20}):(?:[^\n]*,)?%s(?=,|$)" % re.escape(name)
    return [_id(number, "group") for number in re.findall(pattern, group_file, re.MULTILINE)]


def _id(text: bytes, file: str) -> int:
    number = int(text)
    if number > LARGEST_ID:
        raise IntegrityError(f"image: /etc/{file} has the id {number}, which no kernel knows")
    return number
