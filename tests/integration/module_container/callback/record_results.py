# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the result of every task as one line of JSON to the file in RECORD_RESULTS."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record_results"

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._record({**result._result, "failed": False})

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._record({**result._result, "failed": False, "skipped": True})

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._record({**result._result, "failed": True})

    def _record(self, result: dict[str, t.Any]) -> None:
        with open(os.environ["RECORD_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(result, default=str) + "\n")
