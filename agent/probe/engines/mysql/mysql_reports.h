/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_reports.h - what a server of MySQL's family answered, as a report. Pure: texts in, report out.
 *
 * One pass: engines/mysql/mysql.c asks mysql_question() of a step, hands the answer to
 * mysql_step_take(), and does so again with the step that this returns, until it is MYSQL_STEP_DONE; then
 * mysql_report() is the report. MYSQL_STEP_FAILED: the session is of no use, and the failure says why.
 * Every byte comes from outside: what is not exactly what such a server answers is odd.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/decide/report.h"
#include "agent/probe/engines/mysql/family/deployments.h"
#include "agent/probe/engines/mysql/family/values.h"
#include "agent/probe/engines/mysql/mysql_questions.h"
#include "agent/probe/mysql/answer.h"

/* What a server has answered so far. All zero, but for the first three, when a session begins. */
struct mysql_seen {
    bool mariadb;
    bool circular; /* whether it is writable is all that counts: the configuration says so */
    bool unready;  /* 1047: it is no ready member of a Galera cluster */

    /* MYSQL_STEP_FIRST */
    bool introduced;
    bool galera;
    uint64_t server; /* hash of the server's own name for itself; MariaDB: 0 */
    uint64_t born;   /* hash of host, port and start */
    uint64_t group;  /* hash of the group's name; 0: it has none */

    /* MYSQL_STEP_CHANNELS; those of the group itself are left out */
    uint32_t channels;
    bool running;       /* one of them is, or ended with an error */
    bool several;       /* they lead to different servers */
    bool group_channel; /* the group has one */
    char source[64];

    /* MYSQL_STEP_STATE, MYSQL_STEP_CHEAP */
    bool read_only;
    bool closed; /* that, or another setting with which it takes no writes */
    bool no_gtids;
    uint64_t replicated;     /* transactions that it had when it last replicated; 0: it has more */
    uint64_t position;       /* one more than the transactions that it has; 0: not known */
    uint64_t domain, number; /* MariaDB */

    bool by_word; /* MYSQL_STEP_ORIGIN: somebody has turned read_only off since it was started */

    /* MYSQL_STEP_GROUP */
    bool online, majority, primary;
    struct term view;

    char denied[80]; /* what the account may not do, until it is known which account that is */
};

/* Takes in the answer of `step`; returns the step that comes next, MYSQL_STEP_DONE or MYSQL_STEP_FAILED. After
 * MYSQL_STEP_CHEAP, MYSQL_STEP_DONE says that the report of before still holds. ret_failure is set only with
 * MYSQL_STEP_FAILED. */
int mysql_step_take(struct mysql_seen *seen, enum mysql_step step,
                    const struct mysql_answer *answer, struct mysql_report_failure *ret_failure);

/* W4a: such a server may be one of RDS's, and tell of a blue/green deployment. Two steps come before
 * those that decide its role; on any other server the first of them is rare, and the other one is not asked. */
enum {
    MYSQL_STEP_LOOK = MYSQL_STEP_COUNT, /* whether it has the table */
    MYSQL_STEP_DEPLOYMENT,
    MYSQL_DEPLOYED_STEP_COUNT
};

/* For so many full questions, of which there is one a second, it is not looked for again: it may be made, or
 * granted, while the session stands. */
#define MYSQL_LOOK_REST 60

/* All zero, but for what struct mysql_seen says, when a session begins. */
struct mysql_deployed {
    struct mysql_seen mysql;
    enum phase phase;
    bool there; /* the table, when it was looked for last */
    bool known; /* it has told once, and is looked for each time from then on */
    bool told;  /* by the last question */
    uint32_t rest;
    uint32_t misses;          /* in a row, since it has told */
    struct topology topology; /* the green servers */
};

/* The step with which a question begins; the question of a step; and as the two beside, for a server that may
 * have the table. */
int mysql_deployed_first(const struct mysql_deployed *seen, bool cheap);
const char *mysql_deployed_question(const struct mysql_deployed *seen, int step);
int mysql_deployed_take(struct mysql_deployed *seen, int step, const struct mysql_answer *answer,
                        struct mysql_report_failure *ret_failure);
const char *mysql_deployed_report(const struct mysql_deployed *seen, struct report *report);

/* The report, of which `authenticated` is left as it is. Returns NULL, or a remark for status. */
const char *mysql_report(const struct mysql_seen *seen, struct report *report);

#endif
