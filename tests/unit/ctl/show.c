/* SPDX-License-Identifier: Apache-2.0
 *
 * show.c - homingctl's text, from the agent's answers: also from answers that lack everything.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/ctl/show_rig.h"

static bool as_it_is(const char *first, const char *other)
{
    (void)first, (void)other;
    return false;
}

static bool turned(const char *first, const char *other)
{
    (void)first, (void)other;
    return true;
}

static void put_member(const char *name, bool is_writer, const char *role, const char *error)
{
    msg_open_map(&writer);
    msg_put_key_str(&writer, "member", name);
    msg_put_key_str(&writer, "role", role);
    msg_put_key_str(&writer, "report", role ? "answer" : "refused");
    msg_put_key_str(&writer, "term", role ? "7" : NULL);
    msg_put_key_str(&writer, "error", error);
    msg_put_key_bool(&writer, "authenticated", false);
    msg_put_key_uint(&writer, "answered_ms", 120);
    if (is_writer)
        msg_put_key_bool(&writer, "writer", true);
    if (!is_writer) {
        msg_put_key_bool(&writer, "heir", true);
        msg_put_key_str(&writer, "follows", "db-a:5432");
    }
    msg_close(&writer);
}

static void put_cluster(const char *name, const char *state, bool alarm)
{
    msg_open_map(&writer);
    msg_put_key_str(&writer, "cluster", name);
    msg_put_key_str(&writer, "state", state);
    msg_put_key_str(&writer, "writer", "db-a:5432");
    msg_put_key_str(&writer, "reason_text", "W3: two members claim to be the writer");
    msg_put_key_uint(&writer, "since_ms", 7500000);
    msg_put_key_uint(&writer, "confirmed_ms", 300);
    msg_put_key_str(&writer, "confirmed_by", strcmp(state, "suspect") == 0 ? "others" : "writer");
    msg_put_str(&writer, "members");
    msg_put_array(&writer, 2);
    put_member("db-a:5432", true, "writer", NULL);
    put_member("db-b:5432", false, NULL, "FATAL: \033[2Jno");
    msg_put_str(&writer, "alarms");
    msg_open_array(&writer);
    if (alarm) {
        msg_open_map(&writer);
        msg_put_key_str(&writer, "alarm", "ambiguous");
        msg_put_key_str(&writer, "text", "db-b:5432 claims");
        msg_put_key_str(&writer, "command", "homingctl accept orders db-b:5432");
        msg_close(&writer);
    }
    msg_close(&writer);
    msg_close(&writer);
}

static const struct msg_value *status_of(const char *state, bool alarm)
{
    msg_open_map(&writer);
    msg_put_key_str(&writer, "version", "1");
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, 1);
    put_cluster("orders", state, alarm);
    msg_close(&writer);
    return result();
}

/* W9 */
static void status_says_that_others_confirmed_a_silent_writer(void **state)
{
    bool found;

    (void)state;
    assert_false(show_status(&show, status_of("suspect", false), NULL, &found));
    assert_non_null(strstr(shown(), ", confirmed 0.3 s ago by others\n"));
}

static void status_names_writer_members_and_the_servers_words(void **state)
{
    bool found;

    (void)state;
    assert_true(show_status(&show, status_of("steady", false), NULL, &found));
    assert_true(found);
    assert_non_null(strstr(shown(), "orders: steady, writer db-a:5432 for 2 h 5 min"));
    assert_non_null(strstr(shown(), ", confirmed 0.3 s ago\n"));
    assert_non_null(strstr(shown(), "published, unauthenticated"));
    assert_non_null(strstr(shown(), "FATAL: ?[2Jno\n"));
    assert_null(strstr(shown(), "\033"));
    assert_null(strstr(shown(), "W3"));
}

static void put_identity_of(const char *name, const char *identity)
{
    msg_open_map(&writer);
    msg_put_key_str(&writer, "member", name);
    msg_put_key_str(&writer, "report", "answer");
    msg_put_key_str(&writer, "identity", identity);
    msg_close(&writer);
}

static void W4_a_member_of_another_data_set_is_marked_before_it_claims(void **state)
{
    const char *marked;

    (void)state;
    msg_open_map(&writer);
    msg_put_key_str(&writer, "identity", "7");
    msg_put_str(&writer, "members");
    msg_open_array(&writer);
    put_identity_of("db-a", "7");
    put_identity_of("db-b", NULL);
    put_identity_of("db-c", "8");
    msg_close(&writer);
    msg_close(&writer);
    (void)show_cluster(&show, result());
    marked = strstr(shown(), "other data set");
    assert_non_null(marked);
    assert_true(marked > strstr(shown(), "db-c"));
    assert_null(strstr(marked + 1, "other data set"));
}

/* An agent of an older version sends the number alone. */
static const char *position_shown(const char *position_text)
{
    msg_open_map(&writer);
    msg_put_str(&writer, "members");
    msg_open_array(&writer);
    msg_open_map(&writer);
    msg_put_key_uint(&writer, "position", 16777216);
    if (position_text)
        msg_put_key_str(&writer, "position_text", position_text);
    msg_close(&writer);
    msg_close(&writer);
    msg_close(&writer);
    show.positions = true;
    (void)show_cluster(&show, result());
    return shown();
}

static void a_position_is_shown_as_its_engine_writes_it(void **state)
{
    (void)state;
    assert_non_null(strstr(position_shown("0/1000000"), " 0/1000000 "));
    assert_null(strstr(shown(), "16777216"));
}

static void a_position_without_a_text_is_shown_as_a_number(void **state)
{
    (void)state;
    assert_non_null(strstr(position_shown(NULL), " 16777216 "));
}

static void an_alarm_makes_it_not_well_and_prints_the_command(void **state)
{
    bool found;

    (void)state;
    assert_false(show_status(&show, status_of("ambiguous", true), NULL, &found));
    assert_non_null(strstr(shown(), "1 not well"));
    assert_non_null(strstr(shown(), "W3: two members claim to be the writer\n"));
    assert_non_null(strstr(shown(), "to resolve: homingctl accept orders db-b:5432\n"));
}

static void a_warning_makes_it_not_well_though_the_cluster_is_steady(void **state)
{
    bool found;

    (void)state;
    msg_open_map(&writer);
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "cluster", "orders");
    msg_put_key_str(&writer, "state", "steady");
    msg_put_str(&writer, "warnings");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "warning", "no_reader");
    msg_put_key_str(&writer, "text", "no member serves reads");
    msg_close(&writer);
    msg_close(&writer);
    msg_close(&writer);
    assert_false(show_status(&show, result(), NULL, &found));
    assert_non_null(strstr(shown(), "1 not well"));
    assert_non_null(strstr(shown(), "  WARNING no_reader: no member serves reads\n"));
}

static void an_alarm_of_the_agents_own_is_told_from_the_clusters(void **state)
{
    bool found;

    (void)state;
    msg_open_map(&writer);
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, 1);
    put_cluster("orders", "steady", false);
    msg_put_str(&writer, "alarms");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "alarm", "state_unsaved");
    msg_close(&writer);
    msg_close(&writer);
    assert_false(show_status(&show, result(), NULL, &found));
    assert_non_null(strstr(shown(), ": 1 cluster, an alarm of the agent's own\n"));
    assert_non_null(strstr(shown(), "ALARM state_unsaved"));
}

static void who_discovered_a_member_is_said_below_it(void **state)
{
    (void)state;
    msg_open_map(&writer);
    msg_put_str(&writer, "members");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "member", "db-b:5432");
    msg_put_str(&writer, "discovered");
    msg_open_map(&writer);
    msg_put_key_str(&writer, "from", "db-a:5432");
    msg_put_key_uint(&writer, "since_ms", 180000);
    msg_put_key_uint(&writer, "unnamed_ms", 20000);
    msg_close(&writer);
    msg_close(&writer);
    msg_close(&writer);
    (void)show_cluster(&show, result());
    assert_non_null(
        strstr(shown(), "\n      discovered from db-a:5432, 3 min ago; unnamed for 20 s\n"));
}

static void a_frozen_cluster_is_well_and_a_suspect_one_is_not(void **state)
{
    bool found;

    (void)state;
    assert_true(show_status(&show, status_of("frozen", false), NULL, &found));
    msg_writer_reset(&writer);
    msg_put_reply(&writer, 1);
    assert_false(show_status(&show, status_of("suspect", false), NULL, &found));
}

static void one_cluster_can_be_picked(void **state)
{
    const struct msg_value *status = status_of("steady", false);
    bool found;

    (void)state;
    show_status(&show, status, "bills", &found);
    assert_false(found);
    show_status(&show, status, "orders", &found);
    assert_true(found);
    assert_null(strstr(shown(), "homingd"));
}

static void W12_heirs_are_evidence_that_explain_alone_shows(void **state)
{
    const struct msg_value *cluster =
        msg_array_at(msg_get(status_of("steady", false), "clusters"), 0);

    (void)state;
    show_cluster(&show, cluster);
    assert_null(strstr(shown(), "heir"));
    show.positions = true;
    show_cluster(&show, cluster);
    assert_non_null(strstr(shown(), "heir, follows db-a:5432"));
}

static void colours_are_only_for_terminals(void **state)
{
    bool found;

    (void)state;
    show.colour = true;
    show_status(&show, status_of("ambiguous", true), NULL, &found);
    assert_non_null(strstr(shown(), "\033[1;31mambiguous\033[0m"));
}

/* Another version's agent may leave out what we look for. */
static void an_answer_that_holds_nothing_is_shown_without_harm(void **state)
{
    const struct msg_value *nothing;
    bool found;

    (void)state;
    msg_open_map(&writer);
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, 2);
    msg_put_nil(&writer);
    msg_open_map(&writer);
    msg_close(&writer);
    msg_close(&writer);
    nothing = result();
    assert_false(show_status(&show, nothing, NULL, &found));
    assert_false(show_explain(&show, nothing));
    assert_false(show_resolve(&show, nothing, as_it_is));
    show_history(&show, nothing);
}

static const struct msg_value *resolve_of(const char *state, bool stale, const char *address)
{
    msg_open_map(&writer);
    msg_put_key_str(&writer, "name", "orders-db");
    msg_put_key_str(&writer, "state", state);
    msg_put_key_bool(&writer, "stale", stale);
    msg_put_str(&writer, "addresses");
    msg_open_array(&writer);
    if (address)
        msg_put_str(&writer, address);
    msg_close(&writer);
    msg_close(&writer);
    return result();
}

static void resolve_prints_only_what_the_view_answers(void **state)
{
    static const struct {
        const char *state;
        bool stale;
        const char *address;
        bool answers;
    } cases[] = {
        {"steady", false, "10.0.0.1", true},    {"suspect", false, "10.0.0.1", true},
        {"no_writer", false, "10.0.0.1", true}, {"steady", true, "10.0.0.1", false},
        {"unknown", false, "10.0.0.1", false},  {"stale", false, "10.0.0.1", false},
        {"steady", false, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        msg_writer_reset(&writer);
        msg_put_reply(&writer, 1);
        rewind(show.out);
        assert_int_equal(show_resolve(&show,
                                      resolve_of(cases[i].state, cases[i].stale, cases[i].address),
                                      as_it_is),
                         cases[i].answers);
    }
}

static const struct msg_value *severing_of(bool available)
{
    msg_open_map(&writer);
    msg_put_str(&writer, "severing");
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "available", available);
    msg_put_key_str(&writer, "why", available ? NULL : "no CAP_NET_ADMIN: give it");
    msg_put_key_uint(&writer, "processes", 3);
    msg_put_key_uint(&writer, "redirected", 14);
    msg_put_key_uint(&writer, "would_redirect", 2);
    msg_put_key_uint(&writer, "shared_address", 5);
    msg_put_key_uint(&writer, "without_room", 12);
    msg_put_key_uint(&writer, "short_uid", 61001);
    msg_put_key_uint(&writer, "short_count", 10);
    msg_put_key_uint(&writer, "mptcp_late", 6);
    msg_put_key_uint(&writer, "mptcp_hidden", 7);
    msg_put_key_uint(&writer, "given_up", 8);
    msg_close(&writer);
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, 0);
    msg_close(&writer);
    return result();
}

static void status_says_whether_severing_is_available_or_why_not(void **state)
{
    bool found;

    (void)state;
    show_status(&show, severing_of(true), NULL, &found);
    assert_non_null(strstr(shown(), "severing: available\n"));
    assert_non_null(strstr(shown(), "processes with a permit: 3; connects redirected: 14, would "
                                    "have been: 2; of an address that two names share: 5\n"));
    assert_non_null(strstr(shown(), "there was no room for 12 permits, 10 of them of uid 61001"));
    assert_non_null(strstr(shown(), "noticed only after net.mptcp.close_timeout: 6\n"));
    assert_non_null(strstr(shown(), "does not tell apart, not severed: 7\n"));
    assert_non_null(strstr(shown(), "too many tags to go through, not all severed: 8\n"));
    msg_writer_reset(&writer);
    msg_put_reply(&writer, 1);
    show_status(&show, severing_of(false), NULL, &found);
    assert_non_null(strstr(shown(), "severing: not available: no CAP_NET_ADMIN: give it\n"));
}

/* With one steady cluster, whose one endpoint has this mode. */
static const struct msg_value *cannot_sever_in(const char *mode, const char *role)
{
    msg_writer_reset(&writer);
    msg_put_reply(&writer, 1);
    msg_open_map(&writer);
    msg_put_str(&writer, "severing");
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "available", false);
    msg_put_key_str(&writer, "why", "no CAP_NET_ADMIN: give it");
    msg_close(&writer);
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "cluster", "orders");
    msg_put_key_str(&writer, "state", "steady");
    msg_put_str(&writer, "endpoints");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "mode", mode);
    msg_put_key_str(&writer, "role", role);
    msg_close(&writer);
    msg_close(&writer);
    msg_close(&writer);
    return result();
}

static void a_cluster_in_mode_sever_is_not_well_where_nothing_can_be_severed(void **state)
{
    bool found;

    (void)state;
    assert_true(show_status(&show, cannot_sever_in("observe", "writer"), NULL, &found));
    assert_true(show_status(&show, cannot_sever_in("connect", "writer"), NULL, &found));
    assert_true(show_status(&show, cannot_sever_in("sever", "reader"), NULL, &found));
    assert_true(show_status(&show, cannot_sever_in("connect", "writer"), "orders", &found));
    assert_null(strstr(shown(), "no connection can be severed"));
    assert_false(show_status(&show, cannot_sever_in("sever", "writer"), NULL, &found));
    assert_non_null(strstr(shown(), "1 cluster, no connection can be severed\n"));
    assert_false(show_status(&show, cannot_sever_in("sever", "writer"), "orders", &found));
    assert_true(found);
    assert_true(show_status(&show, cannot_sever_in("sever", "writer"), "bills", &found));
    assert_false(found);
}

static void status_names_the_other_ports_of_an_endpoint(void **state)
{
    (void)state;
    msg_open_map(&writer);
    msg_put_key_str(&writer, "cluster", "orders");
    msg_put_str(&writer, "endpoints");
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "role", "writer");
    msg_put_str(&writer, "other_ports");
    msg_put_array(&writer, 2);
    msg_put_uint(&writer, 6432);
    msg_put_uint(&writer, 6433);
    msg_close(&writer);
    msg_close(&writer);
    show_cluster(&show, result());
    assert_non_null(strstr(shown(), "generation 0), also at port 6432, 6433\n"));
}

static void the_first_writer_is_shown_without_what_was_before_it(void **state)
{
    (void)state;
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_str(&writer, "switch");
    msg_open_map(&writer);
    msg_put_key_str(&writer, "from", "none");
    msg_put_key_str(&writer, "evidence", "db-a:5432 writer term 1");
    msg_put_key_str(&writer, "loss", "");
    msg_close(&writer);
    msg_close(&writer);
    show_history(&show, result());
    assert_non_null(strstr(shown(), "evidence   db-a:5432 writer term 1\n"));
    assert_null(strstr(shown(), "severed"));
    assert_null(strstr(shown(), "lost"));
}

static void a_switch_is_shown_with_what_was_done_and_may_be_lost(void **state)
{
    (void)state;
    msg_put_array(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "cluster", "orders");
    msg_put_key_str(&writer, "event", "writer_changed");
    msg_put_str(&writer, "switch");
    msg_open_map(&writer);
    msg_put_key_str(&writer, "evidence", "db-a:5432 broken");
    msg_put_key_uint(&writer, "old_writer_silent_ms", 312);
    msg_put_key_uint(&writer, "answer_ms", 4);
    msg_put_key_uint(&writer, "publish_ms", 1);
    msg_put_key_str(&writer, "loss", "up to 192 bytes: and so on");
    msg_put_str(&writer, "sever");
    msg_open_map(&writer);
    msg_put_key_bool(&writer, "done", true);
    msg_put_key_uint(&writer, "severed", 37);
    msg_put_key_uint(&writer, "would_sever", 0);
    msg_put_key_uint(&writer, "untagged", 5);
    msg_put_key_uint(&writer, "redirected", 1);
    msg_close(&writer);
    msg_close(&writer);
    msg_close(&writer);
    show_history(&show, result());
    assert_non_null(strstr(shown(), "evidence   db-a:5432 broken\n"));
    assert_non_null(strstr(shown(), "old writer silent for 312 ms; decided by an answer that took "
                                    "4 ms, published 1 ms after it\n"));
    assert_non_null(
        strstr(shown(), "severed    37 connections of the old writer's, 5 without a tag left alone "
                        "(homingctl connections)\n"));
    assert_non_null(strstr(shown(), "redirected 1 connect on this node"));
    assert_non_null(strstr(shown(), "lost       up to 192 bytes"));
    assert_null(strstr(shown(), "observe"));
}

static const char *two_addresses_of(const char *role, comes_first_fn *other_first)
{
    msg_writer_reset(&writer);
    msg_put_reply(&writer, 1);
    msg_open_map(&writer);
    msg_put_key_str(&writer, "state", "steady");
    msg_put_key_str(&writer, "role", role);
    msg_put_key_bool(&writer, "stale", false);
    msg_put_str(&writer, "addresses");
    msg_put_array(&writer, 2);
    msg_put_str(&writer, "10.0.0.1");
    msg_put_str(&writer, "fd00::1");
    msg_close(&writer);
    rewind(show.out);
    assert_true(show_resolve(&show, result(), other_first));
    return shown();
}

static void the_address_that_programs_get_first_is_printed_first(void **state)
{
    (void)state;
    assert_string_equal(two_addresses_of("writer", as_it_is), "10.0.0.1\nfd00::1\n");
    assert_string_equal(two_addresses_of("writer", turned), "fd00::1\n10.0.0.1\n");
    assert_string_equal(two_addresses_of("reader", turned), "10.0.0.1\nfd00::1\n");
}

/* Two calls, a second of age apart, are about the same moment. */
static void an_event_has_the_time_at_which_it_happened_however_old_it_is(void **state)
{
    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    msg_put_array(&writer, 2);
    for (uint64_t ago_ms = 999; ago_ms <= 1999; ago_ms += 1000) {
        msg_open_map(&writer);
        msg_put_key_uint(&writer, "ago_ms", ago_ms);
        msg_put_key_uint(&writer, "at_unix_ms", 1767225599999);
        msg_put_key_str(&writer, "cluster", "orders");
        msg_close(&writer);
    }
    show_history(&show, result());
    assert_string_equal(shown(), "2025-12-31 23:59:59  orders  ?  \n"
                                 "2025-12-31 23:59:59  orders  ?  \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, the_first_writer_is_shown_without_what_was_before_it),
        TEST_IN(rig, status_names_writer_members_and_the_servers_words),
        TEST_IN(rig, status_says_that_others_confirmed_a_silent_writer),
        TEST_IN(rig, a_position_is_shown_as_its_engine_writes_it),
        TEST_IN(rig, a_position_without_a_text_is_shown_as_a_number),
        TEST_IN(rig, an_alarm_makes_it_not_well_and_prints_the_command),
        TEST_IN(rig, a_warning_makes_it_not_well_though_the_cluster_is_steady),
        TEST_IN(rig, an_alarm_of_the_agents_own_is_told_from_the_clusters),
        TEST_IN(rig, a_frozen_cluster_is_well_and_a_suspect_one_is_not),
        TEST_IN(rig, who_discovered_a_member_is_said_below_it),
        TEST_IN(rig, W4_a_member_of_another_data_set_is_marked_before_it_claims),
        TEST_IN(rig, one_cluster_can_be_picked),
        TEST_IN(rig, W12_heirs_are_evidence_that_explain_alone_shows),
        TEST_IN(rig, colours_are_only_for_terminals),
        TEST_IN(rig, an_answer_that_holds_nothing_is_shown_without_harm),
        TEST_IN(rig, status_says_whether_severing_is_available_or_why_not),
        TEST_IN(rig, a_cluster_in_mode_sever_is_not_well_where_nothing_can_be_severed),
        TEST_IN(rig, status_names_the_other_ports_of_an_endpoint),
        TEST_IN(rig, a_switch_is_shown_with_what_was_done_and_may_be_lost),
        TEST_IN(rig, resolve_prints_only_what_the_view_answers),
        TEST_IN(rig, the_address_that_programs_get_first_is_printed_first),
        TEST_IN(rig, an_event_has_the_time_at_which_it_happened_however_old_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
