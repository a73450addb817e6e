/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - a saved state as text: each way, other configurations, other clocks.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/text.h"
#include "tests/support/state_rig.h"
#include "tests/support/test.h"

static const struct state_clock then = {.monotonic_ms = 50000, .boot_ms = 80000, .boot_id = "boot"};

static char *encode(const struct state_cluster *saved, size_t *ret_len)
{
    char *text = NULL;

    assert_int_equal(state_text_encode(&state_rig_cluster, saved, &then, &text, ret_len), 0);
    assert_int_equal(strlen(text), *ret_len);
    return text;
}

static int decode(const char *text, const struct conf_cluster *cluster,
                  const struct state_clock *clock, struct state_cluster *ret)
{
    return state_text_decode(text, strlen(text), cluster, clock, ret);
}

/* `body` with the first line before it. */
static int decode_body(const char *body, struct state_cluster *ret)
{
    char text[2048];

    snprintf(text, sizeof(text), "homing-state 1\n%s", body);
    return decode(text, &state_rig_cluster, &then, ret);
}

static void every_field_comes_back(void **state)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    saved.verdict.confirmed_ms = 49000;
    saved.verdict.since_ms = 100;
    char *text = encode(&saved, &len);
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    state_rig_assert_same(&got, &saved);
    free(got.endpoints);
    free(text);
}

static void every_state_and_reason_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < CLUSTER_STATE_COUNT * REASON_COUNT; i++) {
        struct state_cluster saved = state_rig_saved(), got;
        size_t len;
        saved.verdict.state = (enum cluster_state)(i % CLUSTER_STATE_COUNT);
        saved.verdict.reason = (enum reason)(i / CLUSTER_STATE_COUNT);
        char *text = encode(&saved, &len);
        assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
        assert_int_equal(got.verdict.state, saved.verdict.state);
        assert_int_equal(got.verdict.reason, saved.verdict.reason);
        free(got.endpoints);
        free(text);
    }
}

static void nothing_but_a_name_is_a_state_too(void **state)
{
    struct state_cluster saved = {0}, got;
    size_t len;

    (void)state;
    char *text = encode(&saved, &len);
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_false(got.have_verdict);
    assert_false(got.have_mode);
    assert_int_equal(got.endpoint_count, 0);
    free(text);
}

static void people_can_read_it(void **state)
{
    struct state_cluster saved = state_rig_saved();
    size_t len;

    (void)state;
    char *text = encode(&saved, &len);
    assert_non_null(strstr(text, "\ncluster orders\n"));
    assert_non_null(strstr(text, "\nmode observe\n"));
    assert_non_null(strstr(text, "\nwriter db-b.internal:5432\n"));
    assert_non_null(strstr(text, "\ndemoted 10.77.0.2:5432 fd00::3:5433\n"));
    assert_non_null(strstr(text, "\nterm 2 3\n"));
    assert_non_null(strstr(text, "\nheirs 11400714819323198485 12\n"));
    assert_non_null(strstr(text, "\nunyielding 1763636391123457 13\n"));
    free(text);
}

static void what_is_whole_but_wrong_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "cluster other\n",
        "boot b\nstate steady\n",
        "cluster orders",
        "cluster orders\nstate\n",
        "cluster orders\nstate excellent\n",
        "cluster orders\nbraked perhaps\n",
        "cluster orders\nidentity -1\n",
        "cluster orders\nidentity 0x10\n",
        "cluster orders\nidentity 18446744073709551616\n",
        "cluster orders\nidentity \n",
        "cluster orders\nterm 1\n",
        "cluster orders\nmode gone\n",
        "cluster orders\nendpoint 1 2\n",
        "cluster orders\ndiscovered db-d 5432 0\n",
        "cluster orders\ndiscovered db-d 0 0 db-b:5432\n",
        "cluster orders\ndiscovered db-d 65536 0 db-b:5432\n",
        "cluster orders\ndiscovered  5432 0 db-b:5432\n",
        "cluster orders\nself me\n",
        "cluster orders\nheirs 1 two\n",
        "cluster orders\nheirs \n",
        "cluster orders\nunyielding 1 two\n",
        "cluster orders\n\n",
    };
    struct state_cluster got;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (decode_body(wrong[i], &got) != -EBADMSG)
            fail_msg("taken: %s", wrong[i]);
}

static void what_a_newer_agent_added_is_skipped(void **state)
{
    struct state_cluster got;

    (void)state;
    assert_int_equal(decode_body("cluster orders\nlease held by us\nreason tea_leaves\n"
                                 "state steady\nterm 0 9\n",
                                 &got),
                     0);
    assert_int_equal(got.verdict.state, CLUSTER_STEADY);
    assert_int_equal(got.verdict.reason, REASON_NONE);
    assert_int_equal(got.verdict.term.lo, 9);
    assert_int_equal(got.verdict.writer, MEMBER_NONE);
}

static void W12_heirs_are_those_of_a_writer_with_a_name(void **state)
{
    struct state_cluster saved = {.have_verdict = true, .verdict = {.writer = 1, .self = 7}}, got;
    char heirs[512] = "cluster orders\nself 7\nheirs";
    size_t len;

    (void)state;
    char *text = encode(&saved, &len);
    assert_non_null(strstr(text, "\nself 7\nbranch 0\nheirs -\n"));
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_int_equal(got.verdict.self, 7);
    assert_int_equal(got.verdict.heirs[0], 0);
    free(text);
    for (unsigned i = 1; i <= HOMING_MEMBERS_MAX + 3; i++) /* more than can be members */
        sprintf(heirs + strlen(heirs), " %u", i);
    assert_int_equal(decode_body(strcat(heirs, "\n"), &got), 0);
    assert_int_equal(got.verdict.heirs[0], 1);
    assert_int_equal(got.verdict.heirs[HOMING_MEMBERS_MAX - 1], HOMING_MEMBERS_MAX);
    assert_int_equal(decode_body("cluster orders\nheirs 1 2\n", &got), 0);
    assert_int_equal(got.verdict.heirs[0], 0); /* of nobody */
}

/* What an agent wrote that knew nothing of it, or has an engine with terms. */
static void W12_a_state_without_heirs_is_whole(void **state)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    saved.verdict.self = 0;
    char *text = encode(&saved, &len);
    assert_null(strstr(text, "\nself"));
    assert_null(strstr(text, "\nheirs"));
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_int_equal(got.verdict.self, 0);
    assert_int_equal(got.verdict.heirs[0], 0);
    free(got.endpoints);
    free(text);
}

static void W3a_a_state_in_which_all_have_noticed_is_whole(void **state)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    memset(saved.verdict.unyielding, 0, sizeof(saved.verdict.unyielding));
    char *text = encode(&saved, &len);
    assert_null(strstr(text, "\nunyielding"));
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_int_equal(got.verdict.unyielding[0], 0);
    free(got.endpoints);
    free(text);
}

static void W4a_who_is_green_and_who_was_left_behind_comes_back(void **state)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    saved.verdict.phase = PHASE_IN_PROGRESS;
    saved.verdict.green = saved.verdict.named = 1;
    saved.verdict.retired = saved.verdict.renamed = 1 << 2;
    saved.verdict.stray = true;
    char *text = encode(&saved, &len);
    assert_non_null(strstr(text, "\nphase in_progress\ngreen 10.77.0.2:5432\nnamed 10.77.0.2:5432\n"
                                 "stray yes\nretired fd00::3:5433\nrenamed fd00::3:5433\n"));
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_int_equal(got.verdict.phase, PHASE_IN_PROGRESS);
    assert_int_equal(got.verdict.green, 1);
    assert_int_equal(got.verdict.named, 1);
    assert_int_equal(got.verdict.retired, 1 << 2);
    assert_int_equal(got.verdict.renamed, 1 << 2);
    assert_true(got.verdict.stray);
    free(got.endpoints);
    free(text);
    assert_int_equal(decode_body("cluster orders\nphase of_the_moon\n", &got), 0);
    assert_int_equal(got.verdict.phase, PHASE_NONE);
    free(got.endpoints);
}

/* An agent that does not know of these does not read them: to it, a claim there would be as good as another. */
static void W4a_an_address_that_a_switchover_left_behind_comes_back_as_one(void **state)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    saved.left[0].behind = true;
    char *text = encode(&saved, &len);
    assert_non_null(strstr(
        text, "\nleft fd00::3:5433 fd01:: 5433 0 0 0\nbehind 10.77.0.2:5432 10.77.0.9 5432 8 "));
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_int_equal(got.left_count, 2);
    assert_false(got.left[0].behind);
    assert_int_equal(got.left[0].member, 2);
    assert_true(got.left[1].behind);
    assert_int_equal(got.left[1].member, 0);
    assert_int_equal(got.left[1].incarnation, saved.left[0].incarnation);
    free(got.endpoints);
    free(text);
}

static void the_writer_is_never_among_the_demoted(void **state)
{
    struct state_cluster got;

    (void)state;
    assert_int_equal(
        decode_body("cluster orders\nwriter 10.77.0.2:5432\ndemoted 10.77.0.2:5432 fd00::3:5433\n",
                    &got),
        0);
    assert_int_equal(got.verdict.writer, 0);
    assert_int_equal(got.verdict.demoted, 0x4);
}

static void members_are_found_by_host_and_port_in_another_configuration(void **state)
{
    struct conf_member moved[] = {
        {.host = "new.internal", .port = 5432},
        {.host = "fd00::3", .port = 5433},
        {.host = "DB-B.internal", .port = 5432},
    };
    struct conf_cluster cluster = {.name = "orders", .members = moved, .member_count = 3};
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    char *text = encode(&saved, &len);
    assert_int_equal(decode(text, &cluster, &then, &got), 0);
    assert_int_equal(got.verdict.writer, 2);
    assert_int_equal(got.verdict.rival, 1);
    assert_int_equal(got.verdict.demoted, 0x2); /* 10.77.0.2 is gone */
    assert_int_equal(got.verdict.term.lo, saved.verdict.term.lo);
    free(got.endpoints);

    moved[2].port = 5433; /* another port is another member */
    assert_int_equal(decode(text, &cluster, &then, &got), 0);
    assert_int_equal(got.verdict.writer, MEMBER_NONE);
    assert_int_equal(got.verdict.identity, saved.verdict.identity);
    free(got.endpoints);
    free(text);
}

/* Saved at `then`, one second after the confirmation. */
static uint64_t confirmed_at(struct state_clock now)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    saved.verdict.confirmed_ms = then.monotonic_ms - 1000;
    char *text = encode(&saved, &len);
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    free(got.endpoints);
    free(text);
    return got.verdict.confirmed_ms;
}

static void the_age_of_a_confirmation_survives_a_restart_but_not_a_reboot(void **state)
{
    struct state_clock now = then;

    (void)state;
    assert_int_equal(confirmed_at(now), 49000);
    now.monotonic_ms += 7000, now.boot_ms += 7000;
    assert_int_equal(confirmed_at(now), 49000);
    now.boot_ms += 3000; /* suspended, which the monotonic clock does not count */
    assert_int_equal(confirmed_at(now), 46000);
    now.boot_ms += 60000; /* for longer than that clock has run */
    assert_int_equal(confirmed_at(now), 0);

    now = then;
    now.boot_ms = 70000; /* the future */
    assert_int_equal(confirmed_at(now), 0);
    now = then;
    strcpy(now.boot_id, "other");
    assert_int_equal(confirmed_at(now), 0);
    now.boot_id[0] = '\0';
    assert_int_equal(confirmed_at(now), 0);
}

static void never_confirmed_stays_never(void **state)
{
    struct state_cluster saved = state_rig_saved(), got;
    size_t len;

    (void)state;
    char *text = encode(&saved, &len);
    assert_int_equal(decode(text, &state_rig_cluster, &then, &got), 0);
    assert_int_equal(got.verdict.confirmed_ms, 0);
    free(got.endpoints);
    free(text);
}

static void a_name_that_would_break_a_line_is_not_saved(void **state)
{
    struct conf_cluster cluster = state_rig_cluster;
    struct state_cluster saved = {0};
    char *text = NULL;
    size_t len;

    (void)state;
    cluster.name = "or\nders";
    assert_int_equal(state_text_encode(&cluster, &saved, &then, &text, &len), -EINVAL);
    assert_null(text);
}

static void what_was_spared_comes_back_but_not_after_a_reboot(void **state)
{
    struct state_cluster saved = {.spared = 7, .untold = true}, got;
    struct state_clock now = then;
    size_t len;

    (void)state;
    char *text = encode(&saved, &len);
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    assert_int_equal(got.spared, 7);
    assert_true(got.untold);
    strcpy(now.boot_id, "other");
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    assert_int_equal(got.spared, 0);
    free(text);
    assert_int_equal(decode_body("cluster orders\nspared x\n", &got), -EBADMSG);
}

static void what_members_were_listed_as_comes_back_but_not_after_a_reboot(void **state)
{
    struct state_cluster saved = {.listed_count = 2}, got;
    struct state_clock now = then;
    size_t len;

    (void)state;
    assert_true(inet_address_parse("10.0.0.1", 5432, &saved.listed[0].asked));
    assert_true(inet_address_parse("10.1.0.7", 6432, &saved.listed[0].listed));
    assert_true(inet_address_parse("fd00::1", 5432, &saved.listed[1].asked));
    assert_true(inet_address_parse("fd00::2", 5432, &saved.listed[1].listed));
    char *text = encode(&saved, &len);
    assert_non_null(strstr(text, "\nlisted 10.0.0.1 5432 10.1.0.7 6432\n"));
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    assert_int_equal(got.listed_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(inet_address_same(&got.listed[i].asked, &saved.listed[i].asked));
        assert_true(inet_address_same(&got.listed[i].listed, &saved.listed[i].listed));
    }
    strcpy(now.boot_id, "other");
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    assert_int_equal(got.listed_count, 0);
    free(text);
    assert_int_equal(decode_body("cluster orders\nlisted 10.0.0.1 5432 x 1\n", &got), -EBADMSG);
    assert_int_equal(decode_body("cluster orders\nlisted 10.0.0.1\n", &got), -EBADMSG);
}

static void when_a_member_was_discovered_is_known_until_a_reboot(void **state)
{
    struct state_cluster saved = {.discovered = {{.host = "d", .port = 5, .from = "b:5"}},
                                  .discovered_count = 1};
    struct state_cluster got;
    struct state_clock now = then;
    size_t len;

    (void)state;
    saved.discovered[0].since_ms = then.monotonic_ms - 7;
    char *text = encode(&saved, &len);
    now.monotonic_ms += 1000;
    now.boot_ms += 1000;
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    assert_int_equal(got.discovered[0].since_ms, then.monotonic_ms - 7);
    strcpy(now.boot_id, "other");
    assert_int_equal(decode(text, &state_rig_cluster, &now, &got), 0);
    assert_int_equal(got.discovered_count, 1);
    assert_int_equal(got.discovered[0].since_ms, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_comes_back),
        TEST(every_state_and_reason_comes_back),
        TEST(what_members_were_listed_as_comes_back_but_not_after_a_reboot),
        TEST(nothing_but_a_name_is_a_state_too),
        TEST(people_can_read_it),
        TEST(what_is_whole_but_wrong_is_refused),
        TEST(what_a_newer_agent_added_is_skipped),
        TEST(W12_heirs_are_those_of_a_writer_with_a_name),
        TEST(W12_a_state_without_heirs_is_whole),
        TEST(W3a_a_state_in_which_all_have_noticed_is_whole),
        TEST(W4a_who_is_green_and_who_was_left_behind_comes_back),
        TEST(W4a_an_address_that_a_switchover_left_behind_comes_back_as_one),
        TEST(the_writer_is_never_among_the_demoted),
        TEST(members_are_found_by_host_and_port_in_another_configuration),
        TEST(the_age_of_a_confirmation_survives_a_restart_but_not_a_reboot),
        TEST(when_a_member_was_discovered_is_known_until_a_reboot),
        TEST(what_was_spared_comes_back_but_not_after_a_reboot),
        TEST(never_confirmed_stays_never),
        TEST(a_name_that_would_break_a_line_is_not_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
