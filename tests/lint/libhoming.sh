#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The gate of libhoming.so. A preload that cannot be loaded is ignored by ld.so; one that lacks a symbol
# kills every process of the node. So: what it exports, what it asks for, and that it loads into a
# glibc process, a musl process, and one that has no libc at all.
set -u
so=${HOMING_BUILDDIR:?}/shim/libhoming.so
here=${HOMING_SRCDIR:?}/tests/lint
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0

exports='connect getaddrinfo gethostbyname gethostbyname2 gethostbyname2_r gethostbyname_r'
# Every libc has these, or the shim does without: finding the real functions, errno, the environment and AT_SECURE, a
# name that freeaddrinfo() will free, and the cancellation point that a connect is. Where shim/libc/kernel.c knows how,
# system calls and the clock of the heartbeat are asked of the kernel.
imports='__errno_location dl_iterate_phdr dlsym getauxval getenv pthread_testcancel strndup'
case $(LC_ALL=C readelf -hW "$so" | sed -n 's/^ *Machine: *//p') in
*X86-64 | AArch64) ;;
*) imports+=' clock_gettime syscall' ;;
esac

verdict() { # name, what was found, what is right
    count=$((count + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf 'found:    %s\nexpected: %s\n' "$2" "$3" | sed 's/^/# /'
    fi
}

one_line() { sort | xargs; }

# Type U is a symbol that ld.so must find; w one that may be missing. @ would be a version need.
symbols() { LC_ALL=C nm -D "$@" "$so"; }

strangers() { # weak symbols asked for that are not allowed
    symbols --undefined-only | awk '$1 == "w" {print $2}' |
        grep -vxF "$(printf '%s\n' $imports)" | one_line
}

# Bytes in the file and in memory, the flag of initial-exec, and calls.
thread_local_storage() {
    LC_ALL=C readelf -lW "$so" | awk '$1 == "TLS" {printf "%s %s ", $5, $6}'
    LC_ALL=C readelf -dW "$so" | grep -o 'STATIC_TLS' | tr '\n' ' '
    LC_ALL=C readelf -sW --dyn-syms "$so" | grep -c __tls_get_addr
}

dynamic() { LC_ALL=C readelf -dW "$so" | grep -cE "\($1\)"; }

# The functions that have no entry in the unwind table.
without_table() {
    comm -23 <(LC_ALL=C nm --defined-only "$so" | awk '$2 ~ /[tT]/ {print $1}' | sort -u) \
        <(LC_ALL=C readelf --debug-dump=frames "$so" | sed -n '/^Contents.*eh_frame/,/^Contents.*debug_frame/p' |
            sed -n 's/.* FDE .*pc=\(.*\)\.\..*/\1/p' | sort -u) | one_line
}

# The property that the linker gives a file if each object in it has landing pads.
branches() { LC_ALL=C readelf -nW "$so" | sed -n 's/.* feature: //p' | one_line; }
branches_of() {
    case $(LC_ALL=C readelf -hW "$so" | sed -n 's/^ *Machine: *//p') in
    *X86-64) echo 'IBT, SHSTK' ;;
    AArch64) echo 'BTI, PAC' ;;
    esac
}

# Is it mapped by a process that was preloaded with it? The program prints its own /proc/self/maps.
maps_it() {
    "$@" 2>&1 | awk '
        /libhoming\.so$/ {found = 1; next}
        /ERROR|error|cannot/ {print; bad = 1}
        END {if (!bad) print found ? "loaded" : "not loaded"}'
}

# A program without libc in a root that holds ld.so, it and the library: as in an image of one Go program.
# ld.so is told of the preload by argument, because in the environment chroot itself would see it.
nolibc_root() {
    loader=$(readelf -lW "$work/nolibc" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
    mkdir -p "$work/root/${loader%/*}" "$work/root/proc" &&
        cp -L "$loader" "$work/root$loader" && cp "$work/nolibc" "$so" "$work/root/"
}

# Root makes the root in a mount namespace, others in a user namespace; where both are forbidden the program
# runs outside: it has no libc either way.
in_nolibc_root() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    local new='mount --rbind /proc "$1/proc" && exec chroot "$1" "$2" --preload /libhoming.so /nolibc'
    if unshare --mount true 2>/dev/null; then
        unshare --mount sh -c "$new" sh "$work/root" "$loader"
    elif unshare --user --map-root-user --mount true 2>/dev/null; then
        unshare --user --map-root-user --mount sh -c "$new" sh "$work/root" "$loader"
    else
        LD_PRELOAD=$so "$work/nolibc"
    fi
}

[ -r "$so" ] || { echo "Bail out! $so is not built"; exit 1; }

verdict 'it exports its interposers and nothing else' \
    "$(symbols --defined-only | awk '{print $3}' | one_line)" "$exports"
verdict 'its exports have no version, so that ld.so binds any caller to them' \
    "$(symbols --defined-only | grep -c @)" 0
verdict 'every symbol it asks for may be missing' \
    "$(symbols --undefined-only | awk '$1 != "w" {print $2}' | one_line)" ''
verdict 'it asks for no symbol but the allowed ones' "$(strangers)" ''
verdict 'it needs no library' "$(dynamic NEEDED)" 0
verdict 'it needs no version of anything' "$(dynamic 'VERNEED|VERDEF')" 0
verdict 'it has no code that runs when it is loaded or unloaded' "$(dynamic 'INIT|INIT_ARRAY|FINI|FINI_ARRAY')" 0
verdict 'it has no executable stack' "$(LC_ALL=C readelf -lW "$so" | grep -cE 'GNU_STACK.*RWE')" 0
# Of the initial-exec model: it is in every thread from the start, and asks no function of libc's for it.
verdict 'it has one thread-local object of 8 bytes, and no call of __tls_get_addr' "$(thread_local_storage)" \
    '0x000000 0x000008 STATIC_TLS 0'
verdict 'it needs no relocation of its text' "$(dynamic TEXTREL)" 0
verdict 'a debugger and a thread that is cancelled find its unwind table' \
    "$(LC_ALL=C readelf -lW "$so" | grep -c '^ *GNU_EH_FRAME')" 1
verdict 'each of its functions is in the unwind table' "$(without_table)" ''
verdict 'it does not take the protection of branches from its process' "$(branches)" "$(branches_of)"
# musl would give the rest of it to malloc().
verdict 'nothing is left of the last page that it may write to' \
    "$(LC_ALL=C readelf -lW "$so" | awk '$1 == "LOAD" && $7 ~ /W/ {print $3, $6}' |
        while read -r at size; do echo $(((at + size) % 4096)); done)" 0
# Where homing was cloned to /homing, /run/homing/ is not that path.
verdict 'the path of its builder is not in it' \
    "$(strings -a "$so" | grep -cP "(?<![\w.-])(\Q$HOMING_BUILDDIR\E|\Q$(realpath "$HOMING_SRCDIR")/\E)")" 0

${CC:-cc} -O2 -fPIE -pie -nostdlib -fno-stack-protector -o "$work/nolibc" "$here/nolibc.c" 2>"$work/cc" &&
    nolibc_root || sed 's/^/# /' "$work/cc"
verdict 'it loads into a glibc process' "$(LD_PRELOAD=$so maps_it cat /proc/self/maps)" loaded
echo 'int main(void) { char b[4096]; int n, f = open("/proc/self/maps", 0);
      while ((n = read(f, b, sizeof b)) > 0) write(1, b, n); return 0; }' |
    cat <(printf '#include <fcntl.h>\n#include <unistd.h>\n') - >"$work/maps.c"
musl-gcc -O2 -o "$work/musl" "$work/maps.c" 2>&1 | sed 's/^/# /'
verdict 'it loads into a musl process (musl-gcc is in musl-tools)' \
    "$(LD_PRELOAD=$so maps_it "$work/musl")" loaded
verdict 'it loads into a process without any libc' "$(maps_it in_nolibc_root)" loaded

echo "1..$count"
