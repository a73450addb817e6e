/* SPDX-License-Identifier: Apache-2.0
 *
 * switchover.c - see switchover.h.
 */
#include "config.h"

#include "tests/support/switchover.h"

void tells(uint32_t member, enum phase phase)
{
    story.members[member].says.phase = phase;
    story.members[member].says.names_green = phase >= PHASE_AVAILABLE;
    story.members[member].says.green = phase >= PHASE_AVAILABLE ? MASK(C) : 0;
}

void tells_without_names(uint32_t member, enum phase phase)
{
    tells(member, phase);
    story.members[member].says.green = 0;
}

int set_up_deployment(void **state)
{
    (void)state;
    story_begin(3);
    for (uint32_t m = A; m <= C; m++) {
        story.members[m].says.fenced = true;
        tells(m, PHASE_AVAILABLE);
    }
    is_writer(A, 1);
    is_reader(B);
    is_writer(C, 1); /* its volume's own writer */
    run_for(2000);
    story_forget();
    return 0;
}
