#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every C file is laid out as .clang-format says. Other releases than 14 lay out differently: they are skipped.
# `format.sh --write` (make format) lays them out instead.
set -u
cd "${HOMING_SRCDIR:?}" || exit 1
tool=$(command -v clang-format-14 || command -v "${CLANG_FORMAT:-clang-format}")

is_14() {
    case $("${tool:-false}" --version 2>/dev/null) in
    *'version 14.'*) return 0 ;;
    *) return 1 ;;
    esac
}

on_all() { # options of clang-format
    find agent proto shim tests -name '*.[ch]' -print0 | xargs -0 "$tool" --style=file "$@"
}

if [ "${1:-}" = --write ]; then
    is_14 || { echo 'make format: clang-format 14 is needed, other releases lay out differently' >&2; exit 1; }
    on_all -i
    exit
fi
echo 1..1
if ! is_14; then
    echo 'ok 1 # SKIP no clang-format 14'
elif on_all --dry-run -Werror 2>&1 | sed 's/^/# /' | grep '^# .*error'; then
    echo 'not ok 1 - the layout is what .clang-format decides'
else
    echo 'ok 1 - the layout is what .clang-format decides'
fi
