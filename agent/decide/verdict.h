/* SPDX-License-Identifier: Apache-2.0
 *
 * verdict.h - the verdict about a cluster: which member is the writer, in which state, and why. And
 * what it is made of.
 */
#ifndef HOMING_AGENT_DECIDE_VERDICT_H
#define HOMING_AGENT_DECIDE_VERDICT_H

#include "agent/decide/topo.h"
#include "proto/limits.h"

enum cluster_state {
    CLUSTER_UNKNOWN,   /* no writer was ever confirmed, or several claim at first start */
    CLUSTER_STEADY,    /* the writer answers */
    CLUSTER_SUSPECT,   /* the writer does not answer */
    CLUSTER_NO_WRITER, /* the writer is known to be demoted, and no successor claims */
    CLUSTER_AMBIGUOUS, /* W3, W4: an operator or an arbiter must decide; the incumbent stays */
    CLUSTER_FROZEN,    /* pinned by the operator, and confirmed */
    CLUSTER_STALE,     /* W9: there is a writer, but nothing has confirmed it for max_stale.
                        * Stronger than all of the above: verdict.frozen and .rival tell what else
                        * holds */
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
    REASON_INCUMBENT_READER, /* it answers as a reader and no member claims */
    REASON_TWO_CLAIMS,       /* W3: a newer claim while the incumbent claims too */
    REASON_CLAIMS_AT_START,  /* W3a: several claims, no term held */
    REASON_OLDER_TERM,       /* W3a: the sole claim is older */
    REASON_BEHIND,           /* W3a: the sole claim is equal but behind what was last seen */
    REASON_OTHER_IDENTITY,   /* W4 */
    REASON_NO_FAILOVER,      /* the claimant has failover: false: only accept adopts it */
    REASON_WRITER_REMOVED,   /* a reload removed the published writer */
    REASON_ACCEPTED,         /* homingctl accept */
    REASON_FROZEN,           /* homingctl freeze */
    REASON_UNCONFIRMED,      /* W9: stale, because the writer is silent; any other reason stays */
    REASON_RESTORED,         /* the writer was not heard since the agent's start */
    REASON_MOVED,            /* W11: the writer's data set came up at another address of its name */
    REASON_OTHER_ADDRESS, /* W11: a claim at another address that is not the member's by itself */
    REASON_SUCCEEDED,     /* W12: an heir of the writer claims, and the writer does not */
    REASON_LOCK,          /* W3: a newer term with the leader lock, and an incumbent without it */
    REASON_UNPROVEN,      /* W12: a claim for which nothing speaks */
    REASON_TAKEN_OVER,    /* W3, W3a: a fenced server claims, and the incumbent does not */
    REASON_HANDED_OVER,   /* W4a: the writer handed over to a green member, which claims */
    REASON_SWITCHOVER,    /* W4a: the writer is none any more, and says that it is handing over */
    REASON_COUNT
};

/* The index of no member. */
#define MEMBER_NONE UINT32_MAX

/* What is published. Masks have bit 1 << member.
 *
 * In `steady` the reason stays the one for which the writer was adopted until the state changes.
 * A reload that removes the writer leaves MEMBER_NONE in `ambiguous`: nothing is handed out, but
 * identity, term and position are still held, and a claim has to be good against them (W2, W3a). */
struct verdict {
    enum cluster_state state;
    enum reason reason;
    uint32_t writer; /* MEMBER_NONE while unknown, or removed by a reload */
    uint32_t rival;  /* the member whose claim the operator has to judge, or MEMBER_NONE. It
                            * is the writer itself, if its own claim is not good (W4, W3a). It is a
                            * place's PLACE_VOICE() if that is where the claim is made (W11) */
    uint32_t fenced; /* W6: members that claim on an older term beside the writer. Each may be
                            * a second primary; no program is sent there */
    uint32_t fenced_places; /* W11: the same of places */
    uint32_t demoted;       /* W6: members known to have been demoted; never the writer's bit */
    uint32_t readers;       /* members that serve reader endpoints now; none: the writer does */
    bool authenticated;     /* the writer's claim came over an authenticated connection */
    bool braked;            /* W10: too many switches; names and connects follow, nothing is
                            * severed */
    bool frozen;            /* by the operator; survives restarts, and `stale` */
    uint64_t identity;      /* of the data set */
    uint64_t discarded;     /* W4: the identity that accept left behind; its claims rank as old */
    struct term term;       /* held term: never goes back within one identity (W2) */
    uint64_t position;      /* newest position that the writer claimed on `term` */
    uint64_t self;          /* W12: the writer's name; 0: not known, or its engine has a term */
    uint64_t branch;        /* W12: the position of its claim when it was adopted */
    uint64_t heirs[HOMING_MEMBERS_MAX]; /* W12: `self` of each server that was seen to follow it
                                         * since; 0: nobody's */
    uint64_t unyielding[HOMING_MEMBERS_MAX]; /* W3a: incarnations of servers that claimed when a
                                              * fenced one took over, and were no readers since;
                                              * 0: none. The newest is the first */
    enum phase phase;  /* W4a: the writer's own last word, that of a switchover that it began */
    uint64_t phase_ms; /* since when a switchover is waited for; 0: it is not */
    uint32_t
        named; /* mask of those of `green` that the writer itself named: one of them may succeed it */
    bool
        stray; /* it named a green one that is no member, too: nothing can be handed over to that */
    uint32_t green;   /* mask: they hold another data set, whatever they say of it, and what
                            * they claim counts for nothing yet */
    uint32_t retired; /* mask: left behind by a switchover; what they claim is older */
    uint32_t renamed; /* mask of those of `retired` that the writer named last as servers of its own
                            * cluster: the name is to lead to a new one */
    uint64_t confirmed_ms; /* W9; 0: never */
    uint64_t since_ms;     /* since when `writer` is the writer */
    uint64_t switches;     /* number of switches so far */
};

/* Configuration of one cluster as far as deciding needs it. Times in ms. */
struct decision_conf {
    uint32_t members;     /* count, up to HOMING_MEMBERS_MAX. 0: none is known yet */
    uint32_t no_failover; /* mask: members with failover: false never become writer by themselves */
    uint32_t interval_ms;
    uint32_t fast_interval_ms;
    uint32_t timeout_ms; /* > interval_ms, or no claim would be live between two answers */
    uint32_t max_stale_ms;
    uint32_t max_switches; /* in 10 minutes, at most BRAKE_SWITCHES_MAX; 0: no brake */
    uint64_t max_lag;      /* in what positions count */
    uint32_t green;        /* W4a: mask: they were named as green ones when they joined */
    bool named;            /* who is new at a reconfiguration was named by servers */
};

/* What a decision looks at. */
struct writer_input {
    const struct decision_conf *conf;
    const struct topo *topo;
    const struct verdict *held;
    bool first_round_done;   /* W3a: every member was heard once */
    uint64_t asked_again_ms; /* W3: when the incumbent was asked once more; now_ms: not yet */
    uint64_t reaffirmed_ms;  /* W3: when it last answered a question sent after that; 0: not yet */
    uint64_t last_call_ms;   /* W3: when its time was first seen to be over; 0: not yet */
    uint64_t now_ms;
};

/* A verdict that knows nothing. */
void verdict_init(struct verdict *v);

/* Whether anything is held that claims are judged against: a writer, a data set or a term. At a
 * first start there is nothing. */
bool verdict_holds(const struct verdict *v);

/* Whether two verdicts differ in what is saved, published or shown. Position and time of
 * confirmation do not count, because they change with each answer; nor do fenced members, which
 * have an alarm of their own. W12: `self` and `branch` change with the writer or the term. */
bool verdict_differs(const struct verdict *a, const struct verdict *b);

/* W3a: whether this server claimed when a fenced one took over, and may not have noticed. */
bool verdict_is_unyielding(const struct verdict *v, uint64_t incarnation);
/* If there are too many, the oldest is forgotten. 0 is not noted: such servers cannot be told apart. */
void verdict_note_unyielding(struct verdict *v, uint64_t incarnation);
void verdict_forget_unyielding(struct verdict *v, uint64_t incarnation);

const char *cluster_state_name(enum cluster_state state);
const char *reason_name(enum reason reason);
/* One sentence for a person, naming the rule: "W3: two members claim to be the writer". */
const char *reason_text(enum reason reason);

#endif
