#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A launcher for the compiler: syntax_only.sh COMPILER ARGUMENT... makes no code, and an empty object.
"$@" -fsyntax-only || exit
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && : >"$2"
    shift
done
