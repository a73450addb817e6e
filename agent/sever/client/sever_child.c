/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_child.c - see sever_child.h.
 *
 * 1. homing-sever is not homingd's child for long: permits must outlive an agent that crashes or is
 *    stopped. Its own supervisor looks after it. The next homingd finds it by its socket.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/privilege.h"
#include "agent/sever/client/sever_child.h"
#include "agent/sever/client/sever_place.h"

/* A homing-sever that has had no agent for so long is left over, and ends. */
#define IDLE_EXIT_SECONDS "3600"

static bool answers(const char *run_dir)
{
    struct sockaddr_un at;

    if (!sever_place_address(run_dir, &at))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool there = fd >= 0 && (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ||
                             errno == EAGAIN || errno == EACCES);
    if (fd >= 0)
        close(fd);
    return there;
}

/* In a session of its own, with homingd's standard error and no other descriptor. */
static void become(const char *path, const char *run_dir, bool json_log)
{
    const char *const argv[] = {"homing-sever",
                                "--run-dir",
                                run_dir,
                                "--idle-exit",
                                IDLE_EXIT_SECONDS,
                                "--log-format",
                                json_log ? "json" : "text",
                                NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || syscall(SYS_close_range, 3, ~0u, 0) ||
        setenv("HOMING_DISABLE", "1", 1) || unsetenv("NOTIFY_SOCKET") || fork() != 0)
        _exit(0);
    execv(path, (char *const *)argv);
    _exit(127);
}

int sever_child_start(const char *run_dir, bool json_log)
{
    char path[PATH_MAX];

    if (!privilege_has(CAP_NET_ADMIN) || answers(run_dir))
        return 0;
    int rv = sever_place_find(path);
    if (rv) {
        log_event(LOG_WARNING, "severer_missing",
                  "no homing-sever beside homingd: connections will not be severed");
        return rv;
    }
    int pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(path, run_dir, json_log);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    log_event(LOG_INFO, "severer_started", path, LOG_STR("run_dir", run_dir));
    return 0;
}
