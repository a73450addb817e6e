/* SPDX-License-Identifier: Apache-2.0
 *
 * probe_rig.h - a probe of five members on a virtual clock, whose engine and resolver are doubles.
 *
 * A test makes the doubles act ("member 0 answers") and looks at what was opened, asked and
 * reported. Member m resolves to 10.0.m.x; its port is m + 1.
 */
#ifndef HOMING_TESTS_SUPPORT_PROBE_RIG_H
#define HOMING_TESTS_SUPPORT_PROBE_RIG_H

#include "agent/probe/probe.h"

enum {
    MEMBERS = 5,
    INTERVAL = 250,
    FAST = 50,
    TIMEOUT = 1000,
    REPORTS_MAX = 10000,
    /* Sessions of places are told apart by the last byte of their address: AT(2) is 10.0.x.2's. */
    SESSIONS = MEMBERS + 10,
};
#define AT(end) (MEMBERS + (end))

/* The engine's side of a session: what probe opened. */
struct engine_session {
    struct engine_sink sink;
    uint32_t member;
    struct address address;
    bool asked;
};

/* What the resolver says of every host. */
extern const char *official_name;
extern struct loop *loop;
extern struct probe *probe;
extern struct conf_cluster probe_rig_cluster;
extern struct engine_session *sessions[SESSIONS]; /* open ones */
extern uint32_t opened[SESSIONS];                 /* since the last forget(): sessions, */
extern uint32_t cheap[SESSIONS];                  /* questions of either kind, */
extern uint32_t full[SESSIONS];
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

/* What it told of places, by their number, and how often a host was made urgent, or not. */
extern struct probe_place placed[PLACES_MAX];
extern uint32_t urged, unurged, again;
extern char taken[8];     /* the last byte of an address that is another member's, as a digit; "" */
extern uint8_t behind;    /* the last byte of an address at which a switchover left a server; 0 */
extern bool move_at_once; /* every candidate that was named twice is moved to */
/* The number of the place at 10.0.x.`end`; PLACES_MAX: there is none. */
uint32_t place_at(enum place_kind kind, uint32_t end);

int probe_rig_setup(void **state);
int probe_rig_teardown(void **state);
/* The same with `family: 4`. */
int probe_rig4_setup(void **state);
int probe_rig4_teardown(void **state);
/* Another probe takes the place of this one. */
void probe_rig_reload(enum conf_family family);
void forget(void);
uint32_t reported(uint32_t member, enum report_kind kind);

/* The engine acts. */
void becomes_ready(uint32_t member);
void answers(uint32_t member);
void fails(uint32_t member, enum report_kind kind, enum engine_hint hint);

/* The resolver acts: a digit per address; none: unknown. */
void resolves(uint32_t member, const char *ends);
/* Of the family that is not the configured one, IPv6: so many addresses; 0: none is known. */
void resolves_other(uint32_t member, uint32_t count);

/* Resolved, connected and answered once. */
void stands(uint32_t member);

/* Lets `ms` pass, every question being answered at once by those in the mask. */
void passes(uint32_t ms, uint32_t answering);

/* As passes(), every attempt of `member` failing at once. */
void passes_failing(uint64_t ms, uint32_t member, enum report_kind kind, enum engine_hint hint);

#endif
