# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Go templates as far as users of `docker --format` need them. Source: pkg.go.dev/text/template.

    text {{.Name}} {{json .State}} {{.A | upper}}     fields, functions, pipes, (parentheses), $variables
    {{if .X}} … {{else if .Y}} … {{else}} … {{end}}
    {{range .List}} … {{end}}  {{range $key, $value := .Map}} … {{else}} … {{end}}
    {{with .X}} … {{end}}  {{$x := .Y}}  {{- trims white space -}}  {{/* comment */}}

A template becomes a tree of functions of a scope (`Scope`: the dot and the variables).
"""

from __future__ import annotations

import re
import typing as t

from ..errors import InvalidInput
from .template_functions import FUNCTIONS, NO_VALUE, go_text, is_true

_ACTION = r"\{\{(-(?=\s))?(.*?)((?<=\s)-)?\}\}"
_TOKEN = r"""
    (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<chain>(?:\$\w*)?(?:\.\w+)+|\$\w*|\.)
  | (?P<name>\w+)
  | (?P<sign>:=|=|\||\(|\)|,)
"""


class Scope(t.NamedTuple):
    dot: t.Any
    variables: dict[str, t.Any]
    strict: bool

    @property
    def is_strict(self) -> bool:
        return self.strict and self.dot is self.variables["$"]


Value = t.Callable[[Scope], t.Any]
Piece = t.Callable[[Scope], str]


class Template(t.NamedTuple):
    body: Piece

    def render(self, dot: t.Any, strict: bool = False) -> str:
        """`strict`: a field that the outermost value does not have is an error that names those it has."""
        return self.body(Scope(dot, {"$": dot}, strict))


def parse_template(text: str) -> Template:
    """InvalidInput for what is no template."""
    parser = _Parser(text)
    body, end = parser.body()
    if end:
        raise parser.wrong(f"unexpected {{{{{end}}}}}")
    return Template(body)


class _Token(t.NamedTuple):
    kind: str
    text: str


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._parts = list(self._split(text))

    def wrong(self, problem: str) -> InvalidInput:
        return InvalidInput(f"template parsing error: {problem}", f"the template is {self._text!r}")

    def _split(self, text: str) -> t.Iterator[tuple[bool, str]]:
        """(is it an action, its text), white space trimmed where the template says so."""
        start, trim = 0, False
        for match in re.finditer(_ACTION, text, re.DOTALL):
            before = text[start : match.start()]
            before = before.lstrip() if trim else before
            yield False, before.rstrip() if match[1] else before
            if not match[2].strip().startswith("/*"):
                yield True, match[2].strip()
            start, trim = match.end(), bool(match[3])
        rest = text[start:]
        if "{{" in rest:
            raise self.wrong("unclosed action")
        yield False, rest.lstrip() if trim else rest

    def body(self) -> tuple[Piece, str]:
        """Up to the end of the text, or to an `end` or `else …`, which is returned too."""
        pieces: list[Piece] = []
        while self._parts:
            is_action, text = self._parts.pop(0)
            if not is_action:
                pieces.append(_constant(text))
                continue
            keyword, _space, rest = text.partition(" ")
            if keyword in ("end", "else"):
                return _joined(pieces), text
            if keyword in ("if", "with", "range"):
                pieces.append(self._block(keyword, rest))
            else:
                pieces.append(self._statement(text))
        return _joined(pieces), ""

    def _block(self, keyword: str, condition: str) -> Piece:
        names, value = self._bound(condition)
        body, end = self.body()
        other: Piece = _constant("")
        if end.startswith("else"):
            more = end[len("else") :].strip()
            if more:
                other = self._block(*t.cast("tuple[str, str]", tuple(more.partition(" ")[::2])))
                end = "end"
            else:
                other, end = self.body()
        if end != "end":
            raise self.wrong(f"{{{{{keyword}}}}} has no {{{{end}}}}")
        return _BLOCKS[keyword](names, value, body, other)

    def _statement(self, text: str) -> Piece:
        names, value = self._bound(text)
        if not names:
            return lambda scope: go_text(value(scope))

        def assign(scope: Scope) -> str:
            scope.variables[names[0]] = value(scope)
            return ""

        return assign

    def _bound(self, text: str) -> tuple[list[str], Value]:
        """`$key, $value := pipeline`: the names, if there are any, and the pipeline."""
        tokens = self._tokens(text)
        names: list[str] = []
        signs = [token.text for token in tokens]
        for sign in (":=", "="):
            if sign in signs:
                index = signs.index(sign)
                names = [name for name in signs[:index] if name != ","]
                tokens = tokens[index + 1 :]
                break
        value = self._pipeline(tokens)
        if tokens:
            raise self.wrong(f"unexpected {tokens[0].text!r} in {text!r}")
        return names, value

    def _tokens(self, text: str) -> list[_Token]:
        tokens, place = [], 0
        pattern = re.compile(_TOKEN, re.VERBOSE)
        while place < len(text):
            match = pattern.match(text, place)
            if match:
                tokens.append(_Token(str(match.lastgroup), match[0]))
                place = match.end()
            elif text[place].isspace():
                place += 1
            else:
                raise self.wrong(f"unexpected {text[place]!r} in {text!r}")
        return tokens

    def _pipeline(self, tokens: list[_Token]) -> Value:
        value = self._command(tokens, None)
        while tokens and tokens[0].text == "|":
            tokens.pop(0)
            value = self._command(tokens, value)
        return value

    def _command(self, tokens: list[_Token], piped: Value | None) -> Value:
        """`function argument …`, with what came through the pipe as the last argument."""
        if not tokens or tokens[0].text in ("|", ")"):
            raise self.wrong("missing value")
        first = tokens.pop(0)
        if first.kind == "name" and first.text in FUNCTIONS:
            function = FUNCTIONS[first.text]
            arguments = self._arguments(tokens, piped)
            return lambda scope: self._called(first.text, function, [each(scope) for each in arguments])
        value = self._operand(first, tokens)
        arguments = self._arguments(tokens, piped)
        if not arguments:
            return value
        return lambda scope: self._called(first.text, value(scope), [each(scope) for each in arguments])

    def _arguments(self, tokens: list[_Token], piped: Value | None) -> list[Value]:
        arguments = []
        while tokens and tokens[0].text not in ("|", ")"):
            arguments.append(self._operand(tokens.pop(0), tokens))
        return [*arguments, piped] if piped else arguments

    def _called(self, name: str, function: t.Any, arguments: list[t.Any]) -> t.Any:
        try:
            return function(*arguments)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise self.wrong(f"{name}: {error}") from None

    def _operand(self, token: _Token, tokens: list[_Token]) -> Value:
        if token.kind == "string":
            return _value(_unquoted(token.text))
        if token.kind == "number":
            return _value(float(token.text) if "." in token.text else int(token.text))
        if token.kind == "chain":
            return self._chain(token.text)
        if token.text == "(":
            value = self._pipeline(tokens)
            if not tokens or tokens.pop(0).text != ")":
                raise self.wrong("missing )")
            if tokens and tokens[0].text.startswith(".") and tokens[0].text != ".":
                names = tokens.pop(0).text.split(".")[1:]
                return lambda scope: self._reached(value(scope), names)
            return value
        constants = {"true": True, "false": False, "nil": None}
        if token.text in constants:
            return _value(constants[token.text])
        if token.text in FUNCTIONS:
            return lambda _scope: self._called(token.text, FUNCTIONS[token.text], [])
        raise self.wrong(f"function {token.text!r} not defined")

    def _chain(self, text: str) -> Value:
        head, *names = text.split(".") if text != "." else ["", ""]
        names = [name for name in names if name]
        if not head:
            return lambda scope: self._reached(scope.dot, names, scope.is_strict)

        def variable(scope: Scope) -> t.Any:
            if head not in scope.variables:
                raise self.wrong(f"undefined variable {head!r}")
            return self._reached(scope.variables[head], names)

        return variable

    def _reached(self, value: t.Any, names: t.Sequence[str], strict: bool = False) -> t.Any:
        for name in names:
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif strict and isinstance(value, dict):
                raise self.wrong(f"there is no field {name}; there are {', '.join(value)}")
            else:
                return NO_VALUE
            strict = False
        return value


def _constant(text: str) -> Piece:
    return lambda _scope: text


def _value(value: t.Any) -> Value:
    return lambda _scope: value


def _joined(pieces: t.Sequence[Piece]) -> Piece:
    return lambda scope: "".join(piece(scope) for piece in pieces)


def _if(names: list[str], value: Value, body: Piece, other: Piece) -> Piece:
    def run(scope: Scope) -> str:
        found = value(scope)
        inner = scope._replace(variables={**scope.variables, **dict.fromkeys(names, found)})
        return body(inner) if is_true(found) else other(inner)

    return run


def _with(names: list[str], value: Value, body: Piece, other: Piece) -> Piece:
    def run(scope: Scope) -> str:
        found = value(scope)
        variables = {**scope.variables, **dict.fromkeys(names, found)}
        return body(Scope(found, variables, scope.strict)) if is_true(found) else other(scope)

    return run


def _range(names: list[str], value: Value, body: Piece, other: Piece) -> Piece:
    def run(scope: Scope) -> str:
        found = value(scope)
        pairs = sorted(found.items()) if isinstance(found, dict) else list(enumerate(found or ()))
        text = ""
        for key, item in pairs:
            bound = dict(zip(names[-2:], (key, item) if len(names) > 1 else (item,)))
            text += body(Scope(item, {**scope.variables, **bound}, scope.strict))
        return text if pairs else other(scope)

    return run


_BLOCKS = {"if": _if, "with": _with, "range": _range}


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text[1:-1])
