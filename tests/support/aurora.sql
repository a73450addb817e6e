-- SPDX-License-Identifier: Apache-2.0
-- What stands in for an Aurora PostgreSQL: its functions, with the columns, types and NULLs that AWS documents, on plain
-- PostgreSQL servers that replicate. An instance's id is inst-N, with N the last number of its address. A server that is
-- not in recovery names itself as the writer, and one that is names whom the table says. This is no Aurora: there is no
-- shared volume, and nothing shuts an old writer out. AWS's own wrapper for Node.js takes it for one (tests/live/oracle.py).
SET allow_system_table_mods = on;
CREATE TABLE public.aurora_instances (server_id text PRIMARY KEY, writes boolean NOT NULL, age interval NOT NULL DEFAULT '0');

CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text LANGUAGE sql STABLE AS
    $$SELECT 'inst-' || split_part(host(inet_server_addr()), '.', 4)$$;

CREATE FUNCTION pg_catalog.aurora_replica_status(
    OUT server_id text, OUT session_id text, OUT durable_lsn bigint, OUT highest_lsn_rcvd bigint, OUT current_read_lsn bigint,
    OUT cur_replay_latency_in_usec bigint, OUT active_txns bigint, OUT is_current boolean, OUT last_transport_error bigint,
    OUT last_error_timestamp timestamptz, OUT last_update_timestamp timestamptz, OUT feedback_xmin xid,
    OUT feedback_epoch integer, OUT replica_lag_in_msec double precision, OUT log_stream_speed_in_kib_per_second double precision,
    OUT log_buffer_sequence_number bigint, OUT oldest_read_view_trx_id bigint, OUT oldest_read_view_lsn bigint,
    OUT pending_read_ios bigint, OUT read_ios double precision, OUT iops integer, OUT cpu double precision)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT i.server_id,
        CASE WHEN CASE WHEN i.server_id = aurora_db_instance_identifier() THEN NOT pg_is_in_recovery()
                       ELSE i.writes AND pg_is_in_recovery() END
             THEN 'MASTER_SESSION_ID' ELSE md5(i.server_id)::uuid::text END,
        1000::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, true, NULL::bigint, NULL::timestamptz,
        CASE WHEN i.server_id = aurora_db_instance_identifier() THEN NULL ELSE clock_timestamp() - i.age END,
        NULL::xid, NULL::integer, 15.5::double precision, NULL::double precision, NULL::bigint, NULL::bigint, NULL::bigint,
        NULL::bigint, NULL::double precision, NULL::integer, 1.0::double precision
    FROM public.aurora_instances AS i
$$;

-- By this setting, which Aurora has, AWS's drivers tell it from any other PostgreSQL.
CREATE OR REPLACE VIEW pg_catalog.pg_settings AS
    SELECT * FROM pg_catalog.pg_show_all_settings()
    UNION ALL SELECT 'rds.extensions', 'aurora_stat_utils, pg_stat_statements, plpgsql', NULL, 'Customized Options',
        'The extensions that RDS provides', NULL, 'internal', 'string', 'default', NULL, NULL, NULL,
        'aurora_stat_utils, pg_stat_statements, plpgsql', 'aurora_stat_utils, pg_stat_statements, plpgsql', NULL, NULL, false;
