/* SPDX-License-Identifier: Apache-2.0
 *
 * mover.c - see tags.h. Moves tags and counts into another memory, while threads go on writing.
 */
#include "shim/permit/tags.h"

/* 1. Each move needs a new memfd, because no descriptor of the old one was kept. Two places in the
 *    address space take turns and are never unmapped: a thread that was suspended while it wrote a
 *    tag still writes into one of them, whenever it goes on.
 * 2. A tag that is written or cleared while the tags move is in the new memory afterwards. The mover
 *    first says where it moves them to. Who writes a tag from then on writes it there, too, after he
 *    has written it where the tags are. The mover copies a slot until it is as it was before it was
 *    copied. Nothing is copied after the exchange, because the new memory is written by others then.
 * 3. A mover may be overtaken at any moment, and go on at any later one. The number of its claim
 *    stands in the word of the claim, beside the place that only it may map something at, and in
 *    the word of the memory that it moves out of. It changes either only if the number is still its
 *    own. It never maps at a place that another one has, because who overtakes it takes none over.
 * 4. Who overtakes a mover between its exchange and its end finishes that move first. */

/* How far a claim is, and what the place in its word is. */
enum mover_state {
    MOVER_IDLE,  /* given back; the place is not in use. 0: there is none yet */
    MOVER_BUSY,  /* the place is the mover's own */
    MOVER_MOVING /* the place is the memory that it moves out of; it may have exchanged it already */
};

/* ---- moving ---- */

/* So often a slot is copied at most. One thread at a time writes it, and that one comes to its end; but a
 * forked child can write it for ever. Then the tag is what the child says, as it would be anyway. */
#define MOVER_COPIES_MAX 64

/* A slot is copied once more only if its tag was written meanwhile. One without a tag is left: who
 * has cleared it does the same in `to`. */
static void mover_copy_slot(const struct tag *from, struct tag *to)
{
    struct tags_tag tag = place_read(from), copied;

    if (!tag.cookie)
        return;
    for (int i = 0; i < MOVER_COPIES_MAX; i++) {
        copied = tag;
        place_fill(to, &copied);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in tags_put() */
        tag = place_read(from);
        if (place_same(&tag, &copied))
            return;
    }
}

/* Slots of one page, of which there are none if the page does not exist: who writes there has it made first, and
 * finds `to` announced. False: there is no memory for them. */
static bool mover_copy_page(uint64_t from, uint64_t to, uint32_t i, uint32_t end)
{
    bool exists = false;

    if (!place_exists(from, i))
        return true;
    for (; i < end; i++) {
        if (!place_word(&place_at(from)->slots[i].cookie))
            continue;
        if (!exists && !(exists = place_exists(to, i)))
            return false;
        mover_copy_slot(&place_at(from)->slots[i], &place_at(to)->slots[i]);
    }
    return true;
}

/* As much as is mapped of `from` is mapped of `to`. False: there is no memory for all of it. */
static bool mover_copy(const struct tags *tags, uint64_t from, uint64_t to)
{
    uint32_t end = tags_end(tags, from), next;

    for (uint32_t i = 0; i < end; i = next) {
        next = place_next_page(i);
        if (!mover_copy_page(from, to, i, next < end ? next : end))
            return false;
    }
    return true;
}

/* What comes after the exchange: `place` is where the tags are now. */
static void mover_finish(uint64_t from, uint64_t place)
{
    for (int what = 0; what < TAG_COUNT_COUNT; what++)
        place_move_count(place_at(from), place_at(place), what);
}

/* ---- claims ---- */

bool tags_may_claim(struct tags *tags, bool old)
{
    if ((atomic_load(&tags->claim) & PLACE_STATE) == MOVER_IDLE)
        return true;
    return old && atomic_load(&tags->overtaken) < TAGS_OVERTAKEN_MAX;
}

/* The place of a mover that is overtaken stays its own: it may map something there at any time. The
 * memory that it moves out of is taken over, to be finished. */
uint64_t tags_claim(struct tags *tags, bool old)
{
    uint64_t was = atomic_load(&tags->claim), state = was & PLACE_STATE, mine;

    if (state != MOVER_IDLE && !old)
        return 0;
    mine = ((was + PLACE_ONE) & PLACE_NUMBER) | (state == MOVER_IDLE ? MOVER_BUSY : state);
    if (state != MOVER_BUSY)
        mine |= was & PLACE_WHERE;
    if (!atomic_compare_exchange_strong(&tags->claim, &was, mine))
        return 0;
    if (state != MOVER_IDLE)
        atomic_fetch_add(&tags->overtaken, 1);
    return mine;
}

bool tags_claims(struct tags *tags, uint64_t claim)
{
    return ((atomic_load(&tags->claim) ^ claim) & PLACE_NUMBER) == 0;
}

/* Another place and state for a claim. False: it was overtaken. */
static bool mover_advance(struct tags *tags, uint64_t *claim, uint64_t place,
                          enum mover_state state)
{
    uint64_t was = *claim;

    *claim = (place & PLACE_WHERE) | (was & PLACE_NUMBER) | state;
    return atomic_compare_exchange_strong(&tags->claim, &was, *claim);
}

void tags_release(struct tags *tags, uint64_t claim)
{
    uint64_t was = atomic_load(&tags->claim);

    while (((was ^ claim) & PLACE_NUMBER) == 0 && (was & PLACE_STATE) == MOVER_BUSY &&
           !atomic_compare_exchange_weak(&tags->claim, &was, was & ~(uint64_t)PLACE_STATE))
        ;
}

/* Puts the number of the claim to where the tags are. From then on no overtaken mover can exchange
 * the memory, nor put its own number there. Returns the place; 0: there is none, or the claim was
 * overtaken. */
static uint64_t mover_seize(struct tags *tags, uint64_t claim)
{
    uint64_t was = atomic_load(&tags->place), mine;

    do {
        if (!was || !tags_claims(tags, claim))
            return 0;
        mine = (was & PLACE_WHERE) | (claim & PLACE_NUMBER);
    } while (!atomic_compare_exchange_weak(&tags->place, &was, mine));
    return mine;
}

/* Ends what an overtaken mover has begun: either it has exchanged the memory, or it never will. */
static bool mover_end_other(struct tags *tags, uint64_t *claim, uint64_t from)
{
    uint64_t left = *claim & PLACE_WHERE;

    if ((*claim & PLACE_STATE) != MOVER_MOVING)
        return true;
    if (place_at(left) == place_at(from))
        return mover_advance(tags, claim, 0, MOVER_BUSY);
    mover_finish(left, from);
    return mover_advance(tags, claim, *claim, MOVER_BUSY);
}

/* At the place of the claim, if it has one that is large enough; else at a new one like `from`. */
static uint64_t mover_map_beside(uint64_t claim, uint64_t from, int fd, uint32_t slots)
{
    uint64_t place = claim & PLACE_WHERE, map;

    if (!place_at(place) || place_steps(place) < place_steps(from))
        place = place_of(NULL, place_steps(from), 0);
    map = place_map(place, fd, slots);
    return map ? map | (claim & PLACE_NUMBER) : 0;
}

/* More of the old memory was mapped meanwhile, and so more of the new one has to be. Returns where the
 * tags are; 0: the claim was overtaken, or it cannot be mapped. */
static uint64_t mover_follow(struct tags *tags, uint64_t claim, uint64_t *to)
{
    uint64_t from = mover_seize(tags, claim);

    if (from && place_steps(*to) < place_steps(from))
        *to = place_grow(*to, place_slots_in(place_size(from)));
    return *to ? from : 0;
}

/* Has every tag that is written from now on written there, too. False: the claim was overtaken; who
 * overtakes it says so after it has claimed, and so what it says stays. */
static bool mover_announce(struct tags *tags, uint64_t claim, uint64_t to)
{
    uint64_t was = atomic_load(&tags->to);

    do
        if (!tags_claims(tags, claim))
            return false;
    while (!atomic_compare_exchange_weak(&tags->to, &was, to));
    return true;
}

/* Puts the tags from `from` to *to. The claim says first what is to be finished. Returns the place
 * that they were moved out of; 0: they were not. */
static uint64_t mover_exchange(struct tags *tags, uint64_t *claim, uint64_t from, uint64_t *to)
{
    while (from) {
        uint64_t was = from;

        if (!mover_announce(tags, *claim, *to))
            return 0;
        if (!mover_copy(tags, from, *to)) {
            mover_advance(tags, claim, *to, MOVER_BUSY); /* the next one maps there */
            return 0;
        }
        if (!mover_advance(tags, claim, from, MOVER_MOVING))
            return 0;
        if (atomic_compare_exchange_strong(&tags->place, &was, *to))
            return from;
        from = mover_follow(tags, *claim, to);
    }
    return 0;
}

/* Where an overtaken mover may still copy to, no tags are put again. */
bool tags_move(struct tags *tags, uint64_t claim, int fd, uint32_t slots)
{
    bool inherits = (claim & PLACE_STATE) == MOVER_MOVING;
    uint64_t from, to;

    if (!atomic_load(&tags->place) && tags_begin(tags, fd, slots))
        return true;
    from = mover_seize(tags, claim);
    if (!from || !mover_end_other(tags, &claim, from) ||
        !(to = mover_map_beside(claim, from, fd, slots)))
        return false;
    from = mover_exchange(tags, &claim, from, &to);
    if (!from)
        return false;
    mover_finish(from, to);
    return mover_advance(tags, &claim, inherits ? 0 : from, MOVER_BUSY);
}
