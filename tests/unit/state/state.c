/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c - verdicts on disk: what is saved is loaded, by the next agent and by the one beside it
 * (W2).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "tests/support/state_rig.h"
#include "tests/support/test.h"

/* ---- there and back ---- */

static void what_is_saved_is_loaded_by_the_next_agent(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved(), got;
    struct loop *loop = loop_new();

    saved.verdict.confirmed_ms = loop_now_ms(loop);
    saved.verdict.since_ms = loop_now_ms(loop) - 5;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    state_close(f->state);
    f->state = state_rig_open(f);
    assert_int_equal(state_load(f->state, &state_rig_cluster, &got), 0);
    /* Two clocks are read one after the other, and each is cut to milliseconds. */
    assert_in_range(got.verdict.confirmed_ms + 10, saved.verdict.confirmed_ms + 8,
                    saved.verdict.confirmed_ms + 12);
    got.verdict.confirmed_ms = saved.verdict.confirmed_ms;
    got.verdict.since_ms = saved.verdict.since_ms;
    state_rig_assert_same(&got, &saved);
    free(got.endpoints);
    loop_free(loop);
}

static void what_was_never_saved_is_no_verdict_and_no_error(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster got;

    assert_int_equal(state_load(f->state, &state_rig_cluster, &got), 0);
    assert_false(got.have_verdict);
    assert_false(got.have_mode);
    assert_null(got.endpoints);
}

static void the_last_save_is_what_counts(void **state)
{
    struct state_rig *f = *state;

    for (uint64_t term = 1; term < 20; term++)
        state_rig_save_term(f->state, term);
    assert_int_equal(state_rig_load_term(f->state), 19);
    assert_false(state_rig_has(f, "orders.state.1.new"));
    assert_false(state_rig_has(f, "orders.state.2.new"));
}

static void the_directory_is_made_for_the_agent_alone(void **state)
{
    struct state_rig *f = *state;
    struct stat st;

    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    state_rig_save_term(f->state, 1);
    assert_int_equal(stat(state_rig_path(f, "orders.state.1"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(state_rig_path(f, "orders.state.2"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_cluster_name_cannot_leave_the_directory(void **state)
{
    static char longest[400];
    static char *const names[] = {"../orders", "a/b", "a_b", ".hidden", "lock", longest, "ä", "A"};
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved(), got;
    struct conf_cluster cluster = state_rig_cluster;

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
    snprintf(outside, sizeof(outside), "%s/orders.state.1", f->base);
    assert_int_not_equal(access(outside, F_OK), 0);
}

/* ---- what a save costs ---- */

/* Linked with --wrap. */
static int fsyncs, fdatasyncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fsync(int fd)
{
    fsyncs++;
    return __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    fdatasyncs++;
    return __real_fdatasync(fd);
}

/* How many reads fail before one succeeds. */
static int bad_reads;

ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len);

ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    if (bad_reads == 0)
        return __real_read(fd, bytes, len);
    bad_reads--;
    errno = EIO;
    return -1;
}

static void assert_syncs(int full, int data)
{
    assert_int_equal(fsyncs, full);
    assert_int_equal(fdatasyncs, data);
    fsyncs = fdatasyncs = 0;
}

static struct stat stat_of(const struct state_rig *f, const char *name)
{
    struct stat st;

    assert_int_equal(stat(state_rig_path(f, name), &st), 0);
    return st;
}

/* That no size and no block changes is what makes it cheap. */
static void a_save_is_one_fdatasync_of_blocks_that_are_there(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    fsyncs = fdatasyncs = 0;
    state_rig_save_term(f->state, 1);
    assert_syncs(3, 0); /* two files and the directory */
    struct stat was[] = {stat_of(f, "orders.state.1"), stat_of(f, "orders.state.2")};
    for (uint64_t term = 2; term < 50; term++) {
        saved.verdict.term.lo = term * UINT64_C(100000000000);
        saved.verdict.writer = (uint32_t)(term % 3);
        saved.verdict.demoted = 0x7 & ~(1U << saved.verdict.writer);
        saved.verdict.rival = term % 2 ? MEMBER_NONE : 0;
        assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
        assert_syncs(0, 1);
    }
    struct stat is[] = {stat_of(f, "orders.state.1"), stat_of(f, "orders.state.2")};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(is[i].st_ino, was[i].st_ino);
        assert_int_equal(is[i].st_size, was[i].st_size);
        assert_int_equal(is[i].st_blocks, was[i].st_blocks);
    }
}

static void what_outgrows_its_room_gets_more_for_all_saves_that_follow(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved(), got;
    struct state_endpoint many[100];

    for (uint64_t i = 0; i < 100; i++)
        many[i] = (struct state_endpoint){UINT64_MAX - i, i, UINT64_MAX};
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    fsyncs = fdatasyncs = 0;
    saved.endpoints = many;
    saved.endpoint_count = 100;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_syncs(3, 0);
    saved.endpoint_count = 2;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    saved.endpoint_count = 100;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_syncs(0, 2);
    assert_int_equal(state_load(f->state, &state_rig_cluster, &got), 0);
    state_rig_assert_same(&got, &saved);
    free(got.endpoints);
}

/* It may have been killed before that was on disk. */
static void what_another_agent_wrote_is_synced_before_the_older_copy_is_touched(void **state)
{
    struct state_rig *f = *state;

    state_rig_save_term(f->state, 1);
    state_close(f->state);
    f->state = state_rig_open(f);
    assert_int_equal(state_rig_load_term(f->state), 1);
    fsyncs = fdatasyncs = 0;
    state_rig_save_term(f->state, 2);
    assert_syncs(1, 2);
    state_rig_save_term(f->state, 3);
    assert_syncs(0, 1);
}

static void people_read_it_with_cat(void **state)
{
    struct state_rig *f = *state;
    char text[8192] = "", *at = text;

    state_rig_save_term(f->state, 1);
    state_rig_save_term(f->state, 4);
    FILE *in = fopen(state_rig_path(f, "orders.state.2"), "r");
    assert_non_null(in);
    size_t len = fread(text, 1, sizeof(text) - 1, in);
    fclose(in);
    assert_int_equal(strlen(text), len);
    assert_int_equal(text[len - 1], '\n');
    assert_non_null(strstr(text, "\nterm 2 4\n"));
    assert_non_null(at = strstr(text, "\nsave 2\nsum "));
    at = strchr(at + strlen("\nsave 2\n"), '\n') + 1;
    assert_int_equal(strspn(at, " "), text + len - at - 1);
    assert_true(text + len - at < 80 * 10); /* not a screen of nothing */
}

/* ---- refreshing ---- */

static struct verdict load_verdict(const struct state_rig *f)
{
    struct state *another = state_rig_open(f);
    struct state_cluster got;

    assert_int_equal(state_load(another, &state_rig_cluster, &got), 0);
    free(got.endpoints);
    state_close(another);
    return got.verdict;
}

static void a_refreshed_confirmation_outlives_the_agent_without_a_sync(void **state)
{
    struct state_rig *f = *state;
    struct loop *loop = loop_new();
    struct state_cluster saved = state_rig_saved();

    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    fsyncs = fdatasyncs = 0;
    for (uint64_t i = 1; i < 20; i++) {
        saved.verdict.position = i * 1000000;
        saved.verdict.confirmed_ms = loop_now_ms(loop);
        assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
        struct verdict got = load_verdict(f);
        assert_int_equal(got.position, i * 1000000);
        assert_in_range(got.confirmed_ms + 2, saved.verdict.confirmed_ms,
                        saved.verdict.confirmed_ms + 4);
    }
    assert_syncs(0, 0);
    loop_free(loop);
}

/* The second one, by the second save. */
static void refreshes_go_to_the_copy_that_is_not_the_one_synced_last(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    state_rig_save_term(f->state, 1);
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    for (uint64_t i = 0; i < 5; i++) {
        saved.verdict.position = 1000 + i;
        assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
        assert_int_equal(load_verdict(f).position, 1000 + i);
    }
    assert_int_equal(unlink(state_rig_path(f, "orders.state.1")), 0);
    assert_int_equal(load_verdict(f).position, state_rig_saved().verdict.position);
}

static void a_refresh_of_an_older_state_means_nothing(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    saved.verdict.term.lo++;
    saved.verdict.position = 7;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 7);
}

static void the_first_refresh_of_a_restarted_agent_is_one_too(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    state_close(f->state);
    f->state = state_rig_open(f);
    assert_int_not_equal(state_rig_load_term(f->state), 0);
    fsyncs = fdatasyncs = 0;
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_syncs(1, 1); /* of the dead one's */
    saved.verdict.term.lo++;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_syncs(0, 1);
}

static void anything_but_a_refresh_is_on_disk_at_once(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    for (int i = 0; i < 4; i++) {
        if (i == 0)
            saved.verdict.state = CLUSTER_SUSPECT;
        else if (i == 1)
            saved.verdict.demoted = 0x1;
        else if (i == 2)
            saved.mode = VIEW_MODE_OFF;
        else
            saved.endpoint_count = 1;
        fsyncs = fdatasyncs = 0;
        assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
        assert_syncs(0, 1);
    }
}

static void a_refresh_does_not_hide_what_another_agent_saved(void **state)
{
    struct state_rig *f = *state;
    struct state *other = state_rig_open(f);
    struct state_cluster saved = state_rig_saved();

    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_int_not_equal(state_rig_load_term(other), 0);
    state_rig_save_term(other, saved.verdict.term.lo + 1);
    saved.verdict.position++;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), -ESTALE);
    state_close(other);
}

static void a_damaged_refresh_is_as_none(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    state_rig_save_term(f->state, 1);
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    saved.verdict.position = 99;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 99);
    assert_int_equal(truncate(state_rig_path(f, "orders.state.1"), 100), 0);
    assert_int_equal(load_verdict(f).position, state_rig_saved().verdict.position);
    saved.verdict.position = 100;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_int_equal(load_verdict(f).position, 100);
}

static void a_copy_that_the_disk_cannot_read_does_not_hide_the_other(void **state)
{
    struct state_rig *f = *state;

    state_rig_save_term(f->state, 1);
    state_rig_save_term(f->state, 2);
    bad_reads = 1; /* of the first */
    assert_int_equal(state_rig_load_term(f->state), 2);
    assert_true(state_rig_has(f, "orders.state.1.corrupt"));
    state_rig_save_term(f->state, 3);
    assert_int_equal(state_rig_load_term(f->state), 3);
}

/* ---- two agents ---- */

static void another_agents_newer_term_is_not_overwritten(void **state)
{
    struct state_rig *f = *state;
    struct state *other = state_rig_open(f);
    struct state_cluster saved = state_rig_saved();

    state_rig_save_term(f->state, 3);
    assert_int_equal(state_rig_load_term(other), 3);
    state_rig_save_term(other, 4);
    saved.verdict.term.lo = 3;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), -ESTALE);
    assert_int_equal(state_rig_load_term(other), 4);

    /* Who has merged may save: an operator can have accepted an older term. */
    assert_int_equal(state_rig_load_term(f->state), 4);
    state_rig_save_term(f->state, 2);
    assert_int_equal(state_rig_load_term(other), 2);
    state_close(other);
}

static void another_agents_older_term_is(void **state)
{
    struct state_rig *f = *state;
    struct state *other = state_rig_open(f);

    state_rig_save_term(f->state, 3);
    assert_int_equal(state_rig_load_term(other), 3);
    state_rig_save_term(other, 3);
    state_rig_save_term(f->state, 4);
    assert_int_equal(state_rig_load_term(other), 4);
    state_close(other);
}

static void assert_stale_after(struct state_rig *f, const struct state_cluster *theirs)
{
    struct state *other = state_rig_open(f);
    struct state_cluster ours = state_rig_saved();

    assert_int_equal(unlink(state_rig_path(f, "orders.state.1")) && errno != ENOENT, 0);
    assert_int_equal(unlink(state_rig_path(f, "orders.state.2")) && errno != ENOENT, 0);
    state_rig_save_term(f->state, ours.verdict.term.lo);
    assert_int_not_equal(state_rig_load_term(other), 0);
    assert_int_equal(state_save(other, &state_rig_cluster, theirs), 0);
    assert_int_equal(state_save(f->state, &state_rig_cluster, &ours), -ESTALE);
    state_close(other);
}

static void another_identity_must_be_merged(void **state)
{
    struct state_cluster theirs = state_rig_saved();

    theirs.verdict.identity++;
    assert_stale_after(*state, &theirs);
}

static void a_higher_generation_must_be_merged(void **state)
{
    struct state_cluster theirs = state_rig_saved();
    struct state_endpoint endpoints[2];

    memcpy(endpoints, theirs.endpoints, sizeof(endpoints));
    endpoints[1].generation++;
    theirs.endpoints = endpoints;
    assert_stale_after(*state, &theirs);
}

static void an_operators_order_at_the_other_agent_must_be_merged(void **state)
{
    struct state_cluster theirs = state_rig_saved();

    theirs.mode = VIEW_MODE_OFF;
    assert_stale_after(*state, &theirs);
    theirs = state_rig_saved();
    theirs.verdict.frozen = !theirs.verdict.frozen;
    assert_stale_after(*state, &theirs);
}

static void an_operators_order_here_overrules_what_the_other_agent_knows(void **state)
{
    struct state_rig *f = *state;
    struct state *other = state_rig_open(f);
    struct state_cluster saved = state_rig_saved();

    state_rig_save_term(f->state, 3);
    assert_int_equal(state_rig_load_term(other), 3);
    saved.verdict.position++;
    assert_int_equal(state_save(other, &state_rig_cluster, &saved), 0);
    saved.mode = VIEW_MODE_OFF;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    state_close(other);
}

static void an_operators_order_here_outlives_the_copy_that_it_was_saved_in(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    state_rig_save_term(f->state, 1);
    saved.mode = VIEW_MODE_OFF;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_int_equal(truncate(state_rig_path(f, "orders.state.2"), 100), 0);
    saved.verdict.term.lo++;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), 0);
    assert_true(state_rig_has(f, "orders.state.2.corrupt"));
}

/* What both know is saved here, and then by the other:
 * our next save finds a file that is not ours. */
static struct state *saved_by_the_other_last(const struct state_rig *f)
{
    struct state *other = state_rig_open(f);
    struct state_cluster known = state_rig_saved();

    assert_int_equal(state_save(f->state, &state_rig_cluster, &known), 0);
    assert_int_not_equal(state_rig_load_term(other), 0);
    known.verdict.position++;
    assert_int_equal(state_save(other, &state_rig_cluster, &known), 0);
    return other;
}

static void a_data_set_accepted_here_overrules_what_the_other_agent_knows(void **state)
{
    const struct state_rig *f = *state;
    struct state *other = saved_by_the_other_last(f);
    struct state_cluster known = state_rig_saved(), accepted = known;

    accepted.verdict.identity++;
    accepted.verdict.term.lo--;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &accepted), 0);
    assert_int_equal(state_save(other, &state_rig_cluster, &known), -ESTALE);
    state_close(other);
}

static void an_older_term_accepted_here_overrules_what_the_other_agent_knows(void **state)
{
    const struct state_rig *f = *state;
    struct state *other = saved_by_the_other_last(f);
    struct state_cluster accepted = state_rig_saved();

    accepted.verdict.term.lo--;
    assert_int_equal(state_save(f->state, &state_rig_cluster, &accepted), 0);
    state_close(other);
}

static void a_stopped_agent_that_holds_the_lock_does_not_stop_us_for_long(void **state)
{
    struct state_rig *f = *state;
    struct state_cluster saved = state_rig_saved();

    state_rig_save_term(f->state, 1);
    int fd = open(state_rig_path(f, "lock"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(state_save(f->state, &state_rig_cluster, &saved), -EBUSY);
    close(fd);
    state_rig_save_term(f->state, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(state_rig, what_is_saved_is_loaded_by_the_next_agent),
        TEST_IN(state_rig, what_was_never_saved_is_no_verdict_and_no_error),
        TEST_IN(state_rig, the_last_save_is_what_counts),
        TEST_IN(state_rig, the_directory_is_made_for_the_agent_alone),
        TEST_IN(state_rig, a_cluster_name_cannot_leave_the_directory),
        TEST_IN(state_rig, a_save_is_one_fdatasync_of_blocks_that_are_there),
        TEST_IN(state_rig, what_outgrows_its_room_gets_more_for_all_saves_that_follow),
        TEST_IN(state_rig, what_another_agent_wrote_is_synced_before_the_older_copy_is_touched),
        TEST_IN(state_rig, people_read_it_with_cat),
        TEST_IN(state_rig, a_refreshed_confirmation_outlives_the_agent_without_a_sync),
        TEST_IN(state_rig, refreshes_go_to_the_copy_that_is_not_the_one_synced_last),
        TEST_IN(state_rig, a_refresh_of_an_older_state_means_nothing),
        TEST_IN(state_rig, the_first_refresh_of_a_restarted_agent_is_one_too),
        TEST_IN(state_rig, anything_but_a_refresh_is_on_disk_at_once),
        TEST_IN(state_rig, a_refresh_does_not_hide_what_another_agent_saved),
        TEST_IN(state_rig, a_damaged_refresh_is_as_none),
        TEST_IN(state_rig, a_copy_that_the_disk_cannot_read_does_not_hide_the_other),
        TEST_IN(state_rig, another_agents_newer_term_is_not_overwritten),
        TEST_IN(state_rig, another_agents_older_term_is),
        TEST_IN(state_rig, another_identity_must_be_merged),
        TEST_IN(state_rig, a_higher_generation_must_be_merged),
        TEST_IN(state_rig, an_operators_order_at_the_other_agent_must_be_merged),
        TEST_IN(state_rig, an_operators_order_here_overrules_what_the_other_agent_knows),
        TEST_IN(state_rig, an_operators_order_here_outlives_the_copy_that_it_was_saved_in),
        TEST_IN(state_rig, a_data_set_accepted_here_overrules_what_the_other_agent_knows),
        TEST_IN(state_rig, an_older_term_accepted_here_overrules_what_the_other_agent_knows),
        TEST_IN(state_rig, a_stopped_agent_that_holds_the_lock_does_not_stop_us_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
