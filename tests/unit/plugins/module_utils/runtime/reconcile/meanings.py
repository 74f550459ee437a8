# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What each option can mean, and the ways in which people may write it."""

from __future__ import annotations

import ipaddress
import shlex
import typing as t

from hypothesis import strategies as st

Draw = t.Callable[[st.SearchStrategy[t.Any]], t.Any]


class Meaning(t.NamedTuple):
    """`values` can be hashed, and each means something else. `spell` writes one down in a way it draws."""

    values: st.SearchStrategy[t.Any]
    spell: t.Callable[[Draw, t.Any], t.Any]


def one_of(draw: Draw, *spellings: t.Any) -> t.Any:
    return draw(st.sampled_from(spellings))


def shuffled(draw: Draw, items: t.Iterable[t.Any]) -> list[t.Any]:
    return list(draw(st.permutations(list(items))))


def doubled(draw: Draw, items: t.Iterable[t.Any]) -> list[t.Any]:
    """In any order, and one of them twice."""
    every = list(items)
    return shuffled(draw, [*every, *([draw(st.sampled_from(every))] if every else [])])


def plain(values: t.Iterable[t.Any]) -> Meaning:
    """There is one way to write it."""
    return Meaning(st.sampled_from(list(values)), lambda draw, value: value)


def number(low: int, high: int) -> Meaning:
    return Meaning(
        st.integers(low, high), lambda draw, value: one_of(draw, value, str(value), f" {value} ", f"0{value}")
    )


def _spell_size(draw: Draw, value: int) -> t.Any:
    spellings = [value, str(value), f"{value}b", f"{value} B"]
    for unit, scale in (("k", 1024), ("m", 1024**2), ("g", 1024**3)):
        if value % scale == 0:
            count = value // scale
            spellings += [f"{count}{unit}", f"{count}{unit.upper()}iB", f"{count} {unit}b"]
    return one_of(draw, *spellings)


def size(least: int) -> Meaning:
    mebibytes = st.integers(-(-least // 1024**2), 4096).map(lambda count: count * 1024**2)
    return Meaning(mebibytes | st.integers(least, 2**40), _spell_size)


def _spell_seconds(draw: Draw, value: int) -> t.Any:
    minutes, seconds = divmod(value, 60)
    return one_of(draw, value, str(value), f"{value}s", f"{minutes}m{seconds}s", f"{value * 1000}ms")


SECONDS = Meaning(st.integers(0, 100_000), _spell_seconds)
BOOLEAN = plain([True, False])
WORDS = st.text("abcdefgh", min_size=1, max_size=4)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)


def pairs(keys: st.SearchStrategy[str], values: st.SearchStrategy[t.Any], least: int = 0) -> t.Any:
    """Dictionaries, as tuples that can be hashed and compared."""
    return st.dictionaries(keys, values, min_size=least, max_size=3).map(
        lambda some: tuple(sorted(some.items()))
    )


TEXT_MAP = Meaning(pairs(WORDS, TEXTS), lambda draw, value: dict(shuffled(draw, value)))


def _spell_command(draw: Draw, value: tuple[str, ...]) -> t.Any:
    return one_of(draw, list(value), shlex.join(value))


COMMAND = Meaning(st.lists(TEXTS.filter(bool), min_size=1, max_size=3).map(tuple), _spell_command)


def sets(items: st.SearchStrategy[t.Any], spell: t.Callable[[Draw, t.Any], t.Any], least: int = 0) -> Meaning:
    every = st.frozensets(items, min_size=least, max_size=3)
    return Meaning(every, lambda draw, value: doubled(draw, [spell(draw, item) for item in sorted(value)]))


def _spell_capability(draw: Draw, name: str) -> str:
    return str(one_of(draw, name, name.lower(), f"CAP_{name}", f"cap_{name.lower()}"))


CAPABILITIES = sets(st.sampled_from(["CHOWN", "KILL", "NET_ADMIN", "SYS_TIME"]), _spell_capability)


def _spell_account(draw: Draw, value: str) -> str:
    return f"00{value}" if value.isdigit() and draw(st.booleans()) else value


ACCOUNTS = WORDS | st.integers(0, 2**31 - 1).map(str)


def _spell_user(draw: Draw, value: tuple[str, str]) -> str:
    user, group = (_spell_account(draw, part) for part in value)
    return f"{user}:{group}" if group else user


USER = Meaning(st.tuples(ACCOUNTS, ACCOUNTS | st.just("")), _spell_user)


def _spell_path(draw: Draw, path: str) -> str:
    return path.replace("/", str(one_of(draw, "/", "//", "/./"))) + str(one_of(draw, "", "/"))


PATHS = st.lists(WORDS, min_size=1, max_size=2).map(lambda steps: "/" + "/".join(steps))
PATH = Meaning(PATHS, _spell_path)


def _spell_volumes(draw: Draw, value: t.Any) -> list[str]:
    written = []
    for target, (source, read_only) in value:
        source = _spell_path(draw, source) if source.startswith("/") else source
        mode = ":ro" if read_only else one_of(draw, "", ":rw")
        written.append(f"{source}:{_spell_path(draw, target)}{mode}")
    return shuffled(draw, written)


def _spell_mounts(draw: Draw, value: t.Any) -> list[dict[str, t.Any]]:
    written = []
    for target, (source, read_only) in value:
        item = {"target": _spell_path(draw, target), "source": source}
        item |= {"type": "bind"} if source.startswith("/") else one_of(draw, {}, {"type": "volume"})
        item |= {"read_only": True} if read_only else one_of(draw, {}, {"read_only": False})
        written.append(item)
    return shuffled(draw, written)


_STORAGE = pairs(PATHS, st.tuples(WORDS.map(lambda name: f"v{name}") | PATHS, st.booleans()))
VOLUMES, MOUNTS = Meaning(_STORAGE, _spell_volumes), Meaning(_STORAGE, _spell_mounts)


def _spell_tmpfs(draw: Draw, value: t.Any) -> list[str]:
    return shuffled(
        draw, [f"{_spell_path(draw, target)}:size={one_of(draw, f'{k}k', k * 1024)}" for target, k in value]
    )


TMPFS = Meaning(pairs(PATHS, st.integers(4, 9999)), _spell_tmpfs)


def _spell_devices(draw: Draw, value: t.Any) -> list[str]:
    written = []
    for path, (host, rights) in value:
        spelled = "".join(shuffled(draw, rights))
        short = [host] if host == path and len(rights) == 3 else []
        written.append(one_of(draw, f"{host}:{path}:{spelled}", *short))
    return shuffled(draw, written)


_DEVICE_PATHS = WORDS.map(lambda name: f"/dev/x{name}")
_RIGHTS = st.frozensets(st.sampled_from("rwm"), min_size=1).map(lambda some: "".join(sorted(some)))
DEVICES = Meaning(pairs(_DEVICE_PATHS, st.tuples(_DEVICE_PATHS, _RIGHTS)), _spell_devices)


def rates(rate: Meaning) -> Meaning:
    def spell(draw: Draw, value: t.Any) -> list[dict[str, t.Any]]:
        return shuffled(draw, [{"path": path, "rate": rate.spell(draw, each)} for path, each in value])

    return Meaning(pairs(_DEVICE_PATHS, rate.values), spell)


def _spell_ulimits(draw: Draw, value: t.Any) -> list[str]:
    def written(number: int) -> str:
        return str(one_of(draw, "-1", "unlimited") if number < 0 else number)

    limits = []
    for name, (soft, hard) in value:
        sign = one_of(draw, ":", "=")
        whole = f"{name}{sign}{written(soft)}:{written(hard)}"
        limits.append(one_of(draw, whole, *([f"{name}{sign}{written(soft)}"] if soft == hard else [])))
    return shuffled(draw, limits)


_LIMITS = st.tuples(st.integers(64, 9999), st.integers(64, 9999)).map(lambda two: (min(two), max(two)))
ULIMITS = Meaning(
    pairs(st.sampled_from(["core", "nofile", "nproc"]), _LIMITS | st.just((-1, -1)) | st.just((70, -1))),
    _spell_ulimits,
)


def _spell_cpuset(draw: Draw, value: frozenset[int]) -> str:
    return ",".join(
        str(one_of(draw, number, f"{number}-{number}")) for number in doubled(draw, sorted(value))
    )


CPUSET = Meaning(st.frozensets(st.integers(0, 40), min_size=1, max_size=6), _spell_cpuset)
CPUS = Meaning(st.integers(10, 64_000), lambda draw, value: one_of(draw, value / 1000, f"{value / 1000:.3f}"))
UMASK = Meaning(
    st.integers(0, 0o777), lambda draw, value: one_of(draw, value, f"{value:03o}", f"0{value:03o}")
)


def _spell_signal(draw: Draw, value: tuple[str, int]) -> t.Any:
    name, code = value
    return one_of(draw, name, name[3:], name.lower(), name[3:].lower(), code, str(code))


SIGNAL = Meaning(
    st.sampled_from([("SIGTERM", 15), ("SIGHUP", 1), ("SIGINT", 2), ("SIGRTMIN+3", 37)]), _spell_signal
)


def _spell_address(draw: Draw, value: str) -> str:
    address = ipaddress.ip_address(value)
    return str(one_of(draw, str(address), address.exploded, address.exploded.upper()))


ADDRESSES = (st.ip_addresses(network="192.0.2.0/24") | st.ip_addresses(network="2001:db8::/32")).map(str)


def _spell_ports(draw: Draw, value: t.Any) -> list[str]:
    written = []
    for (port, protocol), host in value:
        suffix = "/udp" if protocol == "udp" else one_of(draw, "", "/tcp", "/TCP")
        written.append((f"{host}:" if host else "") + f"{port}{suffix}")
    return doubled(draw, written)


_PORTS = st.tuples(st.integers(1, 65535), st.sampled_from(["tcp", "udp"]))
PUBLISHED = Meaning(
    st.dictionaries(_PORTS, st.integers(0, 65535), max_size=3).map(lambda some: tuple(sorted(some.items()))),
    _spell_ports,
)
EXPOSED = sets(_PORTS, lambda draw, value: _spell_ports(draw, [(value, 0)])[0])


def _spell_mac(draw: Draw, value: str) -> str:
    parts = value.split(":")
    dotted = ".".join("".join(parts[place : place + 2]) for place in (0, 2, 4))
    return str(one_of(draw, value, value.upper(), value.replace(":", "-"), dotted))


MAC = Meaning(
    st.integers(0, 2**32 - 1).map(
        lambda some: ":".join(f"{byte:02x}" for byte in (2, 66, *some.to_bytes(4, "big")))
    ),
    _spell_mac,
)


def _spell_networks(draw: Draw, value: t.Any) -> list[dict[str, t.Any]]:
    written = []
    for name, aliases in value:
        item: dict[str, t.Any] = {"name": name}
        if aliases:
            item["aliases"] = [one_of(draw, alias, alias.upper()) for alias in doubled(draw, sorted(aliases))]
        else:
            item |= one_of(draw, {}, {"aliases": []})
        written.append(item)
    return written


NETWORKS = Meaning(
    st.lists(
        st.tuples(WORDS, st.frozensets(WORDS, max_size=2)), max_size=3, unique_by=lambda item: item[0]
    ).map(tuple),
    _spell_networks,
)


def _spell_check(draw: Draw, value: t.Any) -> dict[str, t.Any]:
    command, interval, retries = value
    return {
        "test": one_of(draw, command, ["CMD-SHELL", command]),
        "interval": _spell_seconds(draw, interval),
        "retries": one_of(draw, retries, str(retries)),
    }


HEALTHCHECK = Meaning(st.tuples(WORDS, st.integers(1, 999), st.integers(1, 99)), _spell_check)


def _spell_secrets(draw: Draw, value: t.Any) -> list[dict[str, t.Any]]:
    import base64

    written = []
    for name, text in value:
        content = base64.b64encode(text.encode()).decode()
        written.append({"name": name, **one_of(draw, {"value": text}, {"content": content})})
    return shuffled(draw, written)


SECRETS = Meaning(pairs(WORDS, TEXTS.filter(bool)), _spell_secrets)

SWITCHES = (
    "auto_remove",
    "init",
    "interactive",
    "networks_cli_compatible",
    "oom_killer",
    "privileged",
    "publish_all_ports",
    "read_only",
    "tty",
)

MEANINGS: dict[str, Meaning] = {
    **dict.fromkeys(SWITCHES, BOOLEAN),
    "command": COMMAND,
    "entrypoint": COMMAND,
    "env": TEXT_MAP,
    "labels": TEXT_MAP,
    "annotations": TEXT_MAP,
    "working_dir": PATH,
    "user": USER,
    "groups": sets(ACCOUNTS, _spell_account),
    "hostname": plain(["web", "db", "web.example"]),
    "stop_signal": SIGNAL,
    "stop_timeout": SECONDS,
    "volumes": VOLUMES,
    "mounts": MOUNTS,
    "volumes_from": plain([("a",), ("a:ro",), ("a", "b"), ("b", "a")]),
    "tmpfs": TMPFS,
    "shm_size": size(1),
    "memory": size(6 * 1024**2),
    "memory_swap": size(1),
    "memory_reservation": size(6 * 1024**2),
    "cpus": CPUS,
    "cpu_period": number(1000, 1_000_000),
    "cpu_quota": number(1000, 10**9),
    "cpu_shares": number(2, 262_144),
    "cpuset_cpus": CPUSET,
    "cpuset_mems": CPUSET,
    "pids_limit": number(1, 2**22),
    "memory_swappiness": number(0, 100),
    "blkio_weight": number(10, 1000),
    "device_read_bps": rates(size(1)),
    "device_write_bps": rates(size(1)),
    "device_read_iops": rates(number(1, 10**6)),
    "device_write_iops": rates(number(1, 10**6)),
    "ulimits": ULIMITS,
    "oom_score_adj": number(0, 1000),
    "capabilities": CAPABILITIES,
    "cap_drop": CAPABILITIES,
    "security_opts": plain([("no-new-privileges",), ("seccomp=unconfined",), ("label=disable",)]),
    "devices": DEVICES,
    "device_requests": plain(
        [
            ({"driver": "nvidia", "count": 2},),
            ({"driver": "cdi", "device_ids": ["a.com/b=1"]},),
            ({"driver": "nvidia", "count": -1},),
        ]
    ),
    "device_cgroup_rules": plain([("c 1:* rwm",), ("c 1:2 r", "b *:* m"), ("b *:* m", "c 1:2 r")]),
    "umask": UMASK,
    "cgroupns_mode": plain(["private", "host"]),
    "ipc_mode": plain(["none", "host", "shareable", "container:a"]),
    "pid_mode": plain(["host", "container:a", "container:b"]),
    "uts": plain(["host", ""]),
    "timezone": plain(["Europe/Berlin", "local", "UTC"]),
    "healthcheck": HEALTHCHECK,
    "network_mode": plain(["host", "none", "container:a", "web"]),
    "networks": NETWORKS,
    "mac_address": MAC,
    "published_ports": PUBLISHED,
    "exposed_ports": EXPOSED,
    "default_host_ip": Meaning(ADDRESSES, _spell_address),
    "domainname": Meaning(
        st.sampled_from(["example.com", "example.org"]), lambda draw, value: value + one_of(draw, "", ".")
    ),
    "dns_servers": Meaning(
        st.lists(ADDRESSES, max_size=3, unique=True).map(tuple),
        lambda draw, value: [_spell_address(draw, each) for each in value],
    ),
    "dns_search_domains": Meaning(
        st.lists(WORDS, max_size=3, unique=True).map(tuple),
        lambda draw, value: [one_of(draw, each, each.upper(), f"{each}.") for each in value],
    ),
    "dns_opts": sets(st.sampled_from(["rotate", "ndots:2", "ndots:3"]), lambda draw, value: value),
    "etc_hosts": Meaning(
        pairs(WORDS, ADDRESSES),
        lambda draw, value: {
            one_of(draw, name, name.upper()): _spell_address(draw, address)
            for name, address in shuffled(draw, value)
        },
    ),
    "sysctls": Meaning(
        pairs(WORDS.map(lambda name: f"net.{name}"), st.integers(0, 999)),
        lambda draw, value: {name: one_of(draw, each, str(each)) for name, each in shuffled(draw, value)},
    ),
    "runtime": plain(["crun", "runc", "/opt/runc"]),
    "log_driver": plain(["none", "journald", "k8s-file"]),
    "log_options": Meaning(
        st.integers(1, 999).map(lambda count: count * 1024**2),
        lambda draw, value: {
            "max-size": one_of(draw, str(value), f"{value // 1024}k", f"{value // 1024**2}m")
        },
    ),
    "secrets": SECRETS,
    "requires": sets(WORDS, lambda draw, value: value),
    "restart_policy": plain(["no", "always", "unless-stopped", "on-failure"]),
    "restart_retries": number(1, 2**31 - 1),
}
