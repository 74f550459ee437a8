# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The options of `create` and `run` (and, of those, what `update` can change): one row each.

A row leads to an option of the module `container`: same parser, same meaning, same errors. What the command
writes in one text and the module in a dictionary is read by container_texts.py.
"""

from __future__ import annotations

import argparse
import typing as t

from ..reconcile.container_fields import FIELDS
from ..reconcile.differences import LIVE

FLAG, TEXT, LIST = "flag", "text", "list"


class Option(t.NamedTuple):
    """`flags` in Docker's spelling, short ones first; `field` of ContainerConfig; `reader` of
    container_texts.py, where the text is not what the module takes.
    """

    flags: str
    field: str
    help: str
    kind: str = TEXT
    metavar: str = "string"
    reader: str = ""

    @property
    def dest(self) -> str:
        return "option_" + self.flags.split()[-1][2:].replace("-", "_")


OPTIONS = (
    Option("--add-host", "etc_hosts", "Add a custom host-to-IP mapping (host:ip)", LIST, "list", "hosts"),
    Option("--annotation", "annotations", "Add an annotation for the OCI runtime", LIST, "map", "pairs"),
    Option("--blkio-weight", "blkio_weight", "Block IO weight, between 10 and 1000", metavar="uint16"),
    Option("--cap-add", "capabilities", "Add Linux capabilities", LIST, "list"),
    Option("--cap-drop", "cap_drop", "Drop Linux capabilities", LIST, "list"),
    Option("--cgroup-parent", "cgroup_parent", "Control group below which the container's own is made"),
    Option("--cgroupns", "cgroupns_mode", "Cgroup namespace to use (host, private)"),
    Option("--cpu-period", "cpu_period", "Limit CPU CFS period, in microseconds", metavar="int"),
    Option("--cpu-quota", "cpu_quota", "Limit CPU CFS quota, in microseconds", metavar="int"),
    Option("-c --cpu-shares", "cpu_shares", "CPU shares (relative weight)", metavar="int"),
    Option("--cpus", "cpus", "Number of CPUs", metavar="decimal"),
    Option("--cpuset-cpus", "cpuset_cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    Option("--cpuset-mems", "cpuset_mems", "Memory nodes in which to allow execution (0-3, 0,1)"),
    Option("--device", "devices", "Add a host device to the container", LIST, "list"),
    Option("--device-cgroup-rule", "device_cgroup_rules", "Add a rule to the allowed devices", LIST, "list"),
    Option("--device-read-bps", "device_read_bps", "Limit reads of device, B/s", LIST, "rate", "rates"),
    Option("--device-read-iops", "device_read_iops", "Limit reads of device, IO/s", LIST, "rate", "rates"),
    Option("--device-write-bps", "device_write_bps", "Limit writes to device, B/s", LIST, "rate", "rates"),
    Option("--device-write-iops", "device_write_iops", "Limit writes to device, IO/s", LIST, "rate", "rates"),
    Option("--dns", "dns_servers", "Set custom DNS servers", LIST, "list"),
    Option("--dns-option", "dns_opts", "Set DNS options", LIST, "list"),
    Option("--dns-search", "dns_search_domains", "Set custom DNS search domains", LIST, "list"),
    Option("--domainname", "domainname", "Container NIS domain name"),
    Option("--entrypoint", "entrypoint", "Overwrite the ENTRYPOINT of the image", reader="entrypoint"),
    Option("--expose", "exposed_ports", "Expose a port or a range of ports", LIST, "list"),
    Option("--gpus", "device_requests", "GPU devices to add (all, 2, device=0,1)", reader="gpus"),
    Option("--group-add", "groups", "Add additional groups to join", LIST, "list"),
    Option("-h --hostname", "hostname", "Container host name"),
    Option("--init", "init", "Run an init that forwards signals and reaps processes", FLAG),
    Option("-i --interactive", "interactive", "Keep STDIN open even if not attached", FLAG),
    Option("--ipc", "ipc_mode", "IPC mode to use (private, shareable, none, host, container:NAME)"),
    Option("--log-driver", "log_driver", "Logging driver for the container (k8s-file, journald, none)"),
    Option("--log-opt", "log_options", "Log driver options (max-size=10m)", LIST, "list", "pairs"),
    Option("--mac-address", "mac_address", "Container MAC address (92:d0:c6:0a:29:33)"),
    Option("-m --memory", "memory", "Memory limit", metavar="bytes"),
    Option("--memory-reservation", "memory_reservation", "Memory soft limit", metavar="bytes"),
    Option("--memory-swap", "memory_swap", "Memory and swap together; -1: unlimited swap", metavar="bytes"),
    Option("--memory-swappiness", "memory_swappiness", "Tune memory swappiness (0 to 100)", metavar="int"),
    Option("--mount", "mounts", "Attach a filesystem mount", LIST, "mount", "mounts"),
    Option("--oom-kill-disable", "oom_killer", "Disable OOM Killer", FLAG),
    Option("--oom-score-adj", "oom_score_adj", "Tune host's OOM preferences (-1000 to 1000)", metavar="int"),
    Option("--pids-limit", "pids_limit", "Tune container pids limit (-1 for unlimited)", metavar="int"),
    Option("--privileged", "privileged", "Give extended privileges to this container", FLAG),
    Option("--pid", "pid_mode", "PID namespace to use (host, container:NAME)"),
    Option("-p --publish", "published_ports", "Publish a container's port(s) to the host", LIST, "list"),
    Option("-P --publish-all", "publish_all_ports", "Publish all exposed ports to free ports", FLAG),
    Option("--read-only", "read_only", "Mount the container's root filesystem as read only", FLAG),
    Option("--requires", "requires", "Containers that are started before this one", LIST, "list", "names"),
    Option("--restart", "restart_policy", "Restart policy to apply when a container exits"),
    Option("--rm", "auto_remove", "Remove the container and its anonymous volumes when it exits", FLAG),
    Option("--runtime", "runtime", "Runtime to use for this container"),
    Option("--secret", "secrets", "Secret from a file (name=x,path=/etc/x)", LIST, "secret", "secrets"),
    Option("--sdnotify", "sdnotify", "Who tells systemd that it is ready (container, conmon, ignore)"),
    Option("--security-opt", "security_opts", "Security options", LIST, "list"),
    Option("--shm-size", "shm_size", "Size of /dev/shm", metavar="bytes"),
    Option("--stop-signal", "stop_signal", "Signal to stop the container"),
    Option("--stop-timeout", "stop_timeout", "Seconds to wait when it is stopped", metavar="int"),
    Option("--sysctl", "sysctls", "Sysctl options", LIST, "map", "pairs"),
    Option("--tmpfs", "tmpfs", "Mount a tmpfs directory", LIST, "list"),
    Option("-t --tty", "tty", "Allocate a pseudo-TTY", FLAG),
    Option("--tz", "timezone", "Time zone of the container (Europe/Berlin, local)"),
    Option("--ulimit", "ulimits", "Ulimit options", LIST, "ulimit"),
    Option("--umask", "umask", "File mode creation mask of the program"),
    Option("-u --user", "user", "Username or UID (name|uid[:group|gid])"),
    Option("--uts", "uts", "UTS namespace to use (host)"),
    Option("-v --volume", "volumes", "Bind mount a volume", LIST, "list", "volumes"),
    Option("--volumes-from", "volumes_from", "Mount volumes from the given container(s)", LIST, "list"),
    Option("-w --workdir", "working_dir", "Working directory inside the container"),
)  # fmt: skip
"""Environment, labels and networks are written in several options each: container_texts.py."""


def add_options(parser: argparse.ArgumentParser, only_live: bool = False) -> None:
    """Those of the table; `only_live`: those that change nothing but themselves."""
    live = {field.name for field in FIELDS if field.change == LIVE}
    for option in OPTIONS:
        if not only_live or option.field in live:
            shape: dict[str, t.Any] = {"metavar": option.metavar}
            if option.kind == FLAG:
                shape = {"action": "store_true"}
            elif option.kind == LIST:
                shape = {"metavar": option.metavar, "action": "append"}
            parser.add_argument(
                *option.flags.split(), dest=option.dest, default=None, help=option.help, **shape
            )


def given_options(options: argparse.Namespace) -> dict[str, t.Any]:
    """What was asked for in the options of the table, by field, as the module would be told."""
    from . import container_texts

    given: dict[str, t.Any] = {}
    for option in OPTIONS:
        value = getattr(options, option.dest, None)
        if value is not None:
            reader = getattr(container_texts, f"read_{option.reader}") if option.reader else None
            given[option.field] = reader(value, f"--{option.flags.split()[-1][2:]}") if reader else value
    return given
