/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql_reports.h - what an Aurora PostgreSQL instance answered, as a report, and which
 * instances it names: of a cluster, or of a Global Database. Pure.
 *
 * All instances of a cluster write into one volume, which lets one of them write at a time: the term
 * is always the same, and claims are fenced (W3a). Each region of a Global Database has a volume of
 * its own, which follows the writer's asynchronously, and nothing shuts the old writer's out: claims have
 * positions, and who was seen to follow the writer may succeed it (W12). What the functions return is
 * documented by AWS; nobody of us has asked an Aurora.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_POSTGRESQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_POSTGRESQL_REPORTS_H

#include "agent/probe/postgresql/session.h"

/* The questions: a row for each instance that the server knows of, with the columns of enum
 * aurora_column. AURORA_QUESTION lacks the last two, AURORA_QUESTION_FIRST_LESSER the last one; so do
 * those of a Global Database. */
extern const char AURORA_QUESTION[];
extern const char AURORA_QUESTION_FIRST[];
extern const char AURORA_QUESTION_FIRST_LESSER[];
extern const char AURORA_GLOBAL_QUESTION[];
extern const char AURORA_GLOBAL_QUESTION_FIRST[];
extern const char AURORA_GLOBAL_QUESTION_FIRST_LESSER[];
extern const char AURORA_QUESTION_CHEAP[]; /* of both */
/* Whether the role has each of these rights. */
extern const char AURORA_QUESTION_RIGHTS[];
extern const char AURORA_GLOBAL_QUESTION_RIGHTS[];
extern const char *const aurora_grants[];
extern const char *const aurora_global_grants[];

enum aurora_column {
    AURORA_IN_RECOVERY, /* of the server that is asked, in every row */
    AURORA_SELF,        /* its instance id */
    AURORA_ID,          /* of the row's instance */
    AURORA_IS_MASTER,
    AURORA_AGE_S,   /* of the row, by the server's clock; NULL: not known */
    AURORA_DURABLE, /* its durable LSN; NULL: not known */
    AURORA_READ,    /* the LSN up to which it reads, or has made durable; NULL: not known */
    AURORA_REGION,  /* its region; NULL: the one that there is */
    AURORA_START_TIME,
    AURORA_SYSTEM_IDENTIFIER,
    AURORA_COLUMN_COUNT
};

/* Rows that are older, or younger than now, tell of another time: of before a restore, for instance. */
#define AURORA_AGE_MAX_S 180

/* For struct postgres_dialect. */
bool aurora_read(const struct postgres_rows *rows, struct postgres_seen *seen);
bool aurora_global_read(const struct postgres_rows *rows, struct postgres_seen *seen);
bool aurora_denies_identity(const char *sqlstate);
const char *aurora_mend(const char *sqlstate);
const char *aurora_global_mend(const char *sqlstate);

#endif
