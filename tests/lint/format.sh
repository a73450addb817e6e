#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every C file is laid out as .clang-format says, by release 14 (Debian 12's) or else 19 (Debian 13's). The sources are kept
# such that both lay them out alike; what others would do is not known, so that they are not asked.
set -u
cd "${HOMING_SRCDIR:?}" || exit 1

tool() { # the first of these that is release 14 or 19
    local candidate
    for candidate in clang-format-14 "${CLANG_FORMAT:-clang-format}" clang-format-19; do
        case $("$candidate" --version 2>/dev/null) in
        *'version 14.'* | *'version 19.'*) echo "$candidate"; return ;;
        esac
    done
    return 1
}

echo 1..1
name='the layout is what .clang-format decides'
if ! tool=$(tool); then
    [ -z "${CI:-}" ] && echo "ok 1 - $name # SKIP neither clang-format 14 nor 19 is here" ||
        echo "not ok 1 - $name: neither clang-format 14 nor 19 is here"
    exit 0
fi
"$tool" --version | sed 's/^/# /'
if find agent proto shim tests -name '*.[ch]' -print0 |
    xargs -0 "$tool" --dry-run -Werror --style=file 2>&1 | sed 's/^/# /' | grep '^# .*error'; then
    echo "not ok 1 - $name"
else
    echo "ok 1 - $name"
fi
