#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# debian.sh - sourced by scripts that make a Debian of their own by debootstrap, from where this machine's apt has its
# packages. They set $base, the folder that keeps it, and $archives, which keeps what was downloaded.

mirror() { # of Debian itself, not of its security updates nor of other suppliers
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

apt_settings() { # how this machine reaches it: through a proxy, for instance
    apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|ftp|Retries|ForceIPv)[^ ]* "[^"]+' || true
}

base_make() { # what it is called, its suite, packages: $base/root, by debootstrap, once
    [ ! -e "$base/made" ] || return 0
    local from
    from=$(mirror)
    [ -n "$from" ] || die "this machine's apt knows no source of Debian"
    rm -rf "$base"
    mkdir -p "$base" "$archives"
    echo "debootstrap: Debian $1"
    debootstrap --variant=minbase --cache-dir="$archives" --include="$3" "$2" "$base/root" "$from" >"$base/log" 2>&1 ||
        { tail -n 20 "$base/log" >&2; die "debootstrap failed: $base/log"; }
    touch "$base/made"
}

reach_make() { # root: it reaches what this machine reaches
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/" 2>/dev/null || true
    apt_settings >"$1/etc/apt/apt.conf.d/90machine"
}
