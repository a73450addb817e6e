/* SPDX-License-Identifier: Apache-2.0
 *
 * failures.h - what a message of libpq means: what kind of failure it is. Pure; used by client.c, and
 * by no engine itself.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_FAILURES_H
#define HOMING_AGENT_PROBE_POSTGRESQL_FAILURES_H

#include "agent/decide/report.h"
#include "agent/probe/engine.h"

/* How far a connection came before it failed. */
enum postgres_stage {
    POSTGRES_STAGE_CONNECTING, /* no TCP connection yet */
    POSTGRES_STAGE_LOGIN,      /* TCP stands; TLS, authentication, start-up */
    POSTGRES_STAGE_SESSION,    /* questions are being answered */
    POSTGRES_STAGE_COUNT
};

struct postgres_failure {
    enum report_kind kind;
    enum engine_hint hint;
    char sqlstate[6]; /* "": the message is not the server's */
    char text[ENGINE_TEXT_MAX];
};

/* Understands libpq's message (with PQERRORS_VERBOSE: severity, SQLSTATE, text, details). The text
 * is the first thing said, one line, without libpq's "connection to server at". */
void postgres_failure_read(enum postgres_stage stage, const char *message,
                           struct postgres_failure *ret_failure);

#endif
