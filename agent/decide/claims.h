/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.h - which live claims there are besides the incumbent's, and how good each is (W3a, W4).
 *
 * Used by writer.c. Aliases are folded into one claim: one server is never its own rival.
 */
#ifndef HOMING_AGENT_DECIDE_CLAIMS_H
#define HOMING_AGENT_DECIDE_CLAIMS_H

#include "agent/decide/verdict.h"

/* How a claim compares with what is held; the worst comes first. */
enum rank {
    RANK_OLDER,   /* an older term, or an identity that was discarded by accept */
    RANK_FOREIGN, /* another identity: not comparable */
    RANK_BEHIND,  /* the held term, but behind what was seen on it */
    RANK_EQUAL,   /* the held term */
    RANK_NEWER,
    RANK_COUNT
};

struct claims {
    uint32_t mask;      /* members with a live claim, one bit for each server; without the writer,
                         * and without its aliases while its own claim is live */
    uint32_t count;     /* bits in `mask`, but of those that were left behind (W4a) */
    uint32_t newest;    /* the best ranked of them, and of these the newest term; or MEMBER_NONE */
    uint32_t candidate; /* the one that W3a finds good; MEMBER_NONE: none is, or two are alike */
    /* W9: one is newer, foreign, or fenced and equal, so others cannot confirm a silent writer. */
    bool unsettling;
};

const char *rank_name(enum rank rank);

enum rank claim_rank(const struct topo *topo, const struct verdict *held, uint32_t member);

void claims_collect(const struct writer_input *in, const struct verdict *held,
                    struct claims *ret_claims);

/* W3a: if a fenced server takes over from the held writer, terms do not tell the claim that this one made
 * until then from a new one: it is none any more. A new one is no more than that of an old writer
 * that has not noticed (`unyielding`), until it was a reader or was started again. True: there was
 * such a claim. */
bool claims_mark_outdated(struct topo *topo, struct verdict *held, uint32_t writer);

/* W3a: remembers which claims are behind the newest position of the held term. Such a claim stays
 * behind, however far its member writes on. Called after each decision. */
void claims_mark_behind(struct topo *topo, const struct verdict *held);

#endif
