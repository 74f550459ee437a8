# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle completion bash`: completion for shells, made of what the parsers declare.

The scripts ask `coracle complete WORD…` for candidates, so that they never have to be changed: words,
options, values of options, and the names of what is on this host where a word takes one.
"""

from __future__ import annotations

import argparse
import typing as t

if t.TYPE_CHECKING:
    from .context import Context

_SCRIPTS = {
    "bash": """\
# bash completion for coracle: source <(coracle completion bash)
_coracle() {
    local line
    COMPREPLY=()
    compopt +o default 2>/dev/null
    while IFS= read -r line; do
        if [ "$line" = ":files" ]; then compopt -o default 2>/dev/null; else COMPREPLY+=("$line"); fi
    done < <(coracle complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _coracle coracle
""",
    "zsh": """\
#compdef coracle
# zsh completion for coracle: source <(coracle completion zsh)
_coracle() {
    local -a found
    found=("${(@f)$(coracle complete -- "${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)}")
    if [[ ${found[(r):files]} == :files ]]; then _files; fi
    compadd -- ${found:#:files}
}
compdef _coracle coracle
""",
    "fish": """\
# fish completion for coracle: coracle completion fish | source
function __coracle
    coracle complete -- (commandline -opc)[2..-1] (commandline -ct) | string match -v :files
end
complete -c coracle -f -a '(__coracle)'
""",
}


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="bash|zsh|fish", choices=sorted(_SCRIPTS))
    parser.epilog = """
        coracle completion bash > /etc/bash_completion.d/coracle
        source <(coracle completion zsh)
    """


def run(context: Context, options: argparse.Namespace) -> int:
    script = _SCRIPTS[options.shell]
    if context.json:
        context.say_json({"shell": options.shell, "script": script})
    else:
        context.out.write(script)
    return 0
