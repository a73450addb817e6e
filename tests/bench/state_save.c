/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a verdict takes to be on disk, which a failover waits for (W2): state_save N times in
 * the directory that is given, one line of figures.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/publish/state.h"

enum {
    SAVES = 500
};

static struct conf_member members[] = {
    {.host = "db-a.internal", .port = 5432},
    {.host = "db-b.internal", .port = 5432},
    {.host = "db-c.internal", .port = 5432},
};
static const struct conf_cluster cluster = {
    .name = "orders", .members = members, .member_count = 3};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int save_all(struct state *state, double took_ms[SAVES])
{
    struct state_endpoint endpoints[] = {{.id = 1}, {.id = 2}};
    struct state_cluster saved = {
        .have_verdict = true, .endpoints = endpoints, .endpoint_count = 2};

    for (int i = 0; i < SAVES; i++) {
        double start = now_ms();
        saved.verdict.term.lo = (uint64_t)i;
        int r = state_save(state, &cluster, &saved);
        if (r) {
            fprintf(stderr, "state_save: %s\n", strerror(-r));
            return 1;
        }
        took_ms[i] = now_ms() - start;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static double took_ms[SAVES];
    struct state *state;
    char error[512];

    if (argc != 2 || state_open(argv[1], error, sizeof(error), &state)) {
        fprintf(stderr, "usage: state_save DIRECTORY\n%s\n", argc == 2 ? error : "");
        return 2;
    }
    int r = save_all(state, took_ms);
    state_close(state);
    qsort(took_ms, SAVES, sizeof(took_ms[0]), by_size);
    if (r == 0)
        printf("state_save: median %.2f ms, p99 %.2f ms, max %.2f ms of %d\n", took_ms[SAVES / 2],
               took_ms[SAVES * 99 / 100], took_ms[SAVES - 1], SAVES);
    return r;
}
