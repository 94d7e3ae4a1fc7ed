#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A launcher for the compiler: syntax_only.sh COMPILER ARGUMENT... checks the syntax and writes an empty object.
"$@" -fsyntax-only -Wno-unused-command-line-argument || exit # newer versions of clang warn that -c is not used
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && : >"$2"
    shift
done
