# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""The table of words. Adding one is a line here and a file of its name."""

from __future__ import annotations

import typing as t


class Word(t.NamedTuple):
    """`help` is one line. `aliases` are whole words too: `container ls`. `module` is the file, if it is not
    called like the word. `failure`: exit code where the word could not do its work.
    """

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    module: str = ""
    failure: int = 1

    @property
    def file(self) -> str:
        return self.module or self.name.replace(" ", "_").replace("-", "_")

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


COMMON = ("run", "exec", "ps", "pull", "images", "logs", "info", "version")
"""What people look for first."""

GROUPS = {
    "container": "Manage containers",
    "image": "Manage images",
    "network": "Manage networks",
    "volume": "Manage volumes",
    "system": "Manage the engine: disk usage, cleaning up",
}

WORDS = (
    Word(
        "attach",
        "Attach local standard input, output, and error streams to a running container",
        ("container attach",),
    ),
    Word("cp", "Copy files between a container and here", ("container cp",)),
    Word("create", "Create a new container", ("container create",)),
    Word("events", "Show what has happened, and what happens", ("system events",)),
    Word("exec", "Execute a command in a running container", ("container exec",)),
    Word("inspect", "Return detailed information on containers, images, networks and volumes"),
    Word("container inspect", "Display detailed information on containers", module="inspect"),
    Word("image inspect", "Display detailed information on images", module="inspect"),
    Word("network inspect", "Display detailed information on networks", module="inspect"),
    Word("volume inspect", "Display detailed information on volumes", module="inspect"),
    Word("kill", "Kill running containers, or send them a signal", ("container kill",)),
    Word("pause", "Pause all processes within containers", ("container pause",)),
    Word("port", "List port mappings for the container", ("container port",)),
    Word("ps", "List containers", ("container ls", "container list", "container ps")),
    Word("rename", "Rename a container", ("container rename",)),
    Word("restart", "Restart containers", ("container restart",)),
    Word("rm", "Remove containers", ("container rm", "container remove")),
    Word("run", "Create and run a new container from an image", ("container run",), failure=125),
    Word("start", "Start stopped containers", ("container start",)),
    Word("stop", "Stop running containers", ("container stop",)),
    Word("unpause", "Unpause all processes within containers", ("container unpause",)),
    Word("update", "Update configuration of containers", ("container update",)),
    Word("container prune", "Remove all stopped containers"),
    Word("export", "Export a container's file system as a tar archive", ("container export",)),
    Word("fsck", "Check that everything of the engine is whole, and repair it", ("system fsck",)),
    Word("history", "Show the history of an image", ("image history",)),
    Word("image prune", "Remove unused images"),
    Word("images", "List images", ("image ls", "image list")),
    Word("import", "Make an image of the tar of a root file system", ("image import",), "import_image"),
    Word("load", "Load images from an archive", ("image load",)),
    Word("network connect", "Connect a container to a network"),
    Word("network create", "Create a network"),
    Word("network disconnect", "Disconnect a container from a network"),
    Word("network ls", "List networks", ("network list",)),
    Word("network prune", "Remove all unused networks"),
    Word("network rm", "Remove networks", ("network remove",)),
    Word("pull", "Download an image from a registry", ("image pull",)),
    Word("rmi", "Remove images", ("image rm", "image remove")),
    Word("save", "Save images to an archive", ("image save",)),
    Word("system df", "Show disk usage"),
    Word("system prune", "Remove unused data"),
    Word("tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", ("image tag",)),
    Word("volume create", "Create a volume"),
    Word("volume ls", "List volumes", ("volume list",)),
    Word("volume prune", "Remove unused local volumes"),
    Word("volume rm", "Remove volumes", ("volume remove",)),
    Word("logs", "Fetch the logs of a container", ("container logs",)),
    Word("stats", "Display a live stream of what containers use", ("container stats",)),
    Word("top", "Display the running processes of a container", ("container top",)),
    Word("diff", "Inspect changes to files of a container", ("container diff",)),
    Word("wait", "Block until containers stop, then print their exit codes", ("container wait",)),
    Word("info", "Display what there is to know about this host", ("system info",)),
    Word("version", "Show the versions of the engine and what it drives"),
    Word("complete", ""),
    Word("completion", "Print the completion script for a shell"),
)


def find_word(spelling: str) -> Word | None:
    return next((word for word in WORDS if spelling in word.spellings), None)


def words_of(group: str) -> dict[str, Word]:
    """By what is typed after the name of the group."""
    found: dict[str, Word] = {}
    for word in WORDS:
        for spelling in word.spellings:
            head, _space, tail = spelling.partition(" ")
            if head == group and tail and word not in found.values():
                found[tail] = word
    return dict(sorted(found.items()))
