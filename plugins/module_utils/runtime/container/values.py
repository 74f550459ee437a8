# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What people write for one container option, brought to one normal form: same meaning, same value.

Every parser has the shape `parse_x(value, option) -> normal form`: `value` as Ansible delivers it (text,
number, list, dict), `option` the name used in errors. An answer of `None` means: the same as not asking.
Parsing a normal form gives it back. What is not understood is `InvalidInput` with option, value and remedy.

Scalars and plain lists live here; paths on both sides of a colon (volumes, tmpfs, devices) in `mount_values`,
environment and labels in `environment_values`, capabilities and `security_opts` in `security_values`, what
connects a container and tells it names in `network_values`.
"""

from __future__ import annotations

import re
import signal
import typing as t

from ..errors import InvalidInput

# Patterns are compiled when they are first used: a task uses few of them.
_SIZE = r"(\d+(?:\.\d+)?)\s*(?:([kmgtpe])i?)?b?"
_SIZE_UNITS = " kmgtpe"
_DURATION = r"(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+"
_DURATION_PART = r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)"
_DURATION_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}"
_HOST_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_ACCOUNT = r"[A-Za-z0-9_.][A-Za-z0-9_.@$-]*"
_CONTROL = r"[\x00-\x1f\x7f\ud800-\udfff]"  # with half characters, which no JSON document can hold
_UNWRITABLE = r"[\x00\ud800-\udfff]"

_LARGEST_INTEGER = 2**63 - 1
_RT_FIRST, _RT_LAST = 34, 64  # SIGRTMIN and SIGRTMAX as glibc and Docker count them
_RESTART_POLICIES = ("no", "on-failure", "always", "unless-stopped")
LIMIT_NAMES = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue",
    "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip

LARGEST_ID = 2**31 - 1
"""Largest user or group id that every tool on the way (and Docker) takes for what it is: CVE-2024-40635."""

UNLIMITED = -1
"""Spelled `-1` or `unlimited` by people; `RLIM_INFINITY` and `max` to the kernel."""


def refuse(value: t.Any, option: str, problem: str, hint: str = "") -> InvalidInput:
    """The error for a value that cannot be used, ready to raise."""
    shown = repr(value)
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    return InvalidInput(f"{option}: {shown} {problem}", hint, option=option)


def kind_of(value: t.Any) -> str:
    """What a value is, in a sentence: `a number`."""
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "text", dict: "a dictionary"}
    return "a null" if value is None else kinds.get(type(value), "a list")


def has_control_characters(text: str) -> bool:
    return re.search(_CONTROL, text) is not None


def cannot_be_passed(text: str) -> bool:
    """Has it a NUL, which ends every argument, or what is no character at all?"""
    return re.search(_UNWRITABLE, text) is not None


def parse_text(value: t.Any, option: str) -> str:
    """Text on one line; a number becomes its decimal text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise refuse(value, option, f"is {kind_of(value)}, not text", "quote it")
    text = str(value)
    if has_control_characters(text):
        raise refuse(value, option, "contains control characters")
    return text


def parse_integer(
    value: t.Any, option: str, lowest: int, highest: int = _LARGEST_INTEGER, hint: str = ""
) -> int:
    """`hint` tells what else may be written, where that is so."""
    text = "" if isinstance(value, bool) else str(value).strip()
    if not re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII):
        raise refuse(value, option, "is not a whole number", hint)
    number = int(text)
    if number < lowest and highest == _LARGEST_INTEGER:
        raise refuse(value, option, f"is less than {lowest}", hint)
    if not lowest <= number <= highest:
        raise refuse(value, option, f"is not between {lowest} and {highest}", hint)
    return number


def parse_size(value: t.Any, option: str) -> int:
    """Bytes from `67108864`, `64m`, `64MiB`, `1.5 GB`; units are powers of 1024, as for Docker."""
    match = (
        None if isinstance(value, bool) else re.fullmatch(_SIZE, str(value).strip(), re.ASCII | re.IGNORECASE)
    )
    if match is None:
        raise refuse(value, option, "is not a size", 'write a number of bytes, or for example "64m" or "1g"')
    number, unit = match.groups()
    scale = 1024 ** _SIZE_UNITS.index((unit or " ").lower())
    size = int(float(number) * scale) if "." in number else int(number) * scale
    if size >= 2**63:
        raise refuse(value, option, "is too large")
    return size


def size_text(value: int | None) -> str | None:
    """`64m` for 67108864: the largest unit that divides it."""
    if value is None:
        return None
    if value < 0:
        return "unlimited"
    for unit, scale in (("t", 1024**4), ("g", 1024**3), ("m", 1024**2), ("k", 1024)):
        if value and value % scale == 0:
            return f"{value // scale}{unit}"
    return str(value)


def duration_text(nanoseconds: int) -> str:
    """`1m30s` for 90000000000, in the units that people write."""
    text = ""
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        count, nanoseconds = divmod(nanoseconds, _DURATION_UNITS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_memory(value: t.Any, option: str) -> int | None:
    """A memory limit in bytes; `0` is no limit. Below 6 MiB no container starts: the runtime needs that."""
    size = parse_size(value, option)
    if 0 < size < 6 * 1024**2:
        raise refuse(value, option, "is too little for any container", "give at least 6m, or 0 for no limit")
    return size or None


def parse_memory_swap(value: t.Any, option: str) -> int | None:
    """Memory plus swap in bytes, or -1 for unlimited swap; `0` leaves the default (twice the memory)."""
    if str(value).strip().lower() in ("-1", "unlimited"):
        return UNLIMITED
    return parse_size(value, option) or None


def parse_shm_size(value: t.Any, option: str) -> int:
    size = parse_size(value, option)
    if size == 0:
        raise refuse(value, option, "leaves no shared memory", 'give at least "4k"')
    return size


def parse_duration(value: t.Any, option: str) -> int:
    """Nanoseconds from `1h2m3s`, `500ms`, `1.5s`, or a bare number of seconds."""
    text = str(value).strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) and not isinstance(value, bool):
        text += "s"
    if not re.fullmatch(_DURATION, text, re.ASCII):
        raise refuse(value, option, "is not a duration", 'write for example "30s", "1m30s" or "500ms"')
    parts = re.findall(_DURATION_PART, text, re.ASCII)
    total = sum(
        int(float(number) * _DURATION_UNITS[unit]) if "." in number else int(number) * _DURATION_UNITS[unit]
        for number, unit in parts
    )
    if total >= 2**63:
        raise refuse(value, option, "is too long")
    return total


def parse_seconds(value: t.Any, option: str) -> int:
    """Whole seconds from a number or a duration; a part of a second counts as one."""
    if re.fullmatch(r"\s*-.*", str(value)):
        raise refuse(value, option, "is less than 0", "give the seconds to wait, 0 to kill at once")
    return -(-parse_duration(value, option) // 10**9)


def parse_signal(value: t.Any, option: str) -> str:
    """`SIGTERM`, `SIGRTMIN+3` and so on from a name with or without `SIG`, in any case, or a number."""
    number = _signal_number(str(value).strip().upper())
    if number is None or isinstance(value, bool):
        raise refuse(
            value,
            option,
            "is not a signal",
            "write a name like SIGTERM or SIGRTMIN+3, or a number to 64",
        )
    if number >= _RT_FIRST:
        return f"SIGRTMIN+{number - _RT_FIRST}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def signal_number(name: str) -> int:
    """The number of a signal in normal form."""
    number = _signal_number(name)
    if number is None:
        raise refuse(name, "signal", "is not a signal")
    return number


def _signal_number(text: str) -> int | None:
    if re.fullmatch(r"\d{1,2}", text, re.ASCII):
        return int(text) if 1 <= int(text) <= _RT_LAST else None
    name = text[3:] if text.startswith("SIG") else text
    real_time = re.fullmatch(r"(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?", name, re.ASCII)
    if real_time:
        start = _RT_FIRST if real_time[1] == "RTMIN" else _RT_LAST
        number = start + int((real_time[2] or "+") + (real_time[3] or "0"))
        return number if _RT_FIRST <= number <= _RT_LAST else None
    known = signal.Signals.__members__.get("SIG" + name)
    return int(known) if known is not None else None


def parse_ulimits(value: t.Any, option: str) -> list[dict[str, t.Any]]:
    """`["nofile:1024:2048", "core=0"]` as `[{"name", "soft", "hard"}]` by name; -1 is unlimited."""
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list")
    by_name = {limit["name"]: limit for limit in [_ulimit(item, option) for item in value]}
    return [by_name[name] for name in sorted(by_name)]


_FEWEST_FILES = 64
"""The OCI runtime opens some 30 of its own, within the limit, before the program begins."""


def _ulimit(value: t.Any, option: str) -> dict[str, t.Any]:
    if isinstance(value, dict):
        value = f"{value['name']}:{value['soft']}:{value['hard']}"
    text = parse_text(value, option).replace(" ", "").lower()
    number = r"(\d{1,19}|-1|unlimited)"
    match = re.fullmatch(f"([a-z]+)[:=]{number}(?::{number})?", text, re.ASCII)
    if match is None or match[1] not in LIMIT_NAMES:
        known = ", ".join(LIMIT_NAMES)
        raise refuse(
            value, option, "is not a limit", f"write name:soft[:hard], -1 for unlimited; names: {known}"
        )
    numbers = [UNLIMITED if text in ("-1", "unlimited") else int(text) for text in match.groups()[1:] if text]
    soft, hard = numbers[0], numbers[-1]
    if hard != UNLIMITED and not 0 <= soft <= hard:
        raise refuse(value, option, "has a soft limit above the hard one")
    if match[1] == "nofile" and soft != UNLIMITED and soft < _FEWEST_FILES:
        raise refuse(
            value, option, "leaves too few files to start anything", f"give at least {_FEWEST_FILES}"
        )
    return {"name": match[1], "soft": soft, "hard": hard}


def parse_cpus(value: t.Any, option: str) -> float | None:
    """Processors with three decimals, at least 0.01 (the shortest quota is 1 ms); `0` is no limit."""
    text = "" if isinstance(value, bool) else str(value).strip()
    cpus = round(float(text), 3) if re.fullmatch(r"\d{1,6}(\.\d+)?", text, re.ASCII) else -1.0
    if cpus != 0 and cpus < 0.01:
        raise refuse(value, option, "is not a number of processors", "write for example 0.5 or 2")
    return cpus or None


def parse_cpu_period(value: t.Any, option: str) -> int | None:
    """Microseconds; `0` is the kernel's default (100 ms)."""
    if str(value).strip() == "0":
        return None
    return parse_integer(value, option, 1000, 1_000_000, "in microseconds; 0 means the default, 100000")


def parse_cpu_quota(value: t.Any, option: str) -> int | None:
    """Microseconds of processor time per period; `0` and `-1` are no limit."""
    if str(value).strip() in ("0", "-1"):
        return None
    return parse_integer(value, option, 1000, hint="in microseconds; 0 and -1 mean no limit")


def parse_cpu_shares(value: t.Any, option: str) -> int | None:
    """Relative weight, 1024 is everybody's; `0` is the default."""
    if str(value).strip() == "0":
        return None
    return parse_integer(value, option, 2, 262_144, "0 means the default, 1024")


def parse_cpuset(value: t.Any, option: str) -> str | None:
    """`3,0-1` as `0-1,3`: sorted, joined, no number twice."""
    text = parse_text(value, option).replace(" ", "")
    numbers: set[int] = set()
    for part in text.split(",") if text else []:
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part, re.ASCII)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise refuse(value, option, "is not a list of numbers", 'write for example "0-3,6"')
        numbers.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return ",".join(_ranges(sorted(numbers))) or None


def numbers_of(text: str) -> set[int]:
    """`0-1,3` of a normal form as numbers."""
    pairs = [part.partition("-") for part in text.split(",")]
    return {number for first, _dash, last in pairs for number in range(int(first), int(last or first) + 1)}


def _ranges(numbers: list[int]) -> t.Iterator[str]:
    start = 0
    for index, number in enumerate(numbers):
        if index + 1 == len(numbers) or numbers[index + 1] != number + 1:
            yield str(number) if start == index else f"{numbers[start]}-{number}"
            start = index + 1


def parse_pids_limit(value: t.Any, option: str) -> int:
    """Processes and threads at once; `0` and `-1` (Docker's two spellings) are unlimited: -1."""
    if str(value).strip() in ("0", "-1"):
        return UNLIMITED
    return parse_integer(value, option, 1, 2**22, "0 and -1 mean no limit")


def parse_memory_swappiness(value: t.Any, option: str) -> int | None:
    """How readily the kernel swaps, 0 to 100; `-1` is the host's own."""
    if str(value).strip() == "-1":
        return None
    return parse_integer(value, option, 0, 100, "-1 means as on the host")


def parse_blkio_weight(value: t.Any, option: str) -> int | None:
    """Relative weight of disk access; `0` is the default."""
    if str(value).strip() == "0":
        return None
    return parse_integer(value, option, 10, 1000, "0 means the default")


def parse_umask(value: t.Any, option: str) -> int:
    """`0022` in octal digits; a number is taken as YAML has read it, in which `0022` is 18."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777:
        return value
    text = parse_text(value, option)
    if not re.fullmatch("0?[0-7]{1,3}", text, re.ASCII):
        raise refuse(value, option, "is not a mask of permissions", 'write octal digits, for example "0027"')
    return int(text, 8)


def parse_oom_score_adj(value: t.Any, option: str) -> int:
    return parse_integer(value, option, -1000, 1000)


class RestartPolicy(t.NamedTuple):
    """`retries` is None where none were asked for (`on-failure` without a number tries for ever)."""

    name: str
    retries: int | None


def parse_restart_policy(value: t.Any, option: str) -> RestartPolicy:
    """`always`, `no` (YAML's `false` too), `unless-stopped`, `on-failure`, `on-failure:3`."""
    text = str(value).strip().lower()
    text = "no" if text == "false" else text
    name, colon, retries = text.partition(":")
    if name not in _RESTART_POLICIES or (colon and name != "on-failure"):
        raise refuse(
            value,
            option,
            "is not a restart policy",
            f"choose one of {', '.join(_RESTART_POLICIES)}",
        )
    return RestartPolicy(name, parse_restart_retries(retries, option) if colon else None)


def parse_restart_retries(value: t.Any, option: str) -> int | None:
    """`0` is no bound, as for Docker."""
    return parse_integer(value, option, 0, 2**31 - 1) or None


def parse_container_name(value: t.Any, option: str) -> str:
    text = parse_text(value, option)
    if not re.fullmatch(_NAME, text, re.ASCII):
        raise refuse(
            value,
            option,
            "is not a container name",
            "use up to 128 letters, digits, _ . -, no sign first",
        )
    return text


def parse_hostname(value: t.Any, option: str) -> str:
    """A host name of RFC 1123, at most 64 characters (the kernel's bound)."""
    text = parse_text(value, option)
    if len(text) > 64 or not all(re.fullmatch(_HOST_LABEL, label, re.ASCII) for label in text.split(".")):
        raise refuse(
            value,
            option,
            "is not a host name",
            "use letters, digits and -, parts joined by dots, 64 in all",
        )
    return text


def parse_user(value: t.Any, option: str) -> str:
    """`user`, `user:group`, `:group`, each a name or a number; numbers lose leading zeros and have to fit."""
    parts = parse_text(value, option).split(":")
    if len(parts) > 2 or not any(parts):
        raise refuse(value, option, "is not a user", "write user or user:group")
    user, group = parts[0] or "0", parts[1] if len(parts) == 2 else ""
    return ":".join(_account(part, value, option) for part in (user, group) if part)


def parse_groups(value: t.Any, option: str) -> list[str]:
    """Names and numbers of additional groups, sorted, none twice."""
    return sorted({_account(text, text, option) for text in parse_texts(value, option)})


def _account(text: str, value: t.Any, option: str) -> str:
    if re.fullmatch(r"\d+", text, re.ASCII):
        if len(text) > 20 or int(text) > LARGEST_ID:
            raise refuse(value, option, f"is not an id between 0 and {LARGEST_ID}")
        return str(int(text))
    if not re.fullmatch(_ACCOUNT, text, re.ASCII) or len(text) > 256:
        raise refuse(value, option, "is not the name of a user or group")
    return text


def parse_runtime(value: t.Any, option: str) -> str:
    """A program name (`crun`, `runc`) or an absolute path."""
    text = parse_text(value, option)
    if not (re.fullmatch(_NAME, text, re.ASCII) or (text.startswith("/") and ".." not in text.split("/"))):
        raise refuse(value, option, "is not a runtime", "write crun, runc or an absolute path")
    return text


def parse_boolean(value: t.Any, option: str) -> bool:
    if not isinstance(value, bool):
        raise refuse(value, option, "is neither true nor false")
    return value


def parse_texts(value: t.Any, option: str) -> list[str]:
    """A list of one-line texts, in order."""
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list")
    return [parse_text(item, option) for item in value]


def parse_command(value: t.Any, option: str) -> list[str] | None:
    """Arguments from a list, or from text split as a shell would; none mean the image's, as for Docker."""
    return parse_arguments(value, option) or None


def parse_entrypoint(value: t.Any, option: str) -> list[str]:
    """As a command, but `[]` (and Docker's `[""]`) is a wish too: run without the image's entrypoint."""
    arguments = parse_arguments(value, option)
    return [] if arguments == [""] else arguments


def parse_arguments(value: t.Any, option: str) -> list[str]:
    if isinstance(value, str):
        import shlex

        try:
            return shlex.split(value)
        except ValueError as error:
            raise refuse(value, option, f"cannot be split into arguments: {error}", "write a list") from error
    if not isinstance(value, (list, tuple)):
        raise refuse(value, option, "is not a list of arguments")
    for item in value:
        if isinstance(item, bool) or not isinstance(item, (str, int, float)):
            raise refuse(item, option, f"is {kind_of(item)}, not text", "quote it")
        if cannot_be_passed(str(item)):
            raise refuse(item, option, "contains a NUL byte or is not UTF-8")
    return [str(item) for item in value]
