#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every C file is laid out as .clang-format says, by release 14 (Debian 12's) or else 19 (Debian 13's). The sources are
# kept such that both lay them out alike. What other releases would do is not known: they are not asked.
# `format.sh --write` (make format) lays them out instead.
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

on_all() { # options of clang-format
    find agent proto shim tests -name '*.[ch]' -print0 | xargs -0 "$tool" --style=file "$@"
}

name='the layout is what .clang-format decides'
missing='neither clang-format 14 nor 19 is here'
tool=$(tool)
if [ "${1:-}" = --write ]; then
    [ -n "$tool" ] || { echo "make format: $missing, and other releases may lay out differently" >&2; exit 1; }
    on_all -i
    exit
fi
echo 1..1
if [ -z "$tool" ]; then
    [ -z "${CI:-}" ] && echo "ok 1 - $name # SKIP $missing" || echo "not ok 1 - $name: $missing"
    exit
fi
"$tool" --version | sed 's/^/# /'
if on_all --dry-run -Werror 2>&1 | sed 's/^/# /' | grep '^# .*error'; then
    echo "not ok 1 - $name"
else
    echo "ok 1 - $name"
fi
