#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pg.sh - throw-away PostgreSQL servers on loopback addresses, for tests, demo and benchmarks.
#
# Source it and call the functions, or run it: `pg.sh init a` is `pg_init a`. All servers of one
# root directory ($PG_ROOT) share a random 127.A.B.0/24 and one port, so that a name can move from
# one to the other; several roots can live at once. Nothing outside the root is touched.
#
#     . tests/support/pg.sh
#     pg_root_new; trap pg_destroy EXIT      # sets and exports PG_ROOT
#     pg_init a                              # initdb, start: 127.A.B.1 and so on, by order of birth
#     pg_clone b a                           # a streaming standby of a
#     pg_kill a; pg_promote b; pg_rejoin a b # a comes back as standby of b
#     psql "$(pg_conninfo b)"                # role postgres (superuser), trust; role homing: password
#
# Servers never run as root: as $PG_USER (default: postgres, else nobody) if the caller is root.
#
# They are of the newest version that the machine has; or of $HOMING_PG_VERSION, which postgresql.sh has fetched into
# $HOMING_BUILDDIR (default: build of this tree). What is not there with those is the machine's own: psql speaks to all.

set -u

PG_MACHINE=${PG_BIN:-$(for d in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ ! -x "$d/initdb" ] || echo "$d"; done | sort -V | tail -1)}
PG_BUILD=${HOMING_BUILDDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
PG_BIN=${HOMING_PG_VERSION:+$PG_BUILD/tools/postgresql/$HOMING_PG_VERSION/bin}
PG_BIN=${PG_BIN:-$PG_MACHINE}
[ ! -d "${PG_ROOT:-}/postgresql" ] || PG_BIN=$PG_ROOT/postgresql/bin
PG_USER=${PG_USER:-$(id -un postgres 2>/dev/null || echo nobody)}
PG_PASSWORD=homing-test # of role homing

pg_die() {
    echo "pg.sh: $*" >&2
    return 1
}

# Runs a command as the servers' user, with no PG* variable and no preload of the caller.
pg_as() {
    local -a who=()
    [ "$(id -u)" = 0 ] && who=(setpriv "--reuid=$PG_USER" "--regid=$(id -g "$PG_USER")" --clear-groups)
    (cd / && exec env -u LD_PRELOAD -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE -u PGPASSWORD \
        -u PGOPTIONS -u PGDATA -u PGSERVICE LC_ALL=C HOME="$PG_ROOT" "${who[@]}" "$@")
}

# A new root directory under $1 (default: $TMPDIR or /tmp), printed by the command form.
pg_root_new() {
    [ -n "$PG_MACHINE" ] || { pg_die "no PostgreSQL server found: install postgresql"; return 1; }
    [ -x "$PG_BIN/postgres" ] ||
        { pg_die "no PostgreSQL in $PG_BIN: tests/support/postgresql.sh build ${HOMING_PG_VERSION:-} fetches it"; return 1; }
    PG_ROOT=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/homing-pg.XXXXXX") || return 1
    export PG_ROOT
    # Loopback addresses are plentiful: two random octets and a random port do not meet another run's.
    # In network namespaces of one's own PG_NET=10.77.0 or the like says which to use instead.
    echo "${PG_NET:-127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))}" >"$PG_ROOT/net"
    echo "${PG_PORT:-$((RANDOM % 20000 + 20000))}" >"$PG_ROOT/port"
    chmod 755 "$PG_ROOT"
    [ "$(id -u)" = 0 ] && chown "$PG_USER" "$PG_ROOT"
    pg_bin_reach || return 1
    [ "${BASH_SOURCE[0]}" != "$0" ] || echo "$PG_ROOT"
}

# A build may be where the servers' user gets nowhere, as in somebody's home: then they run a copy.
pg_bin_reach() {
    pg_as test -x "$PG_BIN/postgres" && return
    cp -r "$(dirname "$PG_BIN")" "$PG_ROOT/postgresql" && chmod 755 "$PG_ROOT/postgresql" && PG_BIN=$PG_ROOT/postgresql/bin
}

pg_net() { cat "$PG_ROOT/net"; } # its first three octets; .1 and up are servers, .253 may be a DNS server
pg_port() { cat "$PG_ROOT/port"; }
pg_address() { cat "$PG_ROOT/$1.address"; }
pg_data() { echo "$PG_ROOT/$1"; }
pg_log() { echo "$PG_ROOT/$1.log"; }
pg_conninfo() { echo "host=$(pg_address "$1") port=$(pg_port) user=postgres dbname=postgres sslmode=disable connect_timeout=5"; }

# The postmaster's pid: empty and 1 if it does not run.
pg_pid() {
    local pid
    pid=$(head -1 "$PG_ROOT/$1/postmaster.pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && echo "$pid"
}

# pg_psql NAME ARGUMENT...: psql as superuser, unaligned.
pg_psql() {
    local name=$1
    shift
    pg_as "$PG_MACHINE/psql" -XAtq -v ON_ERROR_STOP=1 -d "$(pg_conninfo "$name")" "$@"
}

# pg_sql NAME SQL: prints the result.
pg_sql() { pg_psql "$1" -c "$2"; }

# pg_own FILE...: files of the root become the servers' user's own, and private.
pg_own() {
    local file
    for file in "$@"; do
        chmod 600 "$PG_ROOT/$file"
        [ "$(id -u)" != 0 ] || chown "$PG_USER" "$PG_ROOT/$file"
    done
}

pg_address_new() {
    local n
    n=$(($(find "$PG_ROOT" -maxdepth 1 -name '*.address' | wc -l) + 1))
    echo "$(cat "$PG_ROOT/net").$n" >"$PG_ROOT/$1.address"
    : >"$(pg_log "$1")"
    [ "$(id -u)" != 0 ] || chown "$PG_USER" "$(pg_log "$1")"
}

# Settings that belong to the place, not to the data: a clone or a rewound server gets its own. In PG_ALSO is another
# address that all listen at, where it is theirs.
pg_settings() {
    cat >"$PG_ROOT/$1/postgresql.auto.conf" <<CONF
listen_addresses = '$(pg_address "$1")${PG_ALSO:+,$PG_ALSO}'
port = $(pg_port)
CONF
    [ -z "${2:-}" ] || cat >>"$PG_ROOT/$1/postgresql.auto.conf" <<CONF
primary_conninfo = '$(pg_conninfo "$2") application_name=$1'
CONF
    [ "$(id -u)" != 0 ] || chown "$PG_USER" "$PG_ROOT/$1/postgresql.auto.conf"
}

# pg_init NAME [SETTING...]: a new data set and its primary, started.
pg_init() {
    local name=$1
    shift
    pg_address_new "$name"
    pg_as "$PG_BIN/initdb" -D "$PG_ROOT/$name" -U postgres -A trust -N -E UTF8 --locale=C \
        >"$(pg_log "$name")" 2>&1 || { cat "$(pg_log "$name")" >&2; return 1; }
    # Small and quick to start and stop: what a laptop running a demo can bear. No shared memory files
    # outside the data directory, no socket files.
    {
        printf '%s\n' "unix_socket_directories = ''" 'shared_buffers = 16MB' 'max_connections = 60' \
            'fsync = off' 'wal_level = replica' 'wal_log_hints = on' 'hot_standby = on' \
            "$(pg_wal_kept "$name")" "password_encryption = 'scram-sha-256'" 'max_wal_size = 256MB' 'min_wal_size = 32MB' \
            'dynamic_shared_memory_type = mmap' 'wal_receiver_timeout = 5s' \
            'wal_retrieve_retry_interval = 200ms' 'logging_collector = off' "log_line_prefix = '%m [%p] '" \
            'recovery_target_timeline = latest' "$@"
    } >>"$PG_ROOT/$name/postgresql.conf"
    cat >"$PG_ROOT/$name/pg_hba.conf" <<CONF
host all         homing samenet scram-sha-256
host all         all    samenet trust
host replication all    samenet trust
CONF
    pg_settings "$name"
    pg_start "$name" &&
        pg_sql "$name" "CREATE ROLE homing LOGIN PASSWORD '$PG_PASSWORD'"
}

pg_version() { cat "$PG_ROOT/$1/PG_VERSION"; }

pg_wal_kept() { # 128 MB of it
    if [ "$(pg_version "$1")" -ge 13 ]; then echo 'wal_keep_size = 128MB'; else echo 'wal_keep_segments = 8'; fi
}

# pg_clone NAME FROM: a streaming standby of FROM, started and caught up.
pg_clone() {
    pg_address_new "$1"
    pg_copy "$1" "$2" && pg_start "$1" && pg_wait_streaming "$1"
}

pg_copy() {
    local how=pg_copy_files
    [ ! -x "$PG_BIN/pg_basebackup" ] || how=pg_copy_base
    rm -rf "${PG_ROOT:?}/$1"
    $how "$1" "$2" >>"$(pg_log "$1")" 2>&1 || { tail -5 "$(pg_log "$1")" >&2; return 1; }
    pg_settings "$1" "$2"
}

pg_copy_base() {
    pg_as "$PG_BIN/pg_basebackup" -D "$PG_ROOT/$1" -d "$(pg_conninfo "$2")" -c fast -X stream -N -R
}

# As pg_basebackup does, which refuses servers that are newer than itself: the files, between the begin and the end of a
# backup in one session, and what the end returns as backup_label. The log comes by streaming. tar complains of files that
# change meanwhile, as they may.
pg_copy_files() {
    local new=$PG_ROOT/$1 from=$PG_ROOT/$2 begin="pg_backup_start('copy', true)" end='pg_backup_stop(false)' name
    local -a without=('--exclude=./postmaster.*' '--exclude=./pg_wal/*[0-9A-F]') # of pg_wal all but histories
    [ "$(pg_version "$2")" -ge 15 ] || begin="pg_start_backup('copy', true, false)" end='pg_stop_backup(false, false)'
    for name in pg_replslot pg_dynshmem pg_notify pg_serial pg_snapshots pg_stat_tmp pg_subtrans; do
        without+=("--exclude=./$name/*")
    done
    pg_as mkdir -m 700 "$new" && pg_psql "$2" -c "SELECT $begin" \
        -c "\\! tar -C $from ${without[*]} -cf - . | tar -C $new -xf -" \
        -c "\\! cp $from/global/pg_control $new/global" \
        -c "\\o $new/backup_label" -c "SELECT labelfile FROM $end" && pg_as touch "$new/standby.signal"
}

# Waits until it answers (a standby: read-only queries).
pg_start() {
    pg_as "$PG_BIN/pg_ctl" start -D "$PG_ROOT/$1" -l "$(pg_log "$1")" -w -t 60 >/dev/null 2>&1 </dev/null ||
        { tail -5 "$(pg_log "$1")" >&2; return 1; }
}

# Starts a standby that lets nobody in ("starting up") until it is stopped and started as usual.
pg_start_hidden() {
    pg_as "$PG_BIN/pg_ctl" start -D "$PG_ROOT/$1" -l "$(pg_log "$1")" -W -o '-c hot_standby=off' >/dev/null 2>&1 </dev/null
}

pg_stop() { # NAME [fast|immediate|smart]
    pg_thaw "$1" 2>/dev/null
    pg_as "$PG_BIN/pg_ctl" stop -D "$PG_ROOT/$1" -m "${2:-fast}" -w -t 60 >/dev/null 2>&1
}

pg_restart() { pg_stop "$1" "${2:-fast}" && pg_start "$1"; }

pg_family() { # the postmaster and its children
    local pid
    pid=$(pg_pid "$1") || return 1
    echo "$pid"
    cat "/proc/$pid/task/$pid/children" 2>/dev/null | tr ' ' '\n'
}

pg_signal() { # SIGNAL NAME
    local pid
    for pid in $(pg_family "$2"); do kill "-$1" "$pid" 2>/dev/null || true; done # it may just have ended
}

# As a power failure of the process: no goodbye. The kernel closes the connections.
pg_kill() {
    local pid
    pid=$(pg_pid "$1") || return 0
    pg_signal KILL "$1"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    pg_ipc_remove "$1"
}

# A killed server leaves its (tiny) System V segment: its id is the last word of line 7.
pg_ipc_remove() {
    local id
    id=$(sed -n 7p "$PG_ROOT/$1/postmaster.pid" 2>/dev/null | awk '{print $2}')
    [ -z "$id" ] || ipcrm -m "$id" 2>/dev/null || true
}

# As a silently dead host: connections stand, nothing answers.
pg_freeze() { pg_signal STOP "$1" && pg_signal STOP "$1"; } # twice: it may just have started a child
pg_thaw() { pg_signal CONT "$1"; }

# Returns as soon as the promotion is requested; pg_promote waits until it has happened.
pg_promote_begin() {
    pg_as "$PG_BIN/pg_ctl" promote -D "$PG_ROOT/$1" -W >/dev/null 2>&1
}

pg_promote() {
    pg_promote_begin "$1" && pg_wait "$1" "SELECT NOT pg_is_in_recovery()"
}

# pg_rejoin NAME PRIMARY: NAME, however it ended, comes back as a standby of PRIMARY.
pg_rejoin() {
    pg_stop "$1" fast || pg_kill "$1"
    # Until its first checkpoint a promoted server's control file names the timeline before, and pg_rewind believes it.
    pg_sql "$2" CHECKPOINT || return 1
    if [ ! -x "$PG_BIN/pg_rewind" ] || ! pg_as "$PG_BIN/pg_rewind" -D "$PG_ROOT/$1" \
        --source-server="$(pg_conninfo "$2")" --no-sync >>"$(pg_log "$1")" 2>&1; then
        pg_copy "$1" "$2" || return 1
    fi
    pg_settings "$1" "$2"
    pg_as touch "$PG_ROOT/$1/standby.signal"
    pg_start "$1" && pg_wait_streaming "$1"
}

# pg_wait NAME SQL: until it prints t; a minute at most.
pg_wait() {
    local i
    for ((i = 0; i < 1200; i++)); do
        [ "$(pg_sql "$1" "$2" 2>/dev/null)" = t ] && return 0
        sleep 0.05
    done
    pg_die "$1: gave up waiting for: $2"
}

pg_wait_streaming() {
    pg_wait "$1" "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
}

# Stops every server of the root and removes it. Safe to call twice, and from a trap.
pg_destroy() {
    local address name
    [ -n "${PG_ROOT:-}" ] && [ -f "$PG_ROOT/net" ] || return 0
    for address in "$PG_ROOT"/*.address; do
        [ -e "$address" ] || continue
        name=$(basename "$address" .address)
        pg_pid "$name" >/dev/null || { pg_ipc_remove "$name"; continue; }
        pg_thaw "$name" 2>/dev/null
        pg_as "$PG_BIN/pg_ctl" stop -D "$PG_ROOT/$name" -m immediate -w -t 10 >/dev/null 2>&1 || pg_kill "$name"
    done
    rm -rf "$PG_ROOT"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    command=${1:?usage: pg.sh COMMAND [NAME...]; commands: root_new init clone start stop restart kill freeze thaw promote rejoin sql psql own pid net address port conninfo destroy}
    shift
    case $command in
    root_new | help) ;;
    *) : "${PG_ROOT:?set PG_ROOT to what pg.sh root_new printed}" ;;
    esac
    "pg_$command" "$@"
fi
