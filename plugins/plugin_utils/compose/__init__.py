# Copyright (c) The Coracle authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compose files as declarations of the module `containers`. Pure: what is read from disks comes through a
function (`Files`), nothing is asked of the target.

    document      YAML as Compose reads it
    interpolate   ${VARIABLES} in its values, from what dotenv reads and the task says
    place         a value that knows where it stands, so that every refusal names it
    convert       the whole: names, networks, volumes, services
    service       a service: a table of what each of its keys becomes, and of those that cannot be
    storage, connections, limits, programs    what the rows of that table need
"""
