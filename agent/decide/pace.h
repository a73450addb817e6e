/* SPDX-License-Identifier: Apache-2.0
 *
 * pace.h - how often a cluster's members are asked: decide chooses it, probe follows it.
 *
 * It is apart from decision.h, so that probe does not see how the decision is made.
 */
#ifndef HOMING_AGENT_DECIDE_PACE_H
#define HOMING_AGENT_DECIDE_PACE_H

/* Each question is the cheapest one that the engine has; once a second it is the full one. */
enum pace {
    PACE_STEADY, /* every interval_ms */
    PACE_FAST,   /* every fast_interval_ms. It lasts while there is no undisputed writer, which may
                  * be days. A member that answers costs an empty query each time; from members that
                  * cannot be reached or answer oddly, probe itself backs off */
    PACE_COUNT
};

const char *pace_name(enum pace pace);

#endif
