/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.c - see exec.h.
 *
 * 1. The program runs in any case: without an agent, or without the library, there is one line of
 *    warning and it behaves as it always did (I2).
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/ctl/exec.h"
#include "agent/ctl/rpc.h"

#define SHIM "libhoming.so"

/* Where the library may be, from the directory of this program: installed, moved or staged; in a
 * build tree. LIBDIR is configure's, for distributions whose libraries are elsewhere. */
static const char *const places[] = {"../lib/homing/" SHIM, "shim/" SHIM};

static bool own_directory(char ret[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    char *slash;

    if (len <= 0)
        return false;
    ret[len] = '\0';
    slash = strrchr(ret, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

static bool find_library(char ret_path[PATH_MAX])
{
    char directory[PATH_MAX], path[PATH_MAX + 64];

    if (own_directory(directory))
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            snprintf(path, sizeof(path), "%s/%s", directory, places[i]);
            if (realpath(path, ret_path))
                return true;
        }
    return realpath(LIBDIR "/homing/" SHIM, ret_path);
}

/* In front, so that no other preload's getaddrinfo() hides ours. */
static bool prepend_preload(const char *library)
{
    const char *old = getenv("LD_PRELOAD");
    char *value;
    bool done;

    if (strpbrk(library, ": ")) /* ld.so would split it */
        return false;
    if (old && strstr(old, library))
        return true;
    if (asprintf(&value, "%s%s%s", library, old && old[0] ? ":" : "", old ? old : "") < 0)
        return false;
    done = setenv("LD_PRELOAD", value, 1) == 0;
    free(value);
    return done;
}

static void warn_without_agent(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) < sizeof(addr.sun_path)) {
        strcpy(addr.sun_path, path);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EAGAIN)
            fprintf(stderr,
                    "homingctl: no agent at %s (%s): until there is one, names are resolved as "
                    "without homing\n",
                    path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
}

int exec_run(char **argv, const char *socket)
{
    char library[PATH_MAX];

    if (!argv[0]) {
        fputs("homingctl: run: which command? homingctl run -- CMD [ARG...]\n", stderr);
        return 2;
    }
    if (socket)
        setenv("HOMING_SOCKET", socket, 1);
    if (!find_library(library) || !prepend_preload(library))
        fputs("homingctl: " SHIM " is not where it belongs: running without homing\n", stderr);
    else
        warn_without_agent(rpc_agent_path(socket));
    execvp(argv[0], argv);
    fprintf(stderr, "homingctl: %s: %s\n", argv[0], strerror(errno));
    return errno == ENOENT ? EXEC_NOT_FOUND : EXEC_CANNOT_RUN;
}
