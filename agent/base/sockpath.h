/* SPDX-License-Identifier: Apache-2.0
 *
 * sockpath.h - a Unix socket's name in the file system: bound aside, renamed into place, removed
 * only while it is still ours.
 *
 * One pass, by serve/serve.c: sockpath_make_dir() for both directories; sockpath_lock(), so that of
 * two agents that start together one sees the other; sockpath_check() for a live owner;
 * sockpath_open() under a temporary name; unlock. Later lock, sockpath_publish(), unlock.
 * homing-sever does the same.
 */
#ifndef HOMING_AGENT_BASE_SOCKPATH_H
#define HOMING_AGENT_BASE_SOCKPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define SOCKPATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* Where a message for people goes; written on failure only. */
struct sockpath_error {
    char *text;
    size_t size;
};

struct sockpath {
    int fd; /* listening, non-blocking */
    char path[SOCKPATH_MAX];
    char temp[SOCKPATH_MAX]; /* "" when it is in place */
    dev_t dev;
    ino_t ino;
};

/* Makes the directory (not its parents) with this mode. A directory that exists is left as it is;
 * it is refused if another user could replace what is in it. */
int sockpath_make_dir(const char *dir, mode_t mode, struct sockpath_error error);
/* Whether it would still be taken. */
int sockpath_check_dir(const char *dir, struct sockpath_error error);

/* Locks the names in `dir`, by a file that only our uid can open. Waits a second at most. Closing
 * *ret_fd unlocks. */
int sockpath_lock(const char *dir, struct sockpath_error error, int *ret_fd);

/* 0: dir/name is free, or a socket at which no process listens. -EADDRINUSE: a live process, which
 * the error calls `live` ("an agent"), with its pid; not if that is NULL, in a takeover. -EEXIST: not
 * a socket. -ENAMETOOLONG. */
int sockpath_check(const char *dir, const char *name, const char *live,
                   struct sockpath_error error);

/* Listens under a temporary name in `dir`, with this mode. Removes temporary names there that
 * killed agents left. */
int sockpath_open(const char *dir, const char *name, mode_t mode, struct sockpath_error error,
                  struct sockpath *ret_sock);

/* Renames it into place, over whatever socket is there. */
int sockpath_publish(struct sockpath *sock);

/* Whether the name still names this socket. */
bool sockpath_is_in_place(const struct sockpath *sock);

/* 0: the name still names this socket, with all rights of `mode`; *ret_changed: some had to be given
 * back to it. -ESTALE: it names another file, or none. Or another negative errno. */
int sockpath_keep(const struct sockpath *sock, mode_t mode, bool *ret_changed);

/* 0: a process listens at this path, and *ret_owner tells which (pid 0: it is in another pid
 * namespace, or, with uid -1, too busy to tell). -ECONNREFUSED: none listens. -ENOENT. */
int sockpath_owner(const char *path, struct ucred *ret_owner);

/* As long as the name still names this socket, whose mode is 0666: only these users, no others,
 * cannot connect to it. Those that may override permissions still can. -EOPNOTSUPP: the file system
 * has no access control lists; or another negative errno. */
int sockpath_keep_out(const struct sockpath *sock, const uid_t *uids, uint32_t count);

/* Unlinks the name if it still names this socket; the socket stays open. */
void sockpath_remove(struct sockpath *sock);

/* The same, and closes the socket. */
void sockpath_close(struct sockpath *sock);

#endif
