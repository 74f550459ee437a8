# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying between the controller and a container on the target.

in     the list of what is here goes with the task; the module answers which contents it needs, and these
       go as one file. Little content goes at once
out    the list of what is here goes with the task; the module leaves what is different in one file, which
       is fetched
"""

from __future__ import annotations

import base64
import io
import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.coracle.engine.plugins.module_utils.runtime.copying.parcel import (
    IS_DIRECTORY,
    PARCEL,
    WANTED,
    Parcel,
    pack_list,
)
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import CoracleError
from ansible_collections.coracle.engine.plugins.plugin_utils.engine_task import Answer, EngineTask
from ansible_collections.coracle.engine.plugins.plugin_utils.parcels import (
    Arrival,
    Listed,
    is_encrypted,
    list_files,
    shown_arrivals,
    temporary_file,
    write_contents,
)

_INLINE = 96 * 1024  # bytes that go with the task itself
_SHOWN = 104448


class ActionModule(EngineTask):
    TRANSFERS_FILES = True

    def _run(self) -> Answer:
        if not self._has_controllers_end():
            return super()._run()
        try:
            return self._take() if self._task.args.get("direction") == "out" else self._bring()
        except CoracleError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or 'controller'}: {error.strerror}") from error

    def _run_in_background(self) -> Answer:
        if self._has_controllers_end():
            raise AnsibleActionFail("a background task (async) copies only on the target: remote_src: true")
        return super()._run_in_background()

    def _has_controllers_end(self) -> bool:
        args = self._task.args
        has_paths = (args.get("src") or args.get("path")) and (args.get("dest") or args.get("container_path"))
        return bool(has_paths) and "content" not in args and not self._is("remote_src", False)

    def _is(self, option: str, default: bool) -> bool:
        return bool(boolean(self._task.args.get(option, default), strict=False))

    def _asked(self, listed: bytes, **more: t.Any) -> Answer:
        """The module's answer when it has the list."""
        order: Answer = {"diff": bool(self._task.diff), **more}
        if len(listed) <= _INLINE:
            order["data"] = base64.b64encode(listed).decode()
        else:
            order["list"] = self._sent_bytes(listed, "coracle-list")
        asked = self._task.args
        self._task.args = {**asked, PARCEL: order}
        try:
            return super()._run()
        finally:
            self._task.args = asked

    # In

    def _bring(self) -> Answer:
        source = str(self._task.args.get("src") or self._task.args.get("path"))
        try:
            found = self._find_needle("files", source)
        except AnsibleError as error:
            raise AnsibleActionFail(str(error)) from error
        decrypted: list[str] = []
        try:
            return self._bring_files(source, found, decrypted)
        finally:
            for path in decrypted:
                self._loader.cleanup_tmp_file(path)

    def _bring_files(self, source: str, found: str, decrypted: list[str]) -> Answer:
        content_only = source.endswith(os.path.sep)
        listed = list_files(
            found.rstrip(os.path.sep) or os.path.sep,
            follow=self._is("local_follow", True),
            archive=self._is("archive", False),
            real=lambda path: self._decrypted(path, decrypted),
        )
        facts = {
            "name": os.path.basename(found.rstrip(os.path.sep)),
            "content_only": content_only,
            "checksum": listed.checksum,
        }
        if sum(item.size for item in listed.items) <= _INLINE // 2:
            return self._asked(_whole(listed, facts), complete=True)
        answer = self._asked(pack_list(listed.items, facts))
        wanted = answer.pop(WANTED, None)
        if wanted is None:
            return answer
        contents, stored = self._sent_contents(listed, wanted)
        return self._asked(pack_list(listed.items, facts, stored), contents=contents, complete=True)

    def _decrypted(self, path: str, decrypted: list[str]) -> str:
        if not (self._is("decrypt", True) and is_encrypted(path)):
            return path
        real = str(self._loader.get_real_file(path))
        decrypted.append(real)
        return real

    def _sent_contents(self, listed: Listed, wanted: list[str]) -> tuple[str, dict[str, int]]:
        """A single file goes as it is."""
        if len(wanted) == 1:
            return self._sent_file(listed.files[wanted[0]], "coracle-contents"), {wanted[0]: 0}
        with temporary_file(C.DEFAULT_LOCAL_TMP) as file:
            stored = write_contents(file, listed, wanted)
            file.flush()
            return self._sent_file(file.name, "coracle-contents"), stored

    def _sent_bytes(self, data: bytes, name: str) -> str:
        with temporary_file(C.DEFAULT_LOCAL_TMP) as file:
            file.write(data)
            file.flush()
            return self._sent_file(file.name, name)

    def _sent_file(self, path: str, name: str) -> str:
        directory = self._remote_directory()
        remote = str(self._connection._shell.join_path(directory, name))
        self._transfer_file(path, remote)
        self._fixup_perms2((directory, remote))
        return remote

    def _remote_directory(self) -> str:
        return str(self._connection._shell.tmpdir or self._make_tmp_path())

    # Out

    def _take(self) -> Answer:
        args = self._task.args
        source = str(args.get("src") or args.get("path"))
        dest = str(args.get("dest") or args.get("container_path"))
        top, exact = self._local_top(source, dest)
        listed = list_files(top, follow=False)
        reply = str(self._connection._shell.join_path(self._remote_directory(), "coracle-reply"))
        answer = self._asked(pack_list(listed.items, {"top": top, "exact": exact}), reply=reply)
        is_directory = answer.pop(IS_DIRECTORY, False)
        if answer.get("failed") or not answer.get("changed"):
            return answer
        if self._task.check_mode and not self._task.diff:
            return answer
        with temporary_file(C.DEFAULT_LOCAL_TMP) as file:
            self._connection.fetch_file(reply, file.name)
            with open(file.name, "rb") as fetched:
                parcel = Parcel(fetched.fileno())
                top = answer["dest"] if is_directory else top
                if self._task.diff:
                    answer["diff"] = shown_arrivals(parcel, top, _SHOWN)
                if not self._task.check_mode:
                    answer.update(self._put(parcel, top))
        return answer

    def _put(self, parcel: Parcel, top: str) -> Answer:
        archive = self._is("archive", False)
        arrival = Arrival(parcel, top, archive=archive, backup=self._is("backup", False))
        arrival.unpack()
        if not arrival.backups:
            return {}
        return {"backup_files": arrival.backups, "backup_file": arrival.backups[0]}

    def _local_top(self, source: str, dest: str) -> tuple[str, bool]:
        """Where it will lie here. Not known for certain if `dest` is no directory: the source may be one."""
        path = self._loader.path_dwim(dest)
        if os.path.isdir(path):
            path = os.path.realpath(path)  # links on the way to it are the user's own, those below are not
        if source.endswith("/"):
            return path.rstrip("/") or "/", False
        if dest.endswith("/") or os.path.isdir(path):
            return os.path.join(path, os.path.basename(source)), False
        return path, True


def _whole(listed: Listed, facts: Answer) -> bytes:
    with io.BytesIO() as buffer:
        stored = write_contents(t.cast("t.BinaryIO", buffer), listed, listed.files)
        return buffer.getvalue() + pack_list(listed.items, facts, stored)
