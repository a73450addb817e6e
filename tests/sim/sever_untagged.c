/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_untagged.c - which order of the whole agent is for connections without tags, too: one after each switch,
 * whatever hinders it at first; and what is spared then (W7). homing-sever itself is a notebook (fake_sever.h).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/daemon/reload.h"
#include "agent/state/state.h"
#include "tests/sim/sever_rig.h"

#define UNTAGGED "    sever_untagged: true\n"

static const struct history_switch *newest_switch(void)
{
    const struct history *history = &sim.daemon->history;

    for (uint64_t i = history->count; i > 0; i--)
        if (history->at[i - 1].is_switch)
            return &history->at[i - 1].change;
    fail_msg("no switch in the history");
    return NULL;
}

/* The newest order that severs. */
static const struct sever_order *newest(void)
{
    for (uint32_t i = fake_order_count; i > 0; i--)
        if (fake_orders[i - 1].order.kind == SEVER_DO)
            return &fake_orders[i - 1].order;
    fail_msg("nothing was ordered");
    return NULL;
}

static void answer_all(void)
{
    for (uint32_t i = 0; i < fake_order_count; i++)
        if (!fake_orders[i].answered)
            fake_sever_done(i, 1);
}

/* Once more, but not for these. */
static void assert_that_was_all(void)
{
    uint32_t before;

    answer_all();
    before = fake_order_count;
    sim_run(&sim, 60000);
    assert_true(fake_order_count > before);
    for (uint32_t i = before; i < fake_order_count; i++)
        assert_false(fake_orders[i].order.untagged);
}

/* ---- once for each switch ---- */

static void connections_without_tags_are_ordered_once_per_switch(void **state)
{
    (void)state;
    begin(UNTAGGED);
    switch_over(0, 1);
    sim_run(&sim, 60000);
    assert_true(fake_order_count > 2);
    assert_true(fake_orders[0].order.untagged);
    for (uint32_t i = 1; i < fake_order_count; i++)
        assert_false(fake_orders[i].order.untagged);
}

/* ---- what hinders it ---- */

static const struct {
    const char *keys;
    bool untold; /* programs tag nothing in it */
} modes[] = {
    {UNTAGGED "    mode: off\n", true},
    {UNTAGGED "    mode: names\n", true},
    {UNTAGGED "    mode: connect\n", false},
    {UNTAGGED "    mode: observe\n", false},
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

static void they_are_ended_if_the_mode_becomes_sever_within_ten_minutes(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODES; i++) {
        fake_sever_forget();
        begin(modes[i].keys);
        switch_over(0, 1);
        sim_run(&sim, 9 * 60 * 1000);
        assert_int_equal(fake_sever_count(SEVER_DO), 0);
        cluster_set_mode(cluster(), VIEW_MODE_SEVER);
        assert_int_equal(fake_sever_count(SEVER_DO), 1);
        assert_true(newest()->untagged);
        assert_int_equal(newest()->unasked, modes[i].untold);
        assert_true(newest_switch()->ordered);
        assert_that_was_all();
        if (i + 1 < MODES)
            sim_done(&sim);
    }
}

static void later_they_are_left_alone_and_the_history_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODES; i++) {
        fake_sever_forget();
        begin(modes[i].keys);
        switch_over(0, 1);
        sim_run(&sim, 11 * 60 * 1000);
        answer_all();
        cluster_set_mode(cluster(), VIEW_MODE_SEVER);
        assert_int_equal(fake_sever_count(SEVER_DO), 1);
        assert_false(newest()->untagged);
        fake_sever_untagged(fake_order_count - 1, 5);
        assert_true(newest_switch()->ordered && newest_switch()->severed);
        assert_int_equal(newest_switch()->untagged, 5);
        if (i + 1 < MODES)
            sim_done(&sim);
    }
}

static void they_are_spared_if_known_also_when_the_mode_was_names_for_a_moment(void **state)
{
    (void)state;
    begin(UNTAGGED);
    sim_conduct(&sim, 2, SIM_DOWN);
    fake_sever_set(0, false);
    switch_over(0, 1);
    cluster_set_mode(cluster(), VIEW_MODE_NAMES);
    cluster_set_mode(cluster(), 0);
    fake_sever_set(1, true);
    assert_true(newest()->untagged && newest()->unasked);
    switch_over(1, 0);
    assert_true(newest()->untagged && !newest()->unasked);
}

static void reload_with(const char *key)
{
    FILE *file = fopen(sim.file, "a");
    char *lines;

    assert_non_null(file);
    fputs(key, file);
    fclose(file);
    assert_int_equal(reload_conf(sim.daemon, &lines), 0);
    free(lines);
}

static void homing_sever_is_told_before_the_order_when_programs_come_to_tag(void **state)
{
    uint32_t before;

    (void)state;
    begin(UNTAGGED "    mode: names\n");
    sim_conduct(&sim, 2, SIM_DOWN);
    before = fake_sever_publications;
    sim_run(&sim, 60000);
    cluster_set_mode(cluster(), VIEW_MODE_OFF);
    assert_int_equal(fake_sever_publications, before);
    cluster_set_mode(cluster(), VIEW_MODE_SEVER);
    assert_int_equal(fake_sever_publications, before + 1);
    switch_over(0, 1);
    assert_true(newest()->untagged && !newest()->unasked);
    cluster_set_mode(cluster(), VIEW_MODE_OBSERVE);
    assert_int_equal(fake_sever_publications, before + 1);
    reload_with("    max_switches: 7\n");
    assert_int_equal(fake_sever_publications, before + 2);
}

static void they_are_ended_when_homing_sever_comes_to_be_able_to(void **state)
{
    (void)state;
    begin(UNTAGGED);
    fake_sever_set(1, false);
    switch_over(0, 1);
    sim_run(&sim, 60000);
    assert_int_equal(fake_order_count, 0);
    assert_false(newest_switch()->ordered);
    fake_sever_set(1, true);
    assert_true(newest()->untagged && !newest()->unasked);
    assert_true(newest_switch()->ordered);
    assert_that_was_all();
}

static void an_order_that_was_lost_or_refused_is_given_again_for_them_too(void **state)
{
    (void)state;
    begin(UNTAGGED);
    switch_over(0, 1);
    fake_sever_refuse(0);
    sim_run(&sim, 2000);
    assert_int_equal(fake_order_count, 2);
    assert_true(newest()->untagged);
    fake_sever_set(2, true);
    assert_int_equal(fake_order_count, 3);
    assert_true(newest()->untagged);
    answer_all();
    fake_sever_set(3, true);
    assert_int_equal(fake_order_count, 4);
    assert_false(newest()->untagged);
}

static void what_an_earlier_switch_has_lost_is_not_ordered_for_the_next_one(void **state)
{
    (void)state;
    begin(UNTAGGED);
    switch_over(0, 1);
    assert_int_equal(fake_order_count, 1);
    switch_over(1, 0);
    assert_true(newest()->untagged);
    fake_sever_done(fake_order_count - 1, 1);
    fake_sever_refuse(0);
    sim_run(&sim, 2000);
    assert_false(newest()->untagged);
}

static void if_it_is_ended_in_its_spread_the_rest_stays_due(void **state)
{
    (void)state;
    begin(UNTAGGED "    sever_spread: 2m\n");
    switch_over(0, 1);
    sim_run(&sim, 60000);
    cluster_set_mode(cluster(), VIEW_MODE_OFF);
    answer_all();
    cluster_set_mode(cluster(), 0);
    assert_true(newest()->untagged);
    sim_run(&sim, 2 * 60 * 1000 + 1000);
    cluster_set_mode(cluster(), VIEW_MODE_OFF);
    answer_all();
    cluster_set_mode(cluster(), 0);
    assert_false(newest()->untagged);
}

static void what_is_left_of_it_survives_a_reload(void **state)
{
    (void)state;
    begin(UNTAGGED "    sever_spread: 2m\n");
    switch_over(0, 1);
    assert_true(newest()->untagged);
    reload_with("    max_switches: 7\n");
    sim_run(&sim, SETTLED_MS);
    assert_int_equal(fake_order_count, 2);
    assert_true(newest()->untagged);
    assert_that_was_all();
}

static void what_is_severed_is_not_counted_as_what_would_be(void **state)
{
    (void)state;
    begin(UNTAGGED);
    switch_over(0, 1);
    answer_all();
    cluster_set_mode(cluster(), VIEW_MODE_OBSERVE);
    assert_int_equal(fake_sever_count(SEVER_OBSERVE), 1);
    assert_false(fake_orders[fake_order_count - 1].order.untagged);
}

/* ---- what is spared, and by whom ---- */

/* Another agent on this node, which is to replace this one, saw `writer` promoted and saved it. */
static void another_agent_saves(uint32_t writer)
{
    char dir[sizeof(sim.folder) + 8], error[200];
    struct state_cluster saved;
    struct state *other;

    snprintf(dir, sizeof(dir), "%s/state", sim.folder);
    assert_int_equal(state_open(dir, error, sizeof(error), &other), 0);
    assert_int_equal(state_load(other, cluster()->conf, &saved), 0);
    assert_true(saved.have_verdict);
    saved.verdict.demoted = 1u << saved.verdict.writer;
    saved.verdict.writer = writer;
    saved.verdict.term.lo++;
    assert_int_equal(state_save(other, cluster()->conf, &saved), 0);
    free(saved.endpoints);
    state_close(other);
}

static void connections_without_tags_are_ended_by_the_agent_that_switched(void **state)
{
    (void)state;
    begin(UNTAGGED);
    sim_promote(&sim, 1);
    sim_rejoin(&sim, 0);
    another_agent_saves(1);
    cluster_order(cluster(), &(struct event){.kind = EVENT_FREEZE}); /* takes over what was saved */
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 1);
    sim_run(&sim, 1000);
    assert_true(fake_order_count > 0);
    for (uint32_t i = 0; i < fake_order_count; i++)
        assert_false(fake_orders[i].order.untagged);
}

/* The look for what was spared, when it comes. */
static uint32_t next_look(void)
{
    for (int i = 0; i < 120; i++) {
        uint32_t last = fake_order_count - 1;
        if (fake_order_count && fake_orders[last].order.kind == SEVER_OBSERVE &&
            !fake_orders[last].answered)
            return last;
        sim_run(&sim, 1000);
    }
    fail_msg("nobody looks");
    return 0;
}

static bool warns(void)
{
    return cluster()->warnings.raised >> WARNING_SPARED & 1;
}

static void what_was_spared_as_older_is_a_warning_until_it_is_gone(void **state)
{
    (void)state;
    begin(UNTAGGED);
    switch_over(0, 1);
    sim_run(&sim, 10000);
    assert_false(warns());
    fake_sever_spared(0, 3);
    sim_run(&sim, 10000);
    assert_true(warns());
    const struct sever_order *look = &fake_orders[next_look()].order;
    assert_true(look->untagged);
    assert_int_equal(look->endpoint_count, 0);
    assert_int_equal(look->addresses[0].bytes[3], 1);
    fake_sever_spared(next_look(), 1);
    assert_int_equal(cluster()->severing.spared, 1);
    fake_sever_refuse(next_look());
    fake_sever_spared(next_look(), 2); /* of another homing-sever */
    assert_int_equal(cluster()->severing.spared, 1);
    sim_run(&sim, 1000);
    assert_true(warns());
    fake_sever_spared(next_look(), 0);
    sim_run(&sim, 2000);
    assert_false(warns());
    uint32_t looks = fake_sever_count(SEVER_OBSERVE);
    sim_run(&sim, 120000);
    assert_int_equal(fake_sever_count(SEVER_OBSERVE), looks);
    assert_int_equal(newest_switch()->would_abort, 0);
    assert_int_equal(cluster()->severing.older, 3);
}

static void what_was_spared_is_a_warning_of_the_next_agent_too(void **state)
{
    (void)state;
    begin(UNTAGGED "    mode: names\n");
    switch_over(0, 1);
    cluster_set_mode(cluster(), VIEW_MODE_SEVER);
    fake_sever_spared(0, 3);
    sim_stop(&sim);
    fake_sever_forget();
    sim_start(&sim);
    sim_run(&sim, 10000);
    assert_true(warns());
    assert_int_equal(cluster()->severing.spared, 3);
    assert_true(fake_orders[next_look()].order.unasked);
    fake_sever_spared(next_look(), 0);
    sim_run(&sim, 2000);
    assert_false(warns());
    sim_stop(&sim);
    sim_start(&sim);
    sim_run(&sim, 10000);
    assert_false(warns());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(connections_without_tags_are_ordered_once_per_switch),
        TEST_IN_SIM(they_are_ended_if_the_mode_becomes_sever_within_ten_minutes),
        TEST_IN_SIM(later_they_are_left_alone_and_the_history_says_so),
        TEST_IN_SIM(they_are_spared_if_known_also_when_the_mode_was_names_for_a_moment),
        TEST_IN_SIM(homing_sever_is_told_before_the_order_when_programs_come_to_tag),
        TEST_IN_SIM(they_are_ended_when_homing_sever_comes_to_be_able_to),
        TEST_IN_SIM(an_order_that_was_lost_or_refused_is_given_again_for_them_too),
        TEST_IN_SIM(what_an_earlier_switch_has_lost_is_not_ordered_for_the_next_one),
        TEST_IN_SIM(if_it_is_ended_in_its_spread_the_rest_stays_due),
        TEST_IN_SIM(what_is_left_of_it_survives_a_reload),
        TEST_IN_SIM(what_is_severed_is_not_counted_as_what_would_be),
        TEST_IN_SIM(connections_without_tags_are_ended_by_the_agent_that_switched),
        TEST_IN_SIM(what_was_spared_as_older_is_a_warning_until_it_is_gone),
        TEST_IN_SIM(what_was_spared_is_a_warning_of_the_next_agent_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
