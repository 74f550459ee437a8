# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A real remote host for system tests: a Debian virtual machine with systemd, cgroup v2 and sshd.

`build(suite)` makes a disk image with debootstrap once and keeps it; `Machine` boots a throw-away overlay of
it under `qemu-system-x86_64`. The machine is reached as any host is: through ssh, as an ordinary user who may
sudo.

    .cache/vm/<suite>-<recipe hash>/   disk.img vmlinuz initrd key   kept; a changed recipe makes a new one
    <work directory>/                  overlay.qcow2 console.log     one per machine

The guest reaches servers of the tests (a registry on the loopback interface of this host) at `HOST_ADDRESS`.
Emulation (`-accel tcg`) is slow but needs no privilege and works inside another virtual machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import time
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "vm"
HOST_ADDRESS = "10.0.2.2"
USER = "admin"

# A small Debian with a remote login; the engine's own packages are the business of role `host`.
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,python3-apt,sudo,udev,iproute2,"
    "linux-image-cloud-amd64,ca-certificates"
)

# Runs inside the new root file system. A login session's processes die with it: containers must not.
CONFIGURE = f"""
set -eu
printf '/dev/vda / ext4 defaults 0 1\\n' > /etc/fstab
printf 'coracle-vm\\n' > /etc/hostname
printf '127.0.0.1 localhost coracle-vm\\n' > /etc/hosts
printf 'nameserver 10.0.2.3\\n' > /etc/resolv.conf
mkdir -p /etc/systemd/network /etc/systemd/logind.conf.d
printf '[Match]\\nName=eth*\\n[Network]\\nDHCP=ipv4\\n' > /etc/systemd/network/10-eth.network
printf '[Login]\\nKillUserProcesses=yes\\n' > /etc/systemd/logind.conf.d/kill-user-processes.conf
systemctl enable systemd-networkd ssh
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
useradd --create-home --shell /bin/bash {USER}
printf '{USER} ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/{USER}
chmod 0440 /etc/sudoers.d/{USER}
ssh-keygen -A
apt-get update
apt-get install --yes --download-only crun conmon nftables python3-pyroute2 catatonit aardvark-dns
"""

KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off"


def _run(*argv: str | os.PathLike[str], **options: t.Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, check=True, text=True, capture_output=True, stdin=subprocess.DEVNULL, **options
    )


def build(suite: str = "bookworm") -> pathlib.Path:
    """Return the directory with disk, kernel, initrd and login key of `suite`; made when missing."""
    recipe = hashlib.sha256((PACKAGES + CONFIGURE).encode()).hexdigest()[:12]
    kept = CACHE / f"{suite}-{recipe}"
    if kept.is_dir():
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    for stale in CACHE.glob(f"{suite}-*"):
        shutil.rmtree(stale)
    making = CACHE / f"{suite}-{recipe}.making"
    root = making / "root"
    making.mkdir()
    _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, root)
    with _kernel_file_systems(root):
        _run("chroot", root, "sh", "-c", CONFIGURE)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", making / "key")
    _authorize(root, (making / "key.pub").read_text())
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), making / "vmlinuz")
    shutil.copy(next((root / "boot").glob("initrd.img-*")), making / "initrd")
    disk = making / "disk.img"
    with disk.open("wb") as file:
        file.truncate(6 << 30)
    _run("mkfs.ext4", "-q", "-d", root, disk)
    shutil.rmtree(root)
    making.rename(kept)
    return kept


@contextlib.contextmanager
def _kernel_file_systems(root: pathlib.Path) -> t.Iterator[None]:
    proc = root / "proc"
    _run("mount", "-t", "proc", "proc", proc)
    try:
        yield
    finally:
        _run("umount", proc)


def _authorize(root: pathlib.Path, public_key: str) -> None:
    account = next(
        line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith(f"{USER}:")
    )
    uid, gid = (int(field) for field in account.split(":")[2:4])
    directory = root / "home" / USER / ".ssh"
    directory.mkdir(mode=0o700)
    keys = directory / "authorized_keys"
    keys.write_text(public_key)
    keys.chmod(0o600)
    for path in (directory, keys):
        os.chown(path, uid, gid)


class Machine:
    """One booted virtual machine; `start`, `ssh`, `reboot`, `cut_power`, `stop`."""

    def __init__(self, image: pathlib.Path, work: pathlib.Path) -> None:
        self.image = image
        self.work = work
        self.key = image / "key"
        self.console = work / "console.log"
        self.port = _free_port()
        self._qemu: subprocess.Popen[bytes] | None = None
        self._disk = work / "overlay.qcow2"
        _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image / "disk.img", self._disk)

    # fmt: off
    def start(self) -> None:
        """Boot and wait until a login works."""
        self._qemu = subprocess.Popen(
            [
                "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none",
                "-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048",
                "-kernel", self.image / "vmlinuz", "-initrd", self.image / "initrd",
                "-append", KERNEL_ARGUMENTS,
                "-drive", f"file={self._disk},if=virtio,format=qcow2,cache=writeback",
                "-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{self.port}-:22",
                "-device", "virtio-net-pci,netdev=net0", "-device", "virtio-rng-pci",
                "-serial", f"file:{self.console}",
            ],
            stdin=subprocess.DEVNULL,
        )
        self._wait_for_login()

    def ssh_arguments(self) -> list[str]:
        return [
            "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10",
        ]
    # fmt: on

    def ssh(self, command: str, *, check: bool = True) -> str:
        """Run `command` in a login of its own as the ordinary user and return what it printed."""
        argv = ["ssh", *self.ssh_arguments(), "-p", str(self.port), f"{USER}@127.0.0.1", command]
        done = subprocess.run(argv, text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(
                f"{command!r} on the machine exited {done.returncode}: {done.stderr or done.stdout}"
            )
        return done.stdout

    def _wait_for_login(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._qemu is not None and self._qemu.poll() is not None:
                raise RuntimeError(f"qemu exited {self._qemu.returncode}; console: {self.console}")
            with contextlib.suppress(RuntimeError):
                self.ssh("true")
                return
            time.sleep(0.5)
        raise RuntimeError(
            f"no login within {seconds} s; console:\n{self.console.read_text(errors='replace')[-2000:]}"
        )

    def reboot(self) -> None:
        """An orderly reboot, units stopped and file systems unmounted, into a new boot id."""
        self.ssh("sudo systemctl reboot", check=False)  # the login dies with the machine
        self._wait_for_exit()  # -no-reboot: qemu ends where the machine would begin again
        self.start()

    def cut_power(self) -> None:
        """Take the power away, then boot again: what the guest had not written to its disk is gone."""
        if self._qemu is not None:
            self._qemu.kill()
        self._wait_for_exit()
        self.start()

    def stop(self) -> None:
        if self._qemu is not None and self._qemu.poll() is None:
            self._qemu.terminate()
            self._wait_for_exit()

    def _wait_for_exit(self) -> None:
        if self._qemu is not None:
            self._qemu.wait(timeout=120)
        self._qemu = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
