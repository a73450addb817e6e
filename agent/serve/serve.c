/* SPDX-License-Identifier: Apache-2.0
 *
 * serve.c - see serve.h. Which processes may be clients. client.c speaks with one of them, and
 * names.c puts the sockets in place.
 *
 * 1. Each socket has HOMING_CLIENTS_MAX places of its own. All may use agent.sock; whatever happens
 *    there, the operator gets in at admin.sock.
 * 2. A uid has HOMING_CLIENTS_PER_UID_MAX of them; only on admin.sock, root and our own uid have no
 *    such bound (on agent.sock, every container's root is uid 0). When all places are taken, the
 *    oldest client of the uid that has most of them makes room: a few uids cannot keep others out.
 * 3. A socket that a client may have sent something into is closed by closer.h. Who has sent a
 *    descriptor is barred, and so is who connects all the time; only on admin.sock, root and our
 *    own uid are not. All who wait at a socket are in one line of the kernel's: who fills it would have
 *    others wait for longer than a shim does.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/barred.h"
#include "agent/base/log.h"
#include "agent/base/names.h"
#include "agent/base/often.h"
#include "agent/base/stranger.h"
#include "agent/serve/client.h"
#include "agent/serve/serve.h"

enum {
    /* Accepted per turn: a crowd at one socket must not hold up probes. */
    SERVE_ACCEPT_BURST = 16,
    /* Pause when descriptors or memory have run out: long enough not to spin, short enough to be
     * there again before a shim's next attempt to attach (HOMING_ATTACH_PAUSE_MS). */
    SERVE_PAUSE_MS = 100
};

static const struct names_kind sockets = {
    .who = "an agent",
    .otherwise = ", or start with --takeover",
    .succession = true,
    .sockets =
        {[SERVE_AGENT] = {"agent.sock", 0666, 0755}, [SERVE_ADMIN] = {"admin.sock", 0660, 0750}},
};
_Static_assert((int)SERVE_SOCKET_COUNT == NAMES_COUNT, "one name each");

static const char *name_of(enum serve_socket socket)
{
    return sockets.sockets[socket].name;
}

/* How many clients a uid has on one socket; entries without any are free. */
struct share {
    uid_t uid;
    uint32_t clients;
};

struct listener {
    struct serve *serve;
    enum serve_socket socket;
    struct loop_io *io;
    struct client *oldest;
    struct client *newest;
    uint32_t clients;
    struct share shares[HOMING_CLIENTS_MAX];
};

struct serve {
    struct client_env env;
    struct listener listeners[SERVE_SOCKET_COUNT];
    struct barred *barred;
    struct often one, all; /* processes, and users, that come to where they can be barred */
    struct loop_timer *resume;
    struct names names;
    int reserve; /* closed for a moment to turn a client away when descriptors run out */
};

static int listening(const struct listener *l)
{
    return l->serve->names.at[l->socket].fd;
}

/* ---- shares ---- */

static struct share *share_of(struct listener *l, uid_t uid)
{
    struct share *empty = NULL;

    for (uint32_t i = 0; i < HOMING_CLIENTS_MAX; i++) {
        if (l->shares[i].clients == 0)
            empty = empty ? empty : &l->shares[i];
        else if (l->shares[i].uid == uid)
            return &l->shares[i];
    }
    if (empty)
        empty->uid = uid;
    return empty;
}

static const struct share *share_biggest(const struct listener *l)
{
    const struct share *biggest = &l->shares[0];

    for (uint32_t i = 1; i < HOMING_CLIENTS_MAX; i++)
        if (l->shares[i].clients > biggest->clients)
            biggest = &l->shares[i];
    return biggest;
}

/* Not the operator at admin.sock. */
static bool is_bounded(const struct listener *l, uid_t uid)
{
    return l->socket == SERVE_AGENT || (uid != 0 && uid != geteuid());
}

/* ---- clients come and go ---- */

static void add(struct listener *l, struct client *c)
{
    client_link(c)->older = l->newest;
    client_link(c)->newer = NULL;
    if (l->newest)
        client_link(l->newest)->newer = c;
    else
        l->oldest = c;
    l->newest = c;
    l->clients++;
    share_of(l, client_peer(c)->uid)->clients++;
}

static void remove_client(void *arg, struct client *c)
{
    struct serve *serve = arg;
    struct listener *l = &serve->listeners[client_socket(c)];
    struct client_link *link = client_link(c);

    if (link->older)
        client_link(link->older)->newer = link->newer;
    else
        l->oldest = link->newer;
    if (link->newer)
        client_link(link->newer)->older = link->older;
    else
        l->newest = link->older;
    l->clients--;
    share_of(l, client_peer(c)->uid)->clients--;
    client_free(c);
}

static void remove_oldest_of(struct listener *l, uid_t uid)
{
    struct client *c = l->oldest;

    while (c && client_peer(c)->uid != uid)
        c = client_link(c)->newer;
    if (c)
        remove_client(l->serve, c);
}

/* Whether a client of this uid may stay (2). */
static bool make_room(struct listener *l, uid_t uid)
{
    const struct share *own = share_of(l, uid);
    uint32_t has = own ? own->clients : 0;

    if (has >= HOMING_CLIENTS_PER_UID_MAX && is_bounded(l, uid))
        return false;
    if (l->clients < HOMING_CLIENTS_MAX)
        return true;
    const struct share *biggest = share_biggest(l);
    if (biggest->clients <= has + 1)
        return false;
    remove_oldest_of(l, biggest->uid);
    return true;
}

/* Tells the client why, if that can be done without waiting. Its request was not read: the id of
 * this reply is 0. */
static void refuse(const struct listener *l, int fd, const struct serve_peer *peer)
{
    struct msg_writer w;

    log_event(LOG_WARNING, "client_refused", "too many clients at once",
              LOG_STR("socket", name_of(l->socket)), LOG_INT("uid", peer->uid),
              LOG_INT("pid", peer->pid));
    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_error(&w, 0, MSG_ERROR_BUSY, "too many clients of uid %u: try again", peer->uid);
    if (msg_writer_finish(&w) == 0)
        (void)!send(fd, w.data, w.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    msg_writer_done(&w);
    closer_take(l->serve->env.closer, fd);
}

static void client_is_hostile(void *arg, const struct client *c)
{
    static const char why[] = "it has sent a descriptor, which no client does";
    struct serve *serve = arg;
    const struct serve_peer *peer = client_peer(c);
    const struct ucred user = {.pid = peer->pid, .uid = peer->uid, .gid = peer->gid};

    log_event(LOG_WARNING, "client_dropped", "it has sent a descriptor",
              LOG_STR("socket", name_of(client_socket(c))), LOG_INT("uid", user.uid),
              LOG_INT("pid", user.pid));
    if (!is_bounded(&serve->listeners[client_socket(c)], user.uid))
        return;
    if (user.uid == 0)
        barred_add_at(serve->barred, &user, barred_place_of(client_fd(c), user.pid), BARRED_MS,
                      why);
    else
        barred_add_from(serve->barred, &user, peer->netns, BARRED_MS, why);
}

/* Whether this user has come too often with this connection. Of root, every container has one: only
 * his single processes count. */
static bool comes_too_often(struct serve *serve, const struct serve_peer *peer, uint64_t place)
{
    const struct often_who one = {peer->uid, place, peer->pid}, all = {peer->uid, place, 0};
    uint64_t now_ms = loop_now_ms(serve->env.loop);
    bool by_one = peer->pid && often_note(&serve->one, &one, now_ms);
    bool by_all = peer->uid && often_note(&serve->all, &all, now_ms);

    return by_one || by_all;
}

/* Whether a client of this user is let in at all (3). */
static bool is_welcome(const struct listener *l, int fd, const struct serve_peer *peer)
{
    const struct ucred cred = {.pid = peer->pid, .uid = peer->uid, .gid = peer->gid};
    struct serve *serve = l->serve;
    uint64_t place;

    if (!is_bounded(l, cred.uid))
        return true;
    if (barred_has(serve->barred, &cred, peer->netns))
        return false;
    place = barred_place_in(serve->barred, peer->netns);
    if (!comes_too_often(serve, peer, place))
        return true;
    barred_add_at(serve->barred, &cred, cred.uid ? place : barred_place_of(fd, cred.pid),
                  BARRED_FLOOD_MS,
                  place && cred.uid ? "it connects all the time: from its network namespace"
                                    : "it connects all the time");
    return false;
}

/* False: it cannot be told. */
static bool read_peer(int fd, struct serve_peer *ret_peer)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return false;
    *ret_peer = (struct serve_peer){
        .pid = cred.pid, .uid = cred.uid, .gid = cred.gid, .netns = netns_of(fd)};
    return true;
}

static void admit(struct listener *l, int fd)
{
    struct serve_peer peer;
    struct client *c = NULL;

    if (!read_peer(fd, &peer) || !is_welcome(l, fd, &peer)) {
        closer_take(l->serve->env.closer, fd);
        return;
    }
    if (!make_room(l, peer.uid)) {
        refuse(l, fd, &peer);
        return;
    }
    c = client_new(&l->serve->env, fd, l->socket, &peer);
    if (!c) {
        closer_take(l->serve->env.closer, fd);
        return;
    }
    add(l, c);
    client_begin(c); /* a shim waits 20 ms for the reply, and asked before we could accept */
}

/* ---- accepting ---- */

static void take_reserve(struct serve *serve)
{
    if (serve->reserve < 0)
        serve->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The client at the head of the queue is turned away at once, instead of waiting for nothing. */
static void turn_away(struct listener *l)
{
    struct serve *serve = l->serve;

    if (serve->reserve < 0)
        return;
    close(serve->reserve);
    serve->reserve = -1;
    int fd = accept4(listening(l), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    closer_take(serve->env.closer, fd);
    take_reserve(serve);
}

static void pause_accepting(struct listener *l, int error)
{
    log_event(LOG_WARNING, "accept_paused", strerror(error), LOG_STR("socket", name_of(l->socket)),
              LOG_INT("clients", l->clients));
    turn_away(l);
    for (int i = 0; i < SERVE_SOCKET_COUNT; i++)
        loop_io_set(l->serve->listeners[i].io, 0);
    loop_timer_set(l->serve->resume, SERVE_PAUSE_MS);
}

static void resume_accepting(void *arg)
{
    struct serve *serve = arg;

    take_reserve(serve);
    for (int i = 0; i < SERVE_SOCKET_COUNT; i++)
        loop_io_set(serve->listeners[i].io, LOOP_READ);
}

static void accept_clients(void *arg, int events)
{
    struct listener *l = arg;

    (void)events;
    for (int i = 0; i < SERVE_ACCEPT_BURST; i++) {
        if (!closer_has_room(l->serve->env.closer)) {
            pause_accepting(l, EBUSY);
            return;
        }
        int fd = accept4(listening(l), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(l, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN)
                pause_accepting(l, errno);
            return;
        }
    }
}

void serve_reply(struct serve *serve, enum serve_socket socket, uint64_t number,
                 const struct msg_writer *reply)
{
    struct client *c = serve->listeners[socket].oldest;

    while (c && client_peer(c)->number != number)
        c = client_link(c)->newer;
    if (c && !client_reply(c, reply))
        remove_client(serve, c);
}

/* ---- opening and closing ---- */

static struct serve *make(struct loop *loop, const char *run_dir, bool takeover, serve_fn *fn,
                          void *arg)
{
    struct serve *serve = calloc(1, sizeof(*serve));
    if (!serve)
        return NULL;
    serve->env = (struct client_env){.loop = loop,
                                     .closer = closer_new(loop),
                                     .fn = fn,
                                     .arg = arg,
                                     .gone = remove_client,
                                     .hostile = client_is_hostile,
                                     .gone_arg = serve};
    serve->reserve = -1;
    serve->one = (struct often){.most = SERVE_OFTEN_ONE, .window_ms = SERVE_OFTEN_MS};
    serve->all = (struct often){.most = SERVE_OFTEN_ALL, .window_ms = SERVE_OFTEN_MS};
    for (int i = 0; i < SERVE_SOCKET_COUNT; i++) {
        serve->listeners[i].serve = serve;
        serve->listeners[i].socket = (enum serve_socket)i;
    }
    bool named = names_init(&serve->names, &sockets, run_dir, NULL, takeover);
    serve->barred = barred_new(loop, &serve->names.at[SERVE_AGENT]);
    serve->resume = loop_timer_new(loop, resume_accepting, serve);
    take_reserve(serve);
    if (serve->env.closer && serve->barred && serve->resume && serve->reserve >= 0 && named)
        return serve;
    serve_close(serve);
    return NULL;
}

static int listen_all(struct serve *serve, struct sockpath_error error)
{
    int rv = names_open(&serve->names, error);

    for (int i = 0; i < SERVE_SOCKET_COUNT && rv == 0; i++) {
        struct listener *l = &serve->listeners[i];
        stranger_refuse(listening(l));
        l->io = loop_io_new(serve->env.loop, listening(l), accept_clients, l);
        rv = l->io ? 0 : -ENOMEM;
    }
    return rv;
}

int serve_look(const char *run_dir, char *error_text, size_t error_size)
{
    struct names names;
    int rv = -ENOMEM;

    if (names_init(&names, &sockets, run_dir, NULL, false))
        rv = names_check(&names, (struct sockpath_error){error_text, error_size});
    names_done(&names);
    return rv;
}

int serve_open(struct loop *loop, const char *run_dir, bool takeover, serve_fn *fn, void *arg,
               char *error_text, size_t error_size, struct serve **ret_serve)
{
    struct sockpath_error error = {error_text, error_size};

    snprintf(error_text, error_size, "%s", strerror(ENOMEM)); /* unless a step below says more */
    struct serve *serve = make(loop, run_dir, takeover, fn, arg);
    if (!serve)
        return -ENOMEM;
    int rv = listen_all(serve, error);
    if (rv) {
        serve_close(serve);
        return rv;
    }
    *ret_serve = serve;
    return 0;
}

int serve_publish(struct serve *serve)
{
    char text[256];
    int rv;

    if (serve->reserve >= 0) /* the lock needs a descriptor, and there may be no other left */
        close(serve->reserve);
    serve->reserve = -1;
    rv = names_publish(&serve->names, (struct sockpath_error){text, sizeof(text)});
    take_reserve(serve);
    for (int i = 0; i < SERVE_SOCKET_COUNT && rv == 0; i++)
        loop_io_set(serve->listeners[i].io, LOOP_READ);
    return rv;
}

/* ---- keeping the names ---- */

static struct loop_io *watch(void *arg, int fd)
{
    const struct listener *l = arg;

    stranger_refuse(fd);
    return loop_io_new(l->serve->env.loop, fd, accept_clients, arg);
}

/* The clients that wait at the old socket are accepted first. */
static void move(void *arg, int fd, struct loop_io *io)
{
    struct listener *l = arg;

    (void)fd;
    accept_clients(l, LOOP_READ);
    loop_io_free(l->io);
    l->io = io;
    loop_io_set(io, LOOP_READ);
}

static int keep(struct listener *l, struct sockpath_error error)
{
    const struct names_listener listener = {watch, move, l};
    struct serve *serve = l->serve;
    int old = listening(l);
    int rv = names_keep(&serve->names, l->socket, &listener, serve->env.closer, error);

    if (listening(l) != old && l->socket == SERVE_AGENT)
        barred_renew(serve->barred);
    return rv;
}

int serve_keep(struct serve *serve, char *error_text, size_t error_size)
{
    struct sockpath_error error = {error_text, error_size};
    int rv = 0;

    /* From the last to the first: if both have trouble, that of the programs is told. */
    for (int i = SERVE_SOCKET_COUNT - 1; i >= 0; i--) {
        int one = keep(&serve->listeners[i], error);
        rv = one ? one : rv;
    }
    return rv;
}

bool serve_in_place(const struct serve *serve)
{
    bool changed;

    return sockpath_keep(&serve->names.at[SERVE_ADMIN], 0, &changed) == 0;
}

void serve_notify(struct serve *serve, const struct msg_writer *notification)
{
    struct client *next;

    for (struct client *c = serve->listeners[SERVE_ADMIN].oldest; c; c = next) {
        next = client_link(c)->newer;
        client_notify(c, notification->data, notification->len);
    }
}

static void close_listener(struct listener *l)
{
    while (l->oldest)
        remove_client(l->serve, l->oldest);
    if (l->io)
        loop_io_free(l->io);
    struct sockpath *sock = &l->serve->names.at[l->socket];
    if (sock->fd < 0)
        return;
    sockpath_remove(sock);
    closer_take_listening(l->serve->env.closer, sock->fd);
    sock->fd = -1;
}

/* Works under the lock, so that no successor's socket comes between the look at the inode and
 * unlink(). If another process holds the lock, it works without: exit must not fail. */
void serve_close(struct serve *serve)
{
    char text[256];
    struct sockpath_error error = {text, sizeof(text)};
    int lock = -1;

    if (!serve)
        return;
    if (serve->names.at[SERVE_AGENT].fd >= 0)
        (void)names_lock(&serve->names, error, &lock);
    for (int i = 0; i < SERVE_SOCKET_COUNT; i++)
        close_listener(&serve->listeners[i]);
    names_done(&serve->names);
    if (lock >= 0)
        close(lock);
    barred_free(serve->barred);
    closer_free(serve->env.closer);
    loop_timer_free(serve->resume);
    if (serve->reserve >= 0)
        close(serve->reserve);
    free(serve);
}
