/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_child.c - starts homing-sever where homingd may. See daemon/sever_client.h.
 *
 * 1. It is nobody's child: permits outlive an agent, crashed or stopped, and its own supervisor
 *    looks after it. The next homingd finds it by its socket.
 * 2. It is found by our own file, never by PATH: whoever could choose it would have CAP_NET_ADMIN.
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/privilege.h"
#include "agent/daemon/sever_client.h"

/* A homing-sever without an agent for so long is one that is left over. */
#define IDLE_EXIT_SECONDS "3600"

static bool answers(const char *run_dir)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(run_dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    while (len > 1 && run_dir[len - 1] == '/')
        len--;
    snprintf(at.sun_path, sizeof(at.sun_path), "%.*s-admin/sever.sock", (int)len, run_dir);
    bool there = fd >= 0 && (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ||
                             errno == EAGAIN || errno == EACCES);
    if (fd >= 0)
        close(fd);
    return there;
}

/* Installed, or in a build tree. */
static int find(char ret_path[PATH_MAX])
{
    static const char *const places[] = {"../libexec/homing/homing-sever", "homing-sever"};
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

    if (n < 0)
        return -errno;
    own[n] = '\0';
    *(strrchr(own, '/') + 1) = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (snprintf(ret_path, PATH_MAX, "%s%s", own, places[i]) < PATH_MAX &&
            access(ret_path, X_OK) == 0)
            return 0;
    return -ENOENT;
}

/* A session of its own, with our standard error and nothing else of ours. */
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
        setenv("HOMING_DISABLE", "1", 1) || fork() != 0)
        _exit(0);
    execv(path, (char *const *)argv);
    _exit(127);
}

int sever_client_start_child(const char *run_dir, bool json_log)
{
    char path[PATH_MAX];

    if (!privilege_has(CAP_NET_ADMIN) || answers(run_dir))
        return 0;
    int rv = find(path);
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
