/* SPDX-License-Identifier: Apache-2.0
 *
 * topo.h - what each member of a cluster last said, and what may be concluded from it.
 *
 * A claim is live while the member's connection stands and its last answer is younger than
 * `timeout` (W1). Two members with one identity and one incarnation are one server: aliases, never
 * a split brain.
 */
#ifndef HOMING_TOPO_H
#define HOMING_TOPO_H

#include "../../proto/limits.h"
#include "report.h"

struct member_view {
    struct report last;    /* the last REPORT_ANSWER */
    enum report_kind kind; /* of the last report of any kind */
    bool heard;            /* any report at all */
    bool answered;         /* `last` is set */
    bool standing;         /* the connection of `last` stands */
    bool late;             /* a question is unanswered for `interval` */
    uint8_t good_answers;  /* in a row, up to 3: a reader returns after 3 */
    uint64_t answered_ms;  /* when `last` came in */
    uint64_t changed_ms;   /* when `kind` last changed: for status */
};

struct topo {
    uint32_t members;
    struct member_view at[HOMING_MEMBERS_MAX];
};

#endif
