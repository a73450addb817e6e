/* SPDX-License-Identifier: Apache-2.0
 *
 * deputy.h - one process that does for this one what may hang in the kernel where no signal reaches it, as with a file
 * or a socket that a stranger keeps locked for as long as he likes.
 *
 * One pass, by deputies.c: deputy_start(), then again and again: its desk is filled, deputy_give(), deputy_look() until
 * it has done its work. Work has pieces, which it does one after the other. It keeps nothing of what it inherits or has
 * been given, and it ends when this process does.
 */
#ifndef HOMING_AGENT_SEVER_DEPUTY_DEPUTY_H
#define HOMING_AGENT_SEVER_DEPUTY_DEPUTY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one work: pieces, and bytes of what it is about. */
#define DEPUTY_PIECES 64
#define DEPUTY_BYTES  4096

struct deputy_desk;

/* Is called in the deputy. The descriptors are the only ones that it has, and are closed after it; -1: there is none. What
 * is returned is the work's answer. It works as long as deputy_take() gives it a piece. */
typedef int deputy_fn(struct deputy_desk *desk, int fd, int second);

/* Memory that both processes see. */
struct deputy_desk {
    deputy_fn *fn;
    _Atomic uint32_t taken; /* pieces; beyond `count`: no more are to be taken */
    uint32_t count;
    uint8_t pieces[DEPUTY_PIECES]; /* their numbers */
    int answer;
    _Alignas(uint64_t) uint8_t bytes[DEPUTY_BYTES];
};

/* In the deputy, before each piece. The number of the next one; -1: none is left, or the work has been taken back. */
int deputy_take(struct deputy_desk *desk);

/* All zero: none. */
struct deputy {
    int pid;
    int fd; /* to it */
    struct deputy_desk *desk;
    uint64_t
        waits_since_ms; /* it was found to wait in the kernel, of this last time; 0: it was not */
};

/* Negative errno: no process can be started. */
int deputy_start(struct deputy *deputy);

/* Of an idle one: its desk is filled, but for `taken`. The descriptors stay the caller's, -1: there is none. False: it
 * has ended. */
bool deputy_give(struct deputy *deputy, int fd, int second);

enum deputy_state {
    DEPUTY_DONE,  /* its answer is on its desk */
    DEPUTY_WORKS, /* or others have the processor */
    DEPUTY_WAITS, /* in the kernel, and nobody can end that: since waits_since_ms */
    DEPUTY_ENDED  /* somebody has killed it */
};

/* Of one that has work. Returns once it is done, or after so long. */
enum deputy_state deputy_look(struct deputy *deputy, int wait_ms);

/* It takes no further piece. Returns how many it has taken. */
uint32_t deputy_stop(struct deputy *deputy);

/* It ends: at once, or when the kernel lets it. */
void deputy_kill(struct deputy *deputy);

/* The same, of one without work: it is waited for, but no longer than so. */
void deputy_end(struct deputy *deputy, int wait_ms);

/* Of one that was killed. True: it is not there any more, and `deputy` is all zero. */
bool deputy_is_gone(struct deputy *deputy);

/* Of one that was killed: it is not looked at any more. */
void deputy_leave(struct deputy *deputy);

/* Milliseconds that only grow. */
uint64_t deputy_now_ms(void);

#endif
