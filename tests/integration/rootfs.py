# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""A root file system small enough to be made anew for every test run: Debian's static busybox and what it
needs.
"""

from __future__ import annotations

import io
import pathlib
import subprocess
import tarfile

BUSYBOX = "/bin/busybox"
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:an ordinary user:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
adm:x:4:app
www-data:x:33:
app:x:1000:
extra:x:2000:app
nogroup:x:65534:
"""
INDEX = "<h1>Hello from a coracle</h1>\n"
_DIRECTORIES = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "home/app": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "var": 0o755,
    "www": 0o755,
}
_MADE = 1_700_000_000  # a fixed time: the same tar, so the same digest, every time


def write_busybox_rootfs(path: pathlib.Path) -> None:
    """Write an uncompressed tar: /bin/busybox with a link for each applet, users, groups, /www/index.html."""
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode in _DIRECTORIES.items():
            tar.addfile(_entry(name, tarfile.DIRTYPE, mode))
        _add_file(tar, "bin/busybox", pathlib.Path(BUSYBOX).read_bytes(), 0o755)
        for name in sorted(set(applets) - {"busybox"}):
            link = _entry(f"bin/{name}", tarfile.SYMTYPE, 0o777)
            link.linkname = "busybox"
            tar.addfile(link)
        for name, text in (("etc/passwd", PASSWD), ("etc/group", GROUP), ("www/index.html", INDEX)):
            _add_file(tar, name, text.encode(), 0o644)


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = _entry(name, tarfile.REGTYPE, mode)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.mode = mode
    entry.mtime = _MADE
    return entry
