/* SPDX-License-Identifier: Apache-2.0
 *
 * password.c - the file with a cluster's password: checked when the configuration is loaded,
 * read again at every use, so that a changed password needs no reload. Never kept, never logged.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/conf/password.h"

/* Larger: it is not the password's file. Cloud tokens that serve as passwords take about 2 kB. */
#define CONF_PASSWORD_MAX 8192

struct conf_password {
    size_t len;
    char bytes[CONF_PASSWORD_MAX + 1];
};

static int judge(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    return (status.st_mode & S_IRWXO) != 0 ? -EPERM : 0;
}

/* The descriptor, or -errno. Non-blocking: a FIFO with no writer would hold us otherwise. */
static int open_file(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int rv = judge(fd);
    if (rv == 0)
        return fd;
    close(fd);
    return rv;
}

static int fill(int fd, struct conf_password *password)
{
    password->len = 0;
    while (password->len < sizeof(password->bytes)) {
        ssize_t got =
            read(fd, password->bytes + password->len, sizeof(password->bytes) - password->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        password->len += (size_t)got;
    }
    return -EFBIG;
}

static void trim(struct conf_password *password)
{
    if (password->len > 0 && password->bytes[password->len - 1] == '\n')
        password->len--;
    if (password->len > 0 && password->bytes[password->len - 1] == '\r')
        password->len--;
}

/* -EINVAL: no regular file; -EPERM: open to others; -ENODATA: empty; -EBADMSG: not one line. */
static int read_file(const char *file, struct conf_password *password)
{
    int fd = open_file(file);
    if (fd < 0)
        return fd;
    int rv = fill(fd, password);
    close(fd);
    if (rv != 0)
        return rv;
    trim(password);
    if (password->len == 0)
        return -ENODATA;
    if (memchr(password->bytes, '\0', password->len) ||
        memchr(password->bytes, '\n', password->len))
        return -EBADMSG;
    return 0;
}

static const char *explain(int error)
{
    switch (error) {
    case 0:
        return NULL;
    case -EINVAL:
        return "is not a regular file; name one that holds the password";
    case -EPERM:
        return "can be read or changed by others; run chmod o-rwx on it";
    case -ENODATA:
        return "is empty; write the password into it";
    case -EBADMSG:
        return "holds more than one line, or a NUL byte; write only the password into it";
    case -EFBIG:
        return "is too large; write only the password into it";
    case -ENOENT:
    case -ENOTDIR:
        return "does not exist; create it, or correct the path";
    case -EACCES:
        return "cannot be read by this user; give it to the agent's user (root, too: it has no "
               "capability)";
    default:
        return "cannot be read; check it";
    }
}

const char *conf_password_check(const char *file)
{
    struct conf_password password;
    int rv = read_file(file, &password);
    explicit_bzero(&password, sizeof(password));
    return explain(rv);
}

/* host:port:database:user:password, where the port is a number or a star. */
static bool is_pgpass(const char *text)
{
    const char *colon = strchr(text, ':');
    int colons = 0;
    if (!colon)
        return false;
    const char *at = colon + 1 + (colon[1] == '*' ? 1 : strspn(colon + 1, "0123456789"));
    if (at == colon + 1 || *at != ':')
        return false;
    for (; *at != '\0'; at++)
        colons += *at == ':';
    return colons >= 3;
}

bool conf_password_is_pgpass(const char *file)
{
    struct conf_password password;
    bool is = false;
    if (read_file(file, &password) == 0) {
        password.bytes[password.len] = '\0';
        is = is_pgpass(password.bytes);
    }
    explicit_bzero(&password, sizeof(password));
    return is;
}

int conf_password(const struct conf_cluster *cluster, char **ret_password)
{
    struct conf_password password;
    char *copy = NULL;
    if (!cluster->password_file) {
        *ret_password = NULL;
        return 0;
    }
    int rv = read_file(cluster->password_file, &password);
    if (rv == 0) {
        copy = malloc(password.len + 1);
        rv = copy ? 0 : -ENOMEM;
    }
    if (rv == 0) {
        memcpy(copy, password.bytes, password.len);
        copy[password.len] = '\0';
        *ret_password = copy;
    }
    explicit_bzero(&password, sizeof(password));
    return rv == -EPERM ? -EACCES : rv;
}
