# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program in a default container may do, tried out by `probe.c`: nothing dangerous, everything
ordinary.
"""

from __future__ import annotations

import os
import pathlib
import platform
import shutil
import stat
import typing as t

import pytest

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container.config import ContainerConfig
from ansible_collections.coracle.engine.tests.integration.container.spec.bundles import Bundle

NODES = {"fuse": (stat.S_IFCHR, 10, 229), "tun": (stat.S_IFCHR, 10, 200)}

ALLOWED_BY_RUNTIMES = {"open_tun_node"}
"""runc before 1.2 and crun of Debian 13 allow the tun device after all rules of a specification. Without
NET_ADMIN nothing can be done with it: `make_tun`."""


@pytest.fixture
def probing(bundle: Bundle, probe: pathlib.Path) -> Bundle:
    shutil.copy(probe, bundle.rootfs / "bin" / "probe")
    nodes = bundle.rootfs / "nodes"
    nodes.mkdir()
    for name, (kind, major, minor) in NODES.items():
        os.mknod(nodes / name, kind | 0o666, os.makedev(major, minor))
    root_device = os.stat("/").st_dev
    os.mknod(nodes / "disk", stat.S_IFBLK | 0o666, root_device)
    os.chmod(nodes / "disk", 0o666)
    return bundle


def answers(probing: Bundle, what: str, runtime: str, **options: t.Any) -> dict[str, str]:
    ran = probing.run(ContainerConfig(command=["/bin/probe", what], **options), None, runtime)
    assert (ran.code, ran.errors) == (0, "")
    return dict(line.split() for line in ran.lines)


def test_nothing_dangerous(probing: Bundle, runtime: str) -> None:
    found = answers(probing, "forbidden", runtime)
    assert len(found) >= 60
    allowed = {name for name, answer in found.items() if answer == "yes"}
    assert allowed - ALLOWED_BY_RUNTIMES == set()
    assert found["make_tun"] == "EPERM"


def test_refusals_look_like_what_programs_expect(probing: Bundle, runtime: str) -> None:
    found = answers(probing, "forbidden", runtime)
    expected = {
        "af_alg": "EAFNOSUPPORT", "af_vsock": "EAFNOSUPPORT", "audit_socket": "EINVAL", "clone3": "ENOSYS",
        "keyctl": "EPERM", "unshare_user": "EPERM", "clone_user": "EPERM", "mount": "EPERM",
        "io_uring_setup": "EPERM",
        "bpf": "EPERM",
        "mknod_disk": "EPERM", "open_fuse_node": "EPERM", "read_keys": "ENODATA",
        "write_core_pattern": "EROFS",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_everything_ordinary(probing: Bundle, runtime: str) -> None:
    found = answers(probing, "needed", runtime)
    assert len(found) >= 20
    assert {name: answer for name, answer in found.items() if answer != "yes"} == {}


def test_another_user_may_do_even_less(probing: Bundle, runtime: str) -> None:
    root, user = answers(probing, "forbidden", runtime), answers(probing, "forbidden", runtime, user="app")
    gained = {name for name, answer in user.items() if answer == "yes" and root[name] != "yes"}
    assert gained == set()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="not applicable: the 32-bit door is x86's")
def test_the_32_bit_door_is_no_way_around(probing: Bundle, runtime: str) -> None:
    found = answers(probing, "forbidden", runtime)
    assert (found["socketcall_32_alg"], found["socket_32_alg"]) == ("EPERM", "EAFNOSUPPORT")
    assert found["keyctl_32"] == "EPERM"


def test_sys_admin_opens_namespaces_and_mounts_but_no_keys(probing: Bundle, runtime: str) -> None:
    found = answers(probing, "forbidden", runtime, capabilities=["SYS_ADMIN"])
    assert {found[name] for name in ("unshare_user", "unshare_mount", "clone_user")} == {"yes"}
    assert {found[name] for name in ("keyctl", "add_key", "io_uring_setup", "kexec_load", "af_alg")} <= {
        "EPERM", "EAFNOSUPPORT",
    }  # fmt: skip
