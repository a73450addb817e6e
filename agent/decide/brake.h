/* SPDX-License-Identifier: Apache-2.0
 *
 * brake.h - W10: too many switches in ten minutes. Used by decision.c. The brake itself is part of
 * the verdict and survives a restart of the agent; the count that leads to it starts anew.
 */
#ifndef HOMING_AGENT_DECIDE_BRAKE_H
#define HOMING_AGENT_DECIDE_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

/* W10's ten minutes: the window in which switches count, and the quiet that ends the brake. */
#define BRAKE_WINDOW_MS (10 * 60 * 1000u)
/* The largest max_switches that can be counted: one less than the switches remembered. */
#define BRAKE_SWITCHES_MAX 15

struct brake {
    uint64_t at_ms[BRAKE_SWITCHES_MAX + 1]; /* a ring of the last switches; 0: none */
    uint32_t next;
    uint64_t last_ms; /* the last switch, or the start of an agent that found the brake on */
};

/* `on`: the saved verdict had the brake on. Then the quiet time starts anew. */
void brake_init(struct brake *b, bool on, uint64_t now_ms);

void brake_note(struct brake *b, uint64_t now_ms);

/* Whether the brake is on now, given whether it was. */
bool brake_holds(const struct brake *b, bool was_on, uint32_t max_switches, uint64_t now_ms);

/* When quiet alone releases a brake that is on. */
uint64_t brake_until(const struct brake *b);

#endif
