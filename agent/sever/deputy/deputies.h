/* SPDX-License-Identifier: Apache-2.0
 *
 * deputies.h - the deputies (deputy.h) for one kind of work, and on whose account they hang.
 *
 * One deputy is kept, and does all work. If a piece keeps it waiting, the next pieces go to another one, so that
 * what waits waits together. If that goes on, it hangs: it is killed, and left behind until the kernel lets it. It is
 * charged to the owner of that piece. If an owner has as many as he may, nothing more of his is tried: he
 * takes none from the others. Called by the sweep and by tag_memory.c.
 */
#ifndef HOMING_AGENT_SEVER_DEPUTY_DEPUTIES_H
#define HOMING_AGENT_SEVER_DEPUTY_DEPUTIES_H

#include "agent/sever/deputy/deputy.h"

/* A user at one place: a network namespace, or of root a control group. */
struct deputy_owner {
    uint32_t uid;
    uint64_t place;
};

/* How many may hang at once: of one owner; of one user at all his places; and of all. */
struct deputies_limits {
    uint32_t of_owner, of_uid, max;
};
#define DEPUTIES_MAX 64

struct deputies {
    struct deputies_limits limits;
    struct {
        struct deputy deputy;
        enum {
            DEPUTY_IDLE, /* or at work */
            DEPUTY_LATE, /* it waits: it comes back, or hangs */
            DEPUTY_HANGS,
            DEPUTY_GOES /* it was killed, and is on nobody's account */
        } is;
        struct deputy_owner owner; /* of these, with what follows */
        uint64_t what;
        uint64_t ticket;
        uint32_t piece;
        bool told;
    } at[DEPUTIES_MAX + 1]; /* the one that works is none of those */
    uint64_t tickets;
    bool told; /* that there is none any more */
};

/* No process is started before there is work. */
void deputies_init(struct deputies *deputies, struct deputies_limits limits);
/* Those that hang are left behind. */
void deputies_done(struct deputies *deputies);
/* The one that is kept ends: no work is to be expected. */
void deputies_rest(struct deputies *deputies);

/* What became of a piece. */
enum deputy_fate {
    DEPUTY_TODO,
    DEPUTY_TRIED,
    DEPUTY_STUCK, /* a deputy hangs on it, now or since earlier */
    DEPUTY_OWES,  /* not tried: as many hang as may on account of its owner */
    DEPUTY_NONE   /* not tried: as many hang as may, or none could be had */
};

struct deputy_piece {
    uint64_t what; /* the same as of an earlier piece: it is about the same */
    enum deputy_fate fate;
    uint64_t ticket; /* of STUCK */
};

typedef struct deputy_owner deputy_owner_fn(const void *arg, uint32_t piece);

struct deputy_work {
    deputy_fn *fn;
    int fd, second;         /* -1: there is none. The caller's */
    const void *bytes;      /* for the desk */
    size_t size;            /* DEPUTY_BYTES at most */
    deputy_owner_fn *owner; /* is called with `arg` if need be: it may be costly */
    const void *arg;
    struct deputy_piece *pieces; /* with `what`, the rest is zero */
    uint32_t count;              /* DEPUTY_PIECES at most */
    int answer;                  /* of the deputy that was done last */
};

/* Returns when no piece is TODO, after some 200 ms if one hangs. Or negative errno: no process can be started, none hangs,
 * and what is still TODO was not tried. While one hangs, nobody should try that without a deputy. */
int deputies_run(struct deputies *deputies, struct deputy_work *work);

/* Whether the deputy still hangs with which a piece got this ticket. */
bool deputies_hang(struct deputies *deputies, uint64_t ticket);

/* True: it was not yet said that nothing more of this owner is tried, and is now. */
bool deputies_tell(struct deputies *deputies, struct deputy_owner owner);

#endif
