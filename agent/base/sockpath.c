/* SPDX-License-Identifier: Apache-2.0
 *
 * sockpath.c - see sockpath.h.
 *
 * 1. A path in place always names a socket that accepts: rename() replaces it in one step, after
 *    bind, mode and listen.
 * 2. Whether a process listens at a path is found out by connecting, never from a pid file.
 */
#include "config.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/sockpath.h"

enum {
    /* Longer than any agent needs the lock. It ends, because an agent that was stopped must not
     * stop the next one. */
    LOCK_TRIES = 100,
    LOCK_PAUSE_MS = 10,
    /* Programs that start together on a node all attach at once; the kernel cuts it to
     * somaxconn. */
    BACKLOG = 1024,
    /* A temporary name that is older and refuses connections was left by a killed agent. */
    TEMP_AGE_S = 60,
    TEMP_TRIES = 8
};

static int fail(struct sockpath_error error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct sockpath_error error, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error.text, error.size, format, args);
    va_end(args);
    return code;
}

static int join(const char *dir, const char *name, struct sockpath_error error,
                char ret_path[SOCKPATH_MAX])
{
    int n = snprintf(ret_path, SOCKPATH_MAX, "%s/%s", dir, name);
    if (n >= 0 && (size_t)n < SOCKPATH_MAX)
        return 0;
    return fail(error, -ENAMETOOLONG,
                "%s/%s: too long for a socket, which may have %zu bytes: choose a shorter run_dir",
                dir, name, SOCKPATH_MAX - 1);
}

/* ---- directory and lock ---- */

/* A user that owns the directory, or may write to it, can put another socket in our place. Every
 * program on the node would then trust that one. */
int sockpath_check_dir(const char *dir, struct sockpath_error error)
{
    struct stat st;

    if (stat(dir, &st))
        return fail(error, -errno, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return fail(error, -ENOTDIR, "%s is not a directory: move it away, with mv %s %s.old", dir,
                    dir, dir);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return fail(
            error, -EPERM,
            "%s belongs to uid %u, and that user could replace the sockets of uid %u: start "
            "this process as that user, or chown the directory, with chown %u %s",
            dir, st.st_uid, geteuid(), geteuid(), dir);
    if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        return fail(error, -EPERM, "%s is writable by everybody: run chmod o-w %s", dir, dir);
    return 0;
}

int sockpath_make_dir(const char *dir, mode_t mode, struct sockpath_error error)
{
    if (mkdir(dir, mode) == 0 && chmod(dir, mode) == 0) /* whatever the umask */
        return 0;
    if (errno != EEXIST)
        return fail(error, -errno,
                    "cannot make the directory %s: %s: run install -d -o %u -m %04o %s", dir,
                    strerror(errno), geteuid(), (unsigned)mode, dir);
    return sockpath_check_dir(dir, error);
}

static int lock_wait(int fd)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            return -errno;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    }
    return -EBUSY;
}

int sockpath_lock(const char *dir, struct sockpath_error error, int *ret_fd)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/lock", dir);

    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return fail(error, -errno, "%s: %s%s", path, strerror(errno),
                    errno == EACCES ? "; is the directory another user's?" : "");
    int rv = lock_wait(fd);
    if (rv) {
        close(fd);
        return fail(error, rv, "%s: another process holds the lock: %s", path, strerror(-rv));
    }
    *ret_fd = fd;
    return 0;
}

/* ---- whether a process listens ---- */

static int socket_new(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, strlen(path) + 1);
    return at;
}

int sockpath_owner(const char *path, struct ucred *ret_owner)
{
    struct sockaddr_un at = address(path);
    struct ucred owner = {.uid = (uid_t)-1};
    socklen_t len = sizeof(owner);
    int fd = socket_new();

    if (fd < 0)
        return fd;
    int rv = connect(fd, (struct sockaddr *)&at, sizeof(at)) ? -errno : 0;
    if (rv == 0)
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len);
    close(fd);
    if (rv == 0 || rv == -EAGAIN) { /* EAGAIN: its backlog is full */
        *ret_owner = owner;
        return 0;
    }
    return rv;
}

int sockpath_check(const char *dir, const char *name, const char *live, struct sockpath_error error)
{
    char path[SOCKPATH_MAX];
    struct stat st;
    struct ucred owner;

    int rv = join(dir, name, error, path);
    if (rv)
        return rv;
    if (lstat(path, &st))
        return errno == ENOENT ? 0 : fail(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return fail(error, -EEXIST, "%s is not a socket: move it away, with mv %s %s.old", path,
                    path, path);
    if (!live)
        return 0;
    rv = sockpath_owner(path, &owner);
    if (rv == -ECONNREFUSED || rv == -ENOENT)
        return 0;
    if (rv)
        return fail(error, rv, "%s: cannot see whether a process is alive there: %s", path,
                    strerror(-rv));
    return fail(error, -EADDRINUSE, "%s: %s is running there (pid %d, uid %d): stop it", path, live,
                (int)owner.pid, (int)owner.uid);
}

/* ---- our own socket ---- */

/* "agent.sock" → ".agent.": what every temporary name for it begins with. */
static void temp_prefix(const char *name, char ret_prefix[32])
{
    snprintf(ret_prefix, 32, ".%.*s.", (int)strcspn(name, "."), name);
}

static void remove_if_left(const char *dir, const char *name)
{
    char path[SOCKPATH_MAX];
    struct stat st;
    struct ucred owner;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
        return;
    if (lstat(path, &st) || !S_ISSOCK(st.st_mode) || time(NULL) - st.st_ctime < TEMP_AGE_S)
        return;
    if (sockpath_owner(path, &owner) == -ECONNREFUSED)
        unlink(path);
}

/* An agent that is killed between bind and rename leaves a name. A crash loop must not fill the
 * directory with them. */
static void remove_left_over(const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    const struct dirent *e;

    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            remove_if_left(dir, e->d_name);
    if (d)
        closedir(d);
}

/* The name is random, not the pid: two containers can share the directory, and each agent can be
 * pid 1. */
static int bind_temp(struct sockpath *sock, const char *dir, const char *prefix,
                     struct sockpath_error error)
{
    for (int i = 0; i < TEMP_TRIES; i++) {
        uint32_t r32 = 0;
        char name[64];
        char path[SOCKPATH_MAX];
        if (getrandom(&r32, sizeof(r32), 0) != sizeof(r32))
            break;
        snprintf(name, sizeof(name), "%s%06x", prefix, r32 & 0xffffff);
        int rv = join(dir, name, error, path);
        if (rv)
            return rv;
        struct sockaddr_un at = address(path);
        if (bind(sock->fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
            memcpy(sock->temp, path, sizeof(path)); /* ours to unlink from now on */
            return 0;
        }
        if (errno != EADDRINUSE)
            break;
    }
    int rv = -errno;
    if (rv == -EACCES || rv == -EPERM)
        return fail(error, rv, "cannot make a socket in %s: %s: run chown %u %s && chmod u+rwx %s",
                    dir, strerror(-rv), geteuid(), dir, dir);
    return fail(error, rv, "cannot make a socket in %s: %s", dir, strerror(-rv));
}

static int listen_temp(struct sockpath *sock, mode_t mode, struct sockpath_error error)
{
    struct stat st;

    if (chmod(sock->temp, mode) || listen(sock->fd, BACKLOG) || lstat(sock->temp, &st))
        return fail(error, -errno, "%s: %s", sock->temp, strerror(errno));
    sock->dev = st.st_dev;
    sock->ino = st.st_ino;
    return 0;
}

int sockpath_open(const char *dir, const char *name, mode_t mode, struct sockpath_error error,
                  struct sockpath *ret_sock)
{
    struct sockpath sock = {.fd = socket_new()};
    char prefix[32];

    if (sock.fd < 0)
        return fail(error, sock.fd, "cannot make a socket: %s", strerror(-sock.fd));
    temp_prefix(name, prefix);
    remove_left_over(dir, prefix);
    int rv = join(dir, name, error, sock.path);
    if (rv == 0)
        rv = bind_temp(&sock, dir, prefix, error);
    if (rv == 0)
        rv = listen_temp(&sock, mode, error);
    if (rv) {
        sockpath_close(&sock);
        return rv;
    }
    *ret_sock = sock;
    return 0;
}

int sockpath_publish(struct sockpath *sock)
{
    if (rename(sock->temp, sock->path))
        return -errno;
    sock->temp[0] = '\0';
    return 0;
}

static const char *name_of(const struct sockpath *sock)
{
    return sock->temp[0] ? sock->temp : sock->path;
}

bool sockpath_is_in_place(const struct sockpath *sock)
{
    struct stat st;

    return sock->ino && lstat(name_of(sock), &st) == 0 && st.st_dev == sock->dev &&
           st.st_ino == sock->ino;
}

int sockpath_keep(const struct sockpath *sock, mode_t mode, bool *ret_changed)
{
    struct stat st;

    if (!sockpath_is_in_place(sock) || lstat(name_of(sock), &st))
        return -ESTALE;
    *ret_changed = (st.st_mode & mode) != mode;
    if (*ret_changed && chmod(name_of(sock), (st.st_mode | mode) & 07777))
        return -errno;
    return 0;
}

/* ---- who may not connect ---- */

/* The value of the attribute, as <linux/posix_acl_xattr.h> has it: the entries in this order, the
 * users by uid, all little-endian. */
struct acl_entry {
    uint16_t tag;
    uint16_t perm;
    uint32_t id;
};

#define ACL_ATTRIBUTE "system.posix_acl_access"

enum {
    ACL_MAX = 64, /* users */
    ACL_READ_WRITE = 6
};

struct acl {
    uint32_t version;
    struct acl_entry entries[ACL_MAX + 4];
};

static int by_id(const void *a, const void *b)
{
    const struct acl_entry *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static size_t put_acl(struct acl *acl, const uid_t *uids, uint32_t count)
{
    static const uint16_t others[] = {ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER};
    struct acl_entry *at = acl->entries;

    acl->version = htole32(POSIX_ACL_XATTR_VERSION);
    *at++ = (struct acl_entry){htole16(ACL_USER_OBJ), htole16(ACL_READ_WRITE), ~0u};
    for (uint32_t i = 0; i < count; i++)
        *at++ = (struct acl_entry){htole16(ACL_USER), 0, uids[i]};
    qsort(at - count, count, sizeof(*at), by_id);
    for (uint32_t i = 1; i <= count; i++)
        acl->entries[i].id = htole32(acl->entries[i].id);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        *at++ = (struct acl_entry){htole16(others[i]), htole16(ACL_READ_WRITE), ~0u};
    return (size_t)((char *)at - (char *)acl);
}

int sockpath_keep_out(const struct sockpath *sock, const uid_t *uids, uint32_t count)
{
    struct acl acl;

    if (!sockpath_is_in_place(sock))
        return -ESTALE;
    size_t size = put_acl(&acl, uids, count < ACL_MAX ? count : ACL_MAX);
    int rv = count ? setxattr(name_of(sock), ACL_ATTRIBUTE, &acl, size, 0)
                   : removexattr(name_of(sock), ACL_ATTRIBUTE);
    return rv ? -errno : 0;
}

/* ---- the end ---- */

void sockpath_remove(struct sockpath *sock)
{
    if (sockpath_is_in_place(sock))
        unlink(name_of(sock));
    else if (sock->temp[0])
        unlink(sock->temp);
}

void sockpath_close(struct sockpath *sock)
{
    sockpath_remove(sock);
    close(sock->fd);
    sock->fd = -1;
}
