# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options that describe a container, but for its storage, limits and networking.
    DOCUMENTATION = r"""
options:
  image:
    description:
      - The image to run, as a name with tag or digest (V(nginx), V(nginx:1.27),
        V(registry.example.com/team/app@sha256:…)) or as the ID of an image that is on the target.
      - When given, the task is the full declaration of the container. Every option that is not given means
        its default, and a container that differs is replaced. What the image itself brings (environment,
        labels, user, command, …) is never a difference.
      - When not given, the container has to exist, only the given options are looked at, and nothing is
        ever replaced.
      - The image is the same when its ID is the same. Another name for the same image is recorded without a
        restart.
    type: str
  platform:
    description:
      - Platform of the image as C(os[/architecture[/variant]]), for images that exist for several.
      - The default is the platform of the target.
    type: str
  command:
    description:
      - Command to run in the container, as a list, or as a string that is split as a shell would split it.
      - The default, and the meaning of an empty list, is the command of the image.
    type: raw
  entrypoint:
    description:
      - Program (with its first arguments) that receives the command as its arguments.
      - The default is the entry point of the image. An empty list runs the command without it.
    type: list
    elements: str
  env:
    description:
      - Environment variables of the container. They are added to those of the image.
      - Values have to be strings. Quote numbers and words that YAML reads as booleans.
      - Values are not shown in RV(actions), in RV(differences) and in the diff.
    type: dict
  env_file:
    description:
      - File on the target with environment variables, one C(NAME=value) per line. Lines that begin with
        C(#) are ignored.
      - A variable that is also in O(env) has the value from there.
    type: path
  labels:
    description:
      - Labels of the container. They are added to those of the image.
    type: dict
  working_dir:
    description:
      - Directory in which the command begins. It is made if it does not exist.
      - The default is that of the image, or V(/).
    type: str
  user:
    description:
      - User and optionally group to run as, C(user[:group]), each as a name of the image's own
        C(/etc/passwd) and C(/etc/group) or as a number.
      - The default is that of the image, or V(root).
    type: str
  groups:
    description:
      - Additional groups for the user of the container, as names of the image or as numbers.
    type: list
    elements: str
  hostname:
    description:
      - Host name of the container.
      - The default is the name of the host for O(network_mode=host), else the first 12 digits of the
        container's ID.
    type: str
  tty:
    description:
      - Give the container a terminal. Standard output and standard error are one stream then.
    type: bool
  interactive:
    description:
      - Keep the standard input of the container open.
    type: bool
  init:
    description:
      - Run a small init process as the first process of the container. It forwards signals and collects
        dead processes.
    type: bool
  stop_signal:
    description:
      - Signal that asks the container to end, by name or number.
      - The default is that of the image, or V(SIGTERM).
    type: str
  stop_timeout:
    description:
      - Seconds that the container has to end by itself before it is killed.
      - Without O(image) this is only used for stopping the container in this task and is not looked at
        otherwise.
      - The default is V(10).
    type: int
  capabilities:
    description:
      - Capabilities to add to the default set. V(ALL) adds all.
    type: list
    elements: str
  cap_drop:
    description:
      - Capabilities to take out of the default set. V(ALL) takes all, except those in O(capabilities).
    type: list
    elements: str
  privileged:
    description:
      - Give the container all capabilities and all devices of the host, without seccomp and masked paths.
    type: bool
  security_opts:
    description:
      - V(no-new-privileges), or V(no-new-privileges=true) - programs in the container never get more rights
        than they were started with. V(no-new-privileges=false) is the default.
      - V(seccomp=/path/of/profile.json), a file on the target, V(seccomp=unconfined), or V(seccomp=default),
        also written V(seccomp=builtin).
      - V(apparmor=profile), a profile that is loaded on the target, or V(apparmor=unconfined).
      - V(mask=/path) hides paths, several with a C(:) between them. V(unmask=/path) shows paths that are
        hidden or read-only otherwise. V(unmask=ALL), also written V(systempaths=unconfined), shows them all.
      - V(label=disable) is the default. The container has no SELinux label of its own.
      - The first C(=) can be a C(:).
      - The default is the seccomp profile of the engine. A container is never unconfined unless asked for.
    type: list
    elements: str
  devices:
    description:
      - Devices of the host, as C(path[:path in the container[:permissions]]), for example
        V(/dev/fuse:/dev/fuse:rwm).
      - Or names of devices that are described on the target (CDI), for example V(nvidia.com/gpu=all), as in
        O(device_requests).
    type: list
    elements: str
  device_requests:
    description:
      - Devices by name, as files in C(/etc/cdi) and C(/run/cdi) of the target describe them (Container Device
        Interface). The drivers of GPUs and other accelerators bring such files, or a program that makes them,
        such as C(nvidia-ctk cdi generate). A container gets what is described there when it starts - nodes,
        mounts, environment variables and hooks.
      - Only files that nobody but root can write count. Those in YAML need C(python3-yaml) on the target.
    type: list
    elements: dict
    suboptions:
      driver:
        description:
          - V(cdi) - O(device_requests[].device_ids) are names as C(vendor.com/class=name).
          - V(nvidia) and V(amd) - they are numbers or other names of C(nvidia.com/gpu) and C(amd.com/gpu).
          - The default is V(cdi) when all are such names, else V(nvidia).
        type: str
      count:
        description:
          - How many GPUs, beginning with the first. V(-1), the default, means all.
        type: int
      device_ids:
        description:
          - Which devices.
        type: list
        elements: str
      capabilities:
        description:
          - What the devices can do, as lists of words such as V(gpu) and V(compute). They are checked, and
            have no effect, as a description has everything that its device needs.
        type: list
        elements: list
      options:
        description:
          - Has to be empty, as there are no drivers that could take them.
        type: dict
  device_cgroup_rules:
    description:
      - Devices that programs of the container may use once they have a node for them, as
        C(type major:minor permissions), for example V(c 189:* rwm) for all devices on the USB bus.
    type: list
    elements: str
  umask:
    description:
      - Permissions that new files of the container do not get, in octal digits. Quote it. A number that could
        mean two masks is refused.
      - The default is V(0022).
    type: raw
  annotations:
    description:
      - Annotations for the OCI runtime; C(run.oci.*) are orders to C(crun).
      - A change is written down while the container runs; the runtime hears of it with the next start.
    type: dict
  cgroup_parent:
    description:
      - Path of the control group below which the container has its own, for example V(/batch) or
        V(/machine.slice). The container is bound by the limits of that one, too, which is how several
        containers share a limit.
      - It is made if it does not exist, and it is not removed, since the engine does not know what else it is
        for. With control groups v2, it must not have processes of its own.
      - The default is the group of the engine.
    type: str
  cgroupns_mode:
    description:
      - V(private) shows the container its own control group as the root of all; V(host) shows the host's.
      - The default is V(private) with control groups v2 and V(host) with v1, as in Docker.
    type: str
  ipc_mode:
    description:
      - Whose shared memory, semaphores and message queues the container has.
      - V(private), the default, its own; V(shareable) its own, which others may join; C(container:NAME) those
        of a container that is V(shareable) and runs; V(host) those of the host; V(none) no shared memory.
      - Who joins another container needs a restart when that one has been started anew or replaced.
    type: str
  pid_mode:
    description:
      - Whose processes the container sees.
      - V(private), the default, its own; V(host) all of the host; C(container:NAME) also those of a container
        that runs. It ends with that one.
    type: str
  uts:
    description:
      - V(host) gives the container the host name of the host.
    type: str
  timezone:
    description:
      - The time zone that programs see, a name of the time zone database such as V(Europe/Berlin), or
        V(local) for that of the host. C(/etc/localtime) of the container is that of the host's C(tzdata).
      - The default is what the image has, usually UTC.
    type: str
  healthcheck:
    description:
      - A program that says from time to time whether the container is well. What is not given is what the
        image says. A change takes effect while the container runs.
    type: dict
    suboptions:
      test:
        description:
          - Text for the shell of the container, or a command as a list of arguments; exit code V(0) is well.
            The words C(CMD), C(CMD-SHELL) and C(NONE) of Docker are understood as the first item of a list.
          - V(NONE) switches off the health check of the image.
        type: raw
      test_cli_compatible:
        description: Accepted for playbooks that were written for Docker; C(test) means the same either way.
        type: bool
        default: false
      interval:
        description: Time between two probes, for example V(10s). The default is V(30s).
        type: str
      timeout:
        description: Time after which a probe is killed and has failed. The default is V(30s).
        type: str
      start_period:
        description: Time after the start in which failures do not count, until the first success.
        type: str
      start_interval:
        description: Time between two probes in the O(healthcheck.start_period). The default is V(5s).
        type: str
      retries:
        description: Failures in a row after which the container is unhealthy. The default is V(3).
        type: int
  runtime:
    description:
      - The OCI runtime, V(crun), V(runc), or the absolute path of another one.
      - The default is V(crun).
    type: str
  log_driver:
    description:
      - Where the output of the container goes.
      - V(k8s-file), the default, also written V(json-file) or V(local) - files below the state directory.
        M(coracle.engine.container_logs) and C(coracle logs) read them.
      - V(journald) - the journal of the host, read with C(journalctl CONTAINER_NAME=web). C(conmon) has to be
        built with it, and C(systemd-journald) has to run.
      - V(none) - nowhere. Who is attached sees it, and the output of O(detach=false) is empty.
    type: str
  log_options:
    description:
      - How much of the output is kept. Logs are always bounded unless the task says otherwise.
      - C(max-size) is the size of one file, at least V(16k), or V(-1) for no limit; the default is V(10m).
        C(max-file) is the number of files, the one that is being written included; the default is V(3).
      - A change takes effect while the container runs. The files of this run keep their size, and as many of
        them are kept as have the same room together, at least one besides the one that is being written.
        C(conmon) 2.2 and newer hears of it with the next start.
      - C(tag), only with O(log_driver=journald), is the text in the field C(CONTAINER_TAG).
    type: dict
    aliases:
      - log_opt
  requires:
    description:
      - Names of containers that are started before this one, if they do not run, whoever starts it (a task,
        the command C(coracle), the boot). It is an error when one does not exist.
      - When one of them ends later, this container goes on. They are not pruned as long as it is there.
    type: list
    elements: str
  sdnotify:
    description:
      - Who tells the service manager that the container is ready, where a unit with C(Type=notify) starts it
        with C(coracle start).
      - V(conmon) - the engine, as soon as the program runs.
      - V(container) - the program itself. It has C(NOTIFY_SOCKET) in its environment then, and its C(READY=1)
        and C(WATCHDOG=1) are passed on.
      - V(ignore), the default - nobody.
      - With the first two, C(conmon) becomes the main process of the unit, which ends with the container.
        Where nobody wants to hear it, nothing is different.
    type: str
  secrets:
    description:
      - What the program is told in confidence, as files that only the container sees, or as variables of its
        environment. The files are in memory, and gone when the container ends.
      - The content is never shown in RV(actions), RV(differences), the diff, RV(container) or an error. A
        content that has changed is a difference, and the container is replaced.
      - The content is kept in the state file of the engine, which only root can read, so that the container
        can be started again after a reboot.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the secret.
        type: str
        required: true
      value:
        description:
          - The content, as text, up to 512000 bytes. Either this or O(secrets[].path) is needed.
        type: str
      path:
        description:
          - A file on the target with the content. It is read by the task, and may be removed afterwards.
        type: path
      target:
        description:
          - Where the container finds it, a name below C(/run/secrets) or an absolute path.
          - The default is O(secrets[].name).
        type: str
      uid:
        description: Number of the user who owns the file. The default is V(0).
        type: int
      gid:
        description: Number of the group that owns the file. The default is V(0).
        type: int
      mode:
        description: Permissions of the file in octal digits, quoted. The default is V("0444").
        type: raw
      env:
        description:
          - Variable of the environment that has the content, instead of a file. Everything that the program
            starts sees it, and so does root on the host.
        type: str
  restart_policy:
    description:
      - 'What happens when the container ends by itself: V(no), V(on-failure) (also V(on-failure:N) with at
        most N attempts), V(always), V(unless-stopped).'
      - Restarts are delayed by 100 ms, twice as much each time, up to a minute. A container that was up for
        10 seconds begins anew.
      - A container that was stopped by a task stays stopped.
      - The default is V(no).
    type: str
  restart_retries:
    description:
      - How many attempts O(restart_policy=on-failure) makes. V(0) means any number.
    type: int
  auto_remove:
    description:
      - Remove the container when it has ended.
    type: bool
"""
