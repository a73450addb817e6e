/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c - what becomes of the programs in line when the receiver cannot be asked.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/handover.h"
#include "agent/sever/permits/queue.h"
#include "agent/sever/permits/rights.h"
#include "tests/support/fake_loop.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

enum {
    PROGRAMS = 20
};

static struct loop *loop;
static struct closer *closer;
static struct permits *permits;
static struct sockpath sock;
static struct handover *handover;
static int fails_with; /* 0: the receiver is asked as ever */
static int asked;
static bool answers; /* the receiver has one, and will */

int __real_rights_send(int fd, const void *data, size_t len, const int *fds, uint32_t count);
int __wrap_rights_send(int fd, const void *data, size_t len, const int *fds, uint32_t count);

int __wrap_rights_send(int fd, const void *data, size_t len, const int *fds, uint32_t count)
{
    asked++;
    int rv = fails_with ? fails_with : __real_rights_send(fd, data, len, fds, count);
    answers = rv == 0;
    return rv;
}

static void group_gone(void *arg, struct group *group)
{
    (void)arg;
    (void)group;
}

static int rig_setup(void **state)
{
    char text[512];
    struct sockpath_error error = {text, sizeof(text)};

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    guard_init();
    fails_with = asked = 0;
    answers = false;
    loop = loop_new();
    closer = closer_new(loop);
    permits = permits_new(loop, closer, PROGRAMS, group_gone, NULL);
    assert_int_equal(sockpath_open(folder, "permit.sock", 0666, error, &sock), 0);
    assert_int_equal(sockpath_publish(&sock), 0);
    assert_int_equal(handover_new(loop, closer, permits, &sock, QUEUE_MAX, &handover), 0);
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    handover_free(handover);
    permits_free(permits);
    sockpath_close(&sock);
    closer_free(closer);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    return 0;
}

static int dial_and_send(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(at.sun_path, sock.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(write(fd, "!", 1), 1);
    return fd;
}

static bool has_ended(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) > 0 && at.revents & POLLHUP;
}

static struct handover_figures figures(void)
{
    struct handover_figures f;

    handover_figures(handover, &f);
    return f;
}

/* Until nobody waits, or for as long as a patient person does. While the receiver, a process of its own, is at one
 * of them, the clock stands: how soon it has the processor is the machine's. */
static void until_nobody_waits(void)
{
    for (int i = 0; i < 30000 && figures().waiting; i++) {
        usleep(1000);
        while (fake_loop_poll(loop))
            ;
        if (!answers)
            fake_loop_advance(loop, 10);
    }
    assert_int_equal(figures().waiting, 0);
}

static void all_are_turned_away_and_later_ones_are_asked_again(int error)
{
    int fds[PROGRAMS];

    fails_with = error;
    for (int i = 0; i < PROGRAMS; i++)
        fds[i] = dial_and_send();
    while (fake_loop_poll(loop))
        ;
    until_nobody_waits();
    assert_int_equal(asked, PROGRAMS);
    for (int i = 0; i < PROGRAMS; i++) {
        assert_true(has_ended(fds[i]));
        close(fds[i]);
    }
    fails_with = 0;
    fake_loop_advance(loop, 1000);
    int later = dial_and_send();
    while (fake_loop_poll(loop))
        ;
    until_nobody_waits();
    assert_int_equal(figures().refused, 1);
    close(later);
}

/* One user has too many descriptors under way (ETOOMANYREFS). */
static void connections_that_cannot_be_passed_on_are_closed(void **state)
{
    (void)state;
    all_are_turned_away_and_later_ones_are_asked_again(-ETOOMANYREFS);
}

static struct sockpath_error no_error(void)
{
    static char text[512];

    return (struct sockpath_error){text, sizeof(text)};
}

/* As the holder does when the name is lost. */
static void move_to_another_socket(void)
{
    struct sockpath other;

    assert_int_equal(sockpath_open(folder, "permit.sock", 0666, no_error(), &other), 0);
    struct loop_io *io = handover_watch(handover, other.fd);
    assert_non_null(io);
    assert_int_equal(sockpath_publish(&other), 0);
    handover_move(handover, other.fd, io);
    closer_take_listening(closer, sock.fd);
    sock = other;
    handover_renewed(handover);
}

/* More than are accepted at once. */
static void who_waits_at_a_socket_that_lost_its_name_is_served_too(void **state)
{
    int fds[8 * PROGRAMS], later;

    (void)state;
    for (int i = 0; i < 8 * PROGRAMS; i++)
        fds[i] = dial_and_send();
    assert_int_equal(unlink(sock.path), 0);
    move_to_another_socket();
    later = dial_and_send();
    while (fake_loop_poll(loop))
        ;
    until_nobody_waits();
    assert_int_equal(figures().refused, 8 * PROGRAMS + 1);
    for (int i = 0; i < 8 * PROGRAMS; i++)
        close(fds[i]);
    close(later);
}

static void a_receiver_that_ends_each_time_is_not_started_without_end(void **state)
{
    (void)state;
    all_are_turned_away_and_later_ones_are_asked_again(-EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, connections_that_cannot_be_passed_on_are_closed),
        TEST_IN(rig, who_waits_at_a_socket_that_lost_its_name_is_served_too),
        TEST_IN(rig, a_receiver_that_ends_each_time_is_not_started_without_end),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
