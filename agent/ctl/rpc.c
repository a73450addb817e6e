/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc.c - see rpc.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/ctl/rpc.h"
#include "proto/limits.h"

/* The agent drops clients after a second; a loaded node may take that long to begin. */
#define ANSWER_SECONDS 5

#define RPC_ADMIN_NAME "admin.sock"

/* The directory of `path`, absolute where it is only implied. */
static int directory_of(const char *path, char *ret, size_t size)
{
    const char *slash = strrchr(path, '/');
    int len;

    if (!slash)
        return getcwd(ret, size) ? 0 : -errno;
    len = slash == path ? 1 : (int)(slash - path);
    return snprintf(ret, size, "%.*s", len, path) < (int)size ? 0 : -ENAMETOOLONG;
}

const char *rpc_agent_path(const char *given)
{
    const char *path = given && given[0] ? given : getenv("HOMING_SOCKET");

    return path && path[0] ? path : RPC_SOCKET_DEFAULT;
}

int rpc_path(const char *given, enum rpc_socket socket, char *ret_path, size_t size)
{
    const char *agent_path = rpc_agent_path(given);
    char directory[PATH_MAX];
    int rv = directory_of(agent_path, directory, sizeof(directory));
    int len;

    if (rv < 0)
        return rv;
    if (socket == RPC_AGENT)
        len = snprintf(ret_path, size, "%s", agent_path);
    else
        len = snprintf(ret_path, size, "%s-admin/" RPC_ADMIN_NAME, directory);
    return len < (int)size ? 0 : -ENAMETOOLONG;
}

static int connect_to(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    int fd, rv = 0;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        rv = -errno;
    if (rv == 0)
        return fd;
    close(fd);
    return rv;
}

static int send_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int receive(int fd, struct rpc_reply *reply)
{
    uint8_t bytes[16384];

    for (;;) {
        size_t used;
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0)
            return -ECONNRESET;
        switch (msg_parser_feed(&reply->parser, bytes, (size_t)n, &used, &reply->msg)) {
        case MSG_FED_MORE:
            break;
        case MSG_FED_MESSAGE:
            return reply->msg.kind == MSG_REPLY ? 0 : -EPROTO;
        default:
            return -EPROTO;
        }
    }
}

static int send_request(int fd, const char *method, const char *const *params, uint32_t count)
{
    struct msg_writer w;
    int rv;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_request(&w, 1, method);
    msg_put_array(&w, count);
    for (uint32_t i = 0; i < count; i++)
        msg_put_str(&w, params[i]);
    rv = msg_writer_finish(&w);
    if (rv == 0)
        rv = send_all(fd, w.data, w.len);
    msg_writer_done(&w);
    return rv;
}

int rpc_call(const char *path, const char *method, const char *const *params, uint32_t count,
             struct rpc_reply *ret_reply)
{
    int fd = connect_to(path), rv;

    if (fd < 0)
        return fd;
    msg_parser_init(&ret_reply->parser, HOMING_REPLY_MAX);
    rv = send_request(fd, method, params, count);
    if (rv == 0)
        rv = receive(fd, ret_reply);
    close(fd);
    if (rv < 0)
        msg_parser_done(&ret_reply->parser);
    return rv;
}

void rpc_reply_done(struct rpc_reply *reply)
{
    msg_parser_done(&reply->parser);
}

static bool is_socket(const char *path)
{
    struct stat at;

    return stat(path, &at) == 0 && S_ISSOCK(at.st_mode);
}

/* The topmost directory above `path` that this user may not enter. False: there is none. */
static bool find_closed(const char *path, char ret_directory[PATH_MAX])
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        int len = snprintf(ret_directory, PATH_MAX, "%.*s", (int)(slash - path), path);
        if (len < PATH_MAX && faccessat(AT_FDCWD, ret_directory, X_OK, AT_EACCESS) < 0 &&
            errno == EACCES)
            return true;
    }
    return false;
}

static void print_owners(const char *path)
{
    struct stat at;
    const struct group *group = stat(path, &at) == 0 ? getgrgid(at.st_gid) : NULL;

    fputs("This user may not use it: root, homingd's user and its group may", stderr);
    if (group)
        fprintf(stderr, " (that of %s: %s)", path, group->gr_name);
    fputs(".\n", stderr);
}

/* agent.sock is for every user: it is closed by mistake, or against this one. */
static void explain_closed_agent(const char *path, const char *closed)
{
    struct stat at;

    if (closed)
        fprintf(stderr,
                "It is for every user, but this one may not enter %s: run 'chmod o+x %s' as root, "
                "or mount the socket's directory elsewhere.\n",
                closed, closed);
    else if (stat(path, &at) == 0 && (at.st_mode & 0222) != 0222)
        fprintf(stderr, "It is for every user, but closed: run 'chmod 0666 %s' as root.\n", path);
    else
        fputs("It is for every user, but this one is kept out: homingd bars a user for ten minutes "
              "if it has sent a descriptor (its log: user_barred); or a security module does.\n",
              stderr);
}

/* admin.sock's own directory is closed on purpose; what is above that is not. */
static void explain_closed(const char *path)
{
    char closed[PATH_MAX], own[PATH_MAX];
    const char *slash = strrchr(path, '/');
    bool found = find_closed(path, closed);
    bool admin = slash && strcmp(slash + 1, RPC_ADMIN_NAME) == 0;

    if (!admin) {
        explain_closed_agent(path, found ? closed : NULL);
        return;
    }
    snprintf(own, sizeof(own), "%.*s", (int)(slash - path), path);
    if (found && strcmp(closed, own) != 0)
        fprintf(stderr, "This user may not enter %s, above it.\n", closed);
    print_owners(own);
}

/* Where it cannot be asked, or does not answer, there may well be one. */
static const char *trouble(int error)
{
    if (error == EACCES || error == EPERM)
        return "cannot ask the agent at";
    if (error == ETIMEDOUT || error == ECONNRESET || error == EPIPE || error == EPROTO)
        return "no answer from the agent at";
    return "no agent at";
}

void rpc_explain(const char *path, int error)
{
    fprintf(stderr, "homingctl: %s %s: %s\n", trouble(error), path, strerror(error));
    rpc_advise(path, error);
}

void rpc_advise(const char *path, int error)
{
    switch (error) {
    case ENOENT:
        fputs("Is homingd running, and is this its path? (HOMING_SOCKET or --socket name its "
              "agent.sock)\n",
              stderr);
        break;
    case ECONNREFUSED:
        fputs(is_socket(path)
                  ? "The socket is there, but nobody listens: homingd has died, or was killed.\n"
                  : "That is no socket: HOMING_SOCKET or --socket name homingd's agent.sock.\n",
              stderr);
        break;
    case EACCES:
    case EPERM:
        explain_closed(path);
        break;
    case ENOTDIR:
        fputs(
            "A file stands in the place of one of its directories: move it away, and homingd puts "
            "its socket back.\n",
            stderr);
        break;
    case ETIMEDOUT:
    case ECONNRESET:
    case EPIPE:
        fputs("It is there, but does not answer: is homingd stopped or overloaded? See its log.\n",
              stderr);
        break;
    case EPROTO:
        fputs("What answers there is not homingd, or another version of it.\n", stderr);
        break;
    default:
        break;
    }
}
