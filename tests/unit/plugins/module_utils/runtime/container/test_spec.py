# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import (
    spec_mounts,
    spec_process,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.effective import effective
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.host_facts import HostFacts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_values import (
    parse_tmpfs,
    parse_volumes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.seccomp import Machine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.security_values import (
    CAPABILITIES,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.spec import build_spec
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.storage_values import (
    parse_mounts,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.users import ResolvedUser
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import (
    CoracleError,
    HostNotReady,
    IntegrityError,
    InvalidInput,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.paths import Paths

ID = "c0" * 32
PATHS = Paths("/var/lib/coracle", "/run/coracle")
ROOT = ResolvedUser(0, 0, [0], "/root")
HOST = HostFacts(
    machine=Machine("x86_64", (6, 1)),
    cgroup_mode="v2",
    controllers=frozenset({"cpu", "cpuset", "memory", "pids"}),
    limits_swap=True,
    bounding=frozenset(CAPABILITIES),
    largest_limits={"nofile": 1048576},
    side_channels=("/sys/devices/system/cpu/cpu0/thermal_throttle",),
)


def specification(
    host: HostFacts = HOST, image: ImageConfig | None = None, user: ResolvedUser = ROOT, **options: t.Any
) -> dict[str, t.Any]:
    config = ContainerConfig(**{"command": ["sh"], **options})
    whole = effective(config, image or ImageConfig(), ID)
    return build_spec(ID, config, whole, user, PATHS, host)


def mounts_of(document: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {mount["destination"]: mount for mount in document["mounts"]}


def test_the_whole_of_a_plain_container() -> None:
    document = specification()
    assert json.loads(json.dumps(document)) == document
    assert sorted(document) == ["hostname", "linux", "mounts", "ociVersion", "process", "root"]
    assert document["ociVersion"] == "1.0.2"
    assert document["hostname"] == "c0c0c0c0c0c0"
    assert document["root"] == {"path": f"/var/lib/coracle/containers/{ID}/rootfs", "readonly": False}
    process = document["process"]
    assert {
        key: process[key]
        for key in ("terminal", "args", "cwd", "noNewPrivileges", "oomScoreAdj", "user", "env")
    } == {
        "terminal": False,
        "args": ["sh"],
        "cwd": "/",
        "noNewPrivileges": False,
        "oomScoreAdj": 0,
        "user": {"uid": 0, "gid": 0, "additionalGids": [0], "umask": 18},
        "env": [
            "HOME=/root",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME=c0c0c0c0c0c0",
        ],
    }
    linux = document["linux"]
    assert linux["cgroupsPath"] == f"/coracle/{ID}"
    assert linux["namespaces"] == [
        {"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup", "network")
    ]
    assert linux["rootfsPropagation"] == "rprivate"
    assert linux["sysctl"] == {"net.ipv4.ping_group_range": "0 0"}
    assert linux["resources"]["pids"] == {"limit": 2048}
    assert sorted(linux["resources"]) == ["devices", "pids"]
    assert linux["readonlyPaths"] == [
        "/proc/bus",
        "/proc/fs",
        "/proc/irq",
        "/proc/sys",
        "/proc/sysrq-trigger",
    ]
    assert {"/proc/kcore", "/sys/firmware", *HOST.side_channels} <= set(linux["maskedPaths"])
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"


def test_the_mounts_of_a_plain_container() -> None:
    mounts = specification()["mounts"]
    assert [mount["destination"] for mount in mounts] == [
        "/dev",
        "/proc",
        "/sys",
        "/dev/mqueue",
        "/dev/pts",
        "/dev/shm",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/sys/fs/cgroup",
    ]
    by_target = {mount["destination"]: mount for mount in mounts}
    assert by_target["/dev"]["type"] == "tmpfs"
    assert "ro" in by_target["/sys"]["options"]
    assert "ro" in by_target["/sys/fs/cgroup"]["options"]
    assert f"size={64 * 1024**2}" in by_target["/dev/shm"]["options"]
    assert by_target["/etc/hosts"]["source"] == f"/var/lib/coracle/containers/{ID}/hosts"


def test_parents_are_mounted_before_children() -> None:
    mounts = specification(
        volumes=parse_volumes(["/b:/a/b/c", "/a:/a", "data:/a/b", "/etc:/etc"], "volumes"),
        tmpfs={"/a/b/c/d": ""},
    )["mounts"]
    places = [mount["destination"] for mount in mounts]
    for index, place in enumerate(places):
        assert not [later for later in places[index:] if place.startswith(later + "/")]


def test_nothing_of_the_image_becomes_an_order_to_the_runtime() -> None:
    labels = {"run.oci.handler": "krun", "run.oci.systemd.x": "1", "module.wasm.image/variant": "compat"}
    document = specification(image=ImageConfig(labels=labels))
    assert "annotations" not in document
    assert "hooks" not in document
    assert not [label for label in labels if label in json.dumps(document)]


def test_host_network_and_old_control_groups() -> None:
    document = specification(HOST._replace(cgroup_mode="hybrid"), network_mode="host")
    assert document["linux"]["namespaces"] == [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
    assert "sysctl" not in document["linux"]
    config = ContainerConfig(command=["x"])
    whole = effective(config, ImageConfig(), ID)
    ready = build_spec(ID, config, whole, ROOT, PATHS, HOST, "/run/coracle/netns/x")
    assert ready["linux"]["namespaces"][-1] == {"type": "network", "path": "/run/coracle/netns/x"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"network_mode": "none"}, {"net.ipv4.ping_group_range": "0 0"}),
        ({"network_mode": "web", "sysctls": {"net.ipv4.ping_group_range": "1 0", "kernel.sem": "1"}},
         {"net.ipv4.ping_group_range": "1 0", "kernel.sem": "1"}),
        ({"network_mode": "host", "domainname": "example.com"}, {"kernel.domainname": "example.com"}),
        ({"network_mode": "container:web", "domainname": "a.b"}, {"kernel.domainname": "a.b"}),
        ({"network_mode": "ns:/run/netns/x", "sysctls": {"kernel.sem": "1"}}, {"kernel.sem": "1"}),
    ],
)  # fmt: skip
def test_kernel_parameters(options: dict[str, t.Any], expected: dict[str, str]) -> None:
    assert specification(**options)["linux"]["sysctl"] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"memory": 100}, {"memory": {"limit": 100, "swap": 200}}),
        ({"memory": 100, "memory_swap": -1}, {"memory": {"limit": 100, "swap": -1}}),
        (
            {"memory": 100, "memory_swap": 100, "memory_reservation": 50},
            {"memory": {"limit": 100, "swap": 100, "reservation": 50}},
        ),
        ({"memory_reservation": 50}, {"memory": {"reservation": 50}}),
        ({"cpus": 1.5}, {"cpu": {"quota": 150000, "period": 100000}}),
        (
            {"cpu_quota": 5000, "cpu_period": 10000, "cpu_shares": 512},
            {"cpu": {"quota": 5000, "period": 10000, "shares": 512}},
        ),
        ({"cpuset_cpus": "0-1", "cpuset_mems": "0"}, {"cpu": {"cpus": "0-1", "mems": "0"}}),
        ({"pids_limit": 5}, {"pids": {"limit": 5}}),
    ],
)
def test_limits(options: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    resources = specification(**options)["linux"]["resources"]
    assert {
        key: value for key, value in resources.items() if key not in ("devices", *({"pids"} - set(expected)))
    } == expected


def test_no_pids_limit() -> None:
    assert "pids" not in specification(pids_limit=-1)["linux"]["resources"]
    assert "pids" not in specification(HOST._replace(controllers=frozenset()))["linux"]["resources"]


@pytest.mark.parametrize(
    ("options", "controller"),
    [
        ({"memory": 100}, "memory"),
        ({"cpus": 1}, "cpu"),
        ({"cpuset_cpus": "0"}, "cpuset"),
        ({"pids_limit": 5}, "pids"),
    ],
)
def test_limits_need_their_controller(options: dict[str, t.Any], controller: str) -> None:
    with pytest.raises(HostNotReady, match=f"^the {controller} controller is not enabled on this host"):
        specification(HOST._replace(controllers=HOST.controllers - {controller}), **options)


def test_a_weight_needs_a_scheduler_that_knows_it() -> None:
    host = HOST._replace(controllers=HOST.controllers | {"io"})
    assert specification(host, blkio_weight=100)["linux"]["resources"]["blockIO"] == {"weight": 100}
    with pytest.raises(HostNotReady, match="blkio_weight: the disks of this host have no scheduler"):
        specification(host._replace(weighs_disks=False), blkio_weight=100)


def test_swap_needs_a_kernel_that_counts_it() -> None:
    host = HOST._replace(limits_swap=False)
    assert specification(host, memory=100)["linux"]["resources"]["memory"] == {"limit": 100}
    with pytest.raises(HostNotReady, match=r"^memory_swap: "):
        specification(host, memory=100, memory_swap=100)


def rlimits(document: dict[str, t.Any]) -> dict[str, tuple[int, int]]:
    return {
        limit["type"][7:].lower(): (limit["soft"], limit["hard"]) for limit in document["process"]["rlimits"]
    }


def test_every_rlimit_is_written_down() -> None:
    limits = rlimits(specification())
    assert limits["core"] == (0, 0)
    assert limits["nofile"] == (1048576, 1048576)
    assert limits["nproc"] == (2**64 - 1, 2**64 - 1)
    assert set(spec_process.LIMIT_NAMES) - set(limits) == {
        "sigpending"
    }  # counted per user, half of the host's memory


def test_rlimits_that_were_asked_for() -> None:
    asked = [{"name": "nofile", "soft": 10, "hard": 20}, {"name": "core", "soft": -1, "hard": -1}]
    limits = rlimits(specification(ulimits=asked))
    assert (limits["nofile"], limits["core"]) == ((10, 20), (2**64 - 1, 2**64 - 1))


def test_rlimits_within_what_the_host_gives() -> None:
    host = HOST._replace(largest_limits={"nofile": 20000, "stack": 4096})
    limits = rlimits(specification(host))
    assert (limits["nofile"], limits["stack"]) == ((20000, 20000), (4096, 4096))
    with pytest.raises(HostNotReady, match=r"^ulimits: this host gives at most nofile=20000"):
        specification(host, ulimits=[{"name": "nofile", "soft": 1, "hard": 20001}])
    with pytest.raises(HostNotReady, match=r"^ulimits: "):
        specification(host, ulimits=[{"name": "nofile", "soft": -1, "hard": -1}])


def test_a_user_of_the_image() -> None:
    document = specification(user=ResolvedUser(1000, 5, [5, 6], "/home/app"), env={"B": "1"})
    assert document["process"]["user"] == {"uid": 1000, "gid": 5, "additionalGids": [5, 6], "umask": 18}
    assert document["process"]["capabilities"]["effective"] == []
    assert "HOME=/home/app" in document["process"]["env"]
    assert "HOME=/x" in specification(env={"HOME": "/x"})["process"]["env"]


def test_privileged() -> None:
    document = specification(privileged=True)
    linux = document["linux"]
    assert len(document["process"]["capabilities"]["effective"]) == len(CAPABILITIES)
    assert "seccomp" not in linux
    assert linux["maskedPaths"] == linux["readonlyPaths"] == []
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert "ro" not in mounts_of(document)["/sys"]["options"]
    assert "ro" not in mounts_of(document)["/sys/fs/cgroup"]["options"]


def test_security_options() -> None:
    linux = specification(security_opts=["seccomp=unconfined", "unmask=/proc/keys:/proc/sys", "mask=/x"])[
        "linux"
    ]
    assert "seccomp" not in linux
    assert "/proc/keys" not in linux["maskedPaths"]
    assert "/x" in linux["maskedPaths"]
    assert "/proc/sys" not in linux["readonlyPaths"]
    linux = specification(security_opts=["unmask=ALL", "mask=/x"])["linux"]
    assert (linux["maskedPaths"], linux["readonlyPaths"]) == (["/x"], [])
    assert specification(security_opts=["no-new-privileges"])["process"]["noNewPrivileges"] is True
    assert "apparmorProfile" not in specification(security_opts=["apparmor=unconfined"])["process"]
    with pytest.raises(HostNotReady, match=r"^apparmor=no-such-profile"):
        specification(security_opts=["apparmor=no-such-profile"])


def test_init(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_mounts, "find_init_program", lambda: "/usr/bin/catatonit")
    document = specification(init=True, entrypoint=["a"], command=["-b"], tmpfs={"/run": ""})
    assert document["process"]["args"] == ["/run/coracle-init", "--", "a", "-b"]
    mount = mounts_of(document)["/run/coracle-init"]
    assert (mount["source"], mount["options"]) == (
        "/usr/bin/catatonit",
        ["rbind", "rprivate", "ro", "nosuid", "nodev"],
    )
    assert [entry["destination"] for entry in document["mounts"]][-2:].count("/run/coracle-init") == 1


@pytest.mark.parametrize(
    ("text", "source", "options"),
    [
        ("/srv:/x", "/srv", ["rbind", "rprivate"]),
        ("/etc:/x:ro", "/etc", ["rbind", "rprivate", "ro", "rro"]),
        ("/etc/passwd:/x:ro", "/etc/passwd", ["rbind", "rprivate", "ro"]),
        ("data:/x:ro", "/var/lib/coracle/volumes/data/_data", ["rbind", "rprivate", "ro", "rro"]),
        ("/srv:/x:ro,bind", "/srv", ["bind", "private", "ro"]),
        ("/srv:/x:rslave,noexec,z", "/srv", ["rbind", "rslave", "noexec"]),
        ("data:/x:nocopy", "/var/lib/coracle/volumes/data/_data", ["rbind", "rprivate"]),
    ],
)
def test_volumes(text: str, source: str, options: list[str]) -> None:
    mount = mounts_of(specification(volumes=parse_volumes([text], "volumes")))["/x"]
    assert (mount["type"], mount["source"], mount["options"]) == ("bind", source, options)


def test_read_only_below_too_where_the_kernel_can() -> None:
    host = HOST._replace(machine=Machine("x86_64", (5, 11)))
    mount = mounts_of(specification(host, volumes=parse_volumes(["/etc:/x:ro"], "volumes")))["/x"]
    assert mount["options"] == ["rbind", "rprivate", "ro"]


def test_read_only_on_top_alone() -> None:
    asked = {
        "type": "bind",
        "source": "/etc",
        "target": "/x",
        "read_only": True,
        "read_only_non_recursive": True,
    }
    mount = mounts_of(specification(mounts=parse_mounts([asked], "mounts")))["/x"]
    assert mount["options"] == ["rbind", "rprivate", "ro"]


@pytest.mark.parametrize(
    ("modes", "propagation"),
    [("rw", "rprivate"), ("rslave", "rslave"), ("slave", "rslave"), ("shared", "rshared")],
)
def test_propagation_of_the_root(modes: str, propagation: str) -> None:
    volumes = parse_volumes([f"/srv:/x:{modes}", "/y:/y"], "volumes")
    assert specification(volumes=volumes)["linux"]["rootfsPropagation"] == propagation


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("/run", ["noexec", "nosuid", "nodev", "mode=0755"]),
        ("/run:exec,size=64m,mode=755", ["nosuid", "nodev", "mode=0755", "size=67108864"]),
        ("/run:ro,suid,dev", ["noexec", "ro", "mode=0755"]),
    ],
)
def test_tmpfs(text: str, options: list[str]) -> None:
    config = ContainerConfig(command=["sh"], tmpfs=parse_tmpfs([text, "/new"], "tmpfs"))
    whole = effective(config, ImageConfig(), ID)
    mounts = mounts_of(build_spec(ID, config, whole, ROOT, PATHS, HOST, tmpfs_modes={"/run": 0o755}))
    assert mounts["/new"]["options"] == ["noexec", "nosuid", "nodev", "mode=1777"]
    mount = mounts["/run"]
    assert (mount["type"], mount["options"]) == ("tmpfs", options)


FORBIDDEN = [
    "/proc",
    "/proc/self",
    "/proc/sys/kernel",
    "/sys",
    "/sys/kernel",
    "/dev",
    "/dev/pts",
    "/dev/null",
    "/dev/x",
]


@pytest.mark.parametrize("target", FORBIDDEN)
def test_targets_that_nobody_may_mount_on(target: str) -> None:
    with pytest.raises(InvalidInput, match=f"^volumes: nothing can be mounted on {target}: "):
        specification(volumes=parse_volumes([f"/srv:{target}"], "volumes"))
    with pytest.raises(InvalidInput, match=f"^tmpfs: nothing can be mounted on {target}: "):
        specification(tmpfs={target: ""})
    with pytest.raises(IntegrityError, match=r"^image: "):
        specification(image=ImageConfig(volumes=[target]))


@pytest.mark.parametrize(
    "text",
    [
        "/srv:/host/proc",
        "/proc:/host/proc:ro",
        "/x:/proc/cpuinfo",
        "/x:/proc/net/dev",
        "/sys/fs/cgroup:/sys/fs/cgroup:ro",
        "/sys/fs/bpf:/sys/fs/bpf",
        "/dev/shm:/dev/shm",
        "/x:/dev/shm",
        "/dev/log:/dev/log",
        "/dev/snd:/dev/snd",
        "/dev/bus/usb:/dev/bus/usb",
        "/dev/disk:/dev/disk:ro",
        "/srv:/devices",
        "/srv:/process",
    ],
)
def test_targets_that_people_need(text: str) -> None:
    (volume,) = parse_volumes([text], "volumes")
    mounts = mounts_of(specification(volumes=[volume]))
    assert mounts[volume["target"]]["source"] == volume["source"]


@pytest.mark.parametrize(
    "text", ["/dev/pts:/dev/pts", "/dev/console:/dev/console", "/dev:/dev", "/dev/ptmx:/dev/ptmx/x"]
)
def test_the_containers_own_terminals_stay(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^volumes: "):
        specification(volumes=parse_volumes([text], "volumes"))


def test_a_privileged_container_may_see_sys() -> None:
    volumes = parse_volumes(["/sys:/sys"], "volumes")
    assert mounts_of(specification(volumes=volumes, privileged=True))["/sys"]["source"] == "/sys"
    with pytest.raises(InvalidInput):
        specification(volumes=parse_volumes(["/proc:/proc"], "volumes"), privileged=True)


def test_a_volume_of_the_image_in_dev_shm_is_refused_too() -> None:
    with pytest.raises(IntegrityError):
        specification(image=ImageConfig(volumes=["/dev/shm"]))


NAMES = st.text(min_size=1).filter(lambda name: "=" not in name and name.isprintable())
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tty": st.booleans(),
        "read_only": st.booleans(),
        "memory": st.integers(1, 2**40),
        "cpus": st.floats(0.01, 64),
        "pids_limit": st.integers(-1, 100),
        "oom_score_adj": st.integers(-1000, 1000),
        "network_mode": st.sampled_from(["host", "none"]),
        "shm_size": st.integers(1, 2**40),
        "capabilities": st.lists(st.sampled_from(CAPABILITIES)),
        "cap_drop": st.lists(st.sampled_from(CAPABILITIES)),
        "env": st.dictionaries(NAMES, st.text()),
    },
)


@given(OPTIONS, st.lists(st.sampled_from(["/data", "/dev", "/proc/x", "/a/../sys", "x", "/x\n"])))
def test_documents_are_json_and_keep_the_promises(options: dict[str, t.Any], volumes: list[str]) -> None:
    try:
        document = specification(image=ImageConfig(volumes=volumes), **options)
    except CoracleError:
        return
    json.dumps(document, allow_nan=False)
    assert (
        document["process"]["capabilities"]["inheritable"]
        == document["process"]["capabilities"]["ambient"]
        == []
    )
    assert document["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert document["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert mounts_of(document)["/dev"]["type"] == "tmpfs"
