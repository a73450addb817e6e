/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_client.c - the client over a real socket, in clear and inside of TLS, with a server that is
 * written by hand: who waits for what, how it ends, what it leaves behind. send() and recv() may be
 * made to move one byte at a time.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "agent/probe/mysql/client.h"
#include "tests/support/fail.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/tls_peer.h"

static char folder_path[FOLDER_SIZE], ca[64];
static int listener = -1, far = -1; /* the server's */
static struct inet_address at;
static struct mysql_client *client;
static struct tls_peer peer;
static bool dribbles; /* one byte at a time, and every second call moves none */

ssize_t __real_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t count, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t count, int flags);

static bool has_turn(void)
{
    static bool turn;
    turn = !turn;
    errno = EAGAIN;
    return !dribbles || turn;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags)
{
    return has_turn() ? __real_send(fd, bytes, dribbles ? 1 : count, flags) : -1;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t count, int flags)
{
    return has_turn() ? __real_recv(fd, bytes, dribbles ? 1 : count, flags) : -1;
}

/* A server. */

static int group_setup(void **state)
{
    (void)state;
    folder_make(folder_path);
    tls_peer_certify(folder_path, &(struct tls_peer_certificate){.name = "ca"});
    tls_peer_certify(folder_path, &(struct tls_peer_certificate){
                                      .name = "db", .issuer = "ca", .names = "DNS:db.example.com"});
    snprintf(ca, sizeof(ca), "%s/ca.pem", folder_path);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    folder_remove(folder_path);
    return 0;
}

static int rig_setup(void **state)
{
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(bound);
    (void)state;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&bound, sizeof(bound)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &size), 0);
    inet_address_set(4, (const uint8_t *)&bound.sin_addr, ntohs(bound.sin_port), &at);
    far = -1;
    client = NULL;
    dribbles = false;
    return 0;
}

static void hang_up(void)
{
    if (far >= 0)
        close(far);
    far = -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    mysql_client_free(client);
    hang_up();
    if (listener >= 0)
        close(listener);
    return 0;
}

/* Waits for what the client waits for, without end if need be, and steps. */
static enum mysql_state turn(void)
{
    int events = mysql_client_events(client);
    struct pollfd fd = {
        .fd = mysql_client_descriptor(client),
        .events = (short)((events & LOOP_READ ? POLLIN : 0) | (events & LOOP_WRITE ? POLLOUT : 0))};
    assert_true(poll(&fd, 1, -1) == 1);
    return mysql_client_step(client);
}

static void connect_as(enum tls_mode mode, const char *host)
{
    const struct mysql_settings settings = {
        .host = host,
        .address = &at,
        .user = "homing",
        .password = "secret",
        .tls = {.mode = mode, .ca = mode == TLS_VERIFY_FULL ? ca : NULL}};

    client = mysql_client_new(&settings);
    assert_non_null(client);
    far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(far >= 0);
}

/* What it has sent so far, as it is on the wire; waits until it is `count` bytes. */
static void hear(uint8_t *ret, size_t count)
{
    for (size_t n = 0; n < count;) {
        ssize_t got = __real_recv(far, ret + n, count - n, MSG_DONTWAIT);
        assert_true(got != 0 && (got > 0 || errno == EAGAIN));
        n += got > 0 ? (size_t)got : 0;
        if (n < count)
            turn();
    }
}

/* Until the state is another one. */
static enum mysql_state turn_until_not(enum mysql_state state)
{
    while (mysql_client_state(client) == state)
        turn();
    return mysql_client_state(client);
}

static void say(uint8_t sequence, const char *payload, size_t count)
{
    const uint8_t head[] = {(uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16),
                            sequence};

    assert_int_equal(__real_send(far, head, sizeof(head), 0), sizeof(head));
    assert_int_equal(__real_send(far, payload, count, 0), count);
}

#define SAY(sequence, text) say(sequence, text, sizeof(text) - 1)
#define GREETING                                                                                   \
    "\n8.0.42\0\7\0\0\0\1\2\3\4\5\6\7\10\0\xff\xff\x2d\2\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0"        \
    "abcdefghijkl\0mysql_native_password\0"
#define OK       "\0\0\0\2\0\0\0"
#define SHUTDOWN "\xff\x1d\4#08S01Server shutdown in progress"
/* Head, flags and so on, user, proof, plugin. */
#define LOGIN_BYTES (4 + 32 + 7 + 1 + 20 + 22)

static void log_in(void)
{
    uint8_t login[LOGIN_BYTES];

    SAY(0, GREETING);
    hear(login, sizeof(login));
    assert_string_equal((char *)login + 36, "homing");
    SAY(2, OK);
    assert_int_equal(turn_until_not(MYSQL_BUSY), MYSQL_READY);
}

/* SELECT 1 */
static void answer_one(void)
{
    uint8_t question[4 + 9];

    mysql_client_ask(client, "SELECT 1");
    hear(question, sizeof(question));
    assert_memory_equal(question + 4, "\3SELECT 1", 9);
    SAY(1, "\1");
    SAY(2, "\3def\0\0\0\0011\0\xc\x2d\0\1\0\0\0\xfd\0\0\0\0\0");
    SAY(3, "\xfe\0\0\2\0");
    SAY(4, "\0011");
    SAY(5, "\xfe\0\0\2\0");
    assert_int_equal(turn_until_not(MYSQL_BUSY), MYSQL_READY);
    assert_string_equal(mysql_answer_at(mysql_client_answer(client), 0, 0)->text, "1");
}

static void assert_failed(enum mysql_fault fault, enum mysql_stage stage, const char *text)
{
    const struct mysql_failure *f = mysql_client_failure(client);

    assert_int_equal(turn_until_not(MYSQL_BUSY), MYSQL_FAILED);
    assert_int_equal(f->fault, fault);
    assert_int_equal(f->stage, stage);
    if (!strstr(f->error.text, text))
        fail_msg("'%s' does not say '%s'", f->error.text, text);
}

/* In clear. */

static void questions_are_answered_one_after_the_other(void **state)
{
    uint8_t quit[5], more;
    (void)state;
    for (int i = 0; i < 2; i++) {
        dribbles = i == 1;
        connect_as(TLS_OFF, "db.example.com");
        log_in();
        assert_int_equal(mysql_client_server(client)->number, 80042);
        answer_one();
        answer_one();
        assert_int_equal(mysql_client_events(client), LOOP_READ);
        assert_int_equal(mysql_client_expires(client), 0);
        dribbles = false;
        mysql_client_free(client);
        client = NULL;
        assert_int_equal(__real_recv(far, quit, sizeof(quit), MSG_WAITALL), 5);
        assert_memory_equal(quit, "\1\0\0\0\1", 5);
        assert_int_equal(__real_recv(far, &more, 1, 0), 0);
        hang_up();
    }
}

static void nobody_at_the_port_is_told_in_the_systems_words(void **state)
{
    (void)state;
    close(listener);
    listener = -1;
    const struct mysql_settings settings = {.host = "db", .address = &at, .user = "homing"};
    client = mysql_client_new(&settings);
    assert_non_null(client);
    assert_failed(MYSQL_FAULT_NETWORK, MYSQL_STAGE_CONNECTING,
                  "cannot connect: Connection refused");
}

static void a_server_that_hangs_up_is_found_at_each_stage(void **state)
{
    (void)state;
    connect_as(TLS_OFF, "db");
    hang_up();
    assert_failed(MYSQL_FAULT_NETWORK, MYSQL_STAGE_CONNECTING, "closed the connection");
    mysql_client_free(client);
    connect_as(TLS_OFF, "db");
    SAY(0, GREETING);
    hear((uint8_t[LOGIN_BYTES]){0}, LOGIN_BYTES);
    hang_up();
    assert_failed(MYSQL_FAULT_NETWORK, MYSQL_STAGE_LOGIN, "closed the connection");
    mysql_client_free(client);
    connect_as(TLS_OFF, "db");
    log_in();
    hang_up();
    assert_int_equal(turn_until_not(MYSQL_READY), MYSQL_FAILED);
    assert_failed(MYSQL_FAULT_NETWORK, MYSQL_STAGE_SESSION, "closed the connection");
}

static void what_a_server_says_before_it_hangs_up_is_heard_though_a_question_fails(void **state)
{
    static const struct linger now = {1, 0};
    (void)state;
    connect_as(TLS_OFF, "db");
    log_in();
    SAY(0, SHUTDOWN);
    shutdown(far, SHUT_WR);
    mysql_client_ask(client, "SELECT 1");
    assert_failed(MYSQL_FAULT_SERVER, MYSQL_STAGE_SESSION, "Server shutdown in progress");
    mysql_client_free(client);
    hang_up();
    connect_as(TLS_OFF, "db");
    log_in();
    setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    hang_up();
    mysql_client_ask(client, "SELECT 1");
    assert_failed(MYSQL_FAULT_NETWORK, MYSQL_STAGE_SESSION, "the connection broke: ");
}

static void a_step_that_nobody_waited_for_does_nothing(void **state)
{
    (void)state;
    connect_as(TLS_OFF, "db");
    for (int i = 0; i < 3; i++)
        assert_int_equal(mysql_client_step(client), MYSQL_BUSY);
    log_in();
    for (int i = 0; i < 3; i++)
        assert_int_equal(mysql_client_step(client), MYSQL_READY);
    answer_one();
}

static void a_file_that_is_missing_fails_before_there_is_a_connection(void **state)
{
    const struct mysql_settings settings = {
        .host = "db", .address = &at, .tls = {.mode = TLS_VERIFY_FULL, .ca = "/nowhere"}};
    (void)state;
    client = mysql_client_new(&settings);
    assert_int_equal(mysql_client_state(client), MYSQL_FAILED);
    assert_int_equal(mysql_client_descriptor(client), -1);
    assert_int_equal(mysql_client_failure(client)->fault, MYSQL_FAULT_LOCAL);
    assert_non_null(strstr(mysql_client_failure(client)->error.text, "tls_ca /nowhere"));
}

/* Inside of TLS. */

/* Up to the request for TLS. */
static void ask_for_tls(const char *host)
{
    uint8_t request[4 + 32];

    connect_as(TLS_VERIFY_FULL, host);
    SAY(0, GREETING);
    hear(request, sizeof(request));
    assert_int_equal(request[3], 1);
    tls_peer_init(&peer, folder_path, "db", NULL, 0);
}

/* One turn of each, `step` bytes of the server's at a time. */
static void exchange(size_t step)
{
    uint8_t bytes[4096];
    ssize_t n = __real_recv(far, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0)
        tls_peer_feed(&peer, bytes, (size_t)n);
    size_t back = tls_peer_take(&peer, bytes, step);
    if (back > 0)
        (void)!__real_send(far, bytes, back, MSG_NOSIGNAL);
    mysql_client_step(client);
}

static void shake_hands(size_t step)
{
    while (!peer.open && mysql_client_state(client) == MYSQL_BUSY)
        exchange(step);
}

static void hear_inside(uint8_t *ret, size_t count)
{
    size_t n = 0, got;

    while (n < count) {
        if (SSL_read_ex(peer.ssl, ret + n, count - n, &got) == 1)
            n += got;
        else
            exchange(4096);
    }
}

static void say_inside(const char *packets, size_t count)
{
    assert_int_equal(SSL_write(peer.ssl, packets, (int)count), count);
}

static void a_session_inside_of_TLS_is_the_same(void **state)
{
    static const size_t steps[] = {4096, 1};
    uint8_t login[LOGIN_BYTES], question[4 + 5], quit[5];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        dribbles = i >= 2;
        ask_for_tls("db.example.com");
        shake_hands(steps[i % 2]);
        hear_inside(login, sizeof(login));
        assert_int_equal(login[3], 2);
        assert_string_equal((char *)login + 36, "homing");
        say_inside("\7\0\0\3" OK, 11);
        while (mysql_client_state(client) == MYSQL_BUSY)
            exchange(steps[i % 2]);
        mysql_client_ask(client, "DO 1");
        hear_inside(question, sizeof(question));
        assert_memory_equal(question, "\5\0\0\0\3DO 1", sizeof(question));
        say_inside("\7\0\0\1" OK, 11);
        while (mysql_client_state(client) == MYSQL_BUSY)
            exchange(steps[i % 2]);
        assert_int_equal(mysql_client_state(client), MYSQL_READY);
        assert_true(mysql_client_expires(client) > 0);
        dribbles = false;
        mysql_client_free(client);
        client = NULL;
        uint8_t bytes[256];
        ssize_t n = __real_recv(far, bytes, sizeof(bytes), MSG_WAITALL);
        assert_true(n > 0);
        tls_peer_feed(&peer, bytes, (size_t)n);
        assert_int_equal(SSL_read(peer.ssl, quit, sizeof(quit)), 5);
        assert_memory_equal(quit, "\1\0\0\0\1", 5);
        tls_peer_done(&peer);
        hang_up();
    }
}

static void another_servers_certificate_is_told_and_the_server_hears_of_it(void **state)
{
    (void)state;
    ask_for_tls("other.example.com");
    shake_hands(4096);
    assert_failed(MYSQL_FAULT_TLS, MYSQL_STAGE_LOGIN, "not for other.example.com");
    exchange(4096);
    assert_false(peer.open);
    assert_int_equal(SSL_get_shutdown(peer.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    tls_peer_done(&peer);
}

static void a_server_that_stalls_while_TLS_begins_is_only_waited_for(void **state)
{
    uint8_t bytes[1024];
    (void)state;
    ask_for_tls("db.example.com");
    while (__real_recv(far, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
        mysql_client_step(client);
    for (int i = 0; i < 3; i++)
        assert_int_equal(mysql_client_step(client), MYSQL_BUSY);
    assert_int_equal(mysql_client_events(client), LOOP_READ);
    shutdown(far, SHUT_WR);
    assert_failed(MYSQL_FAULT_NETWORK, MYSQL_STAGE_LOGIN, "closed the connection");
    tls_peer_done(&peer);
}

static void a_server_that_refuses_TLS_in_clear_is_told(void **state)
{
    (void)state;
    ask_for_tls("db.example.com");
    SAY(2, "\xff\x15\4#08S01Bad handshake");
    assert_failed(MYSQL_FAULT_TLS, MYSQL_STAGE_LOGIN, "answers in clear where TLS begins");
    tls_peer_done(&peer);
}

/* Memory. */

/* A life with one allocation that fails: either it fails, and says so, or it goes on. */
static void live(void *arg)
{
    const struct mysql_settings settings = {.host = "db.example.com",
                                            .address = &at,
                                            .user = "homing",
                                            .password = "secret",
                                            .tls = {.mode = *(enum tls_mode *)arg}};

    client = mysql_client_new(&settings);
    if (!client)
        return;
    fail_pause();
    if (mysql_client_descriptor(client) >= 0) {
        far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        SAY(0, GREETING);
        SAY(2, OK);
    }
    fail_resume();
    for (int i = 0; i < 4 && mysql_client_state(client) == MYSQL_BUSY; i++)
        mysql_client_step(client);
    if (mysql_client_state(client) == MYSQL_READY)
        mysql_client_ask(client, "SELECT 1");
    mysql_client_free(client);
    client = NULL;
    fail_pause();
    hang_up();
    fail_resume();
}

static void every_allocation_may_fail_and_nothing_is_left_behind(void **state)
{
    enum tls_mode modes[] = {TLS_OFF, TLS_REQUIRE};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        long before = fail_live_blocks();
        fail_each(live, &modes[i]);
        assert_int_equal(fail_live_blocks(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, questions_are_answered_one_after_the_other),
        TEST_IN(rig, nobody_at_the_port_is_told_in_the_systems_words),
        TEST_IN(rig, a_server_that_hangs_up_is_found_at_each_stage),
        TEST_IN(rig, what_a_server_says_before_it_hangs_up_is_heard_though_a_question_fails),
        TEST_IN(rig, a_step_that_nobody_waited_for_does_nothing),
        TEST_IN(rig, a_file_that_is_missing_fails_before_there_is_a_connection),
        TEST_IN(rig, a_session_inside_of_TLS_is_the_same),
        TEST_IN(rig, another_servers_certificate_is_told_and_the_server_hears_of_it),
        TEST_IN(rig, a_server_that_stalls_while_TLS_begins_is_only_waited_for),
        TEST_IN(rig, a_server_that_refuses_TLS_in_clear_is_told),
        TEST_IN(rig, every_allocation_may_fail_and_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
