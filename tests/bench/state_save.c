/* SPDX-License-Identifier: Apache-2.0
 *
 * state_save.c - how long a verdict takes to be on disk, which a failover waits for (W2), in the
 * directory that is given: state_save() in turns with the usual way, which is to write aside, sync,
 * rename, and sync the directory. One cluster, and 100 one after the other, as when a whole server
 * fails; on a quiet disk, and beside a process that writes much and syncs little, which commits of
 * a journal wait for.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/state/state.h"
#include "tests/bench/median.h"
#include "tests/support/clock.h"

enum {
    SAVES = 2000,
    CLUSTERS = 100,
    ROUNDS = 5,
    BUSY_MB = 64,
    BUSY_SECONDS_MAX = 120
};

struct bench {
    const char *dir;
    struct state *state;
    uint64_t term;
};

struct figures {
    int count;
    double ms[SAVES];
};

static struct conf_member members[] = {
    {.host = "db-a.internal", .port = 5432},
    {.host = "db-b.internal", .port = 5432},
    {.host = "db-c.internal", .port = 5432},
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static double figures_print(struct figures *f, const char *what)
{
    double middle = median(f->ms, (size_t)f->count); /* and sorted */

    printf("  %-10s median %7.2f ms, p99 %7.2f ms, max %7.2f ms of %d\n", what, middle,
           f->ms[f->count * 99 / 100], f->ms[f->count - 1], f->count);
    return middle;
}

/* ---- the two ways ---- */

static void save(struct bench *bench, int cluster)
{
    struct state_endpoint endpoints[] = {{.id = 1}, {.id = 2}};
    struct state_cluster saved = {
        .have_verdict = true, .endpoints = endpoints, .endpoint_count = 2};
    char name[32];

    snprintf(name, sizeof(name), "cluster-%d", cluster);
    struct conf_cluster conf = {.name = name, .members = members, .member_count = 3};
    saved.verdict.term.lo = bench->term++;
    must(state_save(bench->state, &conf, &saved) == 0, "state_save");
}

static void rename_into_place(struct bench *bench, int cluster)
{
    char text[600], path[512], aside[528];

    memset(text, 'x', sizeof(text));
    snprintf(path, sizeof(path), "%s/renamed-%d", bench->dir, cluster);
    snprintf(aside, sizeof(aside), "%s.new", path);
    int dir = open(bench->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(dir >= 0 && fd >= 0, aside);
    must(write(fd, text, sizeof(text)) == sizeof(text) && fsync(fd) == 0, aside);
    close(fd);
    must(rename(aside, path) == 0 && fsync(dir) == 0, path);
    close(dir);
}

typedef void way(struct bench *bench, int cluster);
static way *const ways[] = {save, rename_into_place};
static const char *const way_names[] = {"state_save", "renamed"};

/* ---- figures ---- */

static void measure(struct bench *bench, const char *title, int clusters, int count)
{
    static struct figures figures[2];
    double medians[2];

    printf("%s:\n", title);
    for (int i = 0; i < count; i++)
        for (int w = 0; w < 2; w++) {
            uint64_t start = clock_ns();
            for (int c = 0; c < clusters; c++)
                ways[w](bench, c);
            figures[w].ms[i] = (double)(clock_ns() - start) / 1e6;
            figures[w].count = count;
        }
    for (int w = 0; w < 2; w++)
        medians[w] = figures_print(&figures[w], way_names[w]);
    printf("  ratio of the medians %.2f\n", medians[0] / medians[1]);
}

static void busy_write(const char *dir, const char *name, int how, size_t blocks)
{
    static char block[1024 * 1024];
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);
    must(fd >= 0, path);
    for (size_t i = 0; i < blocks; i++)
        must(write(fd, block, sizeof(block)) > 0, path);
    must(blocks > 1 || fsync(fd) == 0, path);
    close(fd);
}

static void keep_busy(const char *dir)
{
    static const char *const names[] = {"busy-1", "busy-2", "busy-3"};

    alarm(BUSY_SECONDS_MAX);
    for (int i = 0;; i++) {
        busy_write(dir, names[i % 3], O_TRUNC, BUSY_MB);
        busy_write(dir, "busy-synced", O_TRUNC, 1);
    }
}

static void measure_beside(struct bench *bench)
{
    int status;
    pid_t child = fork();

    must(child >= 0, "fork");
    if (child == 0)
        keep_busy(bench->dir);
    measure(bench, "one cluster, beside a process that writes", 1, SAVES);
    measure(bench, "100 clusters, beside it", CLUSTERS, ROUNDS);
    kill(child, SIGKILL);
    must(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "the other process");
}

int main(int argc, char **argv)
{
    struct bench bench = {.dir = argc == 2 ? argv[1] : ""};
    char error[512] = "";

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || state_open(argv[1], error, sizeof(error), &bench.state)) {
        fprintf(stderr, "usage: state_save DIRECTORY\n%s\n", error);
        return 2;
    }
    for (int w = 0; w < 2; w++) /* what they find is not the first save ever */
        for (int c = 0; c < CLUSTERS; c++)
            ways[w](&bench, c);
    measure(&bench, "one cluster", 1, SAVES);
    measure(&bench, "100 clusters", CLUSTERS, ROUNDS);
    measure_beside(&bench);
    state_close(bench.state);
    return 0;
}
