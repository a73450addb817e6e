/* SPDX-License-Identifier: Apache-2.0
 *
 * strayed.h - which processes come back to a demoted member although that was severed already.
 *
 * One pass, by sweep.c: strayed_judge() before a connection is aborted, strayed_note() when the kernel
 * has said that it was.
 *
 * A program tags with generation 0 what it has connected to a demoted member and does not expect to
 * connect there again (W7). If it does so all the same, because another name of the same address says
 * that it is right there, or because it never gets to see the present view, an abort does not help:
 * the next connection is the same. So what a process makes after it was severed is left alone, until
 * the next switch. But for a second it may have the view of an agent before (V4): what it makes then
 * is severed as well, a little later, when it has the present one.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_STRAYED_H
#define HOMING_AGENT_SEVER_SWEEP_STRAYED_H

#include "agent/sever/sweep/tags.h"

/* Of so many the switch is remembered for which a process was severed: 40 KB. Of more, those that
 * were severed last; who is forgotten is severed once more. */
#define STRAYED_MAX 1024

struct strayed_row {
    uint64_t process; /* permit.number; 0: the row is free */
    uint64_t endpoint;
    uint64_t older_than; /* the switch */
    uint64_t at_ms;      /* when it was severed first */
    bool told;
};

/* All zero: nobody has strayed. */
struct strayed {
    struct strayed_row rows[STRAYED_MAX];
};

enum strayed_fate {
    STRAYED_GOES,  /* as every other outdated connection */
    STRAYED_WAITS, /* for a later sweep */
    STRAYED_STAYS
};

/* Of an outdated connection. */
enum strayed_fate strayed_judge(const struct strayed *strayed, const struct sever_order *order,
                                const struct tags_entry *entry, uint64_t now_ms);
/* It was aborted, at `now_ms` or a little later. */
void strayed_note(struct strayed *strayed, const struct sever_order *order,
                  const struct tags_entry *entry, uint64_t now_ms);
/* Whether it is the first of its process, for this switch, of which somebody is to be told that it
 * stays. */
bool strayed_tells(struct strayed *strayed, const struct tags_entry *entry);

#endif
