/* SPDX-License-Identifier: Apache-2.0
 *
 * often.h - counts who comes so often that others have no turn.
 *
 * Of OFTEN_COUNTED at once that is counted; one more takes the place of who has come least. Who comes
 * so often that it matters is soon one of those that have come most. Used by the owners of sockets,
 * which bar him (barred.h).
 */
#ifndef HOMING_AGENT_BASE_OFTEN_H
#define HOMING_AGENT_BASE_OFTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OFTEN_COUNTED 256

/* Who is told from whom. What does not matter is 0. */
struct often_who {
    uid_t uid;
    uint64_t place; /* as barred_add_at() takes it */
    pid_t pid;
};

struct often {
    uint32_t most; /* times, within */
    uint32_t window_ms;
    struct often_one {
        struct often_who who;
        uint64_t since_ms;
        uint32_t times; /* since then; 0: a free place */
    } counted[OFTEN_COUNTED];
};

static inline bool often_is_over(const struct often *o, const struct often_one *one,
                                 uint64_t now_ms)
{
    return one->since_ms + o->window_ms <= now_ms;
}

/* His own place, or another one's, of whom that means least. */
static inline struct often_one *often_place(struct often *o, const struct often_who *who,
                                            uint64_t now_ms)
{
    struct often_one *least = &o->counted[0];

    for (uint32_t i = 0; i < OFTEN_COUNTED; i++) {
        struct often_one *one = &o->counted[i];
        if (one->times && one->who.uid == who->uid && one->who.place == who->place &&
            one->who.pid == who->pid)
            return one;
        if (one->times && often_is_over(o, one, now_ms))
            one->times = 0;
        if (one->times < least->times)
            least = one;
    }
    *least = (struct often_one){.who = *who, .since_ms = now_ms};
    return least;
}

/* Counts him. True for the one time that is one too many. */
static inline bool often_note(struct often *o, const struct often_who *who, uint64_t now_ms)
{
    struct often_one *one = often_place(o, who, now_ms);

    if (often_is_over(o, one, now_ms)) {
        one->times = 0;
        one->since_ms = now_ms;
    }
    return ++one->times == o->most;
}

#endif
