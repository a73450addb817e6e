/* SPDX-License-Identifier: Apache-2.0
 *
 * late.c - how often a process that never had a view asks an agent that does not answer in time.
 *
 * The shim keeps this for as long as its process lives, so each test is a process of its own. The
 * clock is a parameter; the agent is a listener that accepts nobody and is counted afterwards.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/attach.h"

#define NOW 1000

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int listener(int backlog)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    unlink(address.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, backlog) < 0)
        _exit(99);
    return fd;
}

/* Who has knocked since the last time. */
static int asked(int fd)
{
    int count = 0;

    for (int client; (client = accept(fd, NULL, NULL)) >= 0; count++)
        close(client);
    return count;
}

static void knock_until_full(void)
{
    int fd;

    do
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    while (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
}

/* Runs a story in a process of its own; it returns 0, or the number of the step that went wrong. */
static void in_a_process(int (*story)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(story());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int silent(void)
{
    int fd = listener(8);

    if (attach_current(NOW) || asked(fd) != 1)
        return 1;
    if (attach_current(NOW) || asked(fd) != 0) /* a lookup keeps the pause */
        return 2;
    if (attach_for_connect(NOW) || asked(fd) != 1)
        return 3;
    if (attach_for_connect(NOW) || attach_current(NOW + HOMING_ATTACH_PAUSE_MS - 1) ||
        asked(fd) != 0)
        return 4;
    if (attach_current(NOW + HOMING_ATTACH_PAUSE_MS) || asked(fd) != 1)
        return 5;
    return attach_for_connect(NOW + HOMING_ATTACH_PAUSE_MS) || asked(fd) != 0 ? 6 : 0;
}

static int full(void)
{
    int fd = listener(0);

    knock_until_full();
    if (attach_current(NOW) || asked(fd) == 0)
        return 1;
    return attach_for_connect(NOW) || asked(fd) != 1 ? 2 : 0;
}

static int absent(void)
{
    int fd;

    unlink(address.sun_path);
    if (attach_current(NOW))
        return 1;
    fd = listener(8);
    if (attach_for_connect(NOW) || asked(fd) != 0)
        return 2;
    return attach_for_connect(NOW + HOMING_ATTACH_PAUSE_MS) || asked(fd) != 1 ? 3 : 0;
}

static void a_silent_agent_is_asked_once_more_by_a_connect_and_then_at_the_pauses(void **state)
{
    (void)state;
    in_a_process(silent);
}

static void an_agent_with_a_full_backlog_is_asked_once_more_too(void **state)
{
    (void)state;
    in_a_process(full);
}

static void an_absent_agent_is_asked_at_the_pauses_only(void **state)
{
    (void)state;
    in_a_process(absent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_agent_is_asked_once_more_by_a_connect_and_then_at_the_pauses),
        cmocka_unit_test(an_agent_with_a_full_backlog_is_asked_once_more_too),
        cmocka_unit_test(an_absent_agent_is_asked_at_the_pauses_only),
    };
    char folder[] = "/tmp/homing-late-XXXXXX";
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent.sock", folder);
    setenv("HOMING_SOCKET", address.sun_path, 1);
    failed = cmocka_run_group_tests_name("shim/late", tests, NULL, NULL);
    unlink(address.sun_path);
    rmdir(folder);
    return failed;
}
