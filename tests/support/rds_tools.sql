-- SPDX-License-Identifier: Apache-2.0
-- What stands in for a Multi-AZ DB cluster of RDS with PostgreSQL: the functions of its extension rds_tools, as AWS
-- documents them, on plain PostgreSQL servers that replicate. The id of a server is db-N, with N the last number of its
-- address. This is no RDS.
CREATE SCHEMA rds_tools;
CREATE TABLE rds_tools.servers (id text PRIMARY KEY, endpoint text NOT NULL, port integer NOT NULL, writes boolean NOT NULL);
GRANT USAGE ON SCHEMA rds_tools TO homing;
GRANT SELECT ON rds_tools.servers TO homing;

CREATE FUNCTION rds_tools.dbi_resource_id() RETURNS text LANGUAGE sql STABLE AS
    $$SELECT 'db-' || split_part(host(inet_server_addr()), '.', 4)$$;

CREATE FUNCTION rds_tools.multi_az_db_cluster_source_dbi_resource_id() RETURNS text LANGUAGE sql STABLE AS
    $$SELECT CASE WHEN pg_is_in_recovery() THEN (SELECT id FROM rds_tools.servers WHERE writes) ELSE '' END$$;

CREATE FUNCTION rds_tools.show_topology(driver text) RETURNS TABLE (id text, endpoint text, port integer)
LANGUAGE sql STABLE AS $$SELECT id, endpoint, port FROM rds_tools.servers$$;
