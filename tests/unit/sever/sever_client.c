/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_client.c - tests of agent/sever/client/sever_client.c on the real loop, against a homing-sever of
 * the test's own making.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/sever/client/sever_client.h"
#include "proto/limits.h"
#include "proto/msg_socket.h"
#include "tests/support/test.h"

/* The other end answers each request in turn with what `answers` says; with none left it closes. */
struct rig {
    char base[64];
    struct loop *loop;
    struct loop_timer *patience;
    struct sever_client *sever_client;
    struct loop_io *listening_io;
    struct loop_io *io;
    int listening;
    int fd;
    struct msg_parser parser;
    const char *answers; /* s: status, o: counts, e: error, x: close */
    uint64_t instance;
    int changed;
    int done;
    int error;
    struct sever_counts counts;
};

static void put_short(struct msg_writer *w, uint32_t uid, uint64_t refused, uint64_t taken_away)
{
    msg_open_map(w);
    msg_put_key_uint(w, "uid", uid);
    msg_put_key_uint(w, "refused", refused);
    msg_put_key_uint(w, "taken_away", taken_away);
    msg_close(w);
}

static void put_permits(struct msg_writer *w)
{
    msg_put_str(w, "permits");
    msg_open_map(w);
    msg_put_key_uint(w, "processes", 7);
    msg_put_key_uint(w, "over_quota", 10);
    msg_put_key_uint(w, "taken_away", 5);
    msg_put_str(w, "short");
    msg_open_array(w);
    put_short(w, 1001, 3, 1);
    put_short(w, 1002, 6, 4);
    put_short(w, 1003, 1, 0);
    msg_close(w);
    msg_close(w);
}

static void put_answer(struct rig *r, struct msg_writer *w, uint32_t id, char what)
{
    if (what == 'e') {
        msg_put_error(w, id, MSG_ERROR_BUSY, "no");
        return;
    }
    msg_put_reply(w, id);
    if (what == 'o') {
        sever_counts_put(w, &(struct sever_counts){.severed = 3, .denied = 2});
        return;
    }
    msg_open_map(w);
    msg_put_key_uint(w, "instance", r->instance);
    msg_put_key_bool(w, "able", true);
    msg_put_key_str(w, "ability", "proven");
    put_permits(w);
    msg_close(w);
}

static void hang_up(struct rig *r)
{
    loop_io_free(r->io);
    r->io = NULL;
    close(r->fd);
    msg_parser_done(&r->parser);
}

static bool answer(void *arg, const struct msg *msg)
{
    struct rig *r = arg;
    struct msg_writer w;
    char what = *r->answers ? *r->answers++ : 'x';

    if (what == 'x')
        return false;
    if (what == 'n') /* it hangs */
        return true;
    assert_string_equal(msg->method, what == 's' ? "status" : "sever");
    msg_writer_init(&w, HOMING_REPLY_MAX);
    put_answer(r, &w, msg->id, what);
    assert_int_equal(msg_writer_finish(&w), 0);
    assert_int_equal(send(r->fd, w.data, w.len, MSG_NOSIGNAL), w.len);
    msg_writer_done(&w);
    return true;
}

static void on_request(void *arg, int events)
{
    struct rig *r = arg;

    (void)events;
    if (!msg_receive_some(&r->parser, r->fd, answer, r))
        hang_up(r);
}

static void on_connect(void *arg, int events)
{
    struct rig *r = arg;

    (void)events;
    r->fd = accept(r->listening, NULL, NULL);
    msg_parser_init(&r->parser, HOMING_REQUEST_MAX);
    r->io = loop_io_new(r->loop, r->fd, on_request, r);
    loop_io_set(r->io, LOOP_READ);
}

static void on_changed(void *arg)
{
    struct rig *r = arg;

    r->changed++;
    loop_stop(r->loop);
}

static void on_alarm(void *arg, bool raised, const char *text)
{
    (void)arg, (void)raised, (void)text;
    fail_msg("nobody has handed over a permit");
}

static bool on_lost_changed(void *arg)
{
    (void)arg;
    return true;
}

static void on_done(void *arg, int error, const struct sever_counts *counts)
{
    struct rig *r = arg;

    r->done++;
    r->error = error;
    r->counts = *counts;
    loop_stop(r->loop);
}

static void out_of_patience(void *arg)
{
    (void)arg;
    fail_msg("nothing happened");
}

static void listen_there(struct rig *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/run-admin/sever.sock", r->base);
    r->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listening, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(r->listening, 8), 0);
    r->listening_io = loop_io_new(r->loop, r->listening, on_connect, r);
    loop_io_set(r->listening_io, LOOP_READ);
}

static struct rig *rig_new(const char *answers)
{
    struct rig *r = calloc(1, sizeof(*r));
    char path[128];

    strcpy(r->base, "/tmp/homing-sever-client.XXXXXX");
    assert_non_null(mkdtemp(r->base));
    snprintf(path, sizeof(path), "%s/run-admin", r->base);
    assert_int_equal(mkdir(path, 0700), 0);
    r->loop = loop_new();
    r->patience = loop_timer_new(r->loop, out_of_patience, NULL);
    loop_timer_set(r->patience, 30000);
    r->answers = answers;
    r->instance = 77;
    r->listening = -1;
    snprintf(path, sizeof(path), "%s/run/", r->base);
    r->sever_client =
        sever_client_new(r->loop, path, "begin --now", on_changed, on_alarm, on_lost_changed, r);
    assert_non_null(r->sever_client);
    return r;
}

static void rig_free(struct rig *r)
{
    char path[128];

    sever_client_free(r->sever_client);
    if (r->io)
        hang_up(r);
    if (r->listening >= 0) {
        loop_io_free(r->listening_io);
        close(r->listening);
        snprintf(path, sizeof(path), "%s/run-admin/sever.sock", r->base);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/run-admin", r->base);
    rmdir(path);
    rmdir(r->base);
    loop_timer_free(r->patience);
    loop_free(r->loop);
    free(r);
}

static const struct sever_order order = {
    .addresses = {{.family = 4, .port = 5432, .bytes = {10, 0, 0, 1}}}, .address_count = 1};

static void until_changed(struct rig *r, int times)
{
    while (r->changed < times)
        loop_run(r->loop);
}

static void until_done(struct rig *r)
{
    while (!r->done)
        loop_run(r->loop);
}

static void who_answers_is_known_by_instance_and_ability(void **state)
{
    struct rig *r = rig_new("s");

    (void)state;
    assert_int_equal(sever_client_instance(r->sever_client), 0);
    assert_non_null(strstr(sever_client_status(r->sever_client)->why, "no homing-sever answers"));
    assert_non_null(
        strstr(sever_client_status(r->sever_client)->why, "start it, as root, with: begin --now"));
    listen_there(r);
    until_changed(r, 1);
    assert_int_equal(sever_client_instance(r->sever_client), 77);
    assert_true(sever_client_status(r->sever_client)->able);
    assert_string_equal(sever_client_status(r->sever_client)->why, "proven");
    rig_free(r);
}

static void it_is_known_who_is_short_of_permits(void **state)
{
    struct rig *r = rig_new("s");

    (void)state;
    listen_there(r);
    until_changed(r, 1);
    const struct sever_client_status *status = sever_client_status(r->sever_client);
    assert_int_equal(status->processes, 7);
    assert_int_equal(status->without_room, 15);
    assert_int_equal(status->short_uid, 1002);
    assert_int_equal(status->short_count, 10);
    rig_free(r);
}

static void an_order_is_answered_with_counts(void **state)
{
    struct rig *r = rig_new("so");

    (void)state;
    listen_there(r);
    until_changed(r, 1);
    assert_int_equal(sever_client_order(r->sever_client, &order, on_done, r), 0);
    until_done(r);
    assert_int_equal(r->error, 0);
    assert_int_equal(r->counts.severed, 3);
    assert_int_equal(r->counts.denied, 2);
    rig_free(r);
}

static void an_order_waits_for_somebody_to_take_it(void **state)
{
    struct rig *r = rig_new("os");

    (void)state;
    assert_int_equal(sever_client_order(r->sever_client, &order, on_done, r), 0);
    listen_there(r);
    until_done(r);
    assert_int_equal(r->error, 0);
    rig_free(r);
}

static void who_hangs_up_fails_his_orders_and_has_no_instance(void **state)
{
    struct rig *r = rig_new("sxs");

    (void)state;
    listen_there(r);
    until_changed(r, 1);
    assert_int_equal(sever_client_order(r->sever_client, &order, on_done, r), 0);
    until_done(r);
    assert_int_equal(r->error, -EPIPE);
    assert_int_equal(sever_client_instance(r->sever_client), 0);
    r->instance = 78;
    until_changed(r, 3); /* gone, and there again */
    assert_int_equal(sever_client_instance(r->sever_client), 78);
    rig_free(r);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void who_does_not_answer_is_not_said_to_be_able_long_before_he_is_given_up(void **state)
{
    struct rig *r = rig_new("sn");
    struct loop_timer *later = loop_timer_new(r->loop, stop, r->loop);

    (void)state;
    listen_there(r);
    until_changed(r, 1);
    assert_null(sever_client_hindrance(r->sever_client));
    while (!sever_client_hindrance(r->sever_client)) {
        loop_timer_set(later, 50);
        loop_run(r->loop);
    }
    assert_int_equal(r->changed, 1);
    assert_int_equal(sever_client_instance(r->sever_client), 77);
    assert_non_null(strstr(sever_client_hindrance(r->sever_client), "does not answer"));
    until_changed(r, 2);
    assert_int_equal(sever_client_instance(r->sever_client), 0);
    loop_timer_free(later);
    rig_free(r);
}

static void send_status_with_changes(struct rig *r, uint32_t id)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REPLY_MAX);
    msg_put_reply(&w, id);
    msg_open_map(&w);
    msg_put_key_uint(&w, "instance", r->instance);
    msg_put_str(&w, "permits");
    msg_open_map(&w);
    msg_put_key_uint(&w, "changes", 5);
    msg_close(&w);
    msg_close(&w);
    assert_int_equal(msg_writer_finish(&w), 0);
    assert_int_equal(send(r->fd, w.data, w.len, MSG_NOSIGNAL), w.len);
    msg_writer_done(&w);
}

/* Orders wait, because nobody reads them; the next question for the status waits behind them. Its
 * answer leads to a question for the holders, which cannot be sent any more. */
static void a_connection_that_is_lost_during_a_reply_is_lost_after_it(void **state)
{
    struct rig *r = rig_new("s");
    struct sever_order large = {.address_count = SEVER_ADDRESSES_MAX};
    struct loop_timer *later = loop_timer_new(r->loop, stop, r->loop);
    int orders = 0;

    (void)state;
    for (int i = 0; i < SEVER_ADDRESSES_MAX; i++)
        large.addresses[i] = order.addresses[0];
    listen_there(r);
    until_changed(r, 1);
    loop_io_set(r->io, 0);
    while (orders < 500 && sever_client_order(r->sever_client, &large, on_done, r) == 0)
        orders++;
    loop_timer_set(later, 1500);
    loop_run(r->loop);
    send_status_with_changes(r, 2 + (uint32_t)orders);
    hang_up(r);
    while (r->done < orders)
        loop_run(r->loop);
    assert_int_equal(r->error, -EPIPE);
    assert_int_equal(sever_client_instance(r->sever_client), 0);
    loop_timer_free(later);
    rig_free(r);
}

static void a_refused_order_is_an_error(void **state)
{
    struct rig *r = rig_new("se");

    (void)state;
    listen_there(r);
    until_changed(r, 1);
    assert_int_equal(sever_client_order(r->sever_client, &order, on_done, r), 0);
    until_done(r);
    assert_int_equal(r->error, -EPROTO);
    rig_free(r);
}

static void too_many_orders_are_refused_and_the_end_cancels_all(void **state)
{
    struct rig *r = rig_new("");
    int orders = 0;

    (void)state;
    while (sever_client_order(r->sever_client, &order, on_done, r) == 0)
        orders++;
    assert_in_range(orders, 256, 10000);
    sever_client_free(r->sever_client);
    r->sever_client = NULL;
    assert_int_equal(r->done, orders);
    assert_int_equal(r->error, -ECANCELED);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_answers_is_known_by_instance_and_ability),
        TEST(it_is_known_who_is_short_of_permits),
        TEST(an_order_is_answered_with_counts),
        TEST(an_order_waits_for_somebody_to_take_it),
        TEST(who_hangs_up_fails_his_orders_and_has_no_instance),
        TEST(who_does_not_answer_is_not_said_to_be_able_long_before_he_is_given_up),
        TEST(a_connection_that_is_lost_during_a_reply_is_lost_after_it),
        TEST(a_refused_order_is_an_error),
        TEST(too_many_orders_are_refused_and_the_end_cancels_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
