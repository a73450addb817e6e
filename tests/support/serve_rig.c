/* SPDX-License-Identifier: Apache-2.0
 *
 * serve_rig.c - see serve_rig.h.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/msg_print.h"
#include "tests/support/serve_rig.h"
#include "tests/support/test.h"

enum {
    PATIENCE_MS = 30000
};

/* ---- the server ---- */

static void put_big(const struct msg_value *params, struct msg_writer *reply)
{
    static const uint8_t zeros[HOMING_REPLY_MAX];
    uint64_t n = 0;

    (void)msg_uint(msg_array_at(params, 0), &n);
    msg_put_bin(reply, zeros, n < sizeof(zeros) ? n : sizeof(zeros));
}

static void notify_watchers(struct serve_rig *rig, const struct msg_value *params)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REPLY_MAX);
    msg_put_notification(&w, "changed");
    msg_put_array(&w, 1);
    put_big(params, &w);
    if (msg_writer_finish(&w) == 0)
        serve_notify(rig->serve, &w);
    msg_writer_done(&w);
}

static void put_peer(const struct serve_peer *peer, struct msg_writer *reply)
{
    msg_open_map(reply);
    msg_put_key_int(reply, "pid", peer->pid);
    msg_put_key_uint(reply, "uid", peer->uid);
    msg_put_key_uint(reply, "gid", peer->gid);
    msg_close(reply);
}

static void reply_later(struct serve_rig *rig)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REPLY_MAX);
    msg_put_reply(&w, rig->later_id);
    msg_put_bool(&w, true);
    serve_reply(rig->serve, SERVE_ADMIN, rig->later.number, &w);
    msg_writer_done(&w);
}

static void answer(void *arg, enum serve_socket socket, const struct serve_peer *peer, uint64_t id,
                   const char *method, const struct msg_value *params, struct msg_writer *reply,
                   int *ret_fd)
{
    struct serve_rig *rig = arg;

    rig->calls++;
    if (strcmp(method, "nothing") == 0)
        return;
    if (strcmp(method, "later") == 0) {
        rig->later = *peer;
        rig->later_id = (uint32_t)id;
        *ret_fd = SERVE_LATER;
        return;
    }
    if (strcmp(method, "now") == 0)
        reply_later(rig);
    if (strcmp(method, "notify") == 0)
        notify_watchers(rig, params);
    msg_put_reply(reply, (uint32_t)id);
    if (strcmp(method, "ping") == 0)
        msg_put_str(reply, "pong");
    else if (strcmp(method, "whoami") == 0)
        put_peer(peer, reply);
    else if (strcmp(method, "big") == 0)
        put_big(params, reply);
    else
        msg_put_bool(reply, true);
    if (strcmp(method, "fd") == 0)
        *ret_fd = STDIN_FILENO;
    if (strcmp(method, "watch") == 0 && socket == SERVE_ADMIN)
        *ret_fd = SERVE_WATCH;
}

void serve_rig_init(struct serve_rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    folder_make(rig->base);
    snprintf(rig->run_dir, sizeof(rig->run_dir), "%s/run", rig->base);
    rig->loop = loop_new();
    assert_non_null(rig->loop);
}

int serve_rig_open(struct serve_rig *rig, bool takeover, struct serve **ret_serve)
{
    memset(rig->error, 0, sizeof(rig->error));
    return serve_open(rig->loop, rig->run_dir, takeover, answer, rig, rig->error,
                      sizeof(rig->error), ret_serve);
}

void serve_rig_start(struct serve_rig *rig)
{
    if (serve_rig_open(rig, false, &rig->serve))
        fail_msg("%s", rig->error);
    assert_int_equal(serve_publish(rig->serve), 0);
}

void serve_rig_done(struct serve_rig *rig)
{
    serve_close(rig->serve);
    loop_free(rig->loop);
    folder_remove(rig->base);
}

int serve_rig_setup(void **state)
{
    static struct serve_rig rig;

    serve_rig_init(&rig);
    serve_rig_start(&rig);
    *state = &rig;
    return 0;
}

int serve_rig_teardown(void **state)
{
    serve_rig_done(*state);
    return 0;
}

/* ---- clients ---- */

const char *serve_rig_dir(const struct serve_rig *rig, enum serve_socket socket)
{
    static char dirs[SERVE_SOCKET_COUNT][192];

    snprintf(dirs[socket], sizeof(dirs[socket]), "%s%s", rig->run_dir,
             socket == SERVE_ADMIN ? "-admin" : "");
    return dirs[socket];
}

const char *serve_rig_path(const struct serve_rig *rig, enum serve_socket socket)
{
    static char paths[SERVE_SOCKET_COUNT][256];

    snprintf(paths[socket], sizeof(paths[socket]), "%s/%s.sock", serve_rig_dir(rig, socket),
             socket == SERVE_ADMIN ? "admin" : "agent");
    return paths[socket];
}

int serve_rig_try_connect(const struct serve_rig *rig, enum serve_socket socket_)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", serve_rig_path(rig, socket_));
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    int rv = -errno;
    close(fd);
    return rv;
}

int serve_rig_connect(const struct serve_rig *rig, enum serve_socket socket)
{
    int fd = serve_rig_try_connect(rig, socket);

    assert_true(fd >= 0);
    return fd;
}

void serve_rig_send(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

void serve_rig_request(int fd, uint32_t id, const char *method, uint32_t n)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_request(&w, id, method);
    msg_put_array(&w, 1);
    msg_put_uint(&w, n);
    assert_int_equal(msg_writer_finish(&w), 0);
    serve_rig_send(fd, w.data, w.len);
    msg_writer_done(&w);
}

static void on_readable(void *arg, int events)
{
    (void)events;
    loop_stop(arg);
}

static void on_impatience(void *arg)
{
    (void)arg;
    fail_msg("nothing came for %d ms", PATIENCE_MS);
}

void serve_rig_await(struct serve_rig *rig, int fd)
{
    struct loop_io *io = loop_io_new(rig->loop, fd, on_readable, rig->loop);
    struct loop_timer *timer = loop_timer_new(rig->loop, on_impatience, NULL);

    assert_true(io && timer);
    loop_io_set(io, LOOP_READ);
    loop_timer_set(timer, PATIENCE_MS);
    loop_run(rig->loop);
    loop_io_free(io);
    loop_timer_free(timer);
}

/* One byte or more, and a descriptor if one comes along. 0 at the end. */
static ssize_t take(int fd, void *data, size_t len, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof(control.space)};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
    return n < 0 && errno != EAGAIN ? 0 : n;
}

static void print(const struct msg *msg, char *ret_text, size_t size)
{
    FILE *out = fmemopen(ret_text, size - 1, "w");

    assert_non_null(out);
    setvbuf(out, NULL, _IONBF, 0);
    if (msg->kind == MSG_NOTIFICATION) {
        fprintf(out, "!%s", msg->method);
    } else {
        fprintf(out, "%u ", msg->id);
        if (msg_type(msg->result) == MSG_TYPE_BIN) {
            size_t len = 0;
            (void)msg_bin(msg->result, &len);
            fprintf(out, "%zu bytes", len);
        } else {
            msg_print_json(out, msg->error ? msg->error : msg->result);
        }
    }
    fclose(out);
}

/* Feeds what is there to the parser, and takes from the socket only what belongs to the message. 0
 * at the end. */
static ssize_t feed(int fd, struct msg_parser *parser, struct msg *msg, enum msg_fed *fed,
                    int *ret_fd)
{
    uint8_t bytes[65536];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    size_t used = 0, taken = 0;

    if (n <= 0)
        return n < 0 && errno == EAGAIN ? -1 : 0;
    *fed = msg_parser_feed(parser, bytes, (size_t)n, &used, msg);
    while (taken < used) {
        ssize_t t = take(fd, bytes, used - taken, ret_fd);
        assert_true(t > 0);
        taken += (size_t)t;
    }
    return n;
}

const char *serve_rig_receive(struct serve_rig *rig, int fd, int *ret_fd)
{
    static char text[512];
    struct msg_parser parser;
    struct msg msg;
    int got = -1;
    enum msg_fed fed = MSG_FED_MORE;
    ssize_t n = 1;

    memset(text, 0, sizeof(text));
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    while (fed == MSG_FED_MORE && n != 0) {
        serve_rig_await(rig, fd);
        n = feed(fd, &parser, &msg, &fed, &got);
    }
    if (fed == MSG_FED_MESSAGE)
        print(&msg, text, sizeof(text));
    msg_parser_done(&parser);
    if (ret_fd)
        *ret_fd = got;
    else if (got >= 0)
        close(got);
    return text;
}

const char *serve_rig_ask(struct serve_rig *rig, int fd, uint32_t id, const char *method)
{
    serve_rig_request(fd, id, method, 0);
    return serve_rig_receive(rig, fd, NULL);
}

bool serve_rig_ends(struct serve_rig *rig, int fd)
{
    uint8_t byte;
    int got = -1;

    serve_rig_await(rig, fd);
    return take(fd, &byte, 1, &got) == 0;
}

int serve_rig_count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}
