# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Names for containers that nobody has named: a mood of the sea and somebody who knew it."""

from __future__ import annotations

import random

_MOODS = (
    "ashen", "becalmed", "blue", "bold", "brackish", "bright", "brisk", "calm", "choppy", "clear", "deep",
    "drifting", "ebbing", "endless", "even", "fair", "fathomless", "foaming", "foggy", "fresh", "gentle",
    "glassy", "gleaming", "gusty", "hazy", "idle", "lapping", "lively", "lonely", "lucid", "mellow", "misty",
    "moonlit", "murmuring", "northern", "open", "patient", "placid", "quiet", "restless", "rippling",
    "roaming", "rolling", "salty", "serene", "shallow", "silver", "southern", "stormy", "sunlit", "surging",
    "swift", "tidal", "tranquil", "upwind", "vast", "wandering", "western", "windy", "winding",
)  # fmt: skip

_SAILORS = (
    "amundsen", "anson", "baffin", "barents", "baret", "barton", "beaufort", "bering", "blackadder", "bligh",
    "bougainville", "bowditch", "cabot", "cartier", "chichester", "cook", "cousteau", "davis", "drake",
    "earle", "fitzroy", "flinders", "francis", "franklin", "frobisher", "gama", "gudrid", "hanno", "hudson",
    "kotzebue", "knox", "laperouse", "leif", "macarthur", "magellan", "maury", "moitessier", "nansen",
    "nelson", "piailug", "polo", "pytheas", "raban", "ross", "scoresby", "shackleton", "slocum", "tabarly",
    "tasman", "tupaia", "vancouver", "vespucci", "wallis", "weddell", "zheng",
)  # fmt: skip


def choose_name(attempt: int = 0) -> str:
    """Another one each time; with a digit when they are getting scarce."""
    name = f"{random.choice(_MOODS)}_{random.choice(_SAILORS)}"
    return f"{name}{random.randrange(10)}" if attempt else name
