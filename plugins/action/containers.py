# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `containers`, for which Compose files are read and converted here, on the controller."""

from __future__ import annotations

import base64
import contextlib
import os
import posixpath
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.plugin_utils.compose.task import (
    expanded,
    has_compose,
    is_on_target,
)
from ansible_collections.coracle.engine.plugins.plugin_utils.engine_task import Answer, EngineTask


class ActionModule(EngineTask):
    def _run(self) -> Answer:
        with self._declared() as warnings:
            return _warned(super()._run(), warnings)

    def _run_in_background(self) -> Answer:
        with self._declared() as warnings:
            return _warned(super()._run_in_background(), warnings)

    @contextlib.contextmanager
    def _declared(self) -> t.Iterator[list[str]]:
        """Meanwhile the task says itself what its Compose file says."""
        asked = self._task.args
        if not has_compose(asked):
            yield []
            return
        try:
            self._task.args, warnings = expanded(asked, *self._beside())
        except CoracleError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or 'controller'}: {error.strerror}") from error
        try:
            yield warnings
        finally:
            self._task.args = asked

    def _beside(self) -> tuple[t.Callable[[str], bytes | None], str]:
        """How the files beside the Compose file are read, and their directory."""
        path = str(self._task.args.get("compose_file") or "")
        if path and is_on_target(self._task.args):
            directory = posixpath.dirname(path)
            return lambda name: self._read_on_target(posixpath.join(directory, name)), directory
        if not path:
            directory = self._loader.get_basedir()
            return lambda name: self._read_here(os.path.join(directory, name)), ""
        try:
            directory = os.path.dirname(self._find_needle("files", path))
        except AnsibleError as error:
            raise AnsibleActionFail(str(error)) from error
        return lambda name: self._read_here(os.path.join(directory, name)), directory

    def _read_here(self, path: str) -> bytes | None:
        """Files can be encrypted with Ansible Vault."""
        if not os.path.isfile(path):
            return None
        real = self._loader.get_real_file(path)
        try:
            with open(real, "rb") as file:
                return file.read()
        finally:
            self._loader.cleanup_tmp_file(real)

    def _read_on_target(self, path: str) -> bytes | None:
        answer = self._execute_module(
            module_name="ansible.builtin.slurp", module_args={"src": path}, task_vars=self._vars
        )
        if not answer.get("failed"):
            return base64.b64decode(answer["content"])
        if "not found" in str(answer.get("msg")):
            return None
        raise AnsibleActionFail(f"{path} cannot be read on the target: {answer.get('msg')}")


def _warned(answer: Answer, warnings: list[str]) -> Answer:
    return {**answer, "warnings": [*answer.get("warnings", ()), *warnings]} if warnings else answer
