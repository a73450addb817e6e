-- SPDX-License-Identifier: Apache-2.0
-- What stands in for an Aurora PostgreSQL, and for a Global Database of it: its functions, with the columns, types and NULLs
-- that AWS documents, on plain PostgreSQL servers that replicate. An instance's id is inst-N, with N the last number of its
-- address. A server that is not in recovery names itself as the writer, and one that is names whom the table says. This is
-- no Aurora: there is no shared volume, and nothing shuts an old writer out. AWS's own wrapper for Node.js takes it for one
-- (tests/live/oracle.py).
SET allow_system_table_mods = on;
CREATE TABLE public.aurora_instances (server_id text PRIMARY KEY, writes boolean NOT NULL, age interval NOT NULL DEFAULT '0',
    region text NOT NULL DEFAULT 'eu-west-1');

CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text LANGUAGE sql STABLE AS
    $$SELECT 'inst-' || split_part(host(inet_server_addr()), '.', 4)$$;

CREATE FUNCTION public.aurora_session(id text, writes boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN CASE WHEN id = aurora_db_instance_identifier() THEN NOT pg_is_in_recovery()
                          ELSE writes AND pg_is_in_recovery() END
                THEN 'MASTER_SESSION_ID' ELSE md5(id)::uuid::text END
$$;

CREATE FUNCTION public.aurora_region() RETURNS text LANGUAGE sql STABLE AS
    $$SELECT region FROM public.aurora_instances WHERE server_id = aurora_db_instance_identifier()$$;

-- Of its own region.
CREATE FUNCTION pg_catalog.aurora_replica_status(
    OUT server_id text, OUT session_id text, OUT durable_lsn bigint, OUT highest_lsn_rcvd bigint, OUT current_read_lsn bigint,
    OUT cur_replay_latency_in_usec bigint, OUT active_txns bigint, OUT is_current boolean, OUT last_transport_error bigint,
    OUT last_error_timestamp timestamptz, OUT last_update_timestamp timestamptz, OUT feedback_xmin xid,
    OUT feedback_epoch integer, OUT replica_lag_in_msec double precision, OUT log_stream_speed_in_kib_per_second double precision,
    OUT log_buffer_sequence_number bigint, OUT oldest_read_view_trx_id bigint, OUT oldest_read_view_lsn bigint,
    OUT pending_read_ios bigint, OUT read_ios double precision, OUT iops integer, OUT cpu double precision)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT i.server_id, public.aurora_session(i.server_id, i.writes),
        1000::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, true, NULL::bigint, NULL::timestamptz,
        CASE WHEN i.server_id = aurora_db_instance_identifier() THEN NULL ELSE clock_timestamp() - i.age END,
        NULL::xid, NULL::integer, 15.5::double precision, NULL::double precision, NULL::bigint, NULL::bigint, NULL::bigint,
        NULL::bigint, NULL::double precision, NULL::integer, 1.0::double precision
    FROM public.aurora_instances AS i WHERE i.region = public.aurora_region()
$$;

-- Of all regions, without a time. A server's own LSN is that of its log; of others it knows none that is newer.
CREATE FUNCTION public.aurora_lsn() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint
$$;

CREATE FUNCTION pg_catalog.aurora_global_db_instance_status(
    OUT server_id text, OUT session_id text, OUT aws_region text, OUT durable_lsn bigint, OUT highest_lsn_rcvd bigint,
    OUT feedback_epoch integer, OUT feedback_xmin xid, OUT oldest_read_view_lsn bigint, OUT visibility_lag_in_msec double precision)
RETURNS SETOF record LANGUAGE sql VOLATILE AS $$
    SELECT s.server_id, s.session_id, s.region, s.lsn, CASE WHEN reads THEN s.lsn END, CASE WHEN reads THEN 2 END,
        CASE WHEN reads THEN '3315479243'::xid END, CASE WHEN reads THEN s.lsn END, CASE WHEN reads THEN 10::double precision END
    FROM (SELECT i.server_id, m.session_id, i.region, l.lsn, m.session_id <> 'MASTER_SESSION_ID' AS reads
          FROM public.aurora_instances AS i, public.aurora_session(i.server_id, i.writes) AS m (session_id),
              public.aurora_lsn() AS l (lsn)) AS s
$$;

CREATE FUNCTION pg_catalog.aurora_global_db_status(
    OUT aws_region text, OUT highest_lsn_written bigint, OUT durability_lag_in_msec double precision,
    OUT rpo_lag_in_msec double precision, OUT last_lag_calculation_time timestamptz, OUT feedback_epoch integer,
    OUT feedback_xmin xid)
RETURNS SETOF record LANGUAGE sql VOLATILE AS $$
    SELECT r.aws_region, max(r.durable_lsn), CASE WHEN bool_or(r.writes) THEN -1 ELSE 900 END::double precision,
        CASE WHEN bool_or(r.writes) THEN -1 ELSE 1090 END::double precision,
        CASE WHEN bool_or(r.writes) THEN 'epoch' ELSE clock_timestamp() END,
        CASE WHEN bool_or(r.writes) THEN 0 ELSE 2 END, CASE WHEN bool_or(r.writes) THEN '0' ELSE '3315479243' END::xid
    FROM (SELECT *, session_id = 'MASTER_SESSION_ID' AS writes FROM aurora_global_db_instance_status()) AS r
    GROUP BY r.aws_region
$$;

-- By this setting, which Aurora has, AWS's drivers tell it from any other PostgreSQL.
CREATE OR REPLACE VIEW pg_catalog.pg_settings AS
    SELECT * FROM pg_catalog.pg_show_all_settings()
    UNION ALL SELECT 'rds.extensions', 'aurora_stat_utils, pg_stat_statements, plpgsql', NULL, 'Customized Options',
        'The extensions that RDS provides', NULL, 'internal', 'string', 'default', NULL, NULL, NULL,
        'aurora_stat_utils, pg_stat_statements, plpgsql', 'aurora_stat_utils, pg_stat_statements, plpgsql', NULL, NULL, false;
