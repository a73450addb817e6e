#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every C file is laid out as .clang-format says. Other releases than 14 lay out differently: they are skipped.
set -u
cd "${HOMING_SRCDIR:?}" || exit 1
tool=$(command -v clang-format-14 || command -v "${CLANG_FORMAT:-clang-format}")
echo 1..1
case $("${tool:-false}" --version 2>/dev/null) in
*'version 14.'*) ;;
*) echo 'ok 1 # SKIP no clang-format 14'; exit 0 ;;
esac
if find agent proto shim tests -name '*.[ch]' -print0 |
    xargs -0 "$tool" --dry-run -Werror --style=file 2>&1 | sed 's/^/# /' | grep '^# .*error'; then
    echo 'not ok 1 - the layout is what .clang-format decides'
else
    echo 'ok 1 - the layout is what .clang-format decides'
fi
