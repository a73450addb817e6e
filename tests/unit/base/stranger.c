/* SPDX-License-Identifier: Apache-2.0
 *
 * stranger.c - descriptors that nobody asked for: what is read is read as ever, they are left where
 * they are, and what holds them is closed by another process. Sockets between a test and itself.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/closer.h"
#include "agent/base/stranger.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

struct fixture {
    struct loop *loop;
    struct closer *closer;
    int ours; /* prepared */
    int theirs;
    int gone; /* ends when the descriptor that was sent is closed */
};

static int rig_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int pair[2];

    f->loop = loop_new();
    f->closer = closer_new(f->loop);
    assert_non_null(f->closer);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    f->ours = pair[0];
    f->theirs = pair[1];
    f->gone = -1;
    stranger_prepare(f->ours);
    *state = f;
    return 0;
}

static int rig_teardown(void **state)
{
    struct fixture *f = *state;

    closer_free(f->closer);
    assert_int_equal(fake_loop_watchers(f->loop), 0);
    loop_free(f->loop);
    close(f->theirs);
    if (f->gone >= 0)
        close(f->gone);
    free(f);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    return 0;
}

/* Sends one end of a pipe, of which no other copy stays. */
static void send_fd(struct fixture *f, const void *data, size_t len, int flags)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)data, len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
    assert_int_equal(sendmsg(f->theirs, &m, flags), len);
    close(ends[1]);
    f->gone = ends[0];
}

static bool is_gone(const struct fixture *f)
{
    char byte;

    return read(f->gone, &byte, 1) == 0; /* waits until the last holder has closed it */
}

static void bytes_are_read_as_by_recv(void **state)
{
    struct fixture *f = *state;
    char bytes[8];

    assert_int_equal(stranger_receive(f->ours, bytes, sizeof(bytes)), -EAGAIN);
    assert_int_equal(send(f->theirs, "0123456789", 10, 0), 10);
    assert_int_equal(stranger_receive(f->ours, bytes, sizeof(bytes)), 8);
    assert_memory_equal(bytes, "01234567", 8);
    assert_int_equal(stranger_receive(f->ours, bytes, sizeof(bytes)), 2);
    assert_memory_equal(bytes, "89", 2);
    shutdown(f->theirs, SHUT_WR);
    assert_int_equal(stranger_receive(f->ours, bytes, sizeof(bytes)), 0);
    close(f->ours);
}

/* Reads what can be read, and then lets a child close it: only that closes the descriptor. */
static void read_and_take(struct fixture *f)
{
    char bytes[64];
    ssize_t n;

    do
        n = stranger_receive(f->ours, bytes, 2);
    while (n > 0);
    assert_int_equal(n, -EBADMSG);
    assert_int_equal(stranger_receive(f->ours, bytes, sizeof(bytes)), -EBADMSG);
    assert_int_equal(closer_children(f->closer), 0);
    closer_take(f->closer, f->ours);
    assert_int_equal(closer_children(f->closer), 1);
    assert_int_equal(recv(f->theirs, bytes, 1, 0), 0); /* the end was seen at once */
    fake_loop_advance(f->loop, 20);
    assert_true(is_gone(f));
    while (closer_children(f->closer) > 0)
        fake_loop_advance(f->loop, 100);
}

static void a_descriptor_is_left_where_it_is_and_closed_by_a_child(void **state)
{
    send_fd(*state, "x", 1, 0);
    read_and_take(*state);
}

static void so_it_is_behind_bytes_that_can_be_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send(f->theirs, "abc", 3, 0), 3);
    send_fd(f, "x", 1, 0);
    assert_int_equal(send(f->theirs, "de", 2, 0), 2);
    read_and_take(f);
}

static void so_it_is_with_a_byte_out_of_band(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send(f->theirs, "abc", 3, 0), 3);
    send_fd(f, "x", 1, MSG_OOB);
    assert_int_equal(send(f->theirs, "de", 2, 0), 2);
    read_and_take(f);
}

static void what_was_never_accepted_is_closed_by_a_child_too(void **state)
{
    struct fixture *f = *state;
    struct sockaddr at = {.sa_family = AF_UNIX};
    socklen_t len = sizeof(at);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_storage name;

    close(f->ours);
    close(f->theirs);
    assert_int_equal(bind(listening, &at, sizeof(at.sa_family)),
                     0); /* a name that the kernel finds */
    assert_int_equal(listen(listening, 4), 0);
    len = sizeof(name);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&name, &len), 0);
    f->theirs = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(f->theirs, (struct sockaddr *)&name, len), 0);
    send_fd(f, "x", 1, 0);
    closer_take_listening(f->closer, listening);
    assert_int_equal(closer_children(f->closer), 1);
    fake_loop_advance(f->loop, 20);
    assert_true(is_gone(f));
}

static void without_anything_unread_there_is_no_child(void **state)
{
    struct fixture *f = *state;
    char byte;

    closer_take(f->closer, f->ours);
    assert_int_equal(closer_children(f->closer), 0);
    assert_int_equal(recv(f->theirs, &byte, 1, 0), 0);
    assert_int_equal(fake_loop_next_ms(f->loop), UINT64_MAX);
    closer_take(f->closer, -1);
}

static void what_is_taken_last_goes_to_a_child_at_the_end(void **state)
{
    struct fixture *f = *state;

    send_fd(f, "x", 1, 0);
    closer_take(f->closer, f->ours);
    closer_free(f->closer);
    assert_true(is_gone(f));
    f->closer = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, bytes_are_read_as_by_recv),
        TEST_IN(rig, a_descriptor_is_left_where_it_is_and_closed_by_a_child),
        TEST_IN(rig, so_it_is_behind_bytes_that_can_be_read),
        TEST_IN(rig, so_it_is_with_a_byte_out_of_band),
        TEST_IN(rig, what_was_never_accepted_is_closed_by_a_child_too),
        TEST_IN(rig, without_anything_unread_there_is_no_child),
        TEST_IN(rig, what_is_taken_last_goes_to_a_child_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
