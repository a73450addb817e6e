-- SPDX-License-Identifier: Apache-2.0
-- What stands in for the functions by which servers of Aurora and RDS tell of a blue/green deployment, with the columns that
-- AWS's drivers read; after aurora.sql and rds_tools.sql. Each server tells the rows that are under its address. Besides, the
-- function of RDS tells the servers of a Multi-AZ DB cluster, without role, status and version.
SET allow_system_table_mods = on;
CREATE TABLE public.deployments (teller text NOT NULL, endpoint text NOT NULL, port integer NOT NULL, role text NOT NULL,
    status text NOT NULL, version text NOT NULL);
GRANT SELECT ON public.deployments, public.aurora_instances TO homing;

CREATE FUNCTION pg_catalog.get_blue_green_fast_switchover_metadata(client text) RETURNS TABLE (id text, endpoint text,
    port integer, role text, status text, version text, update_stamp timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT md5(endpoint), endpoint, port, role, status, version, clock_timestamp() FROM public.deployments
    WHERE teller = host(inet_server_addr())
$$;

DROP FUNCTION rds_tools.show_topology(text);
CREATE FUNCTION rds_tools.show_topology(client text DEFAULT NULL) RETURNS TABLE (id text, endpoint text, port integer, role text,
    status text, version text)
LANGUAGE sql STABLE AS $$
    SELECT id, endpoint, port, NULL, NULL, NULL FROM rds_tools.servers
    UNION ALL SELECT md5(endpoint), endpoint, port, role, status, version FROM public.deployments
    WHERE teller = host(inet_server_addr())
$$;
