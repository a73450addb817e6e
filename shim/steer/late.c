/* SPDX-License-Identifier: Apache-2.0
 *
 * late.c - see late.h.
 */
#include "shim/libc/libc.h"
#include "shim/permit/marks.h"
#include "shim/permit/permit.h"
#include "shim/steer/late.h"
#include "shim/steer/recall.h"
#include "shim/view/process.h"

/* After a look that failed. Each costs more than a connect does. */
#define LATE_PAUSE_MS 100

/* A look that began before is overtaken: its thread was stopped, has left by a jump, or is the parent's
 * of this process. */
#define LATE_CLAIM_MS 1000

_Atomic uint64_t late_seen;

static struct {
    _Atomic uint64_t claimed_ms; /* when the look that is going on began; 0: there is none */
    _Atomic uint64_t failed;     /* what late_of() was at the last look that failed */
    _Atomic uint64_t again_ms;   /* when that may be tried once more */
    _Atomic uint64_t wishes;     /* for one more look */
} late_state;

/* One look. */
struct late_look {
    const struct attached *head;
    uint64_t now_ms;
    struct tags *tags; /* NULL: none yet */
    bool told;         /* something */
    bool failed;
};

static bool late_may_tag(struct late_look *look, const struct recalled *recalled)
{
    if (!look->tags && !look->failed)
        look->tags = permit_ready();
    return look->tags && marks_add(recalled->fd);
}

/* A socket that has a tag was connected once more since. */
static bool late_tag(void *arg, const struct recalled *recalled)
{
    struct late_look *look = arg;
    struct tags_tag tag = {recalled->cookie, recalled->endpoint, recalled->generation,
                           recalled->since_ms};

    if (!late_may_tag(look, recalled)) {
        look->failed = true;
        return false;
    }
    if (tags_cookie(look->tags, recalled->fd) == tag.cookie)
        return true;
    if (process_sever_refused())
        tag.endpoint = TAG_ENDPOINT_NONE;
    look->told = true;
    if (!tags_write(look->tags, recalled->fd, &tag))
        return false;
    if (tag.endpoint != TAG_ENDPOINT_NONE)
        tags_count(look->tags, TAG_COUNT_LATE);
    return true;
}

/* While all endpoints that it has tags for are idle, the permit is nobody's business. */
static bool late_hand_over(const struct late_look *look)
{
    uint64_t instance = view_sever_instance(&look->head->map);

    if (!instance || (!look->told && !permit_matters(instance, look->now_ms,
                                                     recall_is_endpoint_wanted, look->head)))
        return true;
    return permit_hold(instance, look->now_ms);
}

/* True: nothing is left to be done. */
static bool late_do(struct late_look *look)
{
    bool all = recall_each(look->head, look->now_ms, late_tag, look);

    return late_hand_over(look) && all;
}

static bool late_claim(uint64_t now_ms)
{
    uint64_t was = atomic_load(&late_state.claimed_ms);

    if (was && process_since_ms(now_ms, was) < LATE_CLAIM_MS)
        return false;
    return atomic_compare_exchange_strong(&late_state.claimed_ms, &was, now_ms);
}

/* A wish that comes before the word is stored is seen after it; a later one stores its own word. */
static void late_end(const struct late_look *look, uint64_t seen, uint64_t wishes, bool done)
{
    uint64_t mine = look->now_ms;

    if (atomic_load(&late_state.claimed_ms) != mine)
        return;
    if (!done) {
        atomic_store(&late_state.again_ms, mine + LATE_PAUSE_MS);
        atomic_store(&late_state.failed, seen);
        seen = 0;
    }
    atomic_store(&late_seen, seen);
    if (atomic_load(&late_state.wishes) != wishes)
        atomic_store(&late_seen, 0);
    atomic_compare_exchange_strong(&late_state.claimed_ms, &mine, 0);
}

void late_once_more(void)
{
    atomic_fetch_add(&late_state.wishes, 1);
    atomic_store(&late_seen, 0);
}

void late_look(const struct attached *head)
{
    struct libc_kept kept = libc_keep_errno();
    uint64_t seen = late_of(&head->map), wishes = atomic_load(&late_state.wishes);
    struct late_look look = {.head = head, .now_ms = process_now_ms()};

    if ((seen == atomic_load(&late_state.failed) &&
         look.now_ms < atomic_load(&late_state.again_ms)) ||
        !late_claim(look.now_ms))
        return;
    late_end(&look, seen, wishes, late_do(&look));
    libc_restore_errno(kept);
}
