/* SPDX-License-Identifier: Apache-2.0
 *
 * probe_memory.c - every allocation of the probe, of the resolver and of a PostgreSQL session fails
 * once: nothing crashes, nothing is left behind.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/postgresql.h"
#include "agent/probe/probe.h"
#include "tests/support/fail.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

static uint32_t heard;

static void on_member(void *arg, uint32_t member, const struct probe_member *known)
{
    (void)arg, (void)member, (void)known;
}

static void on_report(void *arg, const struct report *report)
{
    (void)arg;
    (void)report;
    heard++;
}

static void on_addresses(void *arg, uint32_t member)
{
    (void)arg;
    (void)member;
}

/* Nobody listens on port 1: attempts are refused, over and over. */
static struct conf_member members[] = {{.host = (char *)"127.0.0.1", .port = 1},
                                       {.host = (char *)"127.0.0.1", .port = 1}};
static const struct conf_cluster CLUSTER = {
    .name = (char *)"orders",
    .connection = (char *)"user=homing",
    .members = members,
    .member_count = 2,
    .timing = {.interval_ms = 250, .fast_interval_ms = 50, .timeout_ms = 1000},
};

/* A life of two seconds with the n-th allocation failing. False: there were not that many. */
static bool lives(struct loop *loop, int n)
{
    const struct probe_sink sink = {
        .member = on_member, .report = on_report, .addresses = on_addresses};
    struct probe *probe = NULL;
    heard = 0;
    fail_allocation(n);
    struct resolver *resolver = resolver_new_from(loop, "/dev/null", "/dev/null", 53);
    if (resolver)
        probe = probe_new(loop, resolver, &engine_postgresql, &CLUSTER, &sink);
    for (int i = 0; probe && i < 40; i++) {
        fake_loop_advance(loop, 50);
        fake_loop_poll(loop);
    }
    bool failed = fail_happened();
    if (probe)
        assert_true(heard > 0); /* the others go on, and it comes round again */
    probe_free(probe);
    resolver_free(resolver);
    return failed;
}

static void every_allocation_may_fail_and_nothing_is_left_behind(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    assert_false(lives(loop, 1000000));
    long before = fail_live_blocks();
    int n = 0;
    while (lives(loop, n)) {
        assert_int_equal(fake_loop_watchers(loop), 0);
        assert_int_equal(fail_live_blocks(), before);
        n++;
    }
    assert_in_range(n, 10, 100000);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_allocation_may_fail_and_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
