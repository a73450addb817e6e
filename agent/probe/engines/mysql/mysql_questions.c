/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_questions.c - what servers of MySQL's family are asked, and which of them are not: see
 * mysql_questions.h. mysql_reports.c knows the columns.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/mysql/family/values.h"
#include "agent/probe/engines/mysql/mysql_questions.h"

/* Only what an account without any privilege can read, but for the tables of replication.
 * global_variables and variables_info are costly: the server makes all of their rows. So they are
 * read once in a session, and only when they matter. */
#define NAMED(name) " WHERE VARIABLE_NAME = '" name "'"
#define OF_MYSQL(name)                                                                             \
    "(SELECT VARIABLE_VALUE FROM performance_schema.global_variables" NAMED(name) ")"
#define OF_MARIADB(name)                                                                           \
    "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES" NAMED(name) ")"
#define GROUP_NAME     OF_MYSQL("group_replication_group_name")
#define WSREP_ON       OF_MYSQL("wsrep_on")
#define AURORA_VERSION OF_MYSQL("aurora_version")
#define WSREP_PROVIDER OF_MARIADB("WSREP_PROVIDER")
#define WSREP_ENABLED  OF_MARIADB("WSREP_ON")
/* The second in which the server was started: the same in each session. */
#define STARTED(status)                                                                            \
    "CAST(UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM " status NAMED("UPTIME") ") AS SIGNED)"
#define STARTED_MYSQL   STARTED("performance_schema.global_status")
#define STARTED_MARIADB STARTED("information_schema.GLOBAL_STATUS")

static const char *const QUESTIONS[MYSQL_STEP_COUNT] = {
    [MYSQL_STEP_CHEAP] = "SELECT @@global.read_only",
    [MYSQL_STEP_FIRST] = "SELECT @@global.hostname, @@global.port, " STARTED_MYSQL
                         ", @@global.server_uuid, " GROUP_NAME ", " WSREP_ON ", " AURORA_VERSION,
    [MYSQL_STEP_CHANNELS] =
        "SELECT c.CHANNEL_NAME, c.HOST, s.SERVICE_STATE AS RECEIVING, s.LAST_ERROR_NUMBER,"
        " 0 AS APPLY_ERROR, a.SERVICE_STATE AS APPLYING, s.SOURCE_UUID"
        " FROM performance_schema.replication_connection_configuration AS c"
        " LEFT JOIN performance_schema.replication_connection_status AS s"
        " ON s.CHANNEL_NAME = c.CHANNEL_NAME"
        " LEFT JOIN performance_schema.replication_applier_status AS a"
        " ON a.CHANNEL_NAME = c.CHANNEL_NAME",
    [MYSQL_STEP_STATE] =
        "SELECT @@global.gtid_executed, @@global.gtid_mode, @@global.innodb_read_only,"
        " @@global.offline_mode, @@global.super_read_only, @@global.read_only",
    [MYSQL_STEP_ORIGIN] = "SELECT VARIABLE_SOURCE FROM performance_schema.variables_info"
                          " WHERE VARIABLE_NAME = 'read_only'",
    [MYSQL_STEP_GROUP] =
        "SELECT (SELECT COUNT(*) FROM performance_schema.replication_group_members),"
        " (SELECT COUNT(*) FROM performance_schema.replication_group_members"
        " WHERE MEMBER_STATE = 'UNREACHABLE'), m.MEMBER_STATE, m.MEMBER_ROLE, s.VIEW_ID,"
        " @@global.group_replication_single_primary_mode"
        " FROM (SELECT 1) AS o"
        " LEFT JOIN performance_schema.replication_group_members AS m"
        " ON m.MEMBER_ID = @@global.server_uuid"
        " LEFT JOIN performance_schema.replication_group_member_stats AS s"
        " ON s.MEMBER_ID = @@global.server_uuid",
    [MYSQL_STEP_ACCOUNT] = MYSQL_QUESTION_ACCOUNT,
};

/* Where MariaDB is asked otherwise. */
static const char *const QUESTIONS_OF_MARIADB[MYSQL_STEP_COUNT] = {
    [MYSQL_STEP_FIRST] =
        "SELECT @@global.hostname, @@global.port, " STARTED_MARIADB
        ", NULL, NULL, IF(" WSREP_PROVIDER " <> 'none', " WSREP_ENABLED ", 'OFF'), NULL",
    [MYSQL_STEP_CHANNELS] = "SHOW ALL REPLICAS STATUS",
    [MYSQL_STEP_STATE] = "SELECT @@global.gtid_current_pos, NULL, @@global.innodb_read_only,"
                         " @@global.gtid_domain_id, @@global.server_id, @@global.read_only",
    [MYSQL_STEP_ORIGIN] = "SELECT GLOBAL_VALUE_ORIGIN FROM information_schema.SYSTEM_VARIABLES"
                          " WHERE VARIABLE_NAME = 'READ_ONLY'",
};

const char *mysql_server_refuse(const char *version, uint32_t number, bool mariadb)
{
    static const char *const OTHERS[][2] = {
        {"TiDB", "this is TiDB, which the engine mysql does not know"},
        {"Vitess", "this is Vitess, which the engine mysql does not know"},
        {"OceanBase", "this is OceanBase, which the engine mysql does not know"},
        {"SingleStore", "this is SingleStore, which the engine mysql does not know"},
    };
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
        if (strcasestr(version, OTHERS[i][0]))
            return OTHERS[i][1];
    if (mariadb && number < 100500)
        return "this MariaDB is too old: the engine mysql knows 10.5 and later";
    if (!mariadb && number < 80000)
        return "this MySQL is too old: the engine mysql knows 8.0 and later";
    return NULL;
}

const char *mysql_question(bool mariadb, enum mysql_step step)
{
    const char *own = mariadb ? QUESTIONS_OF_MARIADB[step] : NULL;
    return own ? own : QUESTIONS[step];
}
