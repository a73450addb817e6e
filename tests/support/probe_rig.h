/* SPDX-License-Identifier: Apache-2.0
 *
 * probe_rig.h - a probe of three members on a virtual clock, whose engine and resolver are doubles.
 *
 * A test makes the doubles act ("member 0 answers") and looks at what was opened, asked and
 * reported. Member m resolves to 10.0.m.x; its port is m + 1.
 */
#ifndef HOMING_TESTS_SUPPORT_PROBE_RIG_H
#define HOMING_TESTS_SUPPORT_PROBE_RIG_H

#include "agent/probe/probe.h"

enum {
    MEMBERS = 3,
    INTERVAL = 250,
    FAST = 50,
    TIMEOUT = 1000,
    REPORTS_MAX = 10000,
};

/* The engine's side of a session: what probe opened. */
struct engine_session {
    struct engine_sink sink;
    uint32_t member;
    struct address address;
    bool asked;
};

extern struct loop *loop;
extern struct probe *probe;
extern struct conf_cluster probe_rig_cluster;
extern struct engine_session *sessions[MEMBERS]; /* open ones */
extern uint32_t opened[MEMBERS];                 /* since the last forget(): sessions, */
extern uint32_t cheap[MEMBERS];                  /* questions of either kind, */
extern uint32_t full[MEMBERS];
extern struct report reports[REPORTS_MAX]; /* and reports */
extern size_t report_count;
extern uint32_t ask_on_report; /* if set, every report is answered with this probe_ask() */

/* What the probe told last of a member; texts and addresses are copies. */
struct told {
    struct addresses where;
    char error[ENGINE_TEXT_MAX];
    uint64_t retry_ms;
};
extern struct told told[MEMBERS];

int probe_rig_setup(void **state);
int probe_rig_teardown(void **state);
void forget(void);
uint32_t reported(uint32_t member, enum report_kind kind);

/* The engine acts. */
void becomes_ready(uint32_t member);
void answers(uint32_t member);
void fails(uint32_t member, enum report_kind kind, enum engine_hint hint);

/* The resolver acts: a digit per address; none: unknown. */
void resolves(uint32_t member, const char *ends);

/* Resolved, connected and answered once. */
void stands(uint32_t member);

/* Lets `ms` pass, every question being answered at once by those in the mask. */
void passes(uint32_t ms, uint32_t answering);

/* As passes(), every attempt of `member` failing at once. */
void passes_failing(uint64_t ms, uint32_t member, enum report_kind kind, enum engine_hint hint);

#endif
