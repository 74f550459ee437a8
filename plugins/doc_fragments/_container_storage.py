# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options of a container that say what it finds on its disk.
    DOCUMENTATION = r"""
options:
  volumes:
    description:
      - Directories and files of the host and named volumes to mount, as C(source:target[:modes]).
      - A source that begins with V(/) is a path of the host, and one that begins with V(~/) a path in the
        home directory of root. Every other source is the name of a volume, which is made when it does not
        exist.
      - A target alone is a volume without a name, as are the volumes that the image declares. A container
        that is replaced hands them on to the new one. They are removed with the container, unless the module
        is told to keep them.
      - A volume that is empty when it is used for the first time is filled with what the image has at the
        target, owners and modes included. The volume itself has owner and mode of that directory, even if the
        directory is empty.
      - 'Modes are a comma-separated list of: V(ro) or V(rw); V(noexec), V(nosuid), V(nodev); V(rslave),
        V(rshared), V(rprivate), V(slave), V(shared), V(private); V(bind) (without what is mounted below
        the source); V(nocopy) (the volume is not filled from the image); V(z) or V(Z).'
      - Where SELinux is enforcing, V(z) gives all files of the source the label of container files, and V(Z)
        one that is only for this container. This is refused for directories of the system, such as V(/),
        V(/etc), V(/usr) and V(/home). Where SELinux is not enforcing, they change nothing.
    type: list
    elements: str
  mounts:
    description:
      - What to mount, as dictionaries. What O(volumes) and O(tmpfs) can say too is the same whichever way it
        is written, and no difference.
      - A target can be named only once in O(mounts), O(volumes) and O(tmpfs) together. Suboptions that the
        type does not have are refused.
    type: list
    elements: dict
    suboptions:
      target:
        description: Where to mount it in the container.
        type: str
        required: true
      source:
        description:
          - For V(bind), a path of the target host. For V(volume), the name of a volume, which is made if it
            does not exist. Without it the volume has no name and belongs to the container.
          - For V(image), the name or ID of an image. It is pulled as O(image) is.
        type: str
      type:
        description:
          - V(bind) - a directory or file of the host.
          - V(volume) - a volume.
          - V(tmpfs) - a file system in memory.
          - V(image) - the files of an image, read-only. The image is in use as long as the container exists.
        type: str
        default: volume
        choices:
          - bind
          - image
          - tmpfs
          - volume
      read_only:
        description: Mount it read-only. An image always is.
        type: bool
      consistency:
        description: Has no meaning on Linux.
        type: str
        choices:
          - default
          - consistent
          - cached
          - delegated
      propagation:
        description:
          - Whether mounts that are made later below a V(bind) mount are seen on the other side.
          - The default is V(rprivate).
        type: str
        choices:
          - private
          - rprivate
          - shared
          - rshared
          - slave
          - rslave
      create_mountpoint:
        description:
          - Create the source of a V(bind) mount as a directory if it does not exist. Otherwise that is an
            error.
        type: bool
      non_recursive:
        description: Mount the source of a V(bind) mount without what is mounted below it.
        type: bool
      read_only_non_recursive:
        description:
          - Let what is mounted below the source of a V(bind) mount be written to, although
            O(mounts[].read_only=true).
        type: bool
      read_only_force_recursive:
        description:
          - V(true) says what is so anyway - O(mounts[].read_only=true) holds for what is mounted below the
            source of a V(bind) mount, too.
        type: bool
      no_copy:
        description: Do not fill an empty V(volume) with what the image has at the target.
        type: bool
      labels:
        description: Labels for a V(volume) that does not exist yet.
        type: dict
      volume_driver:
        description: Driver of a V(volume). There is only V(local), which is the default.
        type: str
      volume_options:
        description:
          - Driver options for a V(volume) that does not exist yet, as in M(coracle.engine.volume). A volume
            that exists with other ones is an error.
        type: dict
      subpath:
        description:
          - The part of the V(volume) or V(image) to mount, a directory or file that exists in it. Symbolic
            links on the way never lead out of it.
        type: str
      tmpfs_size:
        description: Size of a V(tmpfs), for example V(64m).
        type: str
      tmpfs_mode:
        description: Permissions of a V(tmpfs) in octal, for example V("1770").
        type: str
      tmpfs_options:
        description:
          - More options of a V(tmpfs), as in O(tmpfs), each as text, for example V(exec) or V(uid=1000), or
            as a dictionary with one entry.
        type: list
        elements: raw
  volumes_from:
    description:
      - Containers whose volumes and bind mounts this one has too, as C(name[:ro]).
      - They are those that the other container had when this one was made. If it has other ones when the task
        runs again, this container is replaced.
      - A target in O(volumes), O(mounts) and O(tmpfs) comes first.
    type: list
    elements: str
  tmpfs:
    description:
      - File systems in memory to mount, as C(target[:options]), for example V(/run:size=64m,mode=0755).
    type: list
    elements: str
  read_only:
    description:
      - Mount the root file system of the container read-only.
    type: bool
  shm_size:
    description:
      - Size of C(/dev/shm). Sizes are bytes, or a number with one of the units V(k), V(m), V(g), V(t)
        (powers of 1024).
      - The default is V(64m).
    type: str
"""
