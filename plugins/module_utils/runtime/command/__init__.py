# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""`coracle`, the command on the host: the words of `docker`, for the person who logs in when something is on
fire. Same library, same state, same locks as the modules.

    main         from the command line to an exit code
    words        the table of words; one file per word: `ps.py` has `declare` (options) and `run`
    parser, usage            options as Docker's command reads them, and the help that is made of them
    context, lookup, each    what a word works with: engine and streams, names and prefixes, many targets
    table, template, filters, units    how things are told and chosen

A word's file is imported when the word is used: `coracle ps` pays for `ps`.
"""
