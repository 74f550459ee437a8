# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What `ps` says about processes, read from /proc. Column names and headings are those of ps(1).

Nothing that a process wrote about itself is believed: its command line is text, cleared of control
characters. Source: proc(5), ps(1) "Standard format specifiers", proc_pid_stat(5).
"""

from __future__ import annotations

import functools
import os
import time
import typing as t

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LONGEST = 1 << 20  # bytes of a command line that we look at


class Process(t.NamedTuple):
    """`fields` are those of /proc/<pid>/stat after the name; `status` is /proc/<pid>/status by key."""

    pid: int
    name: str
    fields: tuple[str, ...]
    status: dict[str, str]
    command: str
    now: float
    """Seconds after boot, when this was read."""

    def number(self, field: int) -> int:
        """By the number that proc_pid_stat(5) gives a field."""
        return int(self.fields[field - 3])

    @property
    def cpu_seconds(self) -> float:
        return (self.number(14) + self.number(15)) / _TICKS

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return max(0.0, self.now - self.number(22) / _TICKS)

    def id(self, key: str, which: int) -> int:
        """Of the four user or group ids: 0 real, 1 effective."""
        return int(self.status.get(key, "0 0 0 0").split()[which])


def read_process(pid: int) -> Process | None:
    """None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read().decode("utf-8", "replace")
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(_LONGEST).rstrip(b"\0").decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    name = _printable(stat[stat.index("(") + 1 : stat.rindex(")")])
    fields = tuple(stat[stat.rindex(")") + 1 :].split())
    status = {key: value.strip() for key, _colon, value in (line.partition(":") for line in lines)}
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Process(pid, name, fields, status, _command(words, name, fields[0]), now)


def _command(words: str, name: str, state: str) -> str:
    if state in ("Z", "X"):
        return f"[{name}] <defunct>"
    return _printable(words.replace("\0", " ")) if words else f"[{name}]"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


# Columns


class Column(t.NamedTuple):
    heading: str
    value: t.Callable[[Process], str]


def find_column(name: str) -> Column | None:
    """By a name that ps(1) knows, in any spelling it has."""
    canonical = _SPELLINGS.get(name.lower(), name.lower())
    return COLUMNS.get(canonical)


def _user(process: Process, which: int) -> str:
    import pwd

    uid = process.id("Uid", which)
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(process: Process, which: int) -> str:
    import grp

    gid = process.id("Gid", which)
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _terminal(process: Process) -> str:
    """Source: Documentation/admin-guide/devices.txt; 136 to 143 are pseudo terminals."""
    device = process.number(7)
    major, minor = os.major(device), os.minor(device)
    if device == 0:
        return "?"
    if 136 <= major <= 143:
        return f"pts/{(major - 136) * 256 + minor}"
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return "console" if (major, minor) == (5, 1) else f"{major}:{minor}"


def _clock(process: Process) -> str:
    """`[DD-]hh:mm:ss`"""
    days, seconds = divmod(int(process.cpu_seconds), 86400)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{days:02d}-{text}" if days else text


def _short_clock(process: Process) -> str:
    minutes, seconds = divmod(int(process.cpu_seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _elapsed(process: Process) -> str:
    """`[[DD-]hh:]mm:ss`"""
    days, seconds = divmod(int(process.age), 86400)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if days:
        return f"{days:02d}-{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _start(process: Process) -> str:
    """The time of a process that began today, the day of one that began this year, else the year."""
    began, today = _began(process), time.localtime()
    if began.tm_year != today.tm_year:
        return str(began.tm_year)
    if began.tm_yday != today.tm_yday:
        return f"{_MONTHS[began.tm_mon - 1]}{began.tm_mday:02d}"
    return f"{began.tm_hour:02d}:{began.tm_min:02d}"


def _long_start(process: Process) -> str:
    began = _began(process)
    clock = f"{began.tm_hour:02d}:{began.tm_min:02d}:{began.tm_sec:02d}"
    return f"{_DAYS[began.tm_wday]} {_MONTHS[began.tm_mon - 1]} {began.tm_mday:>2} {clock} {began.tm_year}"


def _began(process: Process) -> time.struct_time:
    return time.localtime(_boot_time() + process.number(22) // _TICKS)


@functools.cache
def _boot_time() -> int:
    """Seconds since 1970. Source: proc_stat(5), `btime`."""
    with open("/proc/stat", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("btime ")), 0)


def _share(process: Process) -> float:
    """Of one processor, in percent, since it began."""
    return 100 * process.cpu_seconds / process.age if process.age else 0.0


def _memory_share(process: Process) -> str:
    return f"{100 * process.number(24) / os.sysconf('SC_PHYS_PAGES'):.1f}"


def _long_state(process: Process) -> str:
    """As ps(1), "Process state codes"."""
    nice = process.number(19)
    marks = "<" if nice < 0 else "N" if nice > 0 else ""
    marks += "L" if process.status.get("VmLck", "0 kB").split()[0] != "0" else ""
    marks += "s" if process.number(6) == process.pid else ""
    marks += "l" if process.number(20) > 1 else ""
    marks += "+" if process.number(8) == process.number(5) else ""
    return process.fields[0] + marks


COLUMNS: dict[str, Column] = {
    "pid": Column("PID", lambda process: str(process.pid)),
    "ppid": Column("PPID", lambda process: str(process.number(4))),
    "pgid": Column("PGID", lambda process: str(process.number(5))),
    "sid": Column("SID", lambda process: str(process.number(6))),
    "nspid": Column("NSPID", lambda process: process.status.get("NSpid", "0").split()[-1]),
    "user": Column("USER", lambda process: _user(process, 1)),
    "ruser": Column("RUSER", lambda process: _user(process, 0)),
    "uid": Column("UID", lambda process: str(process.id("Uid", 1))),
    "ruid": Column("RUID", lambda process: str(process.id("Uid", 0))),
    "group": Column("GROUP", lambda process: _group(process, 1)),
    "rgroup": Column("RGROUP", lambda process: _group(process, 0)),
    "gid": Column("GID", lambda process: str(process.id("Gid", 1))),
    "rgid": Column("RGID", lambda process: str(process.id("Gid", 0))),
    "c": Column("C", lambda process: str(min(99, int(_share(process))))),
    "pcpu": Column("%CPU", lambda process: f"{_share(process):.1f}"),
    "pmem": Column("%MEM", _memory_share),
    "time": Column("TIME", _clock),
    "bsdtime": Column("TIME", _short_clock),
    "etime": Column("ELAPSED", _elapsed),
    "etimes": Column("ELAPSED", lambda process: str(int(process.age))),
    "stime": Column("STIME", _start),
    "start": Column("START", _start),
    "lstart": Column("STARTED", _long_start),
    "tname": Column("TTY", _terminal),
    "tty": Column("TT", _terminal),
    "s": Column("S", lambda process: process.fields[0]),
    "stat": Column("STAT", _long_state),
    "ni": Column("NI", lambda process: str(process.number(19))),
    "pri": Column("PRI", lambda process: str(39 - process.number(18))),
    "vsz": Column("VSZ", lambda process: str(process.number(23) // 1024)),
    "rss": Column("RSS", lambda process: str(process.number(24) * _PAGE // 1024)),
    "nlwp": Column("NLWP", lambda process: str(process.number(20))),
    "psr": Column("PSR", lambda process: str(process.number(39))),
    "comm": Column("COMMAND", lambda process: process.name),
    "args": Column("COMMAND", lambda process: process.command),
    "cmd": Column("CMD", lambda process: process.command),
}
_SPELLINGS = {
    "pgrp": "pgid", "sess": "sid", "session": "sid", "euser": "user", "uname": "user", "euid": "uid",
    "egroup": "group", "egid": "gid", "%cpu": "pcpu", "%mem": "pmem", "cputime": "time", "atime": "time",
    "start_time": "stime", "bsdstart": "start", "tt": "tty", "state": "s", "nice": "ni", "vsize": "vsz",
    "rssize": "rss", "rsz": "rss", "thcount": "nlwp", "ucmd": "comm", "ucomm": "comm", "command": "args",
}  # fmt: skip
