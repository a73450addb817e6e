#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The decision and both ends of the view have no effects: whatever their objects need, they or the C
# library's string functions have it. No clock, no allocation, no descriptor can be reached from there.
set -u
cd "${HOMING_BUILDDIR:?}" || exit 1

# What the compiler adds by itself: calls for a copy or a fill, its checks, its counters.
harmless='mem(cpy|set|cmp|move|chr)|str(n?len|n?cmp|n?cpy|r?chr)|bcmp|_GLOBAL_OFFSET_TABLE_'
harmless+='|__stack_chk_(fail|guard)|__(gcov|asan|ubsan|tsan|sanitizer|sanc?ov)_.*|__llvm_.*'

needed() { LC_ALL=C nm --undefined-only "$@" 2>/dev/null | awk 'NF == 2 {print $2}' | sort -u; }
had() { LC_ALL=C nm --defined-only --extern-only "$@" 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u; }

count=0
pure() { # name, objects…: what they need that neither they nor the names and layouts of proto have
    local name=$1 effects
    shift
    count=$((count + 1))
    effects=$(comm -23 <(needed "$@") <(had "$@" proto/name.o | sort -u) | grep -vxE "$harmless")
    if [ $# -gt 0 ] && [ -f "$1" ] && [ -z "$effects" ]; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        printf '%s\n' "${effects:-nothing to look at}" | sed 's/^/# reaches /'
    fi
}

echo 1..2
pure 'the decision reaches nothing that has an effect' agent/decide/*.o
pure 'names and views are read and written without a call to the system' \
    proto/name.o proto/name_valid.o proto/view_names.o proto/view_read.o proto/view_write.o
