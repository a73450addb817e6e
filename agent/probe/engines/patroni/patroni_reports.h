/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_reports.h - what a member's Patroni answered, as a report. Pure: text in, report out.
 *
 * One question says all: GET /primary. Its status is 200 while the member is the primary and holds the
 * leader lock, else 503; the document is the same for both. Term, identity, incarnation and position
 * are the database's own, with the numbers that the engine which asks that itself has for them: a
 * cluster may change from one to the other. Called by patroni.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/http/client.h"
#include "agent/decide/report.h"
#include "agent/probe/engine.h"

#define PATRONI_QUESTION "/primary"

/* An answer of HTTP. */
struct patroni_answer {
    unsigned status;
    int64_t date; /* the member's clock, in seconds since 1970; 0: not known */
    const char *body;
    size_t len;
};

struct patroni_failure {
    enum report_kind kind;
    enum engine_hint hint;
    char text[ENGINE_TEXT_MAX];
};

/* False: nothing is reported but *ret_failure. Else *ret_report is set, but for `member`, `asked_ms`
 * and `authenticated`; *ret_note is NULL, or a remark for status. */
bool patroni_report(const struct patroni_answer *answer, struct report *ret_report,
                    const char **ret_note, struct patroni_failure *ret_failure);

/* Why there was no answer at this port. tls: it was asked over TLS. strange: nobody knows who is there (W11). */
void patroni_report_failure(const struct http_failure *failure, uint16_t port, bool tls,
                            bool strange, struct patroni_failure *ret_failure);

#endif
