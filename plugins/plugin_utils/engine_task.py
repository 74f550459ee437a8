# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules of this collection travel: the engine once, a task carries only the name of its version.

    coracle_task      has the SHA-256 of the engine's sources: runs the module from what is on the target, or
                      says that this version is not there
    + the archive     if the target has a root: sent, checked, installed, and run from
    the whole module  otherwise, as Ansible sends any module: on a bare target, in check mode, for a module
                      that only looks. If it has made a root, the engine is installed then

A module does the same in all three ways, and needs none of this: without the action plugin it travels whole.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t
import zlib

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.coracle.engine.plugins.module_utils.module.installed_engine import (
    INSTALLED,
    MISSING,
    ORDER,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.operations import build_agent

PLUGINS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Answer = dict[str, t.Any]


def _archive() -> tuple[str, bytes]:
    archive = build_agent.pack(build_agent.sources_of_collection(PLUGINS))
    return hashlib.sha256(archive).hexdigest(), archive


_ENGINE = _archive()
"""Version and archive: made by the process that reads the playbook, before it forks one for each task."""


class EngineTask(ActionBase):
    _supports_check_mode = True
    _supports_async = True
    _requires_connection = True

    READS = False
    """Does the module only look? Then nothing is installed for it."""

    def run(self, tmp: t.Any = None, task_vars: Answer | None = None) -> Answer:
        result: Answer = super().run(tmp, task_vars)
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        self._vars = task_vars or {}
        self._version, self._archive = _ENGINE
        try:
            result.update(self._run_in_background() if in_background else self._run())
        finally:
            if not in_background:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _run(self) -> Answer:
        answer = self._from_target()
        if not answer.pop(MISSING, False):
            return answer
        if answer["may_install"]:
            answer = self._from_target(archive=self._sent_archive())
            if not answer.pop(MISSING, False):
                return answer
        answer = self._whole()
        if not (answer.get("failed") or self.READS or self._task.check_mode):
            self._install()
        return answer

    def _run_in_background(self) -> Answer:
        """Whether the engine is there has to be known before the task leaves us."""
        probe = self._from_target(module="")
        if probe.get("may_install"):
            probe = self._install()
        if probe.get(INSTALLED):
            return self._from_target(wrap_async=True)
        return self._whole(wrap_async=True)

    def _install(self) -> Answer:
        return self._from_target(module="", archive=self._sent_archive())

    def _from_target(self, module: str | None = None, archive: str = "", wrap_async: bool = False) -> Answer:
        namespace, dot, name = self._task.action.rpartition(".")
        order = {
            "module": name if module is None else module,
            "version": self._version,
            "archive": archive,
            "reads": self.READS,
        }
        return self._execute_module(
            module_name=f"{namespace}{dot}coracle_task",
            module_args={**self._task.args, ORDER: order},
            task_vars=self._vars,
            wrap_async=wrap_async,
        )

    def _whole(self, wrap_async: bool = False) -> Answer:
        return self._execute_module(task_vars=self._vars, wrap_async=wrap_async)

    def _sent_archive(self) -> str:
        """The path on the target. Whoever may write there cannot make us run it: it is checked against the
        version.
        """
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        remote = self._connection._shell.join_path(directory, "coracle-engine")
        with tempfile.NamedTemporaryFile(dir=C.DEFAULT_LOCAL_TMP) as file:
            file.write(zlib.compress(self._archive))
            file.flush()
            self._transfer_file(file.name, remote)
        self._fixup_perms2((directory, remote))
        return remote
