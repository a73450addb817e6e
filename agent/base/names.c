/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - see names.h.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/names.h"

/* ---- opening ---- */

/* "/run/homing/" → "/run/homing". */
static char *copy_dir(const char *dir, const char *suffix)
{
    size_t len = strlen(dir), size;

    while (len > 1 && dir[len - 1] == '/')
        len--;
    size = len + strlen(suffix) + 1;
    char *copy = malloc(size);
    if (copy)
        snprintf(copy, size, "%.*s%s", (int)len, dir, suffix);
    return copy;
}

bool names_init(struct names *names, const struct names_kind *kind, const char *run_dir,
                const char *admin_dir, bool takeover)
{
    *names = (struct names){.kind = kind, .takeover = takeover};
    for (int i = 0; i < NAMES_COUNT; i++)
        names->at[i].fd = -1;
    names->dirs[0] = copy_dir(run_dir, "");
    names->dirs[1] = admin_dir ? copy_dir(admin_dir, "") : copy_dir(run_dir, "-admin");
    return names->dirs[0] && names->dirs[1];
}

void names_done(struct names *names)
{
    for (int i = 0; i < NAMES_COUNT; i++)
        free(names->dirs[i]);
}

int names_lock(const struct names *names, struct sockpath_error error, int *ret_lock)
{
    return sockpath_lock(names->dirs[1], error, ret_lock);
}

static int make_dir(const struct names *names, int socket, struct sockpath_error error)
{
    return sockpath_make_dir(names->dirs[socket], names->kind->sockets[socket].dir_mode, error);
}

static int make_dirs(const struct names *names, struct sockpath_error error)
{
    int rv = 0;

    for (int i = 0; i < NAMES_COUNT && rv == 0; i++)
        rv = make_dir(names, i, error);
    return rv;
}

int names_check(const struct names *names, struct sockpath_error error)
{
    const char *live = names->takeover ? NULL : names->kind->who;
    size_t len;
    int rv = 0;

    for (int i = 0; i < NAMES_COUNT && rv == 0; i++)
        rv = sockpath_check(names->dirs[i], names->kind->sockets[i].name, live, error);
    if (rv == -EADDRINUSE) {
        len = strlen(error.text);
        snprintf(error.text + len, error.size - len, "%s", names->kind->otherwise);
    }
    return rv;
}

static int open_one(const struct names *names, int socket, struct sockpath_error error,
                    struct sockpath *ret_sock)
{
    return sockpath_open(names->dirs[socket], names->kind->sockets[socket].name,
                         names->kind->sockets[socket].mode, error, ret_sock);
}

int names_open(struct names *names, struct sockpath_error error)
{
    int lock = -1;
    int rv = make_dirs(names, error);

    if (rv == 0)
        rv = names_lock(names, error, &lock);
    if (rv)
        return rv;
    rv = names_check(names, error);
    for (int i = 0; i < NAMES_COUNT && rv == 0; i++)
        rv = open_one(names, i, error, &names->at[i]);
    close(lock);
    return rv;
}

int names_publish(struct names *names, struct sockpath_error error)
{
    int lock = -1;
    int rv = names_lock(names, error, &lock);

    if (rv)
        return rv;
    rv = names_check(names, error);
    for (int i = 0; i < NAMES_COUNT && rv == 0; i++)
        rv = sockpath_publish(&names->at[i]);
    close(lock);
    return rv;
}

/* ---- keeping ---- */

/* Somebody listens at our name who may not, or should not. */
static int say_stranger(const char *path, const struct ucred *owner, struct sockpath_error error)
{
    if (owner->pid > 0)
        snprintf(error.text, error.size,
                 "%s: not this process listens there, but process %d of uid %d: end that, with "
                 "kill %d",
                 path, (int)owner->pid, (int)owner->uid, (int)owner->pid);
    else
        snprintf(
            error.text, error.size,
            "%s: not this process listens there, but one of uid %d that is not seen from here: "
            "end that; ss -xlp src %s names it",
            path, (int)owner->uid, path);
    return -EADDRINUSE;
}

/* The name is not ours any more. 0: another process has it, and may. -ESTALE: nobody has. */
static int find_successor(struct names *names, int socket, struct sockpath_error error)
{
    const char *path = names->at[socket].path;
    struct ucred owner = {.uid = (uid_t)-1};
    bool found = sockpath_owner(path, &owner) == 0;
    bool may = found && names->kind->succession && (owner.uid == 0 || owner.uid == geteuid());

    if (may && !names->succeeded[socket])
        log_event(LOG_INFO, "socket_taken_over", "another agent has it now",
                  LOG_STR("socket", path), LOG_INT("pid", owner.pid), LOG_INT("uid", owner.uid));
    names->succeeded[socket] = may;
    if (may || !found)
        return may ? 0 : -ESTALE;
    return say_stranger(path, &owner, error);
}

/* The one for programs is for every user. The other's directory may have been closed on purpose. And
 * what a start would refuse is told while we run, too. */
static int check_entry(const struct names *names, int socket, struct sockpath_error error)
{
    const char *dir = names->dirs[socket];
    struct stat st;
    int rv = sockpath_check_dir(dir, error);

    if (rv)
        return rv;
    if (!(names->kind->sockets[socket].dir_mode & S_IXOTH) || stat(dir, &st) ||
        (st.st_mode & S_IXOTH))
        return 0;
    snprintf(error.text, error.size,
             "%s is closed to other users (mode %04o): their programs cannot reach %s; run chmod "
             "o+x %s",
             dir, (unsigned)st.st_mode & 07777, names->kind->sockets[socket].name, dir);
    return -EACCES;
}

/* As names_keep(), but -ESTALE: it leads to nobody. */
static int look(struct names *names, int socket, struct sockpath_error error)
{
    const struct sockpath *at = &names->at[socket];
    bool changed = false;
    int rv = sockpath_keep(at, names->kind->sockets[socket].mode, &changed);

    if (rv == -ESTALE)
        return find_successor(names, socket, error);
    if (rv) {
        snprintf(error.text, error.size,
                 "%s: its rights cannot be given back: %s: run chmod %04o %s", at->path,
                 strerror(-rv), (unsigned)names->kind->sockets[socket].mode, at->path);
        return rv;
    }
    if (changed)
        log_event(LOG_WARNING, "socket_restored", "it lacked rights: they were given back",
                  LOG_STR("socket", at->path));
    names->succeeded[socket] = false;
    return check_entry(names, socket, error);
}

/* The lock is in the directory of the other socket. If that is out of order, whoever starts there
 * fails, and programs get their socket back without the lock. */
static int lock_if_there(const struct names *names, int socket, struct sockpath_error error,
                         int *ret_lock)
{
    int rv = names_lock(names, error, ret_lock);

    return socket == 0 && rv != -EBUSY ? 0 : rv;
}

static int put_in_place(const struct names *names, int socket, struct sockpath *sock,
                        struct sockpath_error error)
{
    int lock = -1;
    int rv = lock_if_there(names, socket, error, &lock);

    if (rv)
        return rv;
    rv = sockpath_check(names->dirs[socket], names->kind->sockets[socket].name, names->kind->who,
                        error);
    if (rv == 0) {
        rv = sockpath_publish(sock);
        if (rv)
            snprintf(error.text, error.size, "%s: cannot be put back: %s", sock->path,
                     strerror(-rv));
    }
    if (lock >= 0)
        close(lock);
    return rv;
}

/* With this socket, which listens under a temporary name. The old one is listened at until then. */
static int replace(struct names *names, int socket, struct sockpath *sock,
                   const struct names_listener *listener, struct sockpath_error error)
{
    struct loop_io *io = listener->watch(listener->arg, sock->fd);

    if (!io) {
        snprintf(error.text, error.size, "%s: cannot be put back: %s", sock->path,
                 strerror(ENOMEM));
        return -ENOMEM;
    }
    int rv = put_in_place(names, socket, sock, error);
    if (rv)
        loop_io_free(io);
    else
        listener->move(listener->arg, sock->fd, io);
    return rv;
}

int names_keep(struct names *names, int socket, const struct names_listener *listener,
               struct closer *closer, struct sockpath_error error)
{
    struct sockpath sock;
    int rv = look(names, socket, error);

    if (rv != -ESTALE)
        return rv;
    rv = make_dir(names, socket, error);
    if (rv == 0)
        rv = open_one(names, socket, error, &sock);
    if (rv)
        return rv;
    rv = replace(names, socket, &sock, listener, error);
    if (rv) {
        sockpath_close(&sock);
        return rv;
    }
    closer_take_listening(closer, names->at[socket].fd);
    names->at[socket] = sock;
    log_event(LOG_WARNING, "socket_restored", "it was removed or replaced: it is back",
              LOG_STR("socket", sock.path));
    return 0;
}
