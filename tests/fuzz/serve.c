/* SPDX-License-Identifier: Apache-2.0
 *
 * serve.c - one client of a socket, through a real socket pair and a virtual clock. The input is
 * what it does: each step is a byte that says what, a byte that says how much, and, when it sends,
 * so many bytes. However it behaves, it is gone when its deadline has passed, unless it watches,
 * and with it all that was kept for it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/serve/client.h"
#include "tests/support/fake_loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    STEP_SEND,
    STEP_SEND_MORE, /* sending is most of what clients do */
    STEP_END,
    STEP_READ,
    STEP_WAIT,
    STEP_NOTIFY,
    STEP_COUNT
};

struct world {
    struct loop *loop;
    struct client_env env;
    struct client *client;
    int far; /* the client's end */
    bool watched;
};

static const uint8_t zeros[512 * 1024];

static void must(bool good)
{
    if (!good)
        abort();
}

static void gone(void *arg, struct client *client)
{
    struct world *w = arg;

    must(client == w->client);
    w->client = NULL;
    client_free(client);
}

/* No input makes a descriptor. */
static void hostile(void *arg, const struct client *client)
{
    (void)arg, (void)client;
    abort();
}

/* As long as the first parameter says, in KiB; with a descriptor for "fd". */
static void answer(void *arg, enum serve_socket socket, const struct serve_peer *peer, uint64_t id,
                   const char *method, const struct msg_value *params, struct msg_writer *reply,
                   int *ret_fd)
{
    struct world *w = arg;
    uint64_t kib = 0;

    must(socket == SERVE_ADMIN && peer->uid == 1 && method && params);
    (void)msg_uint(msg_array_at(params, 0), &kib);
    w->watched |= strcmp(method, "watch") == 0;
    if (strcmp(method, "nothing") == 0)
        return;
    if (strcmp(method, "notify") == 0)
        client_notify(w->client, zeros, kib);
    msg_put_reply(reply, (uint32_t)id);
    msg_put_bin(reply, zeros, kib * 1024 < sizeof(zeros) ? kib * 1024 : sizeof(zeros));
    if (strcmp(method, "fd") == 0)
        *ret_fd = w->far;
    if (strcmp(method, "watch") == 0)
        *ret_fd = SERVE_WATCH;
}

/* Receives; descriptors that come along are discarded. */
static void read_some(const struct world *w, size_t most)
{
    static uint8_t bytes[4096];
    ssize_t n = 1;

    while (n > 0 && most > 0) {
        n = recv(w->far, bytes, most < sizeof(bytes) ? most : sizeof(bytes), MSG_DONTWAIT);
        most -= n > 0 ? (size_t)n : 0;
    }
}

static size_t do_step(struct world *w, const uint8_t *data, size_t size)
{
    size_t n = data[1];

    switch ((enum step)(data[0] % STEP_COUNT)) {
    case STEP_SEND:
    case STEP_SEND_MORE:
        n = n < size - 2 ? n : size - 2;
        (void)!send(w->far, data + 2, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        return 2 + n;
    case STEP_END:
        shutdown(w->far, SHUT_WR);
        break;
    case STEP_READ:
        read_some(w, n * 1024);
        break;
    case STEP_WAIT:
        fake_loop_advance(w->loop, n * 8);
        break;
    case STEP_NOTIFY:
        if (w->client)
            client_notify(w->client, zeros, n * 1024);
        break;
    case STEP_COUNT:
        break;
    }
    return 2;
}

static void take_turns(struct world *w)
{
    for (int i = 0; i < 4 && fake_loop_poll(w->loop); i++)
        must(w->env.pending <= CLIENT_PENDING_MAX);
    must(w->client || w->env.pending == 0);
}

static void play(struct world *w, const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (w->client && at + 2 <= size) {
        at += do_step(w, data + at, size - at);
        take_turns(w);
    }
    for (int i = 0; i < 4; i++) {
        fake_loop_advance(w->loop, HOMING_CLIENT_DEADLINE_MS);
        take_turns(w);
    }
    must(!w->client || w->watched);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct serve_peer peer = {.pid = 1, .uid = 1, .gid = 1};
    struct world w = {.loop = loop_new()};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
        abort();
    w.env = (struct client_env){.loop = w.loop,
                                .closer = closer_new(w.loop),
                                .fn = answer,
                                .arg = &w,
                                .gone = gone,
                                .hostile = hostile,
                                .gone_arg = &w};
    w.far = ends[0];
    w.client = client_new(&w.env, ends[1], SERVE_ADMIN, &peer);
    play(&w, data, size);
    if (w.client)
        client_free(w.client);
    closer_free(w.env.closer);
    while (waitpid(-1, NULL, 0) > 0) /* the one that closed what was left unread */
        ;
    must(w.env.pending == 0 && fake_loop_watchers(w.loop) == 0);
    close(w.far);
    loop_free(w.loop);
    return 0;
}
