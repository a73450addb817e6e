/* SPDX-License-Identifier: Apache-2.0
 *
 * deployments.h - how a server of AWS's is asked about a blue/green deployment, and what it answers (W4a).
 * Pure; called by session.c, for the engines whose dialect says by which function their servers tell of it.
 *
 * One pass: once a full question is answered, postgres_deployments_begin() says what to ask next, and
 * postgres_deployments_take() takes each answer, until one of them says NULL. Then `phase` is known.
 *
 * Most servers have no such function, and it is not called to find that out: what a server refuses stands
 * in its log. What the functions return is documented by AWS and its drivers; nobody of us has asked one.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_DEPLOYMENTS_H
#define HOMING_AGENT_PROBE_POSTGRESQL_DEPLOYMENTS_H

#include "agent/probe/deployment.h"
#include "agent/probe/postgresql/client.h"

enum {
    /* A server that does not tell homing's role, and may one day, is asked again whether it does after so
     * many full questions, a minute. So is one that has told of a deployment, and then failed as often in a
     * row. Longer: who has just granted it waits. */
    POSTGRES_DEPLOYMENTS_REST = 60,
};

/* The function by which a kind of server tells. */
struct postgres_deployments_of {
    /* One row: whether the role has each of `grants`, NULL if the server has no such function; and whether
     * it is one that may get the function while it runs. */
    const char *rights;
    const char *const *grants; /* as a GRANT names them; NULL is last */
    const char *question;      /* rows of enum postgres_deployment_column, no more than are read */
};

extern const struct postgres_deployments_of postgres_deployments_of_aurora;
extern const struct postgres_deployments_of postgres_deployments_of_rds;

enum postgres_deployment_column {
    POSTGRES_DEPLOYMENT_ENDPOINT,
    POSTGRES_DEPLOYMENT_PORT,
    POSTGRES_DEPLOYMENT_ROLE,
    POSTGRES_DEPLOYMENT_STATUS,
    POSTGRES_DEPLOYMENT_VERSION,
    POSTGRES_DEPLOYMENT_COLUMN_COUNT
};

/* What is known of one server in one session; all zero when that begins. */
struct postgres_deployments {
    bool tells;                  /* it has the function, and the role may call it */
    bool never;                  /* it has none as long as it runs */
    bool told;                   /* of a deployment, once */
    uint32_t rest;               /* full questions before it is asked again */
    uint32_t failures;           /* in a row */
    const char *lacked;          /* what the role needs; NULL: nothing is known to be missing */
    char words[ENGINE_TEXT_MAX]; /* what it has failed with; "": it has not */
    enum phase phase;
    struct topology green; /* the green servers, as it told them last */
};

/* Whether the error is about the question alone: the session stands, and the server is who it was. */
bool postgres_deployments_spare(const struct postgres_failure *failure);

/* NULL: there is nothing to ask. */
const char *postgres_deployments_begin(struct postgres_deployments *d,
                                       const struct postgres_deployments_of *of);
/* What to ask next; NULL: nothing. Green servers go to the topology. What is no answer leaves all as it was
 * told last. */
const char *postgres_deployments_take(struct postgres_deployments *d,
                                      const struct postgres_deployments_of *of,
                                      const struct postgres_answer *answer,
                                      struct topology *topology);

/* One row, with columns in the order above. What is no row of a deployment makes it strange. */
void postgres_deployment_take_row(const char *const columns[POSTGRES_DEPLOYMENT_COLUMN_COUNT],
                                  struct deployment *d, struct topology *topology);

#endif
