/* SPDX-License-Identifier: Apache-2.0
 *
 * pace.h - how often a cluster's members are asked: the one word that decide says to probe.
 *
 * Apart from decision.h, so that probe does not see how decisions are made.
 */
#ifndef HOMING_AGENT_DECIDE_PACE_H
#define HOMING_AGENT_DECIDE_PACE_H

/* How probe asks. */
enum pace {
    PACE_STEADY, /* every interval_ms, the cheapest question; the full one once a second */
    PACE_FAST,   /* all members, every fast_interval_ms. Lasts as long as there is no undisputed
                  * writer, which may be days: probe itself backs off the members that cannot be
                  * reached or answer oddly; answering ones cost an empty query each */
    PACE_COUNT
};

const char *pace_name(enum pace pace);

#endif
