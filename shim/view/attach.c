/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c - when to ask the agent for a view, and what to do with what it sends.
 *
 * The exchange itself is in agent.c. A thread that is to ask moves `next_ms` on, and that keeps the
 * others away. Unlike a lock this ends by itself: a fork, or a thread that is killed in the middle,
 * leaves nothing to repair.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/view/agent.h"
#include "shim/view/attach.h"
#include "shim/view/process.h"

/* For a process that never had a view: whether the agent was late, and was asked once more. */
enum attach_late {
    ATTACH_NEVER_LATE,
    ATTACH_LATE,
    ATTACH_GIVEN_UP
};

/* The pause of a thread that the agent has turned away. If it were shorter, a crowd of such threads
 * would keep the agent from its answers; if it were longer, they would sleep while the agent is
 * idle. */
#define ATTACH_REST_MS 10

#define ATTACH_PER_PAGE (PROCESS_PAGE / sizeof(struct attached))
#define ATTACH_PAGES    ((ATTACH_MAX + ATTACH_PER_PAGE - 1) / ATTACH_PER_PAGE)

static struct {
    _Atomic(const struct attached *) head;
    _Atomic(const struct attached *) retired; /* the view whose retirement was noticed */
    _Atomic uint64_t next_ms;                 /* nobody asks before; 0: at once */
    _Atomic uint32_t failures;                /* in a row */
    _Atomic uint32_t late;                    /* enum attach_late */
    _Atomic uint32_t used;              /* of the pool; counts the views that had no room, too */
    _Atomic(void *) pool[ATTACH_PAGES]; /* each page is mapped when it is needed */
} attach;

_Atomic(const view_word *) attach_permits;

/* V3: a heartbeat is late after three beats. It is late as well if it is more than a beat in the
 * future, as in a time namespace. The coarse clock lags behind the agent's by less than a beat. */
static bool attach_beats(const struct attached *head, uint64_t now_ms)
{
    return now_ms - view_heartbeat_ms(&head->map) + HOMING_HEARTBEAT_MS <=
           HOMING_HEARTBEAT_LATE_MS + HOMING_HEARTBEAT_MS;
}

/* V4: the processes of a node must not come to a new agent all at once. */
static void attach_note_retired(const struct attached *head, uint64_t now_ms)
{
    if (atomic_exchange(&attach.retired, head) != head)
        atomic_store(&attach.next_ms, now_ms + process_random() % 1000);
}

/* Whether this thread is the one to ask now. Before the first view and the first failure all of
 * them are: if many threads make their first lookups at once, none of them may miss the view. */
static bool attach_is_due(const struct attached *head, uint64_t now_ms)
{
    uint64_t next = atomic_load(&attach.next_ms);

    if (!head && atomic_load(&attach.failures) == 0)
        return true;
    return now_ms >= next &&
           atomic_compare_exchange_strong(&attach.next_ms, &next, now_ms + HOMING_ATTACH_PAUSE_MS);
}

/* An agent is late if it took the request and did not answer in time, or if it takes no more
 * requests because it has too many. If there is no agent, or if it answers nonsense, it is not
 * waited for again. */
static void attach_note_late(int error)
{
    uint32_t never = ATTACH_NEVER_LATE;

    if (error == -ETIMEDOUT || error == -EAGAIN)
        atomic_compare_exchange_strong(&attach.late, &never, ATTACH_LATE);
}

static void attach_failed(uint64_t now_ms)
{
    uint32_t failures = atomic_fetch_add(&attach.failures, 1) + 1;

    atomic_store(&attach.next_ms,
                 now_ms + (failures >= HOMING_ATTACH_FAILURES_FAST ? HOMING_ATTACH_PAUSE_SLOW_MS
                                                                   : HOMING_ATTACH_PAUSE_MS));
}

/* Gives back the memory of a view that is no longer looked at. Its addresses stay readable: a
 * thread that was suspended while it read the view goes on in an empty table. */
static void attach_blank(const struct attached *old)
{
    syscall(SYS_mmap, old->base, old->size, PROT_READ,
            MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    if (process_is_locked())
        syscall(SYS_munlock, old->base, old->size);
}

/* A place in the pool that nobody else has. NULL: there is none. */
static struct attached *attach_room(void)
{
    uint32_t index = atomic_load(&attach.used);
    struct attached *page;

    if (index >= ATTACH_MAX || (index = atomic_fetch_add(&attach.used, 1)) >= ATTACH_MAX)
        return NULL;
    page = process_memory(&attach.pool[index / ATTACH_PER_PAGE], PROCESS_PAGE);
    return page ? &page[index % ATTACH_PER_PAGE] : NULL;
}

/* Makes `view` the newest. False: it is the newest already, or there is no room. */
static bool attach_publish(const struct agent_view *view)
{
    const struct attached *head = atomic_load(&attach.head);
    struct attached *mine = NULL;

    do {
        if (head && head->map.instance == view->map.instance)
            return false;
        if (!mine && !(mine = attach_room()))
            return false;
        *mine = (struct attached){view->map, head, view->base, view->size};
    } while (!atomic_compare_exchange_strong(&attach.head, &head, mine));
    atomic_store_explicit(&attach_permits, view_permit_clusters(&mine->map), memory_order_release);
    return true;
}

static void attach_blank_beyond(const struct attached *head)
{
    for (unsigned depth = 0; head && depth < ATTACH_DEPTH; depth++)
        head = head->older;
    if (head)
        attach_blank(head);
}

/* Takes note of what came of asking: a view, or an error. */
static void attach_end(int error, const struct agent_view *view, uint64_t now_ms)
{
    if (error < 0) {
        attach_note_late(error);
        attach_failed(now_ms);
        return;
    }
    if (!attach_publish(view)) {
        agent_view_done(view);
        attach_failed(now_ms);
        return;
    }
    atomic_store(&attach.failures, 0);
    atomic_store(&attach.next_ms, 0);
    attach_blank_beyond(atomic_load(&attach.head));
}

/* The same by the clock of now, if the heartbeat came after `now_ms` was read. */
static bool attach_beats_after_all(const struct attached *head, uint64_t *now_ms)
{
    if (view_heartbeat_ms(&head->map) > *now_ms)
        *now_ms = process_now_ms();
    return attach_beats(head, *now_ms);
}

__attribute__((noinline, cold)) static const struct attached *
attach_renew(const struct attached *head, uint64_t now_ms)
{
    struct libc_kept kept = libc_keep_errno();
    struct agent_view view;

    if (head && attach_beats_after_all(head, &now_ms) && !view_retired(&head->map))
        return head;
    if (head && view_retired(&head->map) && attach_beats(head, now_ms))
        attach_note_retired(head, now_ms);
    if (attach_is_due(head, now_ms))
        attach_end(agent_ask(HOMING_ATTACH_DEADLINE_MS, &view), &view, now_ms);
    libc_restore_errno(kept);
    return atomic_load(&attach.head);
}

const struct attached *attach_current(uint64_t now_ms)
{
    /* Pairs with the exchange in attach_publish(): the view behind the pointer is complete. */
    const struct attached *head = atomic_load_explicit(&attach.head, memory_order_acquire);

    if (head && attach_beats(head, now_ms) && !view_retired(&head->map)) {
        if (atomic_load_explicit(&attach.failures, memory_order_relaxed))
            atomic_store_explicit(&attach.failures, 0, memory_order_relaxed);
        return head;
    }
    return attach_renew(head, now_ms);
}

static void attach_rest(void)
{
    descriptor_poll(NULL, ATTACH_REST_MS);
}

/* An agent that has turned us away, because too many came at once, may have time for us soon. The
 * attempts are bounded by number, too: where there is no clock_gettime(), end_ms never comes. */
static int attach_insist(struct agent_view *ret_view)
{
    uint64_t end_ms = process_now_ms() + HOMING_ATTACH_PATIENCE_MS;
    int rests = HOMING_ATTACH_PATIENCE_MS / ATTACH_REST_MS;
    int rv = agent_ask(HOMING_ATTACH_PATIENCE_MS, ret_view);

    while (rv == -EAGAIN && rests-- > 0 && process_now_ms() < end_ms) {
        attach_rest();
        rv = agent_ask(HOMING_ATTACH_DEADLINE_MS, ret_view);
    }
    return rv;
}

/* All connects that come at once wait here, as all first lookups do, until one of them has waited
 * in vain. */
__attribute__((noinline, cold)) static const struct attached *attach_once_more(uint64_t now_ms)
{
    struct libc_kept kept = libc_keep_errno();
    struct agent_view view;

    attach_end(attach_insist(&view), &view, now_ms);
    atomic_store(&attach.late, ATTACH_GIVEN_UP);
    libc_restore_errno(kept);
    return atomic_load(&attach.head);
}

const struct attached *attach_for_connect(uint64_t now_ms)
{
    if (!atomic_load_explicit(&attach.head, memory_order_relaxed) &&
        atomic_load_explicit(&attach.late, memory_order_relaxed) == ATTACH_LATE)
        return attach_once_more(now_ms);
    return attach_current(now_ms);
}

const struct attached *attach_present(void)
{
    const struct attached *head = atomic_load_explicit(&attach.head, memory_order_acquire);

    return head && !view_retired(&head->map) ? head : NULL;
}

const struct attached *attach_newest(void)
{
    return atomic_load_explicit(&attach.head, memory_order_acquire);
}

const struct attached *attach_older(const struct attached *attached, unsigned depth)
{
    return depth + 1 < ATTACH_DEPTH ? attached->older : NULL;
}
