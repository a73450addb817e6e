/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_place.c - see sever_place.h.
 *
 * 1. homing-sever is found by homingd's own file, never by PATH: a user who could choose the program
 *    would have CAP_NET_ADMIN.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/client/sever_place.h"

/* As in packaging/systemd. */
#define SERVICE         "homing-sever"
#define SERVICE_RUN_DIR "/run/homing"

bool sever_place_address(const char *run_dir, struct sockaddr_un *ret_at)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(run_dir);

    while (len > 1 && run_dir[len - 1] == '/')
        len--;
    if ((size_t)snprintf(at.sun_path, sizeof(at.sun_path), "%.*s-admin/sever.sock", (int)len,
                         run_dir) >= sizeof(at.sun_path))
        return false;
    *ret_at = at;
    return true;
}

/* Installed, or in a build tree. */
int sever_place_find(char ret_path[PATH_MAX])
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

/* The unit is for the default run directory. */
static bool has_service(const char *run_dir)
{
    static const char *const places[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"};
    char path[64];

    if (strcmp(run_dir, SERVICE_RUN_DIR) != 0 || access("/run/systemd/system", F_OK))
        return false;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/systemd/system/" SERVICE ".service", places[i]);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

void sever_place_command(const char *run_dir, char ret_command[LOST_COMMAND])
{
    char path[PATH_MAX], user[160] = "";

    ret_command[0] = '\0';
    if (has_service(run_dir)) {
        snprintf(ret_command, LOST_COMMAND, "systemctl start " SERVICE);
        return;
    }
    if (sever_place_find(path))
        return;
    if (geteuid())
        snprintf(user, sizeof(user),
                 " setpriv --reuid=%u --regid=%u --clear-groups --inh-caps=-all,+net_admin "
                 "--ambient-caps=-all,+net_admin",
                 geteuid(), getegid());
    int n = snprintf(ret_command, LOST_COMMAND, "setsid -f%s %s --run-dir %s", user, path, run_dir);
    if (n >= LOST_COMMAND) /* rather none than half of it */
        ret_command[0] = '\0';
}
