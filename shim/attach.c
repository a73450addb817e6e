/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c - when to ask the agent for a view, and what to do with what it sends.
 *
 * The exchange itself is in agent.c. An attempt is claimed by moving `next_ms`, not by a lock: a
 * claim ends by itself, so that a fork or a killed thread in the middle of one leaves nothing to
 * repair.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/agent.h"
#include "shim/attach.h"
#include "shim/libc.h"
#include "shim/process.h"

/* Whether the agent of a process that never had a view was late, and was waited for once more. */
enum attach_late {
    ATTACH_NEVER_LATE,
    ATTACH_LATE,
    ATTACH_GIVEN_UP
};

/* Pause of who was turned away. Shorter, and a crowd of them keeps the agent from its answers;
 * longer, and they sleep while it has none left to give. */
#define ATTACH_REST_MS 10

static struct {
    _Atomic(const struct attached *) head;
    _Atomic(const struct attached *) retired; /* whose retirement was noticed */
    _Atomic uint64_t next_ms;                 /* no attempt before; 0: at once */
    _Atomic uint32_t failures;                /* in a row */
    _Atomic uint32_t late;                    /* enum attach_late */
    _Atomic uint32_t used;                    /* of pool; also counts refused ones */
    struct attached pool[ATTACH_MAX];
} attach;

/* V3: late after three beats; also if from the future, as in a time namespace. The coarse clock
 * lags behind the agent's by less than a beat. */
static bool attach_beats(const struct attached *head, uint64_t now_ms)
{
    return now_ms - view_heartbeat_ms(&head->map) + HOMING_HEARTBEAT_MS <=
           HOMING_HEARTBEAT_LATE_MS + HOMING_HEARTBEAT_MS;
}

/* V4: the processes of a node do not come to a new agent all at once. */
static void attach_note_retired(const struct attached *head, uint64_t now_ms)
{
    if (atomic_exchange(&attach.retired, head) != head)
        atomic_store(&attach.next_ms, now_ms + process_random() % 1000);
}

/* Whether this caller is the one to try now. As long as nothing was ever had or failed, everybody
 * is: of many threads whose first lookups coincide none may miss the view. */
static bool attach_claim(const struct attached *head, uint64_t now_ms)
{
    uint64_t next = atomic_load(&attach.next_ms);

    if (!head && atomic_load(&attach.failures) == 0)
        return true;
    return now_ms >= next &&
           atomic_compare_exchange_strong(&attach.next_ms, &next, now_ms + HOMING_ATTACH_PAUSE_MS);
}

/* Late is who took the request and did not answer in time, or has so many to answer that he takes
 * no more: he is there. Who is not, or answers nonsense, is not waited for again. */
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

/* Gives the memory of a view that nobody looks at any more back, and keeps its addresses readable:
 * a thread that was suspended while reading finds an empty table. */
static void attach_blank(const struct attached *old)
{
    syscall(SYS_mmap, old->base, old->size, PROT_READ,
            MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
}

/* Makes `view` the newest. False: it is not news, or there is no room. */
static bool attach_publish(const struct agent_view *view)
{
    const struct attached *head = atomic_load(&attach.head);
    struct attached *mine = NULL;

    do {
        if (head && head->map.instance == view->map.instance)
            return false;
        if (!mine) {
            uint32_t index = atomic_load(&attach.used);

            if (index >= ATTACH_MAX || (index = atomic_fetch_add(&attach.used, 1)) >= ATTACH_MAX)
                return false;
            mine = &attach.pool[index];
        }
        *mine = (struct attached){view->map, head, view->base, view->size};
    } while (!atomic_compare_exchange_strong(&attach.head, &head, mine));
    return true;
}

static void attach_blank_beyond(const struct attached *head)
{
    for (unsigned depth = 0; head && depth < ATTACH_DEPTH; depth++)
        head = head->older;
    if (head)
        attach_blank(head);
}

/* What became of asking: 0 with a view, or an error. */
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

static void attach_attempt(uint64_t now_ms)
{
    struct agent_view view;
    int error = agent_ask(HOMING_ATTACH_DEADLINE_MS, &view);

    attach_end(error, &view, now_ms);
}

__attribute__((noinline, cold)) static const struct attached *
attach_renew(const struct attached *head, uint64_t now_ms)
{
    struct libc_kept kept = libc_keep_errno();

    if (head && view_retired(&head->map) && attach_beats(head, now_ms))
        attach_note_retired(head, now_ms);
    if (attach_claim(head, now_ms))
        attach_attempt(now_ms);
    libc_restore_errno(kept);
    return atomic_load(&attach.head);
}

const struct attached *attach_current(uint64_t now_ms)
{
    /* Pairs with the exchange in attach_publish(): what it points to is complete. */
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
    const struct timespec rest = {.tv_nsec = ATTACH_REST_MS * 1000000};

    syscall(SYS_ppoll, NULL, 0UL, &rest, NULL, 0UL);
}

/* Who turned us away, because too many came at once, may have time for us soon. Bounded by count,
 * too: the clock is coarse, and of a libc that we cannot choose. */
static int attach_insist(struct agent_view *ret_view)
{
    uint64_t end_ms = process_now_ms() + HOMING_ATTACH_PATIENCE_MS;
    int rests = HOMING_ATTACH_PATIENCE_MS / ATTACH_REST_MS;
    int error = agent_ask(HOMING_ATTACH_PATIENCE_MS, ret_view);

    while (error == -EAGAIN && rests-- > 0 && process_now_ms() < end_ms) {
        attach_rest();
        error = agent_ask(HOMING_ATTACH_DEADLINE_MS, ret_view);
    }
    return error;
}

/* All connects that coincide wait, as all first lookups do,
 * until one of them has waited in vain. */
__attribute__((noinline, cold)) static const struct attached *attach_once_more(uint64_t now_ms)
{
    struct libc_kept kept = libc_keep_errno();
    struct agent_view view;
    int error = attach_insist(&view);

    attach_end(error, &view, now_ms);
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

const struct attached *attach_older(const struct attached *attached, unsigned depth)
{
    return depth + 1 < ATTACH_DEPTH ? attached->older : NULL;
}
