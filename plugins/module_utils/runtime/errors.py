# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Every failure the engine knows, as one tree.

    CoracleError
    ├── InvalidInput          what was asked cannot be understood or contradicts itself
    ├── NotFound              a named container, image, volume, program or file is not there
    ├── Conflict              the name is taken, the object is in use, another state is needed first
    ├── HostNotReady          the host lacks a program, a kernel feature, a mount
    ├── StorageError          the disk said no: full, read-only, failing
    ├── IntegrityError        bytes are not what their digest, size or format promises
    ├── RegistryError         a registry refused, lied, stalled or cannot be reached
    │   └── AuthenticationError
    ├── RuntimeFailure        crun, conmon or the container's own program failed
    ├── StateError            the state file is damaged or of a newer engine
    ├── TimedOut              something did not happen in the time allowed (locks included)
    └── CleanupFailed         a teardown finished what it could and reports the rest

Raise with facts (`message`: object and cause) and, where one exists, a remedy (`hint`). Callers add context
with `doing("create container web")`; the final text then reads as a path through the program:
`create container web: mount root file system: overlay on nfs is not supported (put the state directory on a
local disk)`.
"""

from __future__ import annotations

import contextlib
import errno
import typing as t


class CoracleError(Exception):
    """A failure with a cause (`message`), a remedy (`hint`, may be empty) and machine-readable `facts`."""

    def __init__(self, message: str, hint: str = "", **facts: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def during(self, phrase: str) -> None:
        """Put the verb phrase of the enclosing operation in front of the message."""
        self.message = f"{phrase}: {self.message}"


class InvalidInput(CoracleError):
    """`problems` are the errors that it stands for, if it stands for several (raise_all)."""

    problems: t.Sequence[CoracleError] = ()

    def during(self, phrase: str) -> None:
        if not self.problems:
            super().during(phrase)
            return
        for problem in self.problems:
            problem.during(phrase)
        self.message = _told(self.problems)


class NotFound(CoracleError):
    pass


class Conflict(CoracleError):
    pass


class HostNotReady(CoracleError):
    pass


class StorageError(CoracleError):
    pass


class IntegrityError(CoracleError):
    pass


class RegistryError(CoracleError):
    pass


class AuthenticationError(RegistryError):
    pass


class RuntimeFailure(CoracleError):
    pass


class StateError(CoracleError):
    pass


class TimedOut(CoracleError):
    """`partial` is what was there by then, where somebody may want it."""

    partial: t.Any = None


class CleanupFailed(CoracleError):
    """Carries `errors`, the list of what went wrong while the rest of the teardown went on."""

    def __init__(self, what: str, errors: t.Sequence[BaseException]) -> None:
        super().__init__(f"{what}: " + "; ".join(str(error) for error in errors))
        self.errors = list(errors)


_DISK_HINTS = {
    errno.ENOSPC: "free some space or put the state directory on a larger disk",
    errno.EDQUOT: "raise the disk quota",
    errno.EROFS: "remount the file system read-write",
    errno.EIO: "the disk reports errors: look at the kernel log",
}


def from_os_error(error: OSError) -> CoracleError:
    """The engine's word for an `OSError`: `path: Strerror`, with a remedy where the errno has one."""
    where = f"{error.filename!r}: " if error.filename is not None else ""
    text = where.replace("'", "") + (error.strerror or str(error))
    if error.errno in _DISK_HINTS:
        return StorageError(text, _DISK_HINTS[error.errno], errno=error.errno)
    return CoracleError(text, errno=error.errno)


@contextlib.contextmanager
def doing(phrase: str) -> t.Iterator[None]:
    """Name the operation under way: errors that leave begin with `phrase`; an `OSError` becomes ours."""
    try:
        yield
    except CoracleError as error:
        error.during(phrase)
        raise
    except OSError as error:
        wrapped = from_os_error(error)
        wrapped.during(phrase)
        raise wrapped from error


@contextlib.contextmanager
def collecting(errors: list[BaseException]) -> t.Iterator[None]:
    """One step of several, each of which is taken: remember what went wrong and let the next step run."""
    try:
        yield
    except (CoracleError, OSError) as error:
        errors.append(error)


def raise_all(errors: t.Sequence[BaseException]) -> None:
    """One error for all of them, if there are any: `2 mistakes: …; …`."""
    problems: list[CoracleError] = []
    for error in errors:
        ours = from_os_error(error) if isinstance(error, OSError) else t.cast(CoracleError, error)
        problems += ours.problems if isinstance(ours, InvalidInput) and ours.problems else [ours]
    if len(problems) == 1:
        raise problems[0]
    if problems:
        whole = InvalidInput(_told(problems), "nothing was changed")
        whole.problems = problems
        raise whole


def _told(problems: t.Sequence[CoracleError]) -> str:
    return f"{len(problems)} mistakes: " + "; ".join(str(problem) for problem in problems)
