# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The specification as the container sees it, run by crun and by runc."""

from __future__ import annotations

import os
import pathlib
import socket
import stat
import subprocess
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.mount_values import (
    parse_devices,
    parse_tmpfs,
    parse_volumes,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.values import parse_ulimits
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import HostNotReady
from ansible_collections.coracle.engine.plugins.module_utils.runtime.linux import cgroups, mounts
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.image_config import ImageConfig
from ansible_collections.coracle.engine.tests.integration.container.spec.bundles import (
    CONTAINER_ID,
    Bundle,
    Ran,
)

PODMANS_ELEVEN = "00000000800405fb"
NOTHING = "0" * 16


def fine(ran: Ran) -> Ran:
    assert (ran.code, ran.errors) == (0, "")
    return ran


def volumes(*texts: str) -> list[dict[str, t.Any]]:
    return parse_volumes(list(texts), "volumes")


def test_capabilities_and_filter_of_root(bundle: Bundle, runtime: str) -> None:
    status = fine(bundle.shell("cat /proc/self/status", runtime)).status
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups", "Umask")
    assert {name: status[name] for name in names} == {
        "CapInh": NOTHING,
        "CapPrm": PODMANS_ELEVEN,
        "CapEff": PODMANS_ELEVEN,
        "CapBnd": PODMANS_ELEVEN,
        "CapAmb": NOTHING,
        "NoNewPrivs": "0",
        "Seccomp": "2",
        "Groups": "0",
        "Umask": "0022",
    }


def test_a_user_of_the_image(bundle: Bundle, runtime: str) -> None:
    script = "cat /proc/self/status; echo home: $HOME; touch /home/app/x && ls -ln /home/app/x"
    os.chown(bundle.rootfs / "home" / "app", 1000, 1000)
    status = fine(bundle.shell(script, runtime, user="app", groups=["4242"])).status
    assert status["Uid"].split() == ["1000"] * 4
    assert status["Gid"].split() == ["1000"] * 4
    assert status["Groups"].split() == ["4", "1000", "2000", "4242"]
    assert (status["CapEff"], status["CapBnd"], status["home"]) == (NOTHING, PODMANS_ELEVEN, "/home/app")


def test_added_and_dropped_capabilities(bundle: Bundle, runtime: str) -> None:
    ran = bundle.shell("cat /proc/self/status", runtime, capabilities=["NET_ADMIN"], cap_drop=["ALL"])
    assert fine(ran).status["CapEff"] == "0000000000001000"
    assert ran.status["CapInh"] == ran.status["CapAmb"] == NOTHING


def test_no_new_privileges(bundle: Bundle, runtime: str) -> None:
    ran = bundle.shell("cat /proc/self/status", runtime, security_opts=["no-new-privileges"])
    assert fine(ran).status["NoNewPrivs"] == "1"


def test_environment(bundle: Bundle, runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "topsecret")
    image = ImageConfig(env=["HOST_SECRET", "HOST*", "=x", "A=image", "B=x=y z"])
    config = ContainerConfig(command=["/bin/env"], env={"A": "two\nlines"}, hostname="web")
    ran = fine(bundle.run(config, image, runtime))
    assert sorted(ran.lines) == sorted(
        [
            "HOME=/root",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME=web",
            "A=two",
            "lines",
            "B=x=y z",
        ]
    )


def test_names_and_places(bundle: Bundle, runtime: str) -> None:
    script = "hostname; pwd; cat /etc/hosts; cat /proc/self/oom_score_adj; id -u"
    lines = fine(bundle.shell(script, runtime, hostname="web.example", working_dir="/made/for/me")).lines
    assert lines == ["web.example", "/made/for/me", "# hosts of the container", "0", "0"]


def test_nothing_inherited_from_the_caller(bundle: Bundle, runtime: str, tmp_path: pathlib.Path) -> None:
    """Descriptors, limits and umask are the container's own."""
    old = os.umask(0o077)
    try:
        with open(tmp_path / "leak", "w") as leak:
            os.set_inheritable(leak.fileno(), True)
            ran = bundle.shell("ls -1 /proc/1/fd; umask; ulimit -c; ulimit -t", runtime)
    finally:
        os.umask(old)
    assert fine(ran).lines == ["0", "1", "2", "0022", "0", "unlimited"]


def test_rlimits(bundle: Bundle, runtime: str) -> None:
    ulimits = parse_ulimits(["nofile=512:1024", "nproc=50", "fsize=1048576"], "ulimits")
    limits = {
        line[:26].strip(): line[26:].split()[:2]
        for line in fine(bundle.shell("cat /proc/self/limits", runtime, ulimits=ulimits)).lines
    }
    assert limits["Max open files"] == ["512", "1024"]
    assert limits["Max processes"] == ["50", "50"]
    assert limits["Max file size"] == ["1048576", "1048576"]
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max address space"] == ["unlimited", "unlimited"]


def test_a_limit_beyond_the_host_is_refused_before_the_start(bundle: Bundle) -> None:
    with pytest.raises(HostNotReady, match=r"^ulimits: this host gives at most nofile=\d+"):
        bundle.shell("true", ulimits=parse_ulimits(["nofile=2000000000"], "ulimits"))


def group_file(name: str, controller: str) -> str:
    """The file as the container sees it: below the controller's directory on v1, at the top on v2."""
    return f"/sys/fs/cgroup/{'' if cgroups.layout().mode == 'v2' else controller + '/'}{name}"


def test_limits_of_the_control_group(bundle: Bundle, runtime: str) -> None:
    is_v2 = cgroups.layout().mode == "v2"
    files = {
        group_file("memory.max" if is_v2 else "memory.limit_in_bytes", "memory"): str(64 * 1024**2),
        group_file("pids.max", "pids"): "77",
        group_file("cpuset.cpus", "cpuset"): "0",
        **(
            {group_file("cpu.max", "cpu"): "50000 100000"}
            if is_v2
            else {group_file("cpu.cfs_quota_us", "cpu"): "50000", group_file("cpu.shares", "cpu"): "512"}
        ),
    }
    options = {"memory": 64 * 1024**2, "pids_limit": 77, "cpus": 0.5, "cpu_shares": 512, "cpuset_cpus": "0"}
    ran = fine(
        bundle.shell(
            f"cat {' '.join(files)}; cat /proc/self/oom_score_adj", runtime, oom_score_adj=500, **options
        )
    )
    assert ran.lines == [*files.values(), "500"]


def test_the_group_has_a_name_of_ours(bundle: Bundle) -> None:
    lines = fine(bundle.shell("cat /proc/self/cgroup")).lines
    expected = "/" if cgroups.layout().mode == "v2" else f"/{bundle.paths.cgroup_parent}/{CONTAINER_ID}"
    assert {line.split(":", 2)[2] for line in lines} == {expected}


def test_by_default_2048_processes(bundle: Bundle, runtime: str) -> None:
    assert fine(bundle.shell(f"cat {group_file('pids.max', 'pids')}", runtime)).lines == ["2048"]
    assert fine(bundle.shell(f"cat {group_file('pids.max', 'pids')}", runtime, pids_limit=-1)).lines == [
        "max"
    ]


def test_mounts(bundle: Bundle, runtime: str) -> None:
    lines = [line.split() for line in fine(bundle.shell("cat /proc/self/mounts", runtime)).lines]
    options = {line[1]: {*line[3].split(","), line[2]} for line in lines}
    assert {"nosuid", "noexec", "mode=755", "tmpfs"} <= options["/dev"]
    assert {"ro", "nosuid", "nodev", "noexec", "sysfs"} <= options["/sys"]
    assert {"nosuid", "nodev", "noexec", "proc"} <= options["/proc"]
    assert {"nosuid", "nodev", "noexec", "size=65536k"} <= options["/dev/shm"]
    assert {"nosuid", "noexec", "devpts", "mode=620", "gid=5"} <= options["/dev/pts"]
    assert all("ro" in words for target, words in options.items() if target.startswith("/sys/fs/cgroup/"))
    assert "ro" in options["/proc/sys"]
    propagation = fine(bundle.shell("grep -c shared: /proc/self/mountinfo || true", runtime)).lines
    assert propagation == ["0"]


def test_masked_paths(bundle: Bundle, runtime: str) -> None:
    secret = bundle.rootfs / "secret"
    secret.write_text("x")
    script = (
        "cat /proc/interrupts /proc/timer_list /proc/keys /secret; ls /sys/firmware; ls /proc/acpi | wc -l"
    )
    assert fine(bundle.shell(script, runtime, security_opts=["mask=/secret"])).lines == ["0"]
    shown = bundle.shell("cat /proc/interrupts | wc -l", runtime, security_opts=["unmask=/proc/interrupts"])
    assert int(fine(shown).lines[0]) > 0


def test_tmpfs_and_shm(bundle: Bundle, runtime: str) -> None:
    tmpfs = parse_tmpfs(["/run:size=1m", "/tmp:exec", "/new", "/newer:mode=0700"], "tmpfs")
    script = (
        "stat -c %a /run /tmp /new /newer; df -k /run /dev/shm | awk 'NR>1{print $2}';"
        "cp /bin/busybox /tmp/echo && /tmp/echo ran;"
        "cp /bin/busybox /dev/shm/echo && /dev/shm/echo ran || echo refused"
    )
    ran = bundle.shell(script, runtime, tmpfs=tmpfs, shm_size=8 * 1024**2)
    assert (ran.code, ran.lines) == (0, ["755", "1777", "1777", "700", "1024", "8192", "ran", "refused"])


def test_read_only_root(bundle: Bundle, runtime: str) -> None:
    script = (
        "touch /x || echo refused; touch /dev/shm/x && echo shm;"
        "touch /run/x && echo run; touch /etc/hosts && echo hosts"
    )
    ran = bundle.shell(script, runtime, read_only=True, tmpfs={"/run": ""})
    assert ran.lines == ["refused", "shm", "run", "hosts"]


def test_volumes(bundle: Bundle, runtime: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    bundle.volume("data").joinpath("kept").write_text("from the volume\n")
    asked = volumes(f"{tmp_path}/file:/etc/app.conf:ro", f"{tmp_path}/new/dir:/srv", "data:/data", "/scratch")
    script = (
        "cat /etc/app.conf /data/kept; echo x >/etc/app.conf || echo refused;"
        "echo 1 >/srv/made; echo 2 >/scratch/made"
    )
    ran = bundle.shell(script, runtime, volumes=asked)
    assert (ran.code, ran.lines) == (0, ["from the host", "from the volume", "refused"])
    assert (tmp_path / "new" / "dir" / "made").read_text() == "1\n"
    anonymous = [path for path in pathlib.Path(bundle.paths.volumes).iterdir() if len(path.name) == 64]
    assert [(path / "_data" / "made").read_text() for path in anonymous] == ["2\n"]


def test_read_only_reaches_below(bundle: Bundle, runtime: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path / "below")], check=True)
    try:
        ran = bundle.shell(
            "touch /x/a || echo refused; touch /x/below/a || echo refused; touch /y/below/a && echo made",
            runtime,
            volumes=volumes(f"{tmp_path}:/x:ro", f"{tmp_path}:/y"),
        )
    finally:
        subprocess.run(["umount", str(tmp_path / "below")], check=True)
    assert ran.lines == ["refused", "refused", "made"]


def test_what_is_mounted_inside_stays_inside(bundle: Bundle, runtime: str, tmp_path: pathlib.Path) -> None:
    script = "mkdir -p /x/m && mount -t tmpfs none /x/m && echo mounted"
    ran = bundle.shell(script, runtime, volumes=volumes(f"{tmp_path}:/x"), privileged=True)
    assert fine(ran).lines == ["mounted"]
    assert mounts.mounts_below(str(tmp_path)) == []


def test_devices(bundle: Bundle, runtime: str) -> None:
    os.mknod(bundle.rootfs / "fuse", stat.S_IFCHR | 0o666, os.makedev(10, 229))
    ran = bundle.shell(
        "ls /dev; head -c1 /fuse; head -c 3 /dev/nothing | wc -c; echo x >/dev/nothing",
        runtime,
        devices=parse_devices(["/dev/zero:/dev/nothing:r"], "devices"),
    )
    names = set(ran.lines[:-1])
    assert {
        "fd",
        "full",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
        "mqueue",
        "nothing",
    } == names - {"core"}
    assert ran.lines[-1] == "3"
    assert "/fuse: Operation not permitted" in ran.errors


def test_network_modes(bundle: Bundle, runtime: str) -> None:
    script = "readlink /proc/self/ns/net; hostname"
    closed = (
        "; cat /proc/sys/net/ipv4/ping_group_range; ip -o link | cut -d' ' -f2;"
        "ip -o -4 addr | grep -o 'inet [0-9.]*'"
    )
    outside = os.readlink("/proc/self/ns/net")
    host = fine(bundle.shell(script, runtime, network_mode="host")).lines
    assert host == [outside, socket.gethostname()]
    inside = fine(bundle.shell(script + closed, runtime, network_mode="none")).lines
    assert inside[0] != outside
    assert inside[1:] == [CONTAINER_ID[:12], "0\t0", "lo:", "inet 127.0.0.1"]


def test_every_namespace_but_the_users_is_the_containers_own(bundle: Bundle, runtime: str) -> None:
    kinds = ["ipc", "mnt", "net", "pid", "uts", *(["cgroup"] if cgroups.layout().mode == "v2" else [])]
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    outside = {os.readlink(f"/proc/self/ns/{kind}") for kind in kinds}
    assert not outside.intersection(fine(bundle.shell(script, runtime)).lines)


def test_init(bundle: Bundle, runtime: str) -> None:
    script = (
        "cat /proc/1/comm; cat /proc/1/cmdline | tr '\\0' ' ' | cut -c1-27;"
        "touch /run/coracle-init || echo refused; exit 7"
    )
    ran = bundle.shell(script, runtime, init=True)
    assert (ran.code, ran.lines) == (7, ["coracle-init", "/run/coracle-init -- /bin/s", "refused"])


def test_privileged(bundle: Bundle, runtime: str) -> None:
    script = "cat /proc/self/status; echo kernel: $(cat /proc/interrupts | wc -l); mount -t tmpfs none /mnt"
    (bundle.rootfs / "mnt").mkdir()
    ran = bundle.shell(script, runtime, privileged=True)
    assert ran.code == 0
    ours = Ran(0, pathlib.Path("/proc/self/status").read_text(), "").status["CapBnd"]
    assert (ran.status["CapEff"], ran.status["Seccomp"], ran.status["CapInh"]) == (ours, "0", NOTHING)
    assert int(ran.status["kernel"]) > 0


def test_a_profile_of_ones_own(bundle: Bundle, runtime: str, tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}],'
        ' "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
    )
    ran = bundle.shell("mkdir /x", runtime, security_opts=[f"seccomp={profile}"])
    assert "No space left on device" in ran.errors


def test_debians_profile_file_works_too(bundle: Bundle, runtime: str) -> None:
    profile = "/usr/share/containers/seccomp.json"
    if not os.path.exists(profile):
        pytest.skip("not applicable: golang-github-containers-common is not installed")
    ran = bundle.shell("cat /proc/self/status", runtime, security_opts=[f"seccomp={profile}"])
    assert fine(ran).status["Seccomp"] == "2"


def test_a_missing_program_says_so(bundle: Bundle, runtime: str) -> None:
    ran = bundle.run(ContainerConfig(command=["/no/such/program"]), None, runtime)
    assert ran.code != 0
    assert "/no/such/program" in ran.errors


@pytest.mark.parametrize("directory", ["/data/x", "/in-memory/x"])
def test_a_working_directory_below_a_mount(bundle: Bundle, runtime: str, directory: str) -> None:
    ran = bundle.shell(
        "pwd", runtime, working_dir=directory, volumes=volumes("data:/data"), tmpfs={"/in-memory": ""}
    )
    assert fine(ran).lines == [directory]


def test_a_terminal(bundle: Bundle, runtime: str) -> None:
    """What it finds is read from a file: on the terminal the runtime may have its own word in between."""
    script = "(tty; echo $TERM; stat -c %a:%g /dev/console) >/found; echo said; exit 5"
    document = bundle.specification(ContainerConfig(command=["/bin/sh", "-c", script], tty=True))
    ran = bundle.run_specification(document, runtime, terminal=True)
    assert (bundle.rootfs / "found").read_text().split() == ["/dev/pts/0", "xterm", "620:5"]
    assert ran.code == 5
    assert "said" in ran.output
