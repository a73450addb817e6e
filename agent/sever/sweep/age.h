/* SPDX-License-Identifier: Apache-2.0
 *
 * age.h - whether somebody can have known a socket before a certain moment. Who tags a socket has asked the kernel for
 * its cookie, and so has who lists it: the kernel makes a cookie when it is asked for the first time, and counts them up in
 * 64 bits. So a socket whose cookie was made after the moment has no tag of before, however old it is.
 *
 * Each processor takes 4096 numbers at once, and hands them out one by one. Of such a batch that was taken before the
 * moment, what comes after a number that is seen after the moment was made after it. Of a batch that is seen to be taken
 * after the moment, so was everything, and everything of all later ones. A socket that nobody has known gets its cookie
 * when it is listed here, on the processor on which that is done: age_note() before it sees a number of that one.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_AGE_H
#define HOMING_AGENT_SEVER_SWEEP_AGE_H

#include <stdbool.h>
#include <stdint.h>

#define AGE_BATCH 4096 /* COOKIE_LOCAL_BATCH in the kernel's include/linux/cookie.h */
/* Batches that were begun before and are not used up. More are not remembered. */
#define AGE_BEGUN 64
/* So many numbers are left in a batch after age_note(): what one list asks for, as a rule. */
#define AGE_ROOM 256

/* All zero: nothing is known, and every socket is taken for older. */
struct age {
    bool known;
    uint64_t fresh; /* the first batch that was taken after the moment; 0: none has been seen */
    struct {
        uint64_t batch;
        uint64_t seen; /* the lowest number of it that was seen after the moment */
    } begun[AGE_BEGUN];
    uint32_t count;
};

/* Now is the moment. On kernels before Linux 5.4, where each network namespace counts by itself, nothing is known. */
void age_now(struct age *age);

/* Sees a number, of the processor that this runs on, and uses the rest of a batch up that has little left. Before each
 * list. */
void age_note(struct age *age);

/* Uses some more up, until a batch is seen that was taken after the moment. Now and then. */
void age_go_on(struct age *age);

/* Whether this cookie was certainly made after the moment. */
bool age_is_after(const struct age *age, uint64_t cookie);

#endif
