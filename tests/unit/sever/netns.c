/* SPDX-License-Identifier: Apache-2.0
 *
 * netns.c - an accepted socket tells the network namespace of the process that connected.
 */
#include "config.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/stranger.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* Says to `pipe` which namespace it is in. */
static void connect_from_elsewhere(const struct sockaddr_un *at, int pipe)
{
    bool elsewhere = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    uint64_t own = elsewhere ? netns_of(fd) : 0;

    _exit(connect(fd, (const struct sockaddr *)at, sizeof(*at)) ||
          write(pipe, &own, sizeof(own)) < 0);
}

static void an_accepted_socket_tells_the_namespace_of_who_connected(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint64_t elsewhere = 0;
    int ends[2], listening = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/permit.sock", folder);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0)
        connect_from_elsewhere(&at, ends[1]);
    assert_int_equal(read(ends[0], &elsewhere, sizeof(elsewhere)), sizeof(elsewhere));
    int accepted = accept(listening, NULL, NULL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    close(listening);
    unlink(at.sun_path);
    if (!elsewhere) /* no namespace can be had here, or this kernel does not tell */
        skip();
    assert_int_equal(netns_of(accepted), elsewhere);
    close(accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_socket_tells_the_namespace_of_who_connected),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}
