#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A launcher for the compiler: syntax_only.sh COMPILER ARGUMENT... makes no code, and an empty object.
"$@" -fsyntax-only -Wno-unused-command-line-argument || exit # newer clangs warn that -c is not used
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && : >"$2"
    shift
done
