/* SPDX-License-Identifier: Apache-2.0
 *
 * walker.c - an unmodified program that takes random steps: looks names up, connects, closes,
 * duplicates, forks, spawns, while writers are switched; notes.h says how it judges each of its
 * connections. usage: walker FILE NUMBER THREADS; it ends when all steps are taken and the last
 * order is over. Exit code 0 says only that it got there: the counts are in FILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/live/walk/steps.h"
#include "tests/support/dice.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum {
    CLUSTERS_OF_WALKER = 16,
    WORKERS_MAX = 4,
    WORKER_STEPS = 1500,
    PATIENCE_MS = 60000,
    CHAIN_LINKS = 3,
    CHAIN_CONNECTS = 4,
    LOSSES_MAX = 6, /* of the permit; the shim hands over eight times before it takes its time */
    THREADS_MAX = 4
};

extern char **environ;

static struct walk *walk;
static const char *own_path, *walk_path;
static _Atomic int workers, losses;

/* ---- processes ---- */

static void end_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void become_child(struct walker *w, uint64_t dice)
{
    notes_new_process();
    w->is_child = true;
    losses = 0;
    w->dice = dice;
    w->how |= 1u << WALK_IN_CHILD;
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->held[i].how >> WALK_IN_CHILD & 1)
            w->held[i].how |= 1u << WALK_IN_CHAIN;
        w->held[i].how |= 1u << WALK_INHERITED;
    }
}

static void reap(int flags)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, flags)) > 0) {
        if (status)
            steps_die("a child");
        if (workers)
            workers--;
    }
}

static void walk_on(struct walker *w, uint32_t own_steps);

static void wait_for(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child || status)
        steps_die("a child");
}

/* A child that connects, closes and ends; no lookups, as it may come from among threads. */
static void step_child(struct walker *w)
{
    uint64_t dice = dice_roll(&w->dice, 1u << 31);
    pid_t pid = fork();

    if (pid < 0)
        steps_die("fork");
    if (pid == 0) {
        end_with_parent();
        become_child(w, dice);
        for (uint32_t left = 1 + dice_roll(&w->dice, 4); left-- > 0;)
            steps_take_connect(w);
        steps_check_all(w, 0);
        _exit(0);
    }
    wait_for(pid);
}

/* A worker of a pre-forking server: holds of what it inherited what is kept, and walks on. */
static void work(struct walker *w)
{
    for (uint32_t i = w->count; i-- > 0;)
        if (!w->held[i].until_ms)
            steps_drop(w, &w->held[i]);
    walk_on(w, WORKER_STEPS / 2 + dice_roll(&w->dice, WORKER_STEPS));
    while (!walk->quiet && w->kept) {
        usleep(50000);
        notes_permit_look(w);
        steps_check_all(w, clock_ms());
    }
    steps_check_all(w, clock_ms());
    _exit(0);
}

static void step_worker(struct walker *w)
{
    uint64_t dice = dice_roll(&w->dice, 1u << 31);
    pid_t pid;

    if (w->is_child || w->threaded)
        return;
    reap(WNOHANG);
    if (workers >= WORKERS_MAX)
        return;
    pid = fork();
    if (pid < 0)
        steps_die("fork");
    if (pid == 0) {
        end_with_parent();
        become_child(w, dice);
        work(w);
    }
    workers++;
}

/* Once its parent has ended, and it is the walker's. */
static void end_with(pid_t walker)
{
    for (int i = 0; getppid() != walker; i++) {
        if (i == PATIENCE_MS)
            steps_die("a parent does not end");
        usleep(1000);
    }
    end_with_parent();
}

/* In each of them: it connects, and its child goes on. */
static void link_chain(struct walker *w, uint64_t dice)
{
    for (int more = CHAIN_LINKS - 1;; more--) {
        pid_t pid;

        become_child(w, dice);
        w->keeps = true;
        for (int i = 0; i < CHAIN_CONNECTS; i++)
            steps_take_connect(w);
        w->keeps = false;
        if (!more)
            return;
        notes_permit_wait(w);
        notes_own->ended_ms = clock_ms();
        dice = dice_roll(&w->dice, 1u << 31);
        pid = fork();
        if (pid < 0)
            steps_die("fork");
        if (pid > 0) {
            if (more > 1)
                wait_for(pid); /* or it would be the walker's, too */
            _exit(0);
        }
    }
}

/* A child's child's child, which has what they have connected when they have ended. What they have
 * handed over, it holds for them, and does not close. */
static void step_chain(struct walker *w)
{
    uint64_t dice = dice_roll(&w->dice, 1u << 31);
    pid_t walker = getpid(), pid;

    if (w->is_child || w->threaded)
        return;
    reap(WNOHANG);
    if (workers >= WORKERS_MAX)
        return;
    pid = fork();
    if (pid < 0)
        steps_die("fork");
    if (pid == 0) {
        link_chain(w, dice);
        end_with(walker);
        losses = LOSSES_MAX;
        work(w);
    }
    wait_for(pid);
    workers++;
}

/* It does without memory of its own until it execs; what is not close-on-exec goes with it. */
static void step_spawn(struct walker *w)
{
    char cluster[8];
    char *argv[] = {(char *)own_path, (char *)walk_path, (char *)"leaf", cluster, NULL};
    int status;
    pid_t pid;

    snprintf(cluster, sizeof(cluster), "%d", steps_cluster(w));
    if (posix_spawn(&pid, own_path, NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid ||
        status)
        steps_die("spawn");
}

/* It hands over. */
static void connect_somewhere(struct walker *w)
{
    struct target to;

    do
        if (!steps_lookup(w, WALK_NAME_FIRST, steps_cluster(w), &to))
            steps_die("a name is not known");
    while (!steps_connect_to(w, &to) && !walk->enough);
}

/* As a daemon does that closes what it does not know; then a connect that hands over again. */
static void step_lose_permit(struct walker *w)
{
    if (w->threaded || losses >= LOSSES_MAX)
        return;
    losses++;
    notes_permit_lost(w);
    syscall(SYS_close_range, NOTES_PERMIT, ~0u, 0);
    connect_somewhere(w);
    for (uint32_t i = 0; i < w->count; i++)
        if (!(w->held[i].how >> WALK_INHERITED & 1))
            w->held[i].how |= 1u << WALK_HANDED_OVER_ANEW;
}

/* ---- the walk ---- */

static const struct {
    void (*take)(struct walker *w);
    uint32_t weight;
} steps[WALK_STEP_COUNT] = {
    [WALK_LOOKUP] = {steps_take_lookup, 400}, [WALK_CONNECT] = {steps_take_connect, 3500},
    [WALK_CLOSE] = {steps_take_close, 2500},  [WALK_CHECK] = {steps_take_check, 2400},
    [WALK_DUP] = {steps_take_dup, 300},       [WALK_DUP_OVER] = {steps_take_dup_over, 300},
    [WALK_PIPE] = {steps_take_pipe, 200},     [WALK_SHUTDOWN] = {steps_take_shutdown, 100},
    [WALK_AGAIN] = {steps_take_again, 200},   [WALK_CHILD] = {step_child, 70},
    [WALK_WORKER] = {step_worker, 10},        [WALK_CHAIN] = {step_chain, 10},
    [WALK_SPAWN] = {step_spawn, 10},          [WALK_LOSE_PERMIT] = {step_lose_permit, 10},
};

static void step(struct walker *w)
{
    uint32_t weights = 0, at;
    int which = 0;

    for (int i = 0; i < WALK_STEP_COUNT; i++)
        weights += steps[i].weight;
    at = dice_roll(&w->dice, weights);
    while (at >= steps[which].weight)
        at -= steps[which++].weight;
    walk->taken[which]++;
    steps[which].take(w);
}

static void walk_on(struct walker *w, uint32_t own_steps)
{
    while (own_steps-- > 0 && !walk->enough) {
        walk->steps++;
        step(w);
        notes_permit_look(w);
    }
}

static void *walk_through(void *arg)
{
    struct walker *w = arg;

    walk_on(w, UINT32_MAX);
    while (!walk->quiet) {
        usleep(20000);
        notes_permit_look(w);
        steps_check_all(w, clock_ms());
    }
    for (uint32_t i = w->count; i-- > 0;)
        steps_check_one(w, &w->held[i], UINT64_MAX);
    return NULL;
}

static void share(void)
{
    int fd = open(walk_path, O_RDWR | O_CLOEXEC);

    walk =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*walk), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (walk == MAP_FAILED)
        steps_die(walk_path);
    close(fd);
}

/* The clusters of a walker overlap with other walkers'; those of its threads do not, for what an
 * address was given for is a matter of the whole process. */
static struct walker *walker_new(int number, int thread, int threads)
{
    struct walker *w = calloc(1, sizeof(*w));

    if (!w)
        steps_die("memory");
    w->walk = walk;
    w->dice = walk->seed * 31 + (uint64_t)(number * THREADS_MAX + thread);
    w->first_cluster = number * 7 + thread;
    w->cluster_step = threads;
    w->clusters = CLUSTERS_OF_WALKER / threads;
    w->threaded = threads > 1;
    w->how = threads > 1 ? 1u << WALK_IN_THREAD : 0;
    w->asked.cluster = -1;
    return w;
}

/* The first of a process's lookups may come when the agent is too busy to hand out its view. */
static void wait_managed(struct walker *w)
{
    struct target ignored;

    for (int i = 0; i < 1000 && !steps_lookup(w, WALK_NAME_FIRST, steps_cluster(w), &ignored); i++)
        usleep(20000);
}

static int leaf(int cluster)
{
    struct walker *w = walker_new(0, 0, 1);
    struct target to;

    if (steps_lookup(w, WALK_NAME_FIRST, cluster, &to))
        steps_connect_to(w, &to);
    return 0;
}

int main(int argc, char **argv)
{
    int number = argc == 4 ? atoi(argv[2]) : 0, threads = argc == 4 ? atoi(argv[3]) : 0;
    bool is_leaf = argc == 4 && strcmp(argv[2], "leaf") == 0;
    pthread_t ids[THREADS_MAX];

    if (argc != 4 || threads < 0 || (threads > THREADS_MAX && !is_leaf))
        return 2;
    own_path = argv[0];
    walk_path = argv[1];
    end_with_parent();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    share();
    walk_raise_limit();
    notes_new_process();
    if (is_leaf)
        return leaf(threads);
    for (int i = 0; i < threads; i++) {
        struct walker *w = walker_new(number, i, threads);
        wait_managed(w);
        if (i == 0)
            connect_somewhere(w); /* while no other thread looks for the permit */
        if (threads == 1)
            walk_through(w);
        else if (pthread_create(&ids[i], NULL, walk_through, w))
            steps_die("pthread_create");
    }
    for (int i = 0; i < threads && threads > 1; i++)
        pthread_join(ids[i], NULL);
    reap(0);
    return 0;
}
