/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.c - what a service manager hears, at sockets of both kinds.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/notify.h"
#include "tests/support/test.h"

static void assert_heard(struct sockaddr_un *at, size_t name_len, const char *variable)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_len);
    char got[64] = "";

    assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", variable, 1), 0);
    assert_int_equal(notify_send("READY=1\nSTATUS=serving"), 0);
    assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 22);
    assert_string_equal(got, "READY=1\nSTATUS=serving");
    close(fd);
}

static void a_path_hears_it(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)state;
    snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/homing-notify-%d", (int)getpid());
    assert_heard(&at, strlen(at.sun_path), at.sun_path);
    unlink(at.sun_path);
}

static void an_abstract_name_hears_it(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[64];

    (void)state;
    snprintf(name, sizeof(name), "@homing-notify-%d", (int)getpid());
    memcpy(at.sun_path + 1, name + 1, strlen(name) - 1);
    assert_heard(&at, strlen(name), name);
}

static void without_a_manager_it_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(notify_send("READY=1"), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
    assert_int_equal(notify_send("READY=1"), 0);
}

static void a_name_that_is_none_or_too_long_is_refused(void **state)
{
    char name[200];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[0] = '/';
    name[199] = '\0';
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_int_equal(notify_send("READY=1"), -EINVAL);
    assert_int_equal(setenv("NOTIFY_SOCKET", "vsock:2:1", 1), 0);
    assert_int_equal(notify_send("READY=1"), -EINVAL);
    assert_int_equal(setenv("NOTIFY_SOCKET", "/no/such/socket", 1), 0);
    assert_int_equal(notify_send("READY=1"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_hears_it),
        TEST(an_abstract_name_hears_it),
        TEST(without_a_manager_it_is_nothing),
        TEST(a_name_that_is_none_or_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
