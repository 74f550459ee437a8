# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""From the command line to an exit code.

coracle [--root DIR] [--run-root DIR] [--json] WORD [OPTIONS] …      1 where it failed; 125 where the line
                                                                     makes no sense, as for docker
"""

from __future__ import annotations

import importlib
import os
import sys
import typing as t

from ..errors import CoracleError, HostNotReady, from_os_error
from ..paths import DEFAULT_ROOT, DEFAULT_RUN_ROOT
from .parser import Parser, UsageError
from .words import GROUPS, Word, find_word

if t.TYPE_CHECKING:
    from .context import Context

_INTERRUPTED = 130
_NOBODY_LISTENS = 141


class Line(t.NamedTuple):
    """`run_root`: empty if nobody says. `words`: what comes after the options before the word."""

    root: str
    run_root: str
    json: bool
    words: list[str]


def main(arguments: t.Sequence[str]) -> t.NoReturn:
    raise SystemExit(run_command(arguments))


def run_command(arguments: t.Sequence[str]) -> int:
    _open_closed_streams()
    try:
        code = _understand(arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        _explain(error)
        return error.code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)  # Python flushes once more
        return _NOBODY_LISTENS


def _open_closed_streams() -> None:
    """`coracle ps >&-`: what nobody wants to read is thrown away."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), mode))


def read_line(arguments: t.Sequence[str]) -> Line:
    """The options before the word; the environment stands in for those that are not given."""
    values = {
        "--root": os.environ.get("CORACLE_ROOT") or DEFAULT_ROOT,
        "--run-root": os.environ.get("CORACLE_RUN_ROOT") or "",
    }
    words, json = list(arguments), False
    while words and words[0].startswith("-"):
        name, equals, value = words.pop(0).partition("=")
        if name in values:
            if not equals and not words:
                raise UsageError(f"flag needs an argument: {name}")
            values[name] = value if equals else words.pop(0)
        elif name == "--json":
            json = True
        elif name in ("-v", "--version"):
            words = ["version"]
        elif name in ("-h", "--help"):
            words = ["help", *words]
        else:
            raise UsageError(f"unknown flag: {name}")
    return Line(values["--root"], values["--run-root"], json, words)


def parser_of(word: Word) -> tuple[Parser, t.Any]:
    """The parser of a word, and the module that has its `run`."""
    module = importlib.import_module(f".{word.file}", __package__)
    parser = Parser(word.name)
    module.declare(parser)
    parser.add_common()
    return parser, module


def split_word(words: t.Sequence[str]) -> tuple[Word | None, list[str]]:
    """The word at the beginning, be it one or two (`container ls`), and what comes after it."""
    for length in (2, 1):
        word = find_word(" ".join(words[:length])) if len(words) >= length else None
        if word is not None:
            return word, list(words[length:])
    return None, list(words)


def _understand(arguments: t.Sequence[str]) -> int:
    line = read_line(arguments)
    word, rest = split_word(line.words)
    if word is None:
        return _help(line.words)
    parser, module = parser_of(word)
    options = parser.parse(rest)
    if options.help:
        from .usage import help_of_word

        sys.stdout.write(help_of_word(parser))
        return 0
    return _run(line, word, module.run, options)


def _run(line: Line, word: Word, run: t.Callable[..., int], options: t.Any) -> int:
    from ..engine import open_engine
    from ..operations.hold_version import hold_own_version
    from .context import Context, has_colour
    from .mend import mend

    wants_json = line.json or options.json
    if wants_json and getattr(options, "format", None) not in (None, "json"):
        raise UsageError("--json and --format are two shapes of one answer: give one of them")
    os.umask(0o077)
    hold_own_version()
    with open_engine(*_roots(line)) as engine:
        colour = has_colour(sys.stderr)
        context = Context(engine, sys.stdout, sys.stderr, sys.stdin, wants_json, colour)
        try:
            _check_privileges()
            mend(context, word.name)
            code = run(context, options)
        except BrokenPipeError:
            raise
        except (CoracleError, OSError) as caught:
            error = caught if isinstance(caught, CoracleError) else from_os_error(caught)
            context.complain(str(error))
            code = error.facts.get("rc", word.failure)
        except Exception as error:
            _tell_of_defect(context, error)
            code = word.failure
        for warning in engine.take_warnings():
            context.warn(warning)
    return code


def _tell_of_defect(context: Context, error: Exception) -> None:
    import traceback

    context.err.write(traceback.format_exc())
    context.complain(
        f"unexpected {type(error).__name__}: {error} (a defect of coracle.engine: please report it)"
    )


def _roots(line: Line) -> tuple[str, str]:
    """In one spelling. A root knows the run root that it was used with."""
    from ..state.roots import run_root_of

    root = _directory("--root", line.root)
    run_root = _directory("--run-root", line.run_root or run_root_of(root) or DEFAULT_RUN_ROOT)
    if root == run_root:
        raise UsageError("--root and --run-root are the same directory")
    return root, run_root


def _directory(option: str, path: str) -> str:
    if not path.startswith("/"):
        raise UsageError(f"{option}: {path!r} is not an absolute path")
    return os.path.normpath("/" + path.lstrip("/"))


def _check_privileges() -> None:
    if os.geteuid() != 0:
        raise HostNotReady("only root can see the containers of this host", "try: sudo coracle …")


def _help(words: t.Sequence[str]) -> int:
    """For `coracle`, `coracle help [WORD]`, `coracle container`; and for a word that does not exist."""
    from . import usage

    asked = list(words[1:] if words[:1] == ["help"] else words)
    asked = [text for text in asked if text not in ("--help", "-h")]
    word, _rest = split_word(asked)
    if word is not None and words[:1] == ["help"]:
        text = usage.help_of_word(parser_of(word)[0])
    elif not asked:
        text = usage.help_of_command()
    elif asked[0] in GROUPS and len(asked) == 1:
        text = usage.help_of_group(asked[0])
    else:
        raise _unknown(asked)
    sys.stdout.write(text)
    return 0


def _unknown(words: t.Sequence[str]) -> UsageError:
    import difflib

    from .words import WORDS

    length = 2 if words[0] in GROUPS and len(words) > 1 else 1
    asked = " ".join(words[:length])
    known = [spelling for each in WORDS for spelling in each.spellings]
    near = difflib.get_close_matches(asked, known, 1)
    hint = f"\nDid you mean 'coracle {near[0]}'?" if near else ""
    return UsageError(f"unknown command: coracle {asked}{hint}", code=1)


def _explain(error: UsageError) -> None:
    lines = [error.text, ""]
    if error.parser is not None:
        from .usage import usage_line

        lines += [usage_line(error.parser), ""]
    name = error.parser.prog if error.parser is not None else "coracle"
    sys.stderr.write("\n".join([*lines, f"Run '{name} --help' for more information"]) + "\n")
