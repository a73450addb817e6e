/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts on disk: what is saved is loaded, by the next agent and by the one beside it (W2).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/loop.h"
#include "tests/support/state_rig.h"

/* ---- there and back ---- */

static void what_is_saved_is_loaded_by_the_next_agent(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved(), got;
    struct loop *loop = loop_new();

    saved.verdict.confirmed_ms = loop_now_ms(loop);
    saved.verdict.since_ms = loop_now_ms(loop) - 5;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    state_close(f->state);
    f->state = fixture_open(f);
    assert_int_equal(state_load(f->state, &rig_cluster, &got), 0);
    /* Two clocks are read one after the other, and each is cut to milliseconds. */
    assert_in_range(got.verdict.confirmed_ms + 10, saved.verdict.confirmed_ms + 8,
                    saved.verdict.confirmed_ms + 12);
    got.verdict.confirmed_ms = saved.verdict.confirmed_ms;
    got.verdict.since_ms = saved.verdict.since_ms;
    rig_assert_same(&got, &saved);
    free(got.endpoints);
    loop_free(loop);
}

static void what_was_never_saved_is_no_verdict_and_no_error(void **state)
{
    struct fixture *f = *state;
    struct state_cluster got;

    assert_int_equal(state_load(f->state, &rig_cluster, &got), 0);
    assert_false(got.have_verdict);
    assert_false(got.have_mode);
    assert_null(got.endpoints);
}

static void the_last_save_is_what_counts(void **state)
{
    struct fixture *f = *state;

    for (uint64_t term = 1; term < 20; term++)
        fixture_save_term(f->state, term);
    assert_int_equal(fixture_load_term(f->state), 19);
    assert_false(fixture_has(f, "orders.state.new"));
}

static void the_directory_is_made_for_the_agent_alone(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    fixture_save_term(f->state, 1);
    assert_int_equal(stat(fixture_path(f, "orders.state"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_cluster_name_cannot_leave_the_directory(void **state)
{
    static char longest[400];
    static char *const names[] = {"../orders", "a/b", "a_b", ".hidden", "lock", longest, "ä", "A"};
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved(), got;
    struct conf_cluster cluster = rig_cluster;

    memset(longest, 'x', sizeof(longest) - 1);
    for (uint64_t i = 0; i < 8; i++) {
        cluster.name = names[i];
        saved.verdict.position = i;
        assert_int_equal(state_save(f->state, &cluster, &saved), 0);
    }
    for (uint64_t i = 0; i < 8; i++) {
        cluster.name = names[i];
        assert_int_equal(state_load(f->state, &cluster, &got), 0);
        assert_int_equal(got.verdict.position, i);
        free(got.endpoints);
    }
    assert_int_equal(access(f->base, F_OK), 0);
    char outside[128];
    snprintf(outside, sizeof(outside), "%s/orders.state", f->base);
    assert_int_not_equal(access(outside, F_OK), 0);
}

/* ---- refreshing ---- */

/* Linked with --wrap=fsync. */
static int fsyncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    fsyncs++;
    return __real_fsync(fd);
}

static struct verdict load_verdict(const struct fixture *f)
{
    struct state *another = fixture_open(f);
    struct state_cluster got;

    assert_int_equal(state_load(another, &rig_cluster, &got), 0);
    free(got.endpoints);
    state_close(another);
    return got.verdict;
}

static void a_refreshed_confirmation_outlives_the_agent_without_an_fsync(void **state)
{
    struct fixture *f = *state;
    struct loop *loop = loop_new();
    struct state_cluster saved = rig_saved();

    fsyncs = 0;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(fsyncs, 2);
    for (uint64_t i = 1; i < 20; i++) {
        saved.verdict.position = i * 1000000;
        saved.verdict.confirmed_ms = loop_now_ms(loop);
        assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
        struct verdict got = load_verdict(f);
        assert_int_equal(got.position, i * 1000000);
        assert_in_range(got.confirmed_ms + 2, saved.verdict.confirmed_ms,
                        saved.verdict.confirmed_ms + 4);
    }
    assert_int_equal(fsyncs, 2);
    loop_free(loop);
}

static void a_refresh_of_an_older_state_means_nothing(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_true(fixture_has(f, "orders.state.recent"));
    saved.verdict.term.lo++;
    saved.verdict.position = 7;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 7);
}

static void anything_but_a_refresh_is_on_disk_at_once(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    for (int i = 0; i < 4; i++) {
        if (i == 0)
            saved.verdict.state = CLUSTER_SUSPECT;
        else if (i == 1)
            saved.verdict.demoted = 0x1;
        else if (i == 2)
            saved.mode = CONF_MODE_OFF;
        else
            saved.endpoint_count = 1;
        fsyncs = 0;
        assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
        assert_int_equal(fsyncs, 2);
    }
}

static void a_refresh_does_not_hide_what_another_agent_saved(void **state)
{
    struct fixture *f = *state;
    struct state *other = fixture_open(f);
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_not_equal(fixture_load_term(other), 0);
    fixture_save_term(other, saved.verdict.term.lo + 1);
    saved.verdict.position++;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), -ESTALE);
    state_close(other);
}

static void a_damaged_refresh_is_as_none(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 99);
    assert_int_equal(truncate(fixture_path(f, "orders.state.recent"), 100), 0);
    assert_int_equal(load_verdict(f).position, rig_saved().verdict.position);
    saved.verdict.position = 100;
    assert_int_equal(truncate(fixture_path(f, "orders.state.recent"), 5000), 0);
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 100);
}

/* ---- two agents ---- */

static void another_agents_newer_term_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct state *other = fixture_open(f);
    struct state_cluster saved = rig_saved();

    fixture_save_term(f->state, 3);
    assert_int_equal(fixture_load_term(other), 3);
    fixture_save_term(other, 4);
    saved.verdict.term.lo = 3;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), -ESTALE);
    assert_int_equal(fixture_load_term(other), 4);

    /* Who has merged may save: an operator can have accepted an older term. */
    assert_int_equal(fixture_load_term(f->state), 4);
    fixture_save_term(f->state, 2);
    assert_int_equal(fixture_load_term(other), 2);
    state_close(other);
}

static void another_agents_older_term_is(void **state)
{
    struct fixture *f = *state;
    struct state *other = fixture_open(f);

    fixture_save_term(f->state, 3);
    assert_int_equal(fixture_load_term(other), 3);
    fixture_save_term(other, 3);
    fixture_save_term(f->state, 4);
    assert_int_equal(fixture_load_term(other), 4);
    state_close(other);
}

static void assert_stale_after(struct fixture *f, const struct state_cluster *theirs)
{
    struct state *other = fixture_open(f);
    struct state_cluster ours = rig_saved();

    assert_int_equal(unlink(fixture_path(f, "orders.state")) && errno != ENOENT, 0);
    fixture_save_term(f->state, ours.verdict.term.lo);
    assert_int_not_equal(fixture_load_term(other), 0);
    assert_int_equal(state_save(other, &rig_cluster, theirs), 0);
    assert_int_equal(state_save(f->state, &rig_cluster, &ours), -ESTALE);
    state_close(other);
}

static void another_identity_must_be_merged(void **state)
{
    struct state_cluster theirs = rig_saved();

    theirs.verdict.identity++;
    assert_stale_after(*state, &theirs);
}

static void a_higher_generation_must_be_merged(void **state)
{
    struct state_cluster theirs = rig_saved();
    struct state_endpoint endpoints[2];

    memcpy(endpoints, theirs.endpoints, sizeof(endpoints));
    endpoints[1].generation++;
    theirs.endpoints = endpoints;
    assert_stale_after(*state, &theirs);
}

static void an_operators_order_at_the_other_agent_must_be_merged(void **state)
{
    struct state_cluster theirs = rig_saved();

    theirs.mode = CONF_MODE_OFF;
    assert_stale_after(*state, &theirs);
    theirs = rig_saved();
    theirs.verdict.frozen = !theirs.verdict.frozen;
    assert_stale_after(*state, &theirs);
}

static void an_operators_order_here_overrules_what_the_other_agent_knows(void **state)
{
    struct fixture *f = *state;
    struct state *other = fixture_open(f);
    struct state_cluster saved = rig_saved();

    fixture_save_term(f->state, 3);
    assert_int_equal(fixture_load_term(other), 3);
    saved.verdict.position++;
    assert_int_equal(state_save(other, &rig_cluster, &saved), 0);
    saved.mode = CONF_MODE_OFF;
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), 0);
    state_close(other);
}

/* What both know is saved here, and then by the other: our next save finds a file that is not ours.
 */
static struct state *saved_by_the_other_last(const struct fixture *f)
{
    struct state *other = fixture_open(f);
    struct state_cluster known = rig_saved();

    assert_int_equal(state_save(f->state, &rig_cluster, &known), 0);
    assert_int_not_equal(fixture_load_term(other), 0);
    known.verdict.position++;
    assert_int_equal(state_save(other, &rig_cluster, &known), 0);
    return other;
}

static void a_data_set_accepted_here_overrules_what_the_other_agent_knows(void **state)
{
    const struct fixture *f = *state;
    struct state *other = saved_by_the_other_last(f);
    struct state_cluster known = rig_saved(), accepted = known;

    accepted.verdict.identity++;
    accepted.verdict.term.lo--;
    assert_int_equal(state_save(f->state, &rig_cluster, &accepted), 0);
    assert_int_equal(state_save(other, &rig_cluster, &known), -ESTALE);
    state_close(other);
}

static void an_older_term_accepted_here_overrules_what_the_other_agent_knows(void **state)
{
    const struct fixture *f = *state;
    struct state *other = saved_by_the_other_last(f);
    struct state_cluster accepted = rig_saved();

    accepted.verdict.term.lo--;
    assert_int_equal(state_save(f->state, &rig_cluster, &accepted), 0);
    state_close(other);
}

static void a_stopped_agent_that_holds_the_lock_does_not_stop_us_for_long(void **state)
{
    struct fixture *f = *state;
    struct state_cluster saved = rig_saved();

    fixture_save_term(f->state, 1);
    int fd = open(fixture_path(f, "lock"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(state_save(f->state, &rig_cluster, &saved), -EBUSY);
    close(fd);
    fixture_save_term(f->state, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_loaded_by_the_next_agent),
        TEST(what_was_never_saved_is_no_verdict_and_no_error),
        TEST(the_last_save_is_what_counts),
        TEST(the_directory_is_made_for_the_agent_alone),
        TEST(a_cluster_name_cannot_leave_the_directory),
        TEST(a_refreshed_confirmation_outlives_the_agent_without_an_fsync),
        TEST(a_refresh_of_an_older_state_means_nothing),
        TEST(anything_but_a_refresh_is_on_disk_at_once),
        TEST(a_refresh_does_not_hide_what_another_agent_saved),
        TEST(a_damaged_refresh_is_as_none),
        TEST(another_agents_newer_term_is_not_overwritten),
        TEST(another_agents_older_term_is),
        TEST(another_identity_must_be_merged),
        TEST(a_higher_generation_must_be_merged),
        TEST(an_operators_order_at_the_other_agent_must_be_merged),
        TEST(an_operators_order_here_overrules_what_the_other_agent_knows),
        TEST(a_data_set_accepted_here_overrules_what_the_other_agent_knows),
        TEST(an_older_term_accepted_here_overrules_what_the_other_agent_knows),
        TEST(a_stopped_agent_that_holds_the_lock_does_not_stop_us_for_long),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
