/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_questions.h - what servers of MySQL's family are asked, and which are not asked at all. Pure;
 * engines/mysql/mysql_reports.c knows what the columns are.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_QUESTIONS_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What is asked, in the order in which it is. */
enum mysql_step {
    MYSQL_STEP_CHEAP,    /* is it as writable as it was? The least that a question can cost */
    MYSQL_STEP_FIRST,    /* who it is: once in a session */
    MYSQL_STEP_CHANNELS, /* from whom it replicates */
    MYSQL_STEP_STATE,    /* whether it is writable, and what it has */
    MYSQL_STEP_ORIGIN,   /* who made it writable; only if that matters */
    MYSQL_STEP_GROUP,    /* what its group says of it; only if it has one */
    MYSQL_STEP_ACCOUNT,  /* as whom we are logged in; only to name the account in a GRANT */
    MYSQL_STEP_COUNT,
};

/* NULL, or what this server is and why it is not asked, from what its greeting says of it. */
const char *mysql_server_refuse(const char *version, uint32_t number, bool mariadb);

/* The question of a step before MYSQL_STEP_COUNT. */
const char *mysql_question(bool mariadb, enum mysql_step step);

#endif
