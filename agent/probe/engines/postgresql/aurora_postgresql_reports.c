/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql_reports.c - see aurora_postgresql_reports.h. Called by aurora_postgresql.c and
 * aurora_global_postgresql.c.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/aurora_postgresql_reports.h"
#include "proto/hash.h"

/* Every function and operator is schema-qualified: a search_path of the role, or objects that
 * somebody made in `public`, must not change the answer. The clock is the server's own, and that of
 * this moment. */
#define INSTANCE                                                                                   \
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.aurora_db_instance_identifier(),"           \
    " r.server_id, r.session_id OPERATOR(pg_catalog.=) 'MASTER_SESSION_ID',"
#define OF_CLUSTER                                                                                 \
    INSTANCE " CAST(pg_catalog.date_part('epoch',"                                                 \
             " pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.last_update_timestamp)"       \
             " AS bigint), r.durable_lsn, r.current_read_lsn, NULL"
/* Its rows have no time, and not how far an instance reads. */
#define OF_DATABASE INSTANCE " 0, r.durable_lsn, r.durable_lsn, r.aws_region"
#define START_TIME  ", pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
#define IDENTITY    ", (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)"
#define ROWS        " FROM pg_catalog.aurora_replica_status() AS r"
#define GLOBAL_ROWS " FROM pg_catalog.aurora_global_db_instance_status() AS r"

const char AURORA_QUESTION[] = OF_CLUSTER ROWS;
const char AURORA_QUESTION_FIRST[] = OF_CLUSTER START_TIME IDENTITY ROWS;
const char AURORA_QUESTION_FIRST_LESSER[] = OF_CLUSTER START_TIME ROWS;
const char AURORA_GLOBAL_QUESTION[] = OF_DATABASE GLOBAL_ROWS;
const char AURORA_GLOBAL_QUESTION_FIRST[] = OF_DATABASE START_TIME IDENTITY GLOBAL_ROWS;
const char AURORA_GLOBAL_QUESTION_FIRST_LESSER[] = OF_DATABASE START_TIME GLOBAL_ROWS;
const char AURORA_QUESTION_CHEAP[] = "SELECT pg_catalog.pg_is_in_recovery()";

#define MAY(function) "pg_catalog.has_function_privilege('pg_catalog." function "()', 'EXECUTE')"
#define MAY_BOTH(function)                                                                         \
    "SELECT " MAY(function) ", " MAY("aurora_db_instance_identifier") ", " MAY("pg_control_"       \
                                                                               "system")

const char AURORA_QUESTION_RIGHTS[] = MAY_BOTH("aurora_replica_status");
const char AURORA_GLOBAL_QUESTION_RIGHTS[] = MAY_BOTH("aurora_global_db_instance_status");

#define EXECUTE(function) "EXECUTE ON FUNCTION pg_catalog." function "()"
const char *const aurora_grants[] = {EXECUTE("aurora_replica_status"),
                                     EXECUTE("aurora_db_instance_identifier"), NULL};
const char *const aurora_global_grants[] = {EXECUTE("aurora_global_db_instance_status"),
                                            EXECUTE("aurora_db_instance_identifier"), NULL};

static const char NOTE_NOT_YET[] =
    "it is in recovery, but Aurora's status names it as the writer: counted as a reader";
static const char NOTE_NOT_LONGER[] =
    "it is not in recovery, but Aurora's status names another writer: counted as a reader";
static const char NOTE_NOBODY[] = "Aurora's status names no writer";

static const char WRONG_EMPTY[] = "aurora_replica_status() returns no row: nothing is known of the "
                                  "cluster; if that lasts, reboot the instance";
static const char WRONG_OLD[] = "aurora_replica_status() returns no row that is younger than 180 "
                                "seconds: nothing is known of the cluster";
static const char WRONG_GLOBAL_EMPTY[] =
    "aurora_global_db_instance_status() returns no row; if this is no Global Database, write "
    "engine: aurora-postgresql";

/* insufficient_privilege, or there is no such function: then that of the instances is missing, too,
 * if this is no Aurora at all. */
bool aurora_denies_identity(const char *sqlstate)
{
    static const char *const STATES[] = {"42501", "42883", "0A000"};
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
        if (strcmp(sqlstate, STATES[i]) == 0)
            return true;
    return false;
}

const char *aurora_mend(const char *sqlstate)
{
    if (strcmp(sqlstate, "42883") == 0)
        return "it has no aurora_replica_status(): this is no Aurora PostgreSQL; write engine: "
               "postgresql, or rds-postgresql for a Multi-AZ DB cluster";
    return NULL;
}

const char *aurora_global_mend(const char *sqlstate)
{
    if (strcmp(sqlstate, "42883") == 0)
        return "it has no aurora_global_db_instance_status(): it is of no Global Database; write "
               "engine: aurora-postgresql for one region, or postgresql";
    return NULL;
}

/* One instance, as the row has it. */
struct instance {
    const char *id, *region;
    bool own;     /* it is the server that was asked */
    bool master;  /* it is named as the writer */
    bool current; /* the row is of now */
    int64_t age_s;
    uint64_t durable, read; /* 0: not known */
};

static bool read_lsn(const char *text, uint64_t *ret_lsn)
{
    int64_t value = 0;
    if (text && !postgres_value_integer(text, &value))
        return false;
    *ret_lsn = value > 0 ? (uint64_t)value : 0;
    return true;
}

/* The server's own row has no time since 13.9, and is of this moment. A row of another instance
 * without a time is of no known time. */
static bool read_age(const char *text, struct instance *instance)
{
    instance->age_s = 0;
    instance->current = instance->own;
    if (!text)
        return true;
    instance->current = postgres_value_integer(text, &instance->age_s) &&
                        instance->age_s <= AURORA_AGE_MAX_S && instance->age_s >= -AURORA_AGE_MAX_S;
    return postgres_value_integer(text, &instance->age_s);
}

static bool read_instance(const char *const *columns, struct instance *ret_instance)
{
    struct instance instance = {.id = columns[AURORA_ID], .region = columns[AURORA_REGION]};
    if (!instance.id || !columns[AURORA_SELF])
        return false;
    instance.own = strcmp(instance.id, columns[AURORA_SELF]) == 0;
    if ((columns[AURORA_IS_MASTER] &&
         !postgres_value_truth(columns[AURORA_IS_MASTER], &instance.master)) ||
        !read_age(columns[AURORA_AGE_S], &instance) ||
        !read_lsn(columns[AURORA_DURABLE], &instance.durable) ||
        !read_lsn(columns[AURORA_READ], &instance.read))
        return false;
    *ret_instance = instance;
    return true;
}

/* What the rows say together. */
struct status {
    bool in_recovery;
    bool any;               /* there was a current row */
    struct instance own;    /* id NULL: it is in no current row */
    struct instance master; /* the newest one; id NULL: nobody is named */
    int others; /* that are named as the writer, and are not the server that was asked */
};

/* Ids are unique within a region alone. Of two rows with its id, its own is the one that fits what it
 * is. Of several masters, one is of before a failover, or has been renamed since. */
static void status_take(struct status *status, const struct instance *instance)
{
    if (!instance->current)
        return;
    status->any = true;
    if (instance->own && (!status->own.id || instance->master != status->in_recovery))
        status->own = *instance;
    status->others += instance->master && (!instance->own || status->in_recovery);
    if (instance->master && (!status->master.id || instance->age_s < status->master.age_s ||
                             (instance->own && instance->age_s <= status->master.age_s)))
        status->master = *instance;
}

static bool status_read(const struct postgres_rows *rows, struct status *status,
                        struct topology *topology)
{
    for (int i = 0; i < rows->count; i++) {
        struct instance instance;
        if (!read_instance(postgres_row(rows, i), &instance))
            return false;
        status_take(status, &instance);
        if (instance.current)
            topology_add(topology, instance.id, NULL, instance.region, 0);
    }
    if (status->in_recovery && status->own.id && !status->own.master)
        status->master.own = false; /* it is who has the same id elsewhere */
    return true;
}

static const char *note_of(const struct status *status)
{
    if (!status->master.id)
        return NOTE_NOBODY;
    if (status->master.own == !status->in_recovery)
        return NULL;
    return status->in_recovery ? NOTE_NOT_YET : NOTE_NOT_LONGER;
}

/* By which the instances of all regions tell an instance; 0: it is in no row. */
static uint64_t name_of(const struct instance *instance)
{
    const char *region = instance->region ? instance->region : "";

    if (!instance->id)
        return 0;
    uint64_t hash = hash_bytes(HASH_START, region, strlen(region) + 1);
    hash = hash_bytes(hash, instance->id, strlen(instance->id));
    return hash != 0 ? hash : 1;
}

/* W12: regions replicate asynchronously. Rows that name nobody, or several, say nothing: then it is as it
 * was. Who is not in recovery is no replica, whatever the rows say; and one that names itself in recovery
 * is on its way. */
static void report_succession(const struct status *status, struct report *report)
{
    report->term = (struct term){0};
    report->bound = true;
    report->self = name_of(&status->own);
    if (status->others == 1)
        report->follows = name_of(&status->master);
    if (!status->in_recovery || report->follows == report->self)
        report->follows = 0;
}

static void report_make(const struct status *status, bool fenced, struct postgres_seen *seen)
{
    struct report *report = &seen->report;
    bool writes = status->master.own && !status->in_recovery;

    report->kind = REPORT_ANSWER;
    report->role = writes ? ROLE_WRITER : ROLE_READER;
    report->fenced = fenced;
    report->position = writes ? status->master.durable : status->own.read;
    report->branch = 0;
    report->term = (struct term){0, writes};
    if (!fenced)
        report_succession(status, report);
    seen->in_recovery = status->in_recovery;
    seen->unready = status->master.own == status->in_recovery;
    seen->note = note_of(status);
}

/* Once per connection. */
static bool read_introduction(const struct postgres_rows *rows, struct report *report)
{
    const char *const *first = postgres_row(rows, 0);
    return (rows->columns <= AURORA_START_TIME ||
            postgres_value_seconds(first[AURORA_START_TIME], &report->incarnation)) &&
           (rows->columns <= AURORA_SYSTEM_IDENTIFIER ||
            postgres_value_identifier(first[AURORA_SYSTEM_IDENTIFIER], &report->identity));
}

/* `empty`: what is wrong if there are no rows. */
static bool read_rows(const struct postgres_rows *rows, bool fenced, const char *empty,
                      struct postgres_seen *seen)
{
    struct report report = seen->report;
    struct status status = {0};

    if (rows->columns < AURORA_START_TIME || rows->columns > AURORA_COLUMN_COUNT)
        return false;
    if (rows->count == 0) {
        seen->wrong = empty;
        return false;
    }
    if (!postgres_value_truth(rows->texts[AURORA_IN_RECOVERY], &status.in_recovery) ||
        !status_read(rows, &status, seen->topology) || !read_introduction(rows, &report))
        return false;
    if (!status.any) {
        seen->wrong = WRONG_OLD;
        return false;
    }
    seen->report = report;
    report_make(&status, fenced, seen);
    return true;
}

bool aurora_read(const struct postgres_rows *rows, struct postgres_seen *seen)
{
    return read_rows(rows, true, WRONG_EMPTY, seen);
}

bool aurora_global_read(const struct postgres_rows *rows, struct postgres_seen *seen)
{
    return read_rows(rows, false, WRONG_GLOBAL_EMPTY, seen);
}
