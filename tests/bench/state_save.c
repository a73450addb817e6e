/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a verdict takes to be on disk, which a failover waits for (W2): state_save N times in
 * the directory that is given, one line of figures.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/publish/state.h"
#include "tests/bench/median.h"
#include "tests/support/clock.h"

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

static int save_all(struct state *state, double took_ms[SAVES])
{
    struct state_endpoint endpoints[] = {{.id = 1}, {.id = 2}};
    struct state_cluster saved = {
        .have_verdict = true, .endpoints = endpoints, .endpoint_count = 2};

    for (int i = 0; i < SAVES; i++) {
        uint64_t start = clock_ns();
        saved.verdict.term.lo = (uint64_t)i;
        int r = state_save(state, &cluster, &saved);
        if (r) {
            fprintf(stderr, "state_save: %s\n", strerror(-r));
            return 1;
        }
        took_ms[i] = (double)(clock_ns() - start) / 1e6;
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
    double middle_ms = median(took_ms, SAVES);
    if (r == 0)
        printf("state_save: median %.2f ms, p99 %.2f ms, max %.2f ms of %d\n", middle_ms,
               took_ms[SAVES * 99 / 100], took_ms[SAVES - 1], SAVES);
    return r;
}
