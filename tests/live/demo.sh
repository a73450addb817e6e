#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The demonstration: two real PostgreSQL servers, one real switchover, and the same unmodified
# programs writing by the same name twice, without homing and with it: one that connects anew after any
# error, and one with a pool, which keeps a connection as long as it is healthy. Called by
# `./bootstrap demo`. With MariaDB (`--engine mysql`) the rest is in demo/mysql.py.
#
# All of it lives in namespaces of its own (network, mounts, processes): its own loopback, its own
# resolv.conf, and nothing is left when it ends, however it ends.
#
# usage: demo.sh BUILDDIR [postgresql|mysql]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd)
engine=${2:-postgresql}

NAME=orders-db.internal
DNS_ADDRESS=127.77.0.53
# From AWS's own log of a blue/green switchover: the database was ready at +3.1 s, DNS at +33.1 s.
DNS_LATE=30
DNS_TTL=5

# Where node finds `pg` or `mysql2`: in what ./bootstrap fetched, or in Debian's package.
export NODE_PATH=$build/tools/node/node_modules

outside() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/homing-demo.XXXXXX")
    chmod 755 "$work"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    unshare --mount --net --ipc --pid --fork --mount-proc --kill-child true 2>/dev/null || {
        echo "demo: cannot make namespaces; run it as root, outside of an unprivileged container" >&2
        exit 1
    }
    HOMING_DEMO=$work unshare --mount --net --ipc --pid --fork --mount-proc --kill-child "$0" "$build" "$engine"
}

# --- inside the namespaces ---------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }

has_pool() { node -e 'require("pg")' 2>/dev/null; }

name_server() {
    mkdir "$work/names"
    echo "nameserver $DNS_ADDRESS" >"$work/names/resolv.conf"
    echo 'hosts: files dns' >"$work/names/nsswitch.conf"
    "$here/../support/own_names.sh" "$work/names"
    "$here/../support/dns.py" "$DNS_ADDRESS" 53 "$work/zone" >"$work/dns.log" 2>&1 &
}

point_dns() { # where the provider's DNS sends everybody
    echo "$NAME $DNS_TTL $(pg_address "$1")" >"$work/zone.new"
    mv "$work/zone.new" "$work/zone"
}

agent() {
    cat >"$work/homing.yaml" <<YAML
agent: {run_dir: $work/run, state_dir: $work/state}
clusters:
  - name: orders
    engine: postgresql
    members: ["$(pg_address a):$(pg_port)", "$(pg_address b):$(pg_port)"]
    connection: "user=homing dbname=postgres sslmode=disable"
    password_file: $work/password
    endpoints:
      - {names: [$NAME], role: writer}
YAML
    (umask 077 && echo "$PG_PASSWORD" >"$work/password")
    "$build/homingd" --config "$work/homing.yaml" >"$work/homingd.log" 2>&1 &
    export HOMING_SOCKET=$work/run/agent.sock
    for _ in $(seq 100); do [ ! -S "$HOMING_SOCKET" ] || return 0; sleep 0.05; done
    cat "$work/homingd.log" >&2
    return 1
}

writers() {
    local program=$here/demo/writer.py by_name several
    pg_sql a 'CREATE TABLE demo (id bigserial, at timestamptz DEFAULT now())'
    by_name="host=$NAME port=$(pg_port) user=postgres dbname=postgres sslmode=disable"
    several="host=$(pg_address a),$(pg_address b) port=$(pg_port) user=postgres dbname=postgres
        sslmode=disable target_session_attrs=read-write"
    "$program" "$work/plain" "$by_name" &
    "$build/homingctl" run -- "$program" "$work/homing" "$by_name" &
    "$program" "$work/multi" "$several" &
    has_pool || return 0
    node "$here/demo/pool.js" "$work/pool-plain" "$NAME" "$(pg_port)" &
    "$build/homingctl" run -- node "$here/demo/pool.js" "$work/pool-homing" "$NAME" "$(pg_port)" &
}

switchover() {
    sleep 5
    pg_stop a fast
    pg_promote b
    date +%s.%N >"$work/promoted"
    pg_rejoin a b >/dev/null 2>&1 &
    sleep "$DNS_LATE"
    point_dns b
    sleep $((DNS_TTL + 4))
    touch "$work/end"
}

inside() {
    work=$HOMING_DEMO
    export PATH=/usr/sbin:/sbin:$PATH
    ip link set lo up
    name_server
    "inside_$engine"
}

inside_mysql() { /usr/bin/python3 -B "$here/demo/mysql.py" "$work" "$build" "$NAME"; }

inside_postgresql() {
    . "$here/../support/pg.sh"
    say "Starting a PostgreSQL primary and its streaming standby …"
    pg_root_new "$work"
    pg_init a
    pg_clone b a
    point_dns a
    agent
    if has_pool; then
        say "Two programs write twice a second to $NAME, each twice: as it is, and under homing. One"
        say "connects anew after any error; one has a pool (node pg), which keeps what is healthy. In 5 s the"
    else
        say "A program that connects anew after any error writes twice a second to $NAME, and twice"
        say "there is one: as it is, and under homing. The one with a pool needs node and its pg. In 5 s the"
    fi
    say "primary is shut down, the standby promoted, and the old primary comes back as a standby. DNS"
    say "follows $DNS_LATE s later, as a provider's would. . good  x failed  | promotion"
    say
    writers
    switchover &
    "$here/demo/lanes.py" "$work"
    say
    say "\$ homingctl explain $NAME"
    "$build/homingctl" explain "$NAME"
}

if [ -z "${HOMING_DEMO:-}" ]; then outside; else inside; fi
