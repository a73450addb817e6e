/* SPDX-License-Identifier: Apache-2.0
 *
 * missing.c - the programs whose permits were lost, on disk: each way, and whatever else may stand there.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/state/disk.h"
#include "agent/state/missing.h"
#include "tests/support/state_rig.h"
#include "tests/support/test.h"

static const struct missing_place here = {
    .clock = {.monotonic_ms = 50000, .boot_ms = 80000, .boot_id = "boot"}, .pids = 77};
static const struct sever_holder missing[] = {{0, 0}, {12, 345}, {INT_MAX, UINT64_MAX}},
                                 held[] = {{13, 9}};
static const struct state_missing list = {.missing = missing,
                                          .held = held,
                                          .missing_count = 3,
                                          .held_count = 1,
                                          .back = 2,
                                          .seen = true,
                                          .since_ms = 49000};

static void assert_same(const struct state_missing *got, const struct state_missing *want)
{
    assert_int_equal(got->missing_count, want->missing_count);
    assert_int_equal(got->held_count, want->held_count);
    for (uint32_t i = 0; i < want->missing_count; i++) {
        assert_int_equal(got->missing[i].pid, want->missing[i].pid);
        assert_true(got->missing[i].started == want->missing[i].started);
    }
    for (uint32_t i = 0; i < want->held_count; i++) {
        assert_int_equal(got->held[i].pid, want->held[i].pid);
        assert_true(got->held[i].started == want->held[i].started);
    }
    assert_int_equal(got->back, want->back);
    assert_int_equal(got->seen, want->seen);
}

static char *encode(const struct state_missing *of, size_t *ret_len)
{
    char *text = NULL;

    assert_int_equal(missing_encode(&here, of, &text, ret_len), 0);
    assert_int_equal(strlen(text), *ret_len);
    return text;
}

static int decode(const char *text, size_t len, const struct missing_place *place)
{
    struct state_missing got = {0};
    int rv = missing_decode(text, len, place, &got);

    free(got.owned);
    return rv;
}

/* ---- the text ---- */

static void everything_comes_back(void **state)
{
    struct state_missing got;
    size_t len;
    char *text = encode(&list, &len);

    (void)state;
    assert_int_equal(missing_decode(text, len, &here, &got), 0);
    assert_same(&got, &list);
    assert_int_equal(got.since_ms, 49000);
    free(got.owned);
    free(text);
}

static void in_another_pid_namespace_no_pid_is_seen(void **state)
{
    struct missing_place other = here;
    struct state_missing got, blind = list;
    size_t len;
    char *text = encode(&list, &len);

    (void)state;
    other.pids = 78;
    assert_int_equal(missing_decode(text, len, &other, &got), 0);
    assert_false(got.seen);
    assert_int_equal(got.missing_count, 3);
    free(got.owned);
    free(text);
    blind.seen = false;
    text = encode(&blind, &len);
    assert_int_equal(missing_decode(text, len, &here, &got), 0);
    assert_false(got.seen);
    free(got.owned);
    free(text);
}

static void a_list_of_another_boot_says_so(void **state)
{
    struct missing_place other = here;
    size_t len;
    char *text = encode(&list, &len);

    (void)state;
    snprintf(other.clock.boot_id, sizeof(other.clock.boot_id), "other");
    assert_int_equal(decode(text, len, &other), -ESTALE);
    other.clock.boot_id[0] = '\0';
    assert_int_equal(decode(text, len, &other), -ESTALE);
    free(text);
}

static void whatever_byte_is_another_one_or_lacks_it_is_refused(void **state)
{
    size_t len;
    char *text = encode(&list, &len);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(decode(text, i, &here), -EBADMSG);
        text[i] ^= 1;
        assert_int_equal(decode(text, len, &here), -EBADMSG);
        text[i] ^= 1;
    }
    free(text);
}

/* With the right sum behind it. */
static int decode_body(const char *body)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%ssum %016llx\n", body,
                       (unsigned long long)state_disk_sum(body, strlen(body)));

    return decode(text, (size_t)len, &here);
}

static void what_this_agent_would_not_write_is_refused(void **state)
{
#define HEAD "homing-missing 1\nboot boot\n"
#define REST "namespace 77\nsince 5\nback 0\n"
    static const char *const bad[] = {
        "",
        "\n",
        "homing-missing 2\nboot boot\n" REST,
        "homing-missing 1 \nboot boot\n" REST,
        "homing-missing 1\n" REST,
        HEAD,
        HEAD "namespace 77\nback 0\n",
        HEAD "namespace 77\nsince 80001\nback 0\n" /* in the future */,
        HEAD "namespace -1\nsince 5\nback 0\n",
        HEAD "namespace 77\nsince  5\nback 0\n",
        HEAD "namespace 77\nsince 5\nback 4294967296\n",
        HEAD REST "\n",
        HEAD REST "missing\n",
        HEAD REST "missing 12\n",
        HEAD REST "missing 12 \n",
        HEAD REST "missing 12 13 14\n",
        HEAD REST "missing -12 13\n",
        HEAD REST "missing 2147483648 13\n",
        HEAD REST "missing 12 18446744073709551616\n",
        HEAD REST "missing 12 0x1\n",
        HEAD REST "missing 12 13",
        HEAD REST "held 12 13\nmissing 12 13\n",
        HEAD REST "other 12 13\n",
        HEAD REST "missing 12 13\nother 1\n",
    };

    (void)state;
    assert_int_equal(decode_body(HEAD REST), 0);
    assert_int_equal(decode_body(HEAD REST "missing 12 13\nheld 1 2\n"), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (decode_body(bad[i]) != -EBADMSG)
            fail_msg("taken: %s", bad[i]);
}

static void no_more_are_saved_and_none_are_taken_than_homing_sever_holds(void **state)
{
    struct sever_holder *at = calloc(MISSING_MAX + 1, sizeof(*at));
    struct state_missing got,
        many = {.missing = at, .missing_count = MISSING_MAX + 1, .since_ms = 49000};
    size_t len;

    (void)state;
    for (int i = 0; i <= MISSING_MAX; i++)
        at[i] = (struct sever_holder){INT_MAX - i, UINT64_MAX};
    char *text = encode(&many, &len);
    assert_int_equal(missing_decode(text, len, &here, &got), 0);
    assert_int_equal(got.missing_count, MISSING_MAX);
    free(got.owned);
    char *more = malloc(len + 100);
    len -= 21;
    memcpy(more, text, len);
    len += (size_t)sprintf(more + len, "missing 1 1\n");
    len +=
        (size_t)sprintf(more + len, "sum %016llx\n", (unsigned long long)state_disk_sum(more, len));
    assert_int_equal(decode(more, len, &here), -EBADMSG);
    free(more);
    free(text);
    free(at);
}

/* ---- the file ---- */

static void put_file(const struct state_rig *f, const char *bytes)
{
    FILE *out = fopen(state_rig_path(f, "missing"), "w");

    assert_non_null(out);
    fputs(bytes, out);
    assert_int_equal(fclose(out), 0);
}

static int load_count(const struct state_rig *f)
{
    struct state *next = state_rig_open(f);
    struct state_missing got;
    int rv = state_load_missing(next, &got);
    int count = rv ? rv : (int)(got.missing_count + got.held_count);

    free(got.owned);
    state_close(next);
    return count;
}

static void the_next_agent_finds_who_is_missing_and_nothing_is_there_otherwise(void **state)
{
    struct state_rig *f = *state;
    struct state_missing got, now = list;
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now.since_ms = (uint64_t)t.tv_sec * 1000 - 1000;
    assert_int_equal(load_count(f), 0);
    assert_int_equal(state_save_missing(f->state, &(struct state_missing){0}), 0);
    assert_false(state_rig_has(f, "missing"));
    assert_int_equal(state_save_missing(f->state, &now), 0);
    struct state *next = state_rig_open(f);
    assert_int_equal(state_load_missing(next, &got), 0);
    state_close(next);
    assert_same(&got, &now);
    assert_in_range(got.since_ms, now.since_ms - 10, now.since_ms + 10);
    free(got.owned);
    assert_false(state_rig_has(f, "missing.new"));
    assert_int_equal(state_save_missing(f->state, &(struct state_missing){0}), 0);
    assert_false(state_rig_has(f, "missing"));
}

static void what_makes_no_sense_is_put_aside_and_said_once(void **state)
{
    struct state_rig *f = *state;

    put_file(f, "homing-missing 1\nboot x\n");
    assert_int_equal(load_count(f), -EBADMSG);
    assert_false(state_rig_has(f, "missing"));
    assert_true(state_rig_has(f, "missing.corrupt"));
    assert_int_equal(load_count(f), 0);
    assert_int_equal(symlink("/dev/zero", state_rig_path(f, "missing")), 0);
    assert_int_equal(load_count(f), -EBADMSG);
    assert_int_equal(mkfifo(state_rig_path(f, "missing"), 0600), 0);
    assert_int_equal(load_count(f), -EBADMSG);
    put_file(f, "");
    assert_int_equal(truncate(state_rig_path(f, "missing"), 64 << 20), 0);
    assert_int_equal(load_count(f), -EBADMSG);
}

static void a_list_of_another_boot_is_removed(void **state)
{
    struct state_rig *f = *state;
    size_t len;
    char *text = encode(&list, &len);

    put_file(f, text);
    free(text);
    assert_int_equal(load_count(f), 0);
    assert_false(state_rig_has(f, "missing"));
    assert_false(state_rig_has(f, "missing.corrupt"));
}

/* What an agent that was killed meanwhile has left. */
static void half_a_new_list_does_not_count(void **state)
{
    struct state_rig *f = *state;

    assert_int_equal(state_save_missing(f->state, &list), 0);
    FILE *out = fopen(state_rig_path(f, "missing.new"), "w");
    assert_non_null(out);
    fputs("homing-missing 1\nbo", out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(load_count(f), 4);
    assert_int_equal(state_save_missing(f->state, &list), 0);
    assert_false(state_rig_has(f, "missing.new"));
}

/* What another agent does while this one waits for the lock. */
static void (*before_lock)(void);
static struct state *other;

int flock(int fd, int operation)
{
    void (*meanwhile)(void) = before_lock;

    before_lock = NULL;
    if (meanwhile)
        meanwhile();
    return (int)syscall(SYS_flock, fd, operation);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void save_a_moment_later(void)
{
    struct state_missing now = list;
    uint64_t start_ms = now_ms();

    while (now_ms() < start_ms + 3)
        usleep(1000);
    now.since_ms = now_ms();
    assert_int_equal(state_save_missing(other, &now), 0);
}

static void what_another_agent_saves_while_this_one_waits_makes_sense(void **state)
{
    struct state_rig *f = *state;

    other = f->state;
    before_lock = save_a_moment_later;
    assert_int_equal(load_count(f), 4);
}

static void if_it_cannot_be_saved_what_was_saved_is_there(void **state)
{
    struct state_rig *f = *state;
    struct state_missing one = {.missing = missing, .missing_count = 1};

    assert_int_equal(state_save_missing(f->state, &list), 0);
    assert_int_equal(mkdir(state_rig_path(f, "missing.new"), 0700), 0);
    assert_int_equal(state_save_missing(f->state, &one), -EISDIR);
    assert_int_equal(load_count(f), 4);
    assert_int_equal(rmdir(state_rig_path(f, "missing.new")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_back),
        TEST(in_another_pid_namespace_no_pid_is_seen),
        TEST(a_list_of_another_boot_says_so),
        TEST(whatever_byte_is_another_one_or_lacks_it_is_refused),
        TEST(what_this_agent_would_not_write_is_refused),
        TEST(no_more_are_saved_and_none_are_taken_than_homing_sever_holds),
        TEST_IN(state_rig, the_next_agent_finds_who_is_missing_and_nothing_is_there_otherwise),
        TEST_IN(state_rig, what_makes_no_sense_is_put_aside_and_said_once),
        TEST_IN(state_rig, a_list_of_another_boot_is_removed),
        TEST_IN(state_rig, half_a_new_list_does_not_count),
        TEST_IN(state_rig, what_another_agent_saves_while_this_one_waits_makes_sense),
        TEST_IN(state_rig, if_it_cannot_be_saved_what_was_saved_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
