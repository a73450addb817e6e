/* SPDX-License-Identifier: Apache-2.0
 *
 * writer.h - THE decision: which member is the writer, in which state, and why.
 *
 * writer_decide() looks at what each member last said and at the verdict in force, and returns the
 * next verdict. Pure: no clock (now is a parameter), no allocation, no history other than its
 * input. Rules W1-W6 and W9 live here; cluster.h feeds it and turns a changed verdict into actions.
 */
#ifndef HOMING_WRITER_H
#define HOMING_WRITER_H

#include "../../proto/limits.h"
#include "report.h"

enum cluster_state {
    CLUSTER_UNKNOWN,   /* no writer was ever confirmed, or several claim at first start */
    CLUSTER_STEADY,    /* the writer answers */
    CLUSTER_SUSPECT,   /* it does not */
    CLUSTER_NO_WRITER, /* it is known to be demoted, and no successor claims */
    CLUSTER_AMBIGUOUS, /* W3, W4: an operator or an arbiter must decide; the incumbent stays */
    CLUSTER_FROZEN,    /* pinned by the operator */
    CLUSTER_STALE,     /* W9: not confirmed for max_stale */
    CLUSTER_STATE_COUNT
};

/* Why the verdict is what it is; homingctl explain prints it, the log names it. */
enum reason {
    REASON_NONE,
    REASON_FIRST_CLAIM,      /* W3a: the sole claim at first start */
    REASON_NEWER_TERM,       /* W3, W3a: a newer term, and the incumbent does not claim */
    REASON_DEMOTION_UNDONE,  /* W3a: an equal term, sole claim, not behind */
    REASON_INCUMBENT_CLAIMS, /* steady */
    REASON_INCUMBENT_SILENT, /* W5 */
    REASON_INCUMBENT_READER, /* it answers as a reader and nobody claims */
    REASON_TWO_CLAIMS,       /* W3: a newer claim while the incumbent claims too */
    REASON_CLAIMS_AT_START,  /* W3a: several claims, no term held */
    REASON_OLDER_TERM,       /* W3a: the sole claim is older */
    REASON_BEHIND,           /* W3a: the sole claim is equal but behind what was last seen */
    REASON_OTHER_IDENTITY,   /* W4 */
    REASON_WRITER_REMOVED,   /* a reload removed the published writer */
    REASON_ACCEPTED,         /* homingctl accept */
    REASON_FROZEN,           /* homingctl freeze */
    REASON_UNCONFIRMED,      /* W9 */
    REASON_RESTORED,         /* from disk, not confirmed yet */
    REASON_COUNT
};

/* Member index of "nobody". */
#define MEMBER_NONE UINT32_MAX

/* What is published. Masks have bit 1 << member. */
struct verdict {
    enum cluster_state state;
    enum reason reason;
    uint32_t writer;       /* MEMBER_NONE while unknown */
    uint32_t rival;        /* whom `reason` is about besides the writer, or MEMBER_NONE */
    uint32_t demoted;      /* W6: members known to have been demoted; never the writer's bit */
    uint32_t readers;      /* members that serve reader endpoints now */
    bool authenticated;    /* the claim it rests on came over an authenticated connection */
    bool braked;           /* W10: too many switches; names and connects follow, no severing */
    uint64_t identity;     /* of the data set */
    struct term term;      /* held term: never goes back within one identity (W2) */
    uint64_t position;     /* newest position seen on `term` */
    uint64_t confirmed_ms; /* W9; 0: never */
    uint64_t since_ms;     /* since when `writer` is the writer */
    uint64_t switches;     /* number of switches so far */
};

const char *cluster_state_name(enum cluster_state state);
const char *reason_name(enum reason reason);
/* One sentence for a person, naming the rule: "W3: a newer claim while the incumbent claims too".
 */
const char *reason_text(enum reason reason);

#endif
