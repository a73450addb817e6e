/* SPDX-License-Identifier: Apache-2.0
 *
 * late.h - tells homing-sever late of connections that were made while homing was not looking
 * (recall.h).
 *
 * One pass: every lookup of a name, and every connect to an address that was given for one, compares
 * a word with the newest view's. If names, modes or homing-sever are others than at the last look,
 * what is recalled is gone through: what is of interest now gets its tag, and the permit is handed
 * over. If that fails, the next lookup or connect tries again.
 *
 * One thread looks at a time, and the others go on. If it never comes to the end of that, another one
 * looks a second later. errno is kept.
 */
#ifndef HOMING_SHIM_STEER_LATE_H
#define HOMING_SHIM_STEER_LATE_H

#include <stdatomic.h>

#include "shim/view/attach.h"

/* What late_of() was at the last look; 0: there was none, or it is to be done again. */
extern _Atomic uint64_t late_seen;

static inline uint64_t late_of(const struct view_map *view)
{
    return view->instance + view_sever_instance(view) * 3 + view_changes(view);
}

/* What has just been recalled is of interest already: the next lookup or connect looks once more. */
__attribute__((cold)) void late_once_more(void);

__attribute__((noinline, cold)) void late_look(const struct attached *head);

/* `head`: the newest view, or NULL. */
static inline void late(const struct attached *head)
{
    if (head && late_of(&head->map) != atomic_load_explicit(&late_seen, memory_order_relaxed))
        late_look(head);
}

#endif
