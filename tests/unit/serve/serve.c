/* SPDX-License-Identifier: Apache-2.0
 *
 * serve.c - the sockets, from the side of clients: good ones, slow ones, hostile ones.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/serve_rig.h"
#include "tests/support/test.h"

/* ---- good clients ---- */

static void both_sockets_answer(void **state)
{
    for (int s = 0; s < SERVE_SOCKET_COUNT; s++) {
        int fd = serve_rig_connect(*state, s);
        assert_string_equal(serve_rig_ask(*state, fd, 7, "ping"), "7 \"pong\"");
        assert_string_equal(serve_rig_ask(*state, fd, 8, "ping"), "8 \"pong\"");
        close(fd);
    }
}

static void a_reply_may_come_later_and_what_was_asked_after_it_waits(void **state)
{
    int waiting = serve_rig_connect(*state, SERVE_ADMIN),
        other = serve_rig_connect(*state, SERVE_ADMIN);

    serve_rig_request(waiting, 1, "later", 0);
    serve_rig_request(waiting, 2, "ping", 0);
    assert_string_equal(serve_rig_ask(*state, other, 3, "ping"), "3 \"pong\"");
    assert_string_equal(serve_rig_ask(*state, other, 4, "now"), "4 true");
    assert_string_equal(serve_rig_receive(*state, waiting, NULL), "1 true");
    assert_string_equal(serve_rig_receive(*state, waiting, NULL), "2 \"pong\"");
    close(waiting);
    close(other);
}

static void who_has_left_or_does_not_wait_gets_no_late_reply(void **state)
{
    int gone = serve_rig_connect(*state, SERVE_ADMIN),
        other = serve_rig_connect(*state, SERVE_ADMIN);

    serve_rig_request(gone, 1, "later", 0);
    assert_string_equal(serve_rig_ask(*state, other, 2, "ping"), "2 \"pong\"");
    assert_string_equal(serve_rig_ask(*state, other, 3, "now"), "3 true");
    assert_string_equal(serve_rig_receive(*state, gone, NULL), "1 true");
    assert_string_equal(serve_rig_ask(*state, other, 4, "now"), "4 true");
    close(gone);
    assert_string_equal(serve_rig_ask(*state, other, 5, "ping"), "5 \"pong\"");
    assert_string_equal(serve_rig_ask(*state, other, 6, "now"), "6 true");
    close(other);
}

static void a_reply_that_never_comes_ends_the_connection(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_ADMIN);

    serve_rig_request(fd, 1, "later", 0);
    assert_true(serve_rig_ends(*state, fd));
    close(fd);
}

static void a_client_is_known_by_its_credentials(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_AGENT);
    char want[128];

    snprintf(want, sizeof(want), "1 {\"pid\":%d,\"uid\":%u,\"gid\":%u}", (int)getpid(), geteuid(),
             getegid());
    assert_string_equal(serve_rig_ask(*state, fd, 1, "whoami"), want);
    close(fd);
}

static void a_descriptor_comes_with_the_reply(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_AGENT);
    struct stat sent, received;
    int got;

    serve_rig_request(fd, 1, "fd", 0);
    assert_string_equal(serve_rig_receive(*state, fd, &got), "1 true");
    assert_true(got >= 0);
    assert_int_equal(fstat(STDIN_FILENO, &sent), 0);
    assert_int_equal(fstat(got, &received), 0);
    assert_int_equal(sent.st_ino, received.st_ino);
    close(got);
    close(fd);
}

static void requests_sent_at_once_are_answered_in_their_order(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_AGENT);

    for (uint32_t i = 0; i < 200; i++)
        serve_rig_request(fd, i, "ping", 0);
    for (uint32_t i = 0; i < 200; i++) {
        char want[32];
        snprintf(want, sizeof(want), "%u \"pong\"", i);
        assert_string_equal(serve_rig_receive(*state, fd, NULL), want);
    }
    close(fd);
}

static void a_client_that_only_closed_its_sending_half_gets_its_replies(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_ADMIN);

    serve_rig_request(fd, 1, "big", 2000000);
    serve_rig_request(fd, 2, "ping", 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_string_equal(serve_rig_receive(*state, fd, NULL), "1 2000000 bytes");
    assert_string_equal(serve_rig_receive(*state, fd, NULL), "2 \"pong\"");
    assert_true(serve_rig_ends(*state, fd));
    close(fd);
}

static void a_request_in_single_bytes_is_a_request(void **state)
{
    static const uint8_t ping[] = {0x94, 0, 3, 0xa4, 'p', 'i', 'n', 'g', 0x90};
    int fd = serve_rig_connect(*state, SERVE_AGENT);
    int other = serve_rig_connect(*state, SERVE_AGENT);

    for (size_t i = 0; i < sizeof(ping); i++) {
        serve_rig_send(fd, ping + i, 1);
        assert_string_equal(serve_rig_ask(*state, other, 1, "ping"),
                            "1 \"pong\""); /* some turns pass */
    }
    assert_string_equal(serve_rig_receive(*state, fd, NULL), "3 \"pong\"");
    close(fd);
    close(other);
}

struct turns {
    struct serve_rig *rig;
    struct loop_timer *timer;
    int begun;
    uint32_t answered; /* by the second one */
};

static void a_turn_begins(void *arg)
{
    struct turns *turns = arg;

    if (++turns->begun == 1) {
        loop_timer_set(turns->timer, 0);
        return;
    }
    turns->answered = turns->rig->calls;
    loop_stop(turns->rig->loop);
}

/* A turn calls its timers first: what was answered by the second one was answered in the first. */
static void who_asked_before_it_was_accepted_is_answered_in_the_same_turn(void **state)
{
    struct serve_rig *rig = *state;
    struct turns turns = {.rig = rig};
    int fds[3];

    turns.timer = loop_timer_new(rig->loop, a_turn_begins, &turns);
    assert_non_null(turns.timer);
    for (uint32_t i = 0; i < 3; i++) {
        fds[i] = serve_rig_connect(rig, SERVE_AGENT);
        serve_rig_request(fds[i], i, "ping", 0);
    }
    loop_timer_set(turns.timer, 0);
    loop_run(rig->loop);
    assert_int_equal(turns.answered, 3);
    loop_timer_free(turns.timer);
    for (uint32_t i = 0; i < 3; i++)
        close(fds[i]);
}

static void a_handler_that_writes_nothing_makes_an_error_reply(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_AGENT);

    assert_non_null(strstr(serve_rig_ask(*state, fd, 9, "nothing"), "\"internal\""));
    close(fd);
}

static void a_reply_longer_than_the_limit_is_an_error_reply(void **state)
{
    int fd = serve_rig_connect(*state, SERVE_ADMIN);

    serve_rig_request(fd, 9, "big", HOMING_REPLY_MAX);
    assert_non_null(strstr(serve_rig_receive(*state, fd, NULL), "\"internal\""));
    close(fd);
}

/* ---- bad clients ---- */

static void assert_dropped(struct serve_rig *rig, const void *data, size_t len)
{
    int fd = serve_rig_connect(rig, SERVE_AGENT);

    serve_rig_send(fd, data, len);
    assert_true(serve_rig_ends(rig, fd));
    close(fd);
}

static void garbage_is_dropped_at_once(void **state)
{
    struct serve_rig *rig = *state;
    uint8_t oversized[HOMING_REQUEST_MAX + 1] = {0x94, 0, 1, 0xda, 0x0f, 0xff};

    assert_dropped(rig, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_dropped(rig, "\xc1", 1);
    assert_dropped(rig, "\x94\x01\x01\xc0\xc0", 5); /* a reply */
    assert_dropped(rig, oversized, sizeof(oversized));
    assert_dropped(rig, "\x94\x00\x01\xdb\xff\xff\xff\xff", 8); /* announces 4 GiB */
    assert_int_equal(rig->calls, 0);
}

static void slow_clients_are_dropped_at_their_deadline(void **state)
{
    struct serve_rig *rig = *state;
    int idle = serve_rig_connect(rig, SERVE_AGENT);
    int half = serve_rig_connect(rig, SERVE_AGENT);
    int deaf = serve_rig_connect(rig, SERVE_ADMIN);

    serve_rig_send(half, "\x94\x00", 2);
    serve_rig_request(deaf, 1, "big", 8000000);
    assert_true(serve_rig_ends(rig, idle));
    assert_true(serve_rig_ends(rig, half));
    close(idle);
    idle = serve_rig_connect(rig, SERVE_AGENT);
    assert_true(
        serve_rig_ends(rig, idle)); /* one deadline more: the deaf one's began a little later */

    /* The deaf one finds a part of its reply, and then the end. */
    char part[65536];
    size_t got = 0;
    ssize_t n;
    while ((n = recv(deaf, part, sizeof(part), MSG_DONTWAIT)) > 0 || (n < 0 && errno == EAGAIN)) {
        got += n > 0 ? (size_t)n : 0;
        if (n < 0)
            serve_rig_await(rig, deaf);
    }
    assert_true(got < 8000000);
    close(idle);
    close(half);
    close(deaf);
}

static void a_good_client_is_answered_among_hostile_ones(void **state)
{
    struct serve_rig *rig = *state;
    int bad[48];

    for (int i = 0; i < 48; i++) {
        bad[i] = serve_rig_connect(rig, SERVE_AGENT);
        if (i % 3 == 0)
            serve_rig_send(bad[i], "\x94\x00", 2);
        for (uint32_t k = 0; i % 3 == 1 && k < 100; k++)
            serve_rig_request(bad[i], k, "ping", 0);
        if (i % 3 == 2)
            serve_rig_request(bad[i], 1, "big", 1000000);
    }
    int good = serve_rig_connect(rig, SERVE_AGENT);
    assert_string_equal(serve_rig_ask(rig, good, 1, "ping"), "1 \"pong\"");
    close(good);
    for (int i = 0; i < 48; i++)
        close(bad[i]);
}

static void who_asks_for_descriptors_and_receives_none_is_dropped(void **state)
{
    struct serve_rig *rig = *state;
    int fd = serve_rig_connect(rig, SERVE_AGENT);
    int other = serve_rig_connect(rig, SERVE_AGENT);

    for (uint32_t i = 0; i < 20; i++)
        serve_rig_request(fd, i, "fd", 0);
    assert_string_equal(serve_rig_ask(rig, other, 1, "ping"), "1 \"pong\"");
    assert_string_equal(serve_rig_ask(rig, other, 2, "ping"), "2 \"pong\"");
    assert_string_equal(serve_rig_receive(rig, fd, NULL), "0 true");
    assert_true(serve_rig_ends(rig, fd));

    /* Who receives each before asking for the next is not. */
    for (uint32_t i = 0; i < 5; i++)
        assert_int_not_equal(strlen(serve_rig_ask(rig, other, i, "fd")), 0);
    close(fd);
    close(other);
}

static void descriptors_sent_to_us_are_not_kept(void **state)
{
    struct serve_rig *rig = *state;
    int fd = serve_rig_connect(rig, SERVE_AGENT);
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {.iov_base = "\x94", .iov_len = 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    assert_string_equal(serve_rig_ask(rig, fd, 1, "ping"), "1 \"pong\"");
    int before = serve_rig_count_fds();
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
    assert_true(n == 1 || (n < 0 && errno == EPERM)); /* EPERM from Linux 6.16 */
    if (n < 0)
        serve_rig_send(fd, "\x94", 1);
    serve_rig_send(fd, "\x00\x05\xa4ping\x90", 8);
    assert_string_equal(serve_rig_receive(rig, fd, NULL), "5 \"pong\"");
    assert_int_equal(serve_rig_count_fds(), before);
    close(fd);
}

/* ---- descriptors ---- */

/* Sockets made beforehand, because the limit is the whole process's. */
static void connect_made(const struct serve_rig *rig, int fd)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", serve_rig_path(rig, SERVE_AGENT));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void without_descriptors_clients_are_turned_away_and_later_served(void **state)
{
    struct serve_rig *rig = *state;
    int flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int first = socket(AF_UNIX, flags, 0), second = socket(AF_UNIX, flags, 0);
    int free_fd = dup(STDIN_FILENO);
    struct rlimit limit, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)free_fd, .rlim_max = limit.rlim_max};
    close(free_fd);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    connect_made(rig, first);
    bool turned_away = serve_rig_ends(rig, first);
    connect_made(rig, second); /* waits: accepting is paused */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(turned_away);
    assert_string_equal(serve_rig_ask(rig, second, 2, "ping"), "2 \"pong\"");
    close(first);
    close(second);
}

/* ---- watchers ---- */

static void watchers_and_only_they_get_notifications(void **state)
{
    struct serve_rig *rig = *state;
    int watcher = serve_rig_connect(rig, SERVE_ADMIN);
    int other = serve_rig_connect(rig, SERVE_ADMIN);
    int agent = serve_rig_connect(rig, SERVE_AGENT);

    assert_string_equal(serve_rig_ask(rig, watcher, 1, "watch"), "1 true");
    assert_string_equal(serve_rig_ask(rig, agent, 1, "watch"), "1 true"); /* means nothing there */
    assert_string_equal(serve_rig_ask(rig, other, 2, "notify"), "2 true");
    assert_string_equal(serve_rig_receive(rig, watcher, NULL), "!changed");
    assert_string_equal(serve_rig_ask(rig, agent, 3, "ping"), "3 \"pong\"");
    assert_string_equal(serve_rig_ask(rig, other, 3, "ping"), "3 \"pong\"");

    /* Its own request can notify it. */
    serve_rig_request(watcher, 4, "notify", 0);
    assert_string_equal(serve_rig_receive(rig, watcher, NULL), "!changed");
    assert_string_equal(serve_rig_receive(rig, watcher, NULL), "4 true");
    close(watcher);
    close(other);
    close(agent);
}

static void only_a_watcher_may_idle(void **state)
{
    struct serve_rig *rig = *state;
    int watcher = serve_rig_connect(rig, SERVE_ADMIN);

    assert_string_equal(serve_rig_ask(rig, watcher, 1, "watch"), "1 true");
    for (int i = 0; i < 2; i++) { /* two deadlines pass */
        int idle = serve_rig_connect(rig, SERVE_ADMIN);
        assert_true(serve_rig_ends(rig, idle));
        close(idle);
    }
    int other = serve_rig_connect(rig, SERVE_ADMIN);
    assert_string_equal(serve_rig_ask(rig, other, 2, "notify"), "2 true");
    assert_string_equal(serve_rig_receive(rig, watcher, NULL), "!changed");

    /* But not in the middle of a request. */
    serve_rig_send(watcher, "\x94", 1);
    assert_true(serve_rig_ends(rig, watcher));
    close(watcher);
    close(other);
}

static void a_watcher_that_does_not_read_is_dropped_and_others_are_not(void **state)
{
    struct serve_rig *rig = *state;
    int deaf = serve_rig_connect(rig, SERVE_ADMIN);
    int watcher = serve_rig_connect(rig, SERVE_ADMIN);
    int other = serve_rig_connect(rig, SERVE_ADMIN);

    assert_string_equal(serve_rig_ask(rig, deaf, 1, "watch"), "1 true");
    assert_string_equal(serve_rig_ask(rig, watcher, 1, "watch"), "1 true");
    for (uint32_t i = 0; i < 20; i++) {
        serve_rig_request(other, i, "notify", 100000);
        assert_string_equal(serve_rig_receive(rig, watcher, NULL), "!changed");
        assert_int_not_equal(strlen(serve_rig_receive(rig, other, NULL)), 0);
    }
    int got = 0;
    while (strlen(serve_rig_receive(rig, deaf, NULL)) > 0)
        got++;
    assert_true(got < 20);
    close(deaf);
    close(watcher);
    close(other);
}

static void a_watcher_that_is_late_for_a_notification_is_dropped(void **state)
{
    struct serve_rig *rig = *state;
    int deaf = serve_rig_connect(rig, SERVE_ADMIN);
    int other = serve_rig_connect(rig, SERVE_ADMIN);

    assert_string_equal(serve_rig_ask(rig, deaf, 1, "watch"), "1 true");
    for (uint32_t i = 0; i < 1000; i++) { /* more than the kernel keeps, less than we do */
        serve_rig_request(other, i, "notify", 10);
        assert_int_not_equal(strlen(serve_rig_receive(rig, other, NULL)), 0);
    }
    close(other);
    other = serve_rig_connect(rig, SERVE_ADMIN);
    assert_true(serve_rig_ends(rig, other));
    int got = 0;
    while (strlen(serve_rig_receive(rig, deaf, NULL)) > 0)
        got++;
    assert_true(got > 0 && got < 1000);
    close(deaf);
    close(other);
}

static void a_watcher_is_dropped_by_a_notification_that_its_own_request_brought_about(void **state)
{
    struct serve_rig *rig = *state;
    int watcher = serve_rig_connect(rig, SERVE_ADMIN);
    int other = serve_rig_connect(rig, SERVE_ADMIN);

    assert_string_equal(serve_rig_ask(rig, watcher, 1, "watch"), "1 true");
    serve_rig_request(watcher, 2, "notify", 1000000); /* more than is kept for a watcher */
    assert_string_equal(serve_rig_receive(rig, watcher, NULL), "2 true");
    assert_true(serve_rig_ends(rig, watcher));
    assert_string_equal(serve_rig_ask(rig, other, 1, "ping"), "1 \"pong\"");
    close(watcher);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(serve_rig, both_sockets_answer),
        TEST_IN(serve_rig, a_reply_may_come_later_and_what_was_asked_after_it_waits),
        TEST_IN(serve_rig, who_has_left_or_does_not_wait_gets_no_late_reply),
        TEST_IN(serve_rig, a_reply_that_never_comes_ends_the_connection),
        TEST_IN(serve_rig, a_client_is_known_by_its_credentials),
        TEST_IN(serve_rig, a_descriptor_comes_with_the_reply),
        TEST_IN(serve_rig, requests_sent_at_once_are_answered_in_their_order),
        TEST_IN(serve_rig, a_client_that_only_closed_its_sending_half_gets_its_replies),
        TEST_IN(serve_rig, a_request_in_single_bytes_is_a_request),
        TEST_IN(serve_rig, who_asked_before_it_was_accepted_is_answered_in_the_same_turn),
        TEST_IN(serve_rig, a_handler_that_writes_nothing_makes_an_error_reply),
        TEST_IN(serve_rig, a_reply_longer_than_the_limit_is_an_error_reply),
        TEST_IN(serve_rig, garbage_is_dropped_at_once),
        TEST_IN(serve_rig, slow_clients_are_dropped_at_their_deadline),
        TEST_IN(serve_rig, a_good_client_is_answered_among_hostile_ones),
        TEST_IN(serve_rig, who_asks_for_descriptors_and_receives_none_is_dropped),
        TEST_IN(serve_rig, descriptors_sent_to_us_are_not_kept),
        TEST_IN(serve_rig, without_descriptors_clients_are_turned_away_and_later_served),
        TEST_IN(serve_rig, watchers_and_only_they_get_notifications),
        TEST_IN(serve_rig, only_a_watcher_may_idle),
        TEST_IN(serve_rig, a_watcher_that_does_not_read_is_dropped_and_others_are_not),
        TEST_IN(serve_rig,
                a_watcher_is_dropped_by_a_notification_that_its_own_request_brought_about),
        TEST_IN(serve_rig, a_watcher_that_is_late_for_a_notification_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
