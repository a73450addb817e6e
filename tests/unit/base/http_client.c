/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client.c - one question over a real socket, in clear and inside of TLS, to a server that is
 * written by hand: what is asked, how it ends, what it leaves behind. send() and recv() may be made to
 * move one byte at a time.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/http/client.h"
#include "agent/base/loop.h"
#include "tests/support/fail.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/tls_peer.h"

static char folder_path[FOLDER_SIZE], ca[64];
static int listener = -1, far = -1; /* the server's */
static struct inet_address at;
static struct http_client *client;
static struct tls_peer peer;
static bool dribbles; /* one byte at a time, and every second call moves none */

ssize_t __real_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t count, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t count, int flags);

/* `turn`: of this direction. */
static bool has_turn(bool *turn)
{
    *turn = !*turn;
    errno = EAGAIN;
    return !dribbles || *turn;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags)
{
    static bool turn;
    return has_turn(&turn) ? __real_send(fd, bytes, dribbles ? 1 : count, flags) : -1;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t count, int flags)
{
    static bool turn;
    return has_turn(&turn) ? __real_recv(fd, bytes, dribbles ? 1 : count, flags) : -1;
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
    http_client_free(client);
    hang_up();
    if (listener >= 0)
        close(listener);
    return 0;
}

/* Waits for what the client waits for, without end if need be, and steps. */
static enum http_client_state turn(void)
{
    int events = http_client_events(client);
    struct pollfd fd = {
        .fd = http_client_descriptor(client),
        .events = (short)((events & LOOP_READ ? POLLIN : 0) | (events & LOOP_WRITE ? POLLOUT : 0))};
    assert_true(poll(&fd, 1, -1) == 1);
    return http_client_step(client);
}

static struct http_settings settings_of(enum tls_mode mode, const char *host)
{
    return (struct http_settings){.host = host,
                                  .address = &at,
                                  .path = "/primary",
                                  .body_max = 1000,
                                  .tls = {.mode = mode, .ca = mode == TLS_VERIFY_FULL ? ca : NULL}};
}

static void connect_to(enum tls_mode mode, const char *host)
{
    const struct http_settings settings = settings_of(mode, host);
    client = http_client_new(&settings);
    assert_non_null(client);
    far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(far >= 0);
}

static enum http_client_state turn_to_the_end(void)
{
    while (http_client_state(client) == HTTP_BUSY)
        turn();
    return http_client_state(client);
}

/* Waits until the whole request has come, and returns it. */
static const char *hear(void)
{
    static char text[1000];
    size_t n = 0;

    memset(text, 0, sizeof(text));
    while (!strstr(text, "\r\n\r\n")) {
        ssize_t got = __real_recv(far, text + n, sizeof(text) - 1 - n, MSG_DONTWAIT);
        assert_true(got != 0 && (got > 0 || errno == EAGAIN));
        n += got > 0 ? (size_t)got : 0;
        if (got < 0)
            turn();
    }
    return text;
}

static void say(const char *text)
{
    assert_int_equal(__real_send(far, text, strlen(text), 0), strlen(text));
}

static void assert_broken(enum http_fault fault, bool connected, const char *text)
{
    const struct http_failure *f = http_client_failure(client);

    assert_int_equal(turn_to_the_end(), HTTP_BROKEN);
    assert_int_equal(f->fault, fault);
    assert_int_equal(f->connected, connected);
    if (!strstr(f->text, text))
        fail_msg("'%s' does not say '%s'", f->text, text);
}

/* In clear. */

static void one_question_is_asked_and_answered(void **state)
{
    char wanted[300];
    (void)state;
    for (int i = 0; i < 2; i++) {
        dribbles = i == 1;
        connect_to(TLS_OFF, "db.example.com");
        snprintf(wanted, sizeof(wanted),
                 "GET /primary HTTP/1.1\r\nHost: db.example.com:%u\r\nUser-Agent: homingd\r\n"
                 "Connection: close\r\n\r\n",
                 at.port);
        assert_string_equal(hear(), wanted);
        say("HTTP/1.0 503 Service Unavailable\r\n\r\n{}");
        hang_up();
        assert_int_equal(turn_to_the_end(), HTTP_ANSWERED);
        assert_int_equal(http_client_answer(client)->status, 503);
        assert_string_equal(http_client_answer(client)->body, "{}");
        http_client_free(client);
        client = NULL;
    }
}

static void an_address_of_ipv6_stands_in_brackets(void **state)
{
    (void)state;
    connect_to(TLS_OFF, "2001:db8::1");
    assert_non_null(strstr(hear(), "Host: [2001:db8::1]:"));
}

static void nobody_at_the_port_is_told_in_the_systems_words(void **state)
{
    const struct http_settings settings = settings_of(TLS_OFF, "db");
    (void)state;
    close(listener);
    listener = -1;
    client = http_client_new(&settings);
    assert_non_null(client);
    assert_broken(HTTP_FAULT_NETWORK, false, "cannot connect: Connection refused");
}

static void a_server_that_hangs_up_gives_no_answer(void **state)
{
    static const struct linger now = {1, 0};
    (void)state;
    connect_to(TLS_OFF, "db");
    hear();
    hang_up();
    assert_broken(HTTP_FAULT_NETWORK, true, "closed the connection without an answer");
    http_client_free(client);
    connect_to(TLS_OFF, "db");
    hear();
    say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{");
    hang_up();
    assert_broken(HTTP_FAULT_NETWORK, true, "in the middle of its answer");
    http_client_free(client);
    connect_to(TLS_OFF, "db");
    hear();
    setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    hang_up();
    assert_broken(HTTP_FAULT_NETWORK, true, "the connection broke: ");
}

static void another_protocol_is_no_answer(void **state)
{
    (void)state;
    connect_to(TLS_OFF, "db");
    say("SSH-2.0-OpenSSH_9.2p1\r\n");
    assert_broken(HTTP_FAULT_ANSWER, true, "something that is not HTTP/1.1");
}

static void an_answer_without_end_is_given_up(void **state)
{
    char much[2000];
    (void)state;
    connect_to(TLS_OFF, "db");
    hear();
    say("HTTP/1.1 200 OK\r\n\r\n");
    memset(much, 'x', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    say(much);
    assert_broken(HTTP_FAULT_ANSWER, true, "more than is looked at");
}

static void a_file_that_is_missing_fails_before_there_is_a_connection(void **state)
{
    struct http_settings settings = settings_of(TLS_VERIFY_FULL, "db");
    (void)state;
    settings.tls.ca = "/nowhere";
    client = http_client_new(&settings);
    assert_int_equal(http_client_descriptor(client), -1);
    assert_broken(HTTP_FAULT_LOCAL, false, "tls_ca /nowhere");
}

/* Inside of TLS. */

/* One turn of each, `step` bytes of the server's at a time. */
static void exchange(size_t step)
{
    uint8_t bytes[4096];
    ssize_t n = __real_recv(far, bytes, sizeof(bytes), MSG_DONTWAIT);
    size_t told;

    if (n > 0)
        tls_peer_feed(&peer, bytes, (size_t)n);
    while ((told = tls_peer_take(&peer, bytes, step)) > 0)
        assert_int_equal(__real_send(far, bytes, told, 0), told);
    http_client_step(client);
}

static void the_question_is_asked_inside_of_tls(void **state)
{
    static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    char question[1000] = "";
    int n = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        dribbles = i == 1;
        connect_to(TLS_VERIFY_FULL, "db.example.com");
        tls_peer_init(&peer, folder_path, "db", NULL, 0);
        do
            exchange(1000);
        while ((n = SSL_read(peer.ssl, question, sizeof(question) - 1)) <= 0);
        question[n] = '\0';
        assert_non_null(strstr(question, "GET /primary HTTP/1.1\r\nHost: db.example.com:"));
        assert_int_equal(SSL_write(peer.ssl, ANSWER, sizeof(ANSWER) - 1), sizeof(ANSWER) - 1);
        while (http_client_state(client) == HTTP_BUSY)
            exchange(1000);
        assert_int_equal(http_client_state(client), HTTP_ANSWERED);
        assert_string_equal(http_client_answer(client)->body, "{}");
        tls_peer_done(&peer);
        http_client_free(client);
        client = NULL;
        hang_up();
    }
}

static void a_server_of_another_name_is_asked_nothing(void **state)
{
    (void)state;
    connect_to(TLS_VERIFY_FULL, "other.example.com");
    tls_peer_init(&peer, folder_path, "db", NULL, 0);
    while (http_client_state(client) == HTTP_BUSY)
        exchange(1000);
    assert_broken(HTTP_FAULT_TLS, true, "the server's certificate is for db.example.com");
    tls_peer_done(&peer);
}

static void a_server_without_tls_is_found_out(void **state)
{
    (void)state;
    connect_to(TLS_REQUIRE, "db.example.com");
    say("HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_broken(HTTP_FAULT_TLS, true, "answers in clear where TLS begins");
}

/* Memory. */

static void ask_once(void *arg)
{
    const struct http_settings settings = settings_of(TLS_OFF, "db");
    (void)arg;
    client = http_client_new(&settings);
    if (!client)
        return;
    fail_pause();
    far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    say("HTTP/1.1 200 OK\r\n\r\n{}");
    shutdown(far, SHUT_WR);
    fail_resume();
    while (http_client_state(client) == HTTP_BUSY)
        http_client_step(client);
    http_client_free(client);
    client = NULL;
    hang_up();
}

static void without_memory_it_fails_and_leaves_none_behind(void **state)
{
    (void)state;
    fail_each(ask_once, NULL);
    assert_int_equal(fail_live_blocks(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, one_question_is_asked_and_answered),
        TEST_IN(rig, an_address_of_ipv6_stands_in_brackets),
        TEST_IN(rig, nobody_at_the_port_is_told_in_the_systems_words),
        TEST_IN(rig, a_server_that_hangs_up_gives_no_answer),
        TEST_IN(rig, another_protocol_is_no_answer),
        TEST_IN(rig, an_answer_without_end_is_given_up),
        TEST_IN(rig, a_file_that_is_missing_fails_before_there_is_a_connection),
        TEST_IN(rig, the_question_is_asked_inside_of_tls),
        TEST_IN(rig, a_server_of_another_name_is_asked_nothing),
        TEST_IN(rig, a_server_without_tls_is_found_out),
        TEST_IN(rig, without_memory_it_fails_and_leaves_none_behind),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
