/* SPDX-License-Identifier: Apache-2.0
 *
 * lost.c - see lost.h.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/process.h"
#include "agent/sever/client/lost.h"

enum {
    /* Between two looks at who has ended. Nobody gets the pid of another one within that time. */
    LOOK_MS = 1000,
    /* As many as an operator looks at, one by one. */
    NAMES_MAX = 3
};

struct holders {
    struct sever_holder *at; /* sorted */
    uint32_t count;
};

struct lost {
    struct loop *loop;
    struct loop_timer *look;
    lost_alarm_fn *alarm;
    lost_changed_fn *changed;
    void *arg;
    const char *command;
    struct holders held;    /* by the homing-sever that answers */
    struct holders missing; /* from an earlier one */
    uint32_t back;          /* processes without a pid that were counted as back */
    bool seen;              /* pids mean the same here as in homing-sever */
    bool answers;
    bool awaited; /* `held` is what the agent before knew: nobody has answered yet */
    bool raised;
    bool has_changed; /* and `changed` was not called yet */
    uint64_t returned;
    uint64_t since_ms; /* when the last one went */
    uint64_t restored_ms;
};

static int compare(const void *a, const void *b)
{
    const struct sever_holder *x = a, *y = b;

    return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid)
                            : (x->started > y->started) - (x->started < y->started);
}

/* A process that is just handing over again may be there twice. Those without a pid are not the same. */
static void sort(struct holders *of)
{
    uint32_t left = 0;

    if (of->count)
        qsort(of->at, of->count, sizeof(*of->at), compare);
    for (uint32_t i = 0; i < of->count; i++)
        if (left == 0 || of->at[i].pid == 0 || compare(&of->at[left - 1], &of->at[i]) != 0)
            of->at[left++] = of->at[i];
    of->count = left;
}

static bool contains(const struct holders *of, const struct sever_holder *holder)
{
    return of->count && bsearch(holder, of->at, of->count, sizeof(*of->at), compare);
}

static bool is_seen(const struct lost *lost, const struct sever_holder *holder)
{
    return lost->seen && holder->pid;
}

/* ---- the alarm ---- */

/* Returns whether some are not named. */
static bool print_names(const struct lost *lost, char *ret_text, size_t size)
{
    size_t len = 0;
    uint32_t named = 0;

    for (uint32_t i = 0; i < lost->missing.count && named < NAMES_MAX; i++) {
        const struct sever_holder *holder = &lost->missing.at[i];
        char name[PROCESS_NAME_SIZE];
        if (!is_seen(lost, holder))
            continue;
        process_name(holder->pid, name);
        int n = snprintf(ret_text + len, size - len, "%s%s%spid %d", named++ ? ", " : " (", name,
                         name[0] ? " " : "", holder->pid);
        len += n > 0 && (size_t)n < size - len ? (size_t)n : 0;
    }
    bool more = lost->missing.count > named;
    if (named)
        snprintf(ret_text + len, size - len, "%s)", more ? ", …" : "");
    return named && more;
}

/* Not said of the moment before the first one can have answered. */
static bool none_answers(const struct lost *lost)
{
    return !lost->answers && loop_now_ms(lost->loop) - lost->restored_ms >= LOST_ALARM_MS;
}

/* It was a moment ago, or it may have been that long ago: what was held is known as of the last look before. */
static void print_age(const struct lost *lost, char *ret_text, size_t size)
{
    unsigned long long s = (loop_now_ms(lost->loop) - lost->since_ms) / 1000;

    if (s < 120)
        snprintf(ret_text, size, "%llu s", s);
    else if (s < 7200)
        snprintf(ret_text, size, "%llu min", s / 60);
    else
        snprintf(ret_text, size, "%llu h", s / 3600);
}

void lost_print(const struct lost *lost, char *ret_text, size_t size)
{
    char names[128] = "", start[LOST_COMMAND + 64] = "", age[24];
    bool more = print_names(lost, names, sizeof(names));
    uint32_t count = lost->missing.count;

    print_age(lost, age, sizeof(age));
    if (none_answers(lost))
        snprintf(start, sizeof(start), "No homing-sever answers: %s%s. ",
                 lost->command[0] ? "start it, as root, with: " : "install and start it",
                 lost->command);
    snprintf(
        ret_text, size,
        "homing-sever ended at most %s ago with the permits of %u running program%s%s. Until "
        "a program hands over again, a failover leaves its old connections as they are, and it "
        "may go on writing to a demoted member. %sA program hands over when it next connects "
        "to a managed name. If it keeps its connections for ever, restart it: `systemctl "
        "status PID` says which service it is of.%s",
        age, count, count == 1 ? "" : "s", names, start,
        more ? " `homingctl -o json status` has all pids, as lost_pids." : "");
}

static void tell_change(struct lost *lost)
{
    if (!lost->has_changed)
        return;
    lost->has_changed = !lost->changed(lost->arg);
}

static void judge(struct lost *lost)
{
    bool waits = !lost->raised && loop_now_ms(lost->loop) - lost->since_ms < LOST_ALARM_MS;
    bool raised = lost->missing.count > 0 && !waits;
    char text[LOST_TEXT_SIZE] = "the permit of each program that still runs is held again";

    tell_change(lost);
    if (lost->missing.count || lost->awaited || lost->has_changed)
        loop_timer_set(lost->look, LOOK_MS);
    if (raised == lost->raised)
        return;
    lost->raised = raised;
    if (raised)
        lost_print(lost, text, sizeof(text));
    log_event(raised ? LOG_ERROR : LOG_INFO, raised ? "permits_lost" : "permits_complete", text,
              LOG_INT("processes", lost->missing.count));
    lost->alarm(lost->arg, raised, text);
}

/* ---- who is missing ---- */

static bool is_over(const struct lost *lost, const struct sever_holder *holder)
{
    if (is_seen(lost, holder))
        return process_is_over(holder->pid, holder->started);
    return loop_now_ms(lost->loop) - lost->since_ms >= LOST_UNSEEN_MS;
}

static uint32_t count_unseen(const struct holders *of)
{
    uint32_t count = 0;

    while (count < of->count && of->at[count].pid == 0)
        count++;
    return count;
}

/* Of processes without a pid as many are back as are held now. Each of these counts once. */
static uint32_t count_back(struct lost *lost)
{
    uint32_t held = lost->awaited ? 0 : count_unseen(&lost->held);
    uint32_t back = held > lost->back ? held - lost->back : 0;

    lost->back += back;
    return back;
}

static void strike(struct lost *lost)
{
    struct holders *missing = &lost->missing;
    uint32_t back = count_back(lost), left = 0;

    for (uint32_t i = 0; i < missing->count; i++) {
        const struct sever_holder *holder = &missing->at[i];
        bool is_back = holder->pid == 0 ? back > 0 : contains(&lost->held, holder);
        back -= holder->pid == 0 && is_back;
        lost->returned += is_back;
        if (!is_back && !is_over(lost, holder))
            missing->at[left++] = *holder;
    }
    lost->has_changed |= left != missing->count;
    missing->count = left;
    judge(lost);
}

/* Without memory for both, the older ones are forgotten. */
static void join(struct holders *to, struct holders *from)
{
    size_t count = (size_t)to->count + from->count;
    struct sever_holder *both = count ? realloc(from->at, count * sizeof(*both)) : NULL;

    if (both) {
        if (to->count)
            memcpy(both + from->count, to->at, to->count * sizeof(*both));
        *from = (struct holders){both, (uint32_t)count};
    }
    free(to->at);
    *to = *from;
    *from = (struct holders){0};
    sort(to);
}

/* Whose permits were held is missing from now on. */
static void miss(struct lost *lost)
{
    lost->awaited = false;
    lost->back = 0;
    lost->has_changed |= lost->held.count > 0;
    if (lost->held.count)
        join(&lost->missing, &lost->held);
}

/* What the agent before this one knew to be held is missing, but for what is held now. */
void lost_held(struct lost *lost, struct sever_holder *holders, uint32_t count, bool seen)
{
    if (lost->awaited)
        miss(lost);
    free(lost->held.at);
    lost->held = (struct holders){holders, count};
    lost->seen = seen;
    lost->answers = true;
    sort(&lost->held);
    strike(lost);
}

void lost_gone(struct lost *lost)
{
    lost->answers = false;
    if (lost->held.count && !lost->awaited)
        lost->since_ms = loop_now_ms(lost->loop);
    miss(lost);
    strike(lost);
}

static void on_look(void *arg)
{
    struct lost *lost = arg;

    if (lost->awaited && loop_now_ms(lost->loop) - lost->restored_ms >= LOST_ALARM_MS)
        miss(lost);
    strike(lost);
}

/* ---- from one agent to the next ---- */

void lost_tell(const struct lost *lost, bool ends, struct lost_list *ret_list)
{
    uint64_t now_ms = loop_now_ms(lost->loop);

    *ret_list = (struct lost_list){.missing = lost->missing.at,
                                   .held = lost->held.at,
                                   .missing_count = lost->missing.count,
                                   .held_count = ends || lost->awaited ? lost->held.count : 0,
                                   .back = lost->back,
                                   .seen = lost->seen,
                                   .since_ms = lost->missing.count || lost->awaited ? lost->since_ms
                                                                                    : now_ms};
}

/* Without memory they are forgotten. */
static struct holders copy(const struct sever_holder *at, uint32_t count)
{
    struct holders copy = {.at = count ? calloc(count, sizeof(*at)) : NULL};

    if (copy.at) {
        memcpy(copy.at, at, count * sizeof(*at));
        copy.count = count;
    }
    sort(&copy);
    return copy;
}

void lost_restore(struct lost *lost, const struct lost_list *list)
{
    uint64_t now_ms = loop_now_ms(lost->loop);

    lost->missing = copy(list->missing, list->missing_count);
    lost->held = copy(list->held, list->held_count);
    lost->back = list->back;
    lost->seen = list->seen;
    lost->since_ms = list->since_ms < now_ms ? list->since_ms : now_ms;
    lost->restored_ms = now_ms;
    lost->awaited = lost->held.count > 0;
    strike(lost);
}

/* ---- what is known ---- */

uint32_t lost_pids(const struct lost *lost, int *ret_pids, uint32_t max)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < lost->missing.count && count < max; i++)
        if (is_seen(lost, &lost->missing.at[i]))
            ret_pids[count++] = lost->missing.at[i].pid;
    return count;
}

uint32_t lost_count(const struct lost *lost)
{
    return lost->missing.count;
}

bool lost_is_alarm(const struct lost *lost)
{
    return lost->raised;
}

const char *lost_command(const struct lost *lost)
{
    return none_answers(lost) && lost->command[0] ? lost->command : NULL;
}

uint64_t lost_returned(const struct lost *lost)
{
    return lost->returned;
}

/* ---- begin and end ---- */

struct lost *lost_new(struct loop *loop, const char *command, lost_alarm_fn *alarm,
                      lost_changed_fn *changed, void *arg)
{
    struct lost *lost = calloc(1, sizeof(*lost));

    if (!lost)
        return NULL;
    *lost = (struct lost){
        .loop = loop, .command = command, .alarm = alarm, .changed = changed, .arg = arg};
    lost->look = loop_timer_new(loop, on_look, lost);
    if (lost->look)
        return lost;
    free(lost);
    return NULL;
}

void lost_free(struct lost *lost)
{
    if (!lost)
        return;
    loop_timer_free(lost->look);
    free(lost->held.at);
    free(lost->missing.at);
    free(lost);
}
