#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A misspelt option of a script prints one line on stderr and gives exit code 2; --help gives exit code 0.
set -u
bad=0
for script in gpu test amalgamate demo docs verify-archs verify-full install-deps find_clang check_format fuzz race bench-check bench-compile bench-variants; do
    "$1/scripts/$script" --no-such-option >/dev/null 2>"${TMPDIR:-/tmp}/apriori-usage.$$"
    code=$?
    message=$(cat "${TMPDIR:-/tmp}/apriori-usage.$$")
    rm -f "${TMPDIR:-/tmp}/apriori-usage.$$"
    if [ $code -ne 2 ] || [[ "$message" != *--no-such-option* ]]; then
        echo "scripts/$script --no-such-option: exit code $code, \"$message\""
        bad=1
    fi
    if ! "$1/scripts/$script" --help | grep -q "$script"; then
        echo "scripts/$script --help does not say how it is used"
        bad=1
    fi
done
exit $bad
