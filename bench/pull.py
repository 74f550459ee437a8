# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull of a large image from a registry on loopback: ours ÷ the faster of podman and docker, and our memory.

    bench/pull.py [--rounds 5] [--directory /var/tmp/coracle-bench]

The image is made once, of files of this host: at least 300 MB, 5 layers and 10,000 files. The engines take
turns. Each starts a new process with a new, empty store, after a sync that is not in the measured time. Ours
ends with everything synced; the others do not sync. Then one more pull of ours, for its memory: the
proportional set size of all its processes, sampled every 20 ms. docker takes part if `dockerd` is installed
(Debian: docker.io). Needs root. Prints rows of docs/benchmarks.md.

No store is removed before the end, and each lies in another part of the disk (chattr +T): ext4 makes files
more slowly where many have been removed in the last minutes, which would measure the round before.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.coracle.engine.tests.integration.registries import (  # noqa: E402
    Image,
    build_image,
    running_registry,
)

INTERPRETER = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
OURS = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.coracle.engine.plugins.module_utils.runtime.engine import open_engine
from ansible_collections.coracle.engine.plugins.module_utils.runtime.oci.reference import parse_reference
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations.pull_image import pull_image
with open_engine(sys.argv[2] + "/root", sys.argv[2] + "/run") as engine:
    pull_image(engine, parse_reference(sys.argv[3]))
"""

# What each layer consists of: files below these directories, and how many megabytes of them.
LAYERS = (
    (("/usr/bin", "/usr/sbin"), 110),
    (("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"), 150),
    (("/usr/share",), 120),
    (("/usr/lib/python3.11", "/usr/lib/python3.13", "/usr/lib/python3"), 60),
    (("/usr/include", "/usr/lib/gcc", "/usr/share/doc", "/usr/share/man"), 60),
    (("/etc", "/var/lib/dpkg"), 30),
)
LARGEST_FILE = 20_000_000
LEAST_SIZE, LEAST_FILES, LEAST_LAYERS = 300, 10_000, 5


class Contents(t.NamedTuple):
    megabytes: int
    files: int
    layers: int


class Contender:
    """An engine. `home` is a new directory for each pull."""

    name = ""

    def __init__(self, image: str) -> None:
        self.image = image

    def pulling(self, home: pathlib.Path) -> t.ContextManager[list[str]]:
        """The command that pulls the image into an empty store below `home`."""
        raise NotImplementedError


class Coracle(Contender):
    name = "coracle"

    @contextlib.contextmanager
    def pulling(self, home: pathlib.Path) -> t.Iterator[list[str]]:
        yield [INTERPRETER, "-c", OURS, str(ROOT / ".collections"), str(home), self.image]


class Podman(Contender):
    name = "podman"

    @contextlib.contextmanager
    def pulling(self, home: pathlib.Path) -> t.Iterator[list[str]]:
        store = ("--root", f"{home}/root", "--runroot", f"{home}/run", "--storage-driver", "overlay")
        yield ["podman", *store, "pull", "--quiet", "--tls-verify=false", self.image]


class Docker(Contender):
    """With a daemon of its own for each pull, which touches no firewall and no other daemon."""

    name = "docker"

    @contextlib.contextmanager
    def pulling(self, home: pathlib.Path) -> t.Iterator[list[str]]:
        docker = ["docker", "--host", f"unix://{home}/socket"]
        roots = ("--data-root", f"{home}/root", "--exec-root", f"{home}/run", "--pidfile", f"{home}/pid")
        alone = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none")
        with open(home / "log", "wb") as log:
            daemon = subprocess.Popen(["dockerd", *docker[1:], *roots, *alone], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while subprocess.run([*docker, "info"], capture_output=True, check=False).returncode:
                if time.monotonic() > deadline or daemon.poll() is not None:
                    raise RuntimeError(f"dockerd did not start: {(home / 'log').read_text()[-2000:]}")
                time.sleep(0.2)
            yield [*docker, "pull", "--quiet", self.image]
        finally:
            daemon.terminate()
            daemon.wait(60)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("/var/tmp/coracle-bench"))
    asked = parser.parse_args()
    image, contents = make_image(asked.directory)
    with new_directories() as homes, running_registry(asked.directory / "registry") as registry:
        registry.push(image, "bench/large:latest")
        name = f"{registry.host}/bench/large:latest"
        contenders = [Coracle(name), Podman(name), *([Docker(name)] if shutil.which("dockerd") else [])]
        seconds = measure(contenders, homes, asked.rounds)
        memory = peak_megabytes(contenders[0], next(homes))
    report(contents, seconds, memory)
    return 0


def measure(
    contenders: t.Sequence[Contender], homes: t.Iterator[pathlib.Path], rounds: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _round in range(rounds):
        for contender in contenders:
            with contender.pulling(next(homes)) as command:
                os.sync()
                started = time.perf_counter()
                run(command)
                seconds[contender.name].append(time.perf_counter() - started)
            sys.stderr.write(f"{contender.name} {seconds[contender.name][-1]:.2f} s\n")
    return seconds


def peak_megabytes(contender: Contender, home: pathlib.Path) -> float:
    peak = 0
    with contender.pulling(home) as command, subprocess.Popen(command, start_new_session=True) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(proportional_set_size, session(process.pid))))
            time.sleep(0.02)
    return peak / 1e6


def report(contents: Contents, seconds: t.Mapping[str, t.Sequence[float]], memory: float) -> None:
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ratio = medians[Coracle.name] / min(value for name, value in medians.items() if name != Coracle.name)
    times = ", ".join(f"{name} {value:.2f} s" for name, value in medians.items())
    how = (
        f"{times}, median of {len(seconds[Coracle.name])}; {contents.megabytes} MB, {contents.files} files, "
    )
    how += f"{contents.layers} layers, loopback; only ours has synced"
    sys.stdout.write(f"| pull of a large image ÷ the fastest other | {ratio:.2f} | at most 0.6 | {how} |\n")
    how = "peak of the proportional set sizes of all processes of that pull"
    sys.stdout.write(f"| memory of a pull, MB | {memory:.0f} | under 200 | {how} |\n")


@contextlib.contextmanager
def new_directories() -> t.Iterator[t.Iterator[pathlib.Path]]:
    """Directory after directory; all are removed at the end, mounts in them (podman's) included."""
    with tempfile.TemporaryDirectory(prefix="coracle-bench-", dir="/var/tmp") as scratch:
        subprocess.run(["chattr", "+T", scratch], check=False, capture_output=True)
        homes = (pathlib.Path(scratch, str(number)) for number in itertools.count())
        try:
            yield (home for home in homes if home.mkdir() is None)
        finally:
            with open("/proc/self/mountinfo", encoding="utf-8") as lines:
                mounted = [line.split()[4] for line in lines]
            for target in reversed([target for target in mounted if target.startswith(scratch + "/")]):
                subprocess.run(["umount", "--lazy", target], check=True)


def run(command: t.Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()[-2000:]}")


def session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.getsid(int(name)) == leader:
                found.append(int(name))
    return found


def proportional_set_size(pid: int) -> int:
    """Bytes; what several processes share is divided among them."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


# The image


def make_image(directory: pathlib.Path) -> tuple[Image, Contents]:
    """The image in an OCI layout below `directory`, made if it is not there, and what it contains."""
    note = directory / "contents"
    if not note.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        trees = [directory / f"layer-{number}" for number in range(len(LAYERS))]
        gathered = [gather(tree, *layer) for tree, layer in zip(trees, LAYERS)]
        build_image(directory / "layout", [tree for tree in trees if tree.exists()])
        for tree in trees:
            shutil.rmtree(tree, ignore_errors=True)
        megabytes = sum(size for size, _files in gathered) // 1_000_000
        layers = sum(1 for _size, files in gathered if files)
        contents = Contents(megabytes, sum(files for _size, files in gathered), layers)
        if contents.megabytes < LEAST_SIZE or contents.files < LEAST_FILES or contents.layers < LEAST_LAYERS:
            raise SystemExit(f"this host has too few files for the image: {contents}")
        note.write_text(" ".join(map(str, contents)))
    return Image(directory / "layout", "latest"), Contents(*map(int, note.read_text().split()))


def gather(target: pathlib.Path, sources: t.Sequence[str], megabytes: int) -> tuple[int, int]:
    """Copy files below `sources` until there are enough: (bytes, files)."""
    size = files = 0
    for path in itertools.chain.from_iterable(map(files_below, sources)):
        if size > megabytes * 1_000_000:
            break
        place = target / path.relative_to("/")
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
        size += path.stat().st_size
        files += 1
    return size, files


def files_below(source: str) -> t.Iterator[pathlib.Path]:
    for top, directories, names in os.walk(source):
        directories.sort()
        for path in (pathlib.Path(top, name) for name in sorted(names)):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_FILE:
                yield path


if __name__ == "__main__":
    raise SystemExit(main())
