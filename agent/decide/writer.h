/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.h - THE decision: which member is the writer, in which state, and why.
 *
 * writer_decide() looks at what each member last said and at the verdict in force, and returns the
 * next verdict. Pure: no clock (now is a parameter), no allocation, no history other than its
 * input. Rules W1-W6 and W9 live here and in claims.h. decision.c makes the input, and turns a
 * changed verdict into actions.
 */
#ifndef HOMING_AGENT_DECIDE_WRITER_H
#define HOMING_AGENT_DECIDE_WRITER_H

#include "agent/decide/verdict.h"

struct writer_output {
    struct verdict verdict;
    bool contested;       /* W3: a good claim, and an incumbent that has not stopped claiming */
    uint64_t deadline_ms; /* if contested: when the incumbent's silence counts as stopping */
};

/* W3: how long the incumbent may take to answer when it is asked once more. Longer: it takes more
 * than 250 ms to leave a silent writer. Shorter: one slow answer moves production. */
#define WRITER_PATIENCE_MS 150

/* Makes a member's last claim the verdict in force. State, readers and the end of the member's own
 * demotion are left to writer_decide(). W2: only REASON_ACCEPTED may take an older term or another
 * identity. */
void writer_adopt(struct verdict *v, const struct topo *topo, uint32_t member, enum reason reason,
                  uint64_t now_ms);

void writer_decide(const struct writer_input *in, struct writer_output *ret_output);

#endif
