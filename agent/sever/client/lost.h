/* SPDX-License-Identifier: Apache-2.0
 *
 * lost.h - the programs whose permits a homing-sever took along when it ended: nobody can sever their
 * connections until they hand over again.
 *
 * One pass, by sever_client.c: lost_held() with the list of whose permits are held, each time that it has
 * changed; lost_gone() when homing-sever has gone: then all of these are missing. lost_held() of the next
 * homing-sever takes those off the list who have handed over again or whose permits were kept. Who has
 * ended is found every second. Whatever is left after LOST_ALARM_MS is an alarm.
 *
 * The list is as old as the last status: a program that handed over in the second before is not on it.
 *
 * Who is missing must outlive this process, because nobody else knows: daemon/persist.c saves lost_tell() whenever
 * it has changed, and gives it to lost_restore() of the next agent.
 */
#ifndef HOMING_AGENT_SEVER_CLIENT_LOST_H
#define HOMING_AGENT_SEVER_CLIENT_LOST_H

#include <stddef.h>

#include "agent/base/loop.h"
#include "proto/sever.h"

struct lost;

/* The longest command that is told to an operator, with its NUL. */
#define LOST_COMMAND 1024

/* The first one is missing (`text` says what that means), or none is any more. */
typedef void lost_alarm_fn(void *arg, bool raised, const char *text);

/* Who is missing has changed. False: the next agent would not know; called again at the next look. */
typedef bool lost_changed_fn(void *arg);

/* What the next agent has to know. The lists are lost.c's own, and good until it is called again. */
struct lost_list {
    const struct sever_holder *missing;
    const struct sever_holder
        *held; /* missing unless the homing-sever that the next one finds holds them */
    uint32_t missing_count;
    uint32_t held_count;
    uint32_t back;     /* processes without a pid that were missing and have handed over again */
    bool seen;         /* pids mean the same here as in homing-sever */
    uint64_t since_ms; /* when the last one went */
};

/* A program whose process is not seen here may have ended unnoticed. It is missing for so long at most. */
#define LOST_UNSEEN_MS 3600000

/* How long a homing-sever whose process ended has for another process to go on with its permits, before
 * that is an alarm. */
#define LOST_ALARM_MS 2000

/* `command` starts a homing-sever, or is "", and stays the caller's. What changes anything calls `alarm` and
 * `changed` before it returns. NULL: out of memory. */
struct lost *lost_new(struct loop *loop, const char *command, lost_alarm_fn *alarm,
                      lost_changed_fn *changed, void *arg);
void lost_free(struct lost *lost);

/* Whose permits are held now. Takes over the memory of `holders`, of malloc(). `seen`: their pids mean the
 * same here as there. */
void lost_held(struct lost *lost, struct sever_holder *holders, uint32_t count, bool seen);

/* homing-sever does not answer any more. */
void lost_gone(struct lost *lost);

/* `ends`: nobody looks from now on. Then whose permits are held belongs to it. */
void lost_tell(const struct lost *lost, bool ends, struct lost_list *ret_list);

/* Before any other call: what the agent before told. If no homing-sever answers within LOST_ALARM_MS, those whose
 * permits were held then are missing, too. */
void lost_restore(struct lost *lost, const struct lost_list *list);

/* How many programs are missing. */
uint32_t lost_count(const struct lost *lost);
bool lost_is_alarm(const struct lost *lost);
/* What to type first; NULL: nothing. */
const char *lost_command(const struct lost *lost);

/* How many were missing, and have handed over again; only grows. */
uint64_t lost_returned(const struct lost *lost);

/* The pids of those who are missing and seen here, `max` at most; returns how many. */
uint32_t lost_pids(const struct lost *lost, int *ret_pids, uint32_t max);

/* How many, which, what that means and what to do. */
#define LOST_TEXT_SIZE 1920
void lost_print(const struct lost *lost, char *ret_text, size_t size);

#endif
