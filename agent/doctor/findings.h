/* SPDX-License-Identifier: Apache-2.0
 *
 * findings.h - lines for an operator, and how many of them there are of each kind.
 *
 * A finding is one line: how bad it is, what was found. Below it may be one more: what to do. Whatever
 * comes from outside may be in either: it is made fit for a terminal here.
 */
#ifndef HOMING_AGENT_DOCTOR_FINDINGS_H
#define HOMING_AGENT_DOCTOR_FINDINGS_H

#include <stdint.h>
#include <stdio.h>

enum finding {
    FINDING_OK,
    FINDING_HINT,   /* neither good nor bad: not counted */
    FINDING_REMARK, /* it works, but somebody should know */
    FINDING_PROBLEM,
    FINDING_COUNT
};

struct findings {
    FILE *out;
    uint32_t count[FINDING_COUNT];
};

/* Longer lines are cut. */
#define FINDINGS_LINE 900

void findings_begin(struct findings *f, const char *cluster, const char *engine);
/* `mend` NULL: there is nothing to do, or nobody knows what. */
void findings_add(struct findings *f, enum finding finding, const char *mend, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/* What nobody looked at, and the last line. */
void findings_end(const struct findings *f);

#endif
