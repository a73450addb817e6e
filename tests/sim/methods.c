/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.c - what the sockets' methods answer to right, wrong and odd requests, and to whom.
 */
#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/admin/methods.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/sever_orders.h"
#include "agent/daemon/shared.h"
#include "agent/daemon/words.h"
#include "proto/attach.h"
#include "tests/sim/sim.h"
#include "tests/support/fake_sever.h"
#include "tests/support/test.h"

static struct sim sim;
static struct msg_writer request, reply;
static struct msg_parser request_parser, reply_parser;
static struct msg asked, answered;

static int rig_setup(void **state)
{
    (void)state;
    sim_init(&sim, 3, "");
    sim_settle(&sim);
    msg_writer_init(&request, HOMING_REQUEST_MAX);
    msg_writer_init(&reply, HOMING_REPLY_MAX);
    msg_parser_init(&request_parser, HOMING_REQUEST_MAX);
    msg_parser_init(&reply_parser, HOMING_REPLY_MAX);
    return 0;
}

static int rig_teardown(void **state)
{
    msg_writer_done(&request);
    msg_writer_done(&reply);
    msg_parser_done(&request_parser);
    msg_parser_done(&reply_parser);
    return sim_teardown(state);
}

static void parse(struct msg_parser *parser, const struct msg_writer *w, struct msg *ret_msg)
{
    size_t used;

    assert_int_equal(msg_writer_finish(w), 0);
    assert_int_equal(msg_parser_feed(parser, w->data, w->len, &used, ret_msg), MSG_FED_MESSAGE);
    assert_int_equal(used, w->len);
}

/* Sends what is in `request`; fills `answered`. */
static int serve(enum serve_socket socket, uid_t uid)
{
    struct serve_peer peer = {.pid = 1, .uid = uid};
    int fd = -1;

    parse(&request_parser, &request, &asked);
    msg_writer_reset(&reply);
    methods_serve(sim.daemon, socket, &peer, asked.id, asked.method, asked.params, &reply, &fd);
    parse(&reply_parser, &reply, &answered);
    assert_int_equal(answered.id, asked.id);
    return fd;
}

static int call(enum serve_socket socket, uid_t uid, const char *method, const char *first,
                const char *second)
{
    uint32_t count = !!first + !!second;

    msg_writer_reset(&request);
    msg_put_request(&request, 7, method);
    msg_put_array(&request, count);
    if (first)
        msg_put_str(&request, first);
    if (second)
        msg_put_str(&request, second);
    return serve(socket, uid);
}

static const char *code(void)
{
    return answered.error ? msg_get_str(answered.error, "code") : "ok";
}

static const char *const changing[] = {"accept", "mode", "freeze", "unfreeze", "reload"};
static const char *const looking[] = {"status", "explain", "history", "version", "watch"};

static void orders_are_for_root_and_the_agents_own_user(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
        call(SERVE_ADMIN, geteuid() + 1, changing[i], "orders", "off");
        assert_string_equal(code(), "denied");
    }
    assert_int_equal(sim.daemon->clusters[0]->mode, 0);
    call(SERVE_ADMIN, 0, "mode", "orders", "off");
    assert_string_equal(code(), "ok");
    call(SERVE_ADMIN, geteuid(), "mode", "orders", "default");
    assert_string_equal(code(), "ok");
}

static void wrong_words_of_an_order_are_named_and_change_nothing(void **state)
{
    (void)state;
    call(SERVE_ADMIN, 0, "mode", "orders", "sver");
    assert_string_equal(msg_get_str(answered.error, "message"),
                        "mode: 'sver' is no mode; write off, observe, names, connect, sever or "
                        "default");
    call(SERVE_ADMIN, 0, "mode", "ordres", "off");
    assert_string_equal(msg_get_str(answered.error, "message"),
                        "no cluster ordres; did you mean 'orders'?");
    call(SERVE_ADMIN, 0, "history", "bills", NULL);
    assert_string_equal(msg_get_str(answered.error, "message"), "no cluster bills");
    assert_int_equal(sim.daemon->clusters[0]->mode, 0);
}

static void connections_are_refused_while_no_address_is_known(void **state)
{
    struct members *members = &sim.daemon->clusters[0]->members;

    (void)state;
    fake_sever_set(1, true);
    for (uint32_t i = 0; i < members->count; i++)
        members->at[i].where.count = 0;
    call(SERVE_ADMIN, 0, "connections", "orders", NULL);
    assert_string_equal(code(), "conflict");
    assert_string_equal(msg_get_str(answered.error, "message"),
                        "connections: no member's address is known yet (see status)");
    assert_int_equal(sim.daemon->listings, 0);
    fake_sever_set(0, false);
}

static char alarm_command[128];

static const char *alarm_text(void)
{
    static char text[512];

    words_alarm(sim.daemon->clusters[0], ALARM_AMBIGUOUS, text, sizeof(text), alarm_command,
                sizeof(alarm_command));
    return text;
}

static void W4_the_alarm_says_who_speaks_for_another_data_set(void **state)
{
    char expected[700], writer[MEMBER_TEXT_SIZE], other[MEMBER_TEXT_SIZE];

    (void)state;
    words_member_at(sim.daemon->clusters[0], 0, writer);
    words_member_at(sim.daemon->clusters[0], 1, other);
    sim.servers[0].system = 9;
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 200);
    sim_conduct(&sim, 0, SIM_ANSWERS);
    sim_run(&sim, 3000);
    snprintf(expected, sizeof(expected),
             "the writer %s claims with term 1 for another data set than before, or does not say "
             "for which: stop it and promote another member, or accept it if it is the right one",
             writer);
    assert_string_equal(alarm_text(), expected);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim.servers[1].system = 9;
    sim_promote(&sim, 1);
    sim_run(&sim, 3000);
    snprintf(expected, sizeof(expected),
             "%s claims with term 2 for another data set; the writer stays %s: accept it if it is "
             "the right one, or stop it and promote the right one",
             other, writer);
    assert_string_equal(alarm_text(), expected);
}

/* `accept` alone would make programs write to a server that lacks something: whoever reads the alarm has to know. */
static void W3a_the_alarm_says_that_a_claim_is_behind_and_by_how_much(void **state)
{
    (void)state;
    sim.servers[0].position -= 40;
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 200);
    sim_conduct(&sim, 0, SIM_ANSWERS);
    sim_run(&sim, 3000);
    assert_non_null(strstr(alarm_text(), "but lacks at least 40 bytes: it is at "));
    assert_non_null(strstr(alarm_text(), "stop it and promote another member, or accept it"));
    sim.servers[0].position += 80; /* what it writes now is not what it lacks */
    sim_run(&sim, 3000);
    assert_non_null(strstr(alarm_text(), ", but lacks what the writer was seen to have, or"));
}

static void I4_of_several_claims_at_the_start_each_is_named_and_none_proposed(void **state)
{
    char member[MEMBER_TEXT_SIZE + 20];

    (void)state;
    sim_stop(&sim);
    sim_done(&sim);
    sim_init(&sim, 3, "");
    sim.servers[1].writer = true;
    sim_settle(&sim);
    sim_run(&sim, 1000);
    for (uint32_t i = 0; i < 3; i++) {
        words_member_at(sim.daemon->clusters[0], i, member);
        strcat(member, " with term 1 at ");
        assert_int_equal(!strstr(alarm_text(), member), i == 2);
    }
    assert_string_equal(alarm_command, "homingctl accept orders MEMBER");
    assert_non_null(strstr(alarm_text(), "no writer is known"));
    assert_non_null(strstr(alarm_text(), "demote or stop all but the right one"));
}

static void
I4_who_was_left_by_accept_and_still_claims_is_to_be_demoted_and_not_accepted(void **state)
{
    char first[MEMBER_TEXT_SIZE], second[MEMBER_TEXT_SIZE], command[300],
        begin[2 * MEMBER_TEXT_SIZE + 100];

    (void)state;
    words_member_at(sim.daemon->clusters[0], 0, first);
    words_member_at(sim.daemon->clusters[0], 1, second);
    sim.servers[1].writer = true; /* on the same timeline, as two standbys of one writer have it */
    sim_run(&sim, 3000);
    snprintf(begin, sizeof(begin), ": demote or stop %s, or accept it", second);
    assert_non_null(strstr(alarm_text(), begin)); /* both claim: the way out may be either */
    snprintf(command, sizeof(command), "homingctl accept orders %s", second);
    assert_string_equal(alarm_command, command);
    call(SERVE_ADMIN, 0, "accept", "orders", second);
    assert_string_equal(code(), "ok");
    sim_run(&sim, 3000);
    snprintf(begin, sizeof(begin),
             "%s was demoted, and still claims with term 1; the writer stays %s,", first, second);
    assert_non_null(strstr(alarm_text(), begin));
    assert_string_equal(alarm_command, "");
    sim.servers[0].writer = false;
    sim_run(&sim, 3000);
    assert_int_equal(sim.daemon->clusters[0]->decision.verdict.state, CLUSTER_STEADY);
}

static void everybody_who_reaches_the_socket_may_look(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(looking) / sizeof(looking[0]); i++) {
        call(SERVE_ADMIN, 65534, looking[i], "orders", NULL);
        assert_string_equal(code(), "ok");
    }
}

static void admins_methods_are_not_on_the_socket_that_containers_get(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++) {
        call(SERVE_AGENT, 0, changing[i], "orders", "off");
        assert_string_equal(code(), "unknown_method");
    }
    call(SERVE_AGENT, 0, "status", NULL, NULL);
    assert_string_equal(code(), "unknown_method");
    call(SERVE_ADMIN, 0, "attach", NULL, NULL);
    assert_string_equal(code(), "unknown_method");
}

static void attach_hands_over_the_view_at_the_shims_places_or_any(void **state)
{
    struct attach_reply at;

    (void)state;
    for (uint32_t id = 1; id < 3; id++) {
        msg_writer_reset(&request);
        msg_put_request(&request, id, "attach");
        msg_put_array(&request, 1);
        msg_put_uint(&request, VIEW_MAJOR);
        assert_int_equal(serve(SERVE_AGENT, 65534), view_fd(sim.daemon->view));
        assert_int_equal(msg_get_uint(answered.result, "size", 0), view_bytes(sim.daemon->view));
        assert_int_equal(attach_reply_check(reply.data, reply.len, &at), id == 1);
    }
    assert_memory_equal(attach_request,
                        "\x94\x00\x01\xa6"
                        "attach\x91",
                        11);
}

static void a_layout_that_is_not_served_comes_without_a_descriptor(void **state)
{
    (void)state;
    msg_writer_reset(&request);
    msg_put_request(&request, 1, "attach");
    msg_put_array(&request, 1);
    msg_put_uint(&request, VIEW_MAJOR + 1);
    assert_int_equal(serve(SERVE_AGENT, 0), -1);
    assert_string_equal(code(), "unsupported");
}

static uint64_t port_at(uint32_t i)
{
    uint64_t port = 0;

    assert_true(msg_uint(msg_array_at(msg_get(answered.result, "ports"), i), &port));
    return port;
}

static void resolve_answers_from_the_view(void **state)
{
    (void)state;
    call(SERVE_AGENT, 65534, "resolve", "ORDERS-db.", NULL);
    assert_string_equal(msg_str(msg_array_at(msg_get(answered.result, "addresses"), 0)),
                        "10.0.0.1");
    assert_int_equal(port_at(0), SIM_PORT);
    call(SERVE_AGENT, 65534, "resolve", SIM_READER_NAME, NULL);
    assert_int_equal(msg_array_len(msg_get(answered.result, "addresses")), 2);
    assert_int_equal(msg_array_len(msg_get(answered.result, "ports")), 2);
    assert_int_equal(port_at(0) + port_at(1), SIM_PORT + 1 + SIM_PORT + 2);
    call(SERVE_AGENT, 65534, "resolve", "orders-db.ns", NULL);
    assert_string_equal(code(), "not_found");
    assert_non_null(strstr(msg_get_str(answered.error, "message"), SIM_WRITER_NAME));
}

/* One value of each kind that a request may hold; text of several lengths, and unfit for names. */
static void put_odd(unsigned which)
{
    static char longest[HOMING_REQUEST_MAX - 64];

    memset(longest, 'x', sizeof(longest) - 1);
    switch (which) {
    case 0:
        msg_put_nil(&request);
        break;
    case 1:
        msg_put_bool(&request, true);
        break;
    case 2:
        msg_put_uint(&request, UINT64_MAX);
        break;
    case 3:
        msg_put_int(&request, INT64_MIN);
        break;
    case 4:
        msg_put_str(&request, "");
        break;
    case 5:
        msg_put_str(&request, "\033[2J%s%n\xff");
        break;
    case 6:
        msg_put_str(&request, longest);
        break;
    case 7:
        msg_put_bin(&request, "orders", 6);
        break;
    case 8:
        msg_put_array(&request, 0);
        break;
    default:
        msg_open_map(&request);
        msg_put_key_str(&request, "orders", "off");
        msg_close(&request);
        break;
    }
}

static void odd_params_are_refused_and_change_nothing(void **state)
{
    static const char *const methods[] = {"attach", "resolve", "explain",  "history", "accept",
                                          "mode",   "freeze",  "unfreeze", "status",  ""};

    (void)state;
    for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++)
        for (unsigned which = 0; which < 10; which++)
            for (int socket = 0; socket < SERVE_SOCKET_COUNT; socket++)
                for (uint32_t before = 0; before < 2; before++) {
                    msg_writer_reset(&request);
                    msg_put_request(&request, UINT32_MAX, methods[m]);
                    msg_put_array(&request, before + 1);
                    if (before)
                        msg_put_str(&request, "orders");
                    put_odd(which);
                    assert_int_equal(serve((enum serve_socket)socket, 0), -1);
                }
    assert_int_equal(sim.daemon->clusters[0]->mode, 0);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    assert_int_equal(sim_look(&sim, SIM_WRITER_NAME).mode, VIEW_MODE_SEVER);
}

static void freeze_and_unfreeze_say_when_there_is_nothing_to_do(void **state)
{
    (void)state;
    call(SERVE_ADMIN, 0, "unfreeze", "orders", NULL);
    assert_string_equal(code(), "conflict");
    call(SERVE_ADMIN, 0, "freeze", "orders", NULL);
    assert_string_equal(msg_get_str(answered.result, "state"), "frozen");
    assert_true(msg_get_bool(answered.result, "saved", false));
    call(SERVE_ADMIN, 0, "unfreeze", "orders", NULL);
    assert_string_equal(msg_get_str(answered.result, "state"), "steady");
    call(SERVE_ADMIN, 0, "accept", "orders", "10.0.0.2");
    assert_string_equal(code(), "conflict");
    call(SERVE_ADMIN, 0, "accept", "orders", "10.0.0.2:1");
    assert_string_equal(code(), "not_found");
}

/* The text of the only warning of the cluster; "": there is none. */
static const char *warning_text(void)
{
    const struct msg_value *clusters, *warnings;

    call(SERVE_ADMIN, 0, "status", NULL, NULL);
    clusters = msg_get(answered.result, "clusters");
    warnings = msg_get(msg_array_at(clusters, 0), "warnings");
    assert_true(msg_array_len(warnings) <= 1);
    return msg_array_len(warnings) ? msg_get_str(msg_array_at(warnings, 0), "text") : "";
}

static void a_reader_that_cannot_be_asked_is_a_warning_until_it_is_back(void **state)
{
    (void)state;
    sim_run(&sim, 10000);
    assert_string_equal(warning_text(), "");
    sim_conduct(&sim, 1, SIM_DOWN);
    sim_run(&sim, 3000);
    assert_string_equal(warning_text(), "");
    sim_run(&sim, 4000);
    assert_non_null(strstr(warning_text(), "10.0.0.2:5433 cannot be asked for "));
    assert_non_null(strstr(warning_text(), "refused: connection refused; look whether it is up"));
    sim_conduct(&sim, 1, SIM_ANSWERS);
    sim_run(&sim, 10000);
    assert_string_equal(warning_text(), "");
}

/* The only cluster's, in what warning_text() asked for. */
static const char *cluster_says(const char *key)
{
    return msg_get_str(msg_array_at(msg_get(answered.result, "clusters"), 0), key);
}

/* W5, W9 */
static void a_silent_writer_is_a_warning_as_long_as_others_confirm_it(void **state)
{
    (void)state;
    sim_run(&sim, 10000);
    assert_string_equal(warning_text(), "");
    assert_string_equal(cluster_says("confirmed_by"), "writer");
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 120000);
    assert_non_null(strstr(warning_text(), "the writer 10.0.0.1:5432 cannot be asked for 1"));
    assert_non_null(
        strstr(warning_text(), "or have another one promoted: programs are sent there"));
    assert_string_equal(cluster_says("state"), "suspect");
    assert_string_equal(cluster_says("confirmed_by"), "others");
    sim_conduct(&sim, 0, SIM_ANSWERS);
    sim_run(&sim, 20000);
    assert_string_equal(warning_text(), "");
    assert_string_equal(cluster_says("confirmed_by"), "writer");
}

static void a_socket_that_cannot_be_reached_is_an_alarm_until_it_can(void **state)
{
    char path[128];
    struct stat st;

    (void)state;
    snprintf(path, sizeof(path), "%s/run", sim.folder);
    assert_int_equal(chmod(path, 0700), 0);
    sim_run(&sim, 2000);
    call(SERVE_ADMIN, 0, "status", NULL, NULL);
    assert_string_equal(msg_get_str(msg_array_at(msg_get(answered.result, "alarms"), 0), "alarm"),
                        "socket_unreachable");
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/run/agent.sock", sim.folder);
    assert_int_equal(unlink(path), 0);
    sim_run(&sim, 2000);
    call(SERVE_ADMIN, 0, "status", NULL, NULL);
    assert_int_equal(msg_array_len(msg_get(answered.result, "alarms")), 0);
    assert_int_equal(stat(path, &st), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, orders_are_for_root_and_the_agents_own_user),
        TEST_IN(rig, wrong_words_of_an_order_are_named_and_change_nothing),
        TEST_IN(rig, connections_are_refused_while_no_address_is_known),
        TEST_IN(rig, W4_the_alarm_says_who_speaks_for_another_data_set),
        TEST_IN(rig, W3a_the_alarm_says_that_a_claim_is_behind_and_by_how_much),
        TEST_IN(rig, I4_of_several_claims_at_the_start_each_is_named_and_none_proposed),
        TEST_IN(rig, I4_who_was_left_by_accept_and_still_claims_is_to_be_demoted_and_not_accepted),
        TEST_IN(rig, everybody_who_reaches_the_socket_may_look),
        TEST_IN(rig, admins_methods_are_not_on_the_socket_that_containers_get),
        TEST_IN(rig, attach_hands_over_the_view_at_the_shims_places_or_any),
        TEST_IN(rig, a_layout_that_is_not_served_comes_without_a_descriptor),
        TEST_IN(rig, resolve_answers_from_the_view),
        TEST_IN(rig, odd_params_are_refused_and_change_nothing),
        TEST_IN(rig, freeze_and_unfreeze_say_when_there_is_nothing_to_do),
        TEST_IN(rig, a_reader_that_cannot_be_asked_is_a_warning_until_it_is_back),
        TEST_IN(rig, a_silent_writer_is_a_warning_as_long_as_others_confirm_it),
        TEST_IN(rig, a_socket_that_cannot_be_reached_is_an_alarm_until_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
