# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.coracle.engine.plugins.module_utils.runtime.container import values
from ansible_collections.coracle.engine.plugins.module_utils.runtime.errors import InvalidInput

M = 1024**2
NANOSECONDS = {"30s": 30 * 10**9, "1m30s": 90 * 10**9, "1h500ms": 3600 * 10**9 + 5 * 10**8, "0s": 0, "7ns": 7}


@pytest.mark.parametrize("text", NANOSECONDS)
def test_durations_are_told_as_people_write_them(text: str) -> None:
    assert values.duration_text(NANOSECONDS[text]) == text
    assert values.parse_duration(text, "interval") == NANOSECONDS[text]


SAME: list[tuple[t.Callable[[t.Any, str], t.Any], list[t.Any], t.Any]] = [
    (values.parse_size, ["64m", "64M", "64MB", "64MiB", "64 mb", "65536k", 64 * M, "67108864", "67108864b"],
     64 * M),
    (values.parse_size, ["1.5g", "1536m"], 1536 * M),
    (values.parse_size, ["1t", "1024g"], 1024**4),
    (values.parse_size, [0, "0", "0b"], 0),
    (values.parse_memory, ["0", 0, "0m"], None),
    (values.parse_memory, ["6m", "6144k"], 6 * M),
    (values.parse_memory_swap, [-1, "-1", "unlimited", "Unlimited"], -1),
    (values.parse_memory_swap, ["0", 0], None),
    (values.parse_memory_swap, ["1g", "1024m"], 1024 * M),
    (values.parse_duration, ["90s", "1m30s", "1.5m", 90, "90", "90000ms"], 90 * 10**9),
    (values.parse_duration, ["0s", 0, "0"], 0),
    (values.parse_duration, ["1h2m3s", "3723s"], 3723 * 10**9),
    (values.parse_duration, ["500us", "500000ns", "0.5ms"], 500_000),
    (values.parse_seconds, ["10", 10, "10s", "9.5s", "9001ms"], 10),
    (values.parse_signal, ["TERM", "SIGTERM", "sigterm", 15, "15", "Term"], "SIGTERM"),
    (values.parse_signal, ["CHLD", "CLD", 17], "SIGCHLD"),
    (values.parse_signal, ["RTMIN+3", "sigrtmin+3", 37, "SIGRTMAX-27"], "SIGRTMIN+3"),
    (values.parse_signal, ["RTMIN", 34, "SIGRTMIN+0"], "SIGRTMIN+0"),
    (values.parse_signal, [64, "RTMAX"], "SIGRTMIN+30"),
    (values.parse_signal, [32, "32"], "32"),
    (values.parse_cpus, [0.5, "0.5", "0.50", "0.5000"], 0.5),
    (values.parse_cpus, [2, "2", 2.0, "2.0"], 2.0),
    (values.parse_cpus, [0, "0", 0.0], None),
    (values.parse_cpu_shares, [1024, "1024"], 1024),
    (values.parse_cpu_shares, [0, "0"], None),
    (values.parse_cpu_quota, [-1, 0, "-1"], None),
    (values.parse_cpu_quota, [50000, "50000"], 50000),
    (values.parse_cpu_period, [0, "0"], None),
    (values.parse_cpuset, ["0,1", "0-1", "1,0", " 0 - 1 ", "0-1,1", "0,0,1"], "0-1"),
    (values.parse_cpuset, ["0-2,4,6-7", "7,6,4,2,1,0"], "0-2,4,6-7"),
    (values.parse_cpuset, ["", " "], None),
    (values.parse_pids_limit, [0, -1, "0", "-1"], -1),
    (values.parse_pids_limit, [100, "100"], 100),
    (values.parse_oom_score_adj, [-500, "-500"], -500),
    (values.parse_restart_policy, ["on-failure:3", "On-Failure:3"], ("on-failure", 3)),
    (values.parse_restart_policy, ["on-failure", "on-failure:0"], ("on-failure", None)),
    (values.parse_restart_policy, ["no", False, "False"], ("no", None)),
    (values.parse_restart_policy, ["always"], ("always", None)),
    (values.parse_restart_policy, ["unless-stopped"], ("unless-stopped", None)),
    (values.parse_user, ["1000", "01000", 1000], "1000"),
    (values.parse_user, ["1000:0010"], "1000:10"),
    (values.parse_user, ["app:adm"], "app:adm"),
    (values.parse_user, ["app:", "app"], "app"),
    (values.parse_user, [":5"], "0:5"),
    (values.parse_groups, [["audio", "video"], ["video", "audio", "audio"]], ["audio", "video"]),
    (values.parse_groups, [["010", 10]], ["10"]),
    (values.parse_ulimits, [["nofile:1024:2048"], ["nofile=1024:2048"], ["NOFILE = 1024 : 2048"]],
     [{"name": "nofile", "soft": 1024, "hard": 2048}]),
    (values.parse_ulimits, [["core:-1"], ["core=unlimited"], ["core=-1:-1"]],
     [{"name": "core", "soft": -1, "hard": -1}]),
    (values.parse_ulimits, [["nproc=5", "core=0"], ["core=0", "nproc=9", "nproc=5"]],
     [{"name": "core", "soft": 0, "hard": 0}, {"name": "nproc", "soft": 5, "hard": 5}]),
    (values.parse_command, ["sleep 10", ["sleep", "10"], ["sleep", 10]], ["sleep", "10"]),
    (values.parse_command, ["sh -c 'a  b'", ["sh", "-c", "a  b"]], ["sh", "-c", "a  b"]),
    (values.parse_command, [[], "", "  "], None),
    (values.parse_entrypoint, [[], [""], ""], []),
    (values.parse_hostname, ["web-1.example.com"], "web-1.example.com"),
    (values.parse_runtime, ["crun"], "crun"),
    (values.parse_runtime, ["/opt/bin/crun"], "/opt/bin/crun"),
    (values.parse_boolean, [True], True),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "spellings", "normal"), SAME)
def test_spellings_of_one_value_have_one_normal_form(
    parse: t.Callable[[t.Any, str], t.Any], spellings: list[t.Any], normal: t.Any
) -> None:
    assert [parse(spelling, "option") for spelling in spellings] == [normal] * len(spellings)


@pytest.mark.parametrize(("parse", "_spellings", "normal"), SAME)
def test_a_normal_form_stays_what_it_is(
    parse: t.Callable[[t.Any, str], t.Any], _spellings: list[t.Any], normal: t.Any
) -> None:
    if normal is not None and parse is not values.parse_restart_policy:
        again = normal if parse is not values.parse_duration else f"{normal}ns"
        assert parse(again, "option") == normal


REFUSED: list[tuple[t.Callable[[t.Any, str], t.Any], list[t.Any]]] = [
    (values.parse_size, ["", "m", "-1", "64x", "64mm", "1,5g", True, None, "1e3", "9999999999t", "\u0661m"]),
    (values.parse_memory, ["1m", 4096, "-1"]),
    (values.parse_memory_swap, ["-2", "none"]),
    (values.parse_shm_size, [0, "0k"]),
    (values.parse_duration, ["", "-1s", "s", "1x", True, None, "99999999999h", "1 s"]),
    (values.parse_seconds, [-1, "-1s", "soon"]),
    (values.parse_signal, ["", "SIGFOO", 0, 65, -1, "SIGRTMIN+31", "RTMAX+1", "TERM ;", True, None, "1 5"]),
    (values.parse_cpus, ["", "many", -1, 0.001, True, "1e1", "nan", "inf", None]),
    (values.parse_cpu_shares, [1, -1, 300000, "x", 1.5]),
    (values.parse_cpu_quota, [999, -2]),
    (values.parse_cpu_period, [999, 1000001]),
    (values.parse_cpuset, ["a", "1-0", "1-", "-1", "1,,2", "0-999999"]),
    (values.parse_pids_limit, [-2, "x", 2**23]),
    (values.parse_oom_score_adj, [1001, -1001, ""]),
    (values.parse_restart_policy, ["sometimes", "always:3", "on-failure:x", "on-failure:-1", True, ""]),
    (
        values.parse_container_name,
        ["", ".web", "-rf", "a/b", "..", "web\n", "a" * 129, "wéb", True, "../../etc/x"],
    ),
    (
        values.parse_hostname,
        ["", "a_b", "-a", "a-", "a\n1.2.3.4 bank", "a b", "a..b", "x" * 64, "a." * 33 + "a"],
    ),
    (
        values.parse_user,
        ["a:b:c", "", "root\n", " 1", "-1", "5000000000", "2147483648", "a b", "1:-2", "9" * 400],
    ),
    (values.parse_groups, [["a:b"], "audio", [""], [True], ["4294967296"]]),
    (
        values.parse_ulimits,
        [
            ["nofile"],
            ["files=1"],
            ["nofile=2:1"],
            ["nofile=-1:5"],
            ["nofile=x"],
            ["nofile=10:20"],
            "nofile=1",
            [1],
        ],
    ),
    (values.parse_command, ["echo 'x", {"a": 1}, [True], [None], ["a\0"], ["\ud800"], 7]),
    (values.parse_runtime, ["", "../crun", "/opt/../crun", "crun -v", "./crun"]),
    (values.parse_boolean, ["yes", 1, None]),
    (values.parse_texts, ["a", None, ["a\x1b"], [["a"]], ["\udc80"]]),
]


@pytest.mark.parametrize(("parse", "value"), [(parse, value) for parse, bad in REFUSED for value in bad])
def test_what_cannot_be_understood_names_the_option(
    parse: t.Callable[[t.Any, str], t.Any], value: t.Any
) -> None:
    with pytest.raises(InvalidInput, match=r"^some_option: ") as error:
        parse(value, "some_option")
    assert error.value.facts["option"] == "some_option"
    assert len(str(error.value)) < 400


def test_an_error_names_value_and_remedy() -> None:
    with pytest.raises(InvalidInput) as error:
        values.parse_size("64q", "memory")
    assert str(error.value) == (
        'memory: \'64q\' is not a size (write a number of bytes, or for example "64m" or "1g")'
    )


@given(st.integers(0, 2**40), st.sampled_from(["k", "m", "g", "K", "MB", "GiB", "kib"]))
def test_sizes_are_counted_in_powers_of_1024(number: int, unit: str) -> None:
    factor = 1024 ** ("kmg".index(unit[0].lower()) + 1)
    if number * factor < 2**63:
        assert values.parse_size(f"{number}{unit}", "memory") == number * factor


@given(st.sets(st.integers(0, 300), min_size=1), st.randoms())
def test_a_cpuset_does_not_depend_on_the_order(numbers: set[int], random: t.Any) -> None:
    shuffled = list(numbers)
    random.shuffle(shuffled)
    normal = values.parse_cpuset(",".join(map(str, shuffled)), "cpuset_cpus")
    assert normal == values.parse_cpuset(",".join(map(str, sorted(numbers))), "cpuset_cpus")
    assert normal == values.parse_cpuset(normal, "cpuset_cpus")


@given(st.integers(1, 64))
def test_every_signal_number_comes_back(number: int) -> None:
    assert values.signal_number(values.parse_signal(number, "stop_signal")) == number


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()),
    st.dictionaries(st.text(), st.text()), st.lists(st.one_of(st.none(), st.integers())),
)  # fmt: skip


@given(
    st.sampled_from(sorted({parse for parse, _spellings, _normal in SAME}, key=lambda parse: parse.__name__)),
    ANYTHING,
)
def test_anything_is_parsed_or_refused(parse: t.Callable[[t.Any, str], t.Any], value: t.Any) -> None:
    try:
        parse(value, "option")
    except InvalidInput:
        pass


SENTENCES = {
    "pids_limit: -5 is not between 1 and 4194304 (0 and -1 mean no limit)": (values.parse_pids_limit, -5),
    "stop_timeout: -1 is less than 0 (give the seconds to wait, 0 to kill at once)": (
        values.parse_seconds,
        -1,
    ),
    "cpu_quota: 5 is less than 1000 (in microseconds; 0 and -1 mean no limit)": (values.parse_cpu_quota, 5),
    "cpu_period: 5 is not between 1000 and 1000000 (in microseconds; 0 means the default, 100000)": (
        values.parse_cpu_period,
        5,
    ),
    "cpu_shares: 1 is not between 2 and 262144 (0 means the default, 1024)": (values.parse_cpu_shares, 1),
    "groups: [1] is a list, not text (quote it)": (values.parse_text, [1]),
    "user: True is a boolean, not text (quote it)": (values.parse_text, True),
    "user: None is a null, not text (quote it)": (values.parse_text, None),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_tells_option_value_rule_and_remedy(sentence: str) -> None:
    parse, value = SENTENCES[sentence]
    with pytest.raises(InvalidInput) as raised:
        parse(value, sentence.partition(":")[0])
    assert str(raised.value) == sentence


def test_numbers_of_a_set() -> None:
    assert values.numbers_of("0-2,5") == {0, 1, 2, 5}
