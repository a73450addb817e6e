/* SPDX-License-Identifier: Apache-2.0
 *
 * conductor.c - stands in for homingd: owns the view, switches writers at random, orders the
 * outdated connections severed, and never waits for either. Its child accepts and holds whatever
 * connects. usage: conductor FILE SEED STEPS AGENT_SOCKET SEVER_SOCKET INSTANCE; it says "ready",
 * reports what was counted when it is sent a line, and ends with its standard input.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/msg_socket.h"
#include "proto/sever.h"
#include "tests/live/walk/walk.h"
#include "tests/support/dice.h"
#include "tests/support/fake_agent.h"

/* A switch back before the last sweep of the order is over cancels it; any other waits for that. */
enum {
    SOON_MS = 400,
    LATER_MS = 2300,
    LATER_SPREAD_MS = 1500,
    SPREAD_MS = 100,
    PAUSE_US = 1000,
    BEAT_MS = 50,
    CALLS_MAX = 4096
};

static struct fake_agent agent;
static struct walk *walk;
static uint64_t dice;

struct cluster {
    uint64_t due_ms;
    bool back;        /* the next switch goes back */
    uint32_t settled; /* of the switches up to this one the order is over */
    uint8_t writer, was_writer;
    bool once_writer[WALK_MEMBERS];
};

static struct cluster clusters[WALK_CLUSTERS];

/* Requests without a reply so far, by id. */
static struct call {
    bool cancel, waiting;
    uint16_t cluster;
    uint32_t number;
} calls[CALLS_MAX];
static uint32_t last_id;

static struct {
    int fd;
    struct msg_parser parser;
} sever_client;

static void die(const char *what)
{
    fprintf(stderr, "conductor: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint32_t roll(uint32_t sides)
{
    return dice_roll(&dice, sides);
}

/* ---- the servers ---- */

static int listen_at(int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
        die("listen");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

/* Nobody sends anything: what is readable has ended. A few at once are accepted, or those that have
 * ended would wait for as long as others come. */
static void serve_one(int epoll, int fd, const int listening[2])
{
    if (fd != listening[0] && fd != listening[1]) {
        close(fd);
        return;
    }
    for (int i = 0; i < 16; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK);

        if (client < 0 && errno != EAGAIN && errno != ECONNABORTED)
            die("accept");
        if (client < 0)
            return;
        watch(epoll, client);
    }
}

static void serve(void)
{
    int listening[2] = {listen_at(WALK_PORT), listen_at(WALK_OTHER_PORT)};
    int epoll = epoll_create1(0);
    struct epoll_event events[64];

    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    watch(epoll, listening[0]);
    watch(epoll, listening[1]);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++)
            serve_one(epoll, events[i].data.fd, listening);
    }
}

/* ---- the view ---- */

static void address_text(int family, int cluster, int member, char ret_text[48])
{
    snprintf(ret_text, 48, family == 4 ? "127.77.%d.%d" : "fd77::%x:%x", cluster + 1, member + 1);
}

static struct view_address address_of(int family, int cluster, int member, uint8_t flags)
{
    struct view_address at = {.address = {.family = (uint8_t)family, .port = WALK_PORT},
                              .flags = flags};

    at.member = (uint16_t)member;
    address_text(family, cluster, member, at.text);
    inet_pton(family == 4 ? AF_INET : AF_INET6, at.text, at.address.bytes);
    return at;
}

static struct name name_of(int cluster, enum walk_name which)
{
    char text[64];
    struct name name;

    snprintf(text, sizeof(text), walk_name_patterns[which], cluster);
    if (!name_canonical(text, &name))
        die(text);
    return name;
}

/* The writer endpoint of a name. */
static int endpoint_of(enum walk_name which)
{
    return which == WALK_NAME_FIRST ? 0 : (int)which - 1;
}

static uint64_t endpoint_id(int cluster, int endpoint)
{
    return name_of(cluster, endpoint ? (enum walk_name)(endpoint + 1) : WALK_NAME_FIRST).hash;
}

/* No two endpoints count alike. */
static uint64_t generation(int endpoint, uint32_t number)
{
    return number + 1000 * (uint64_t)endpoint * endpoint;
}

static void write_members(int c, const struct walk_switch *now)
{
    struct view_address at[2 * WALK_MEMBERS];
    uint32_t count = 0;

    for (int m = 0; m < WALK_MEMBERS; m++) {
        uint8_t flags = m == now->writer ? VIEW_MEMBER_WRITER : 0;

        if (m != now->writer && now->demoted >> m & 1)
            flags |= VIEW_MEMBER_DEMOTED;
        if (m != now->writer && roll(8)) /* one in eight lags and serves nobody */
            flags |= VIEW_MEMBER_READER;
        at[count++] = address_of(4, c, m, flags);
        at[count++] = address_of(6, c, m, flags);
    }
    view_write_members(&agent.writer, (uint32_t)c, at, count);
}

static void write_name(int c, enum walk_name which, const struct walk_switch *now, uint32_t number)
{
    bool reader = which == WALK_NAME_READER;
    int endpoint = reader ? WALK_WRITERS : endpoint_of(which);
    struct name name = name_of(c, which);
    struct view_entry entry = {
        .mode = VIEW_MODE_SEVER,
        .state = VIEW_STATE_STEADY,
        .role = reader ? VIEW_ROLE_READER : VIEW_ROLE_WRITER,
        .family = roll(2) ? 4 : 6,
        .port = WALK_PORT,
        .cluster = (uint32_t)c,
        .generation = generation(endpoint, number),
        .endpoint = reader ? name.hash : endpoint_id(c, endpoint),
        .confirmed_ms = clock_ms(),
        .max_stale_ms = 60000,
    };

    snprintf(entry.text4, sizeof(entry.text4), "127.77.%d.%d", c + 1, now->writer + 1);
    snprintf(entry.text6, sizeof(entry.text6), "fd77::%x:%x", c + 1, now->writer + 1);
    if (view_write_entry(&agent.writer, &name, &entry))
        die("view_write_entry");
}

/* An agent may lose the processor between any two of its stores. */
static void write_view(int c, const struct walk_switch *now, uint32_t number)
{
    write_members(c, now);
    for (enum walk_name which = 0; which < WALK_NAME_PLAIN; which++) {
        if (roll(2))
            usleep(PAUSE_US);
        write_name(c, which, now, number);
    }
}

static void beat(void)
{
    uint64_t now_ms = clock_ms();

    view_write_heartbeat(&agent.writer, now_ms);
    for (int c = 0; c < WALK_CLUSTERS; c++)
        for (enum walk_name which = 0; which < WALK_NAME_PLAIN; which++) {
            struct name name = name_of(c, which);
            view_write_confirmed(&agent.writer, &name, now_ms);
        }
}

/* ---- orders ---- */

static void send_whole(struct msg_writer *w)
{
    if (msg_writer_finish(w) ||
        send(sever_client.fd, w->data, w->len, MSG_NOSIGNAL) != (ssize_t)w->len)
        die("order");
    msg_writer_done(w);
}

static uint32_t take_id(int cluster, uint32_t number, bool cancel)
{
    struct call *call = &calls[++last_id % CALLS_MAX];

    if (call->waiting)
        die("too many calls");
    *call = (struct call){cancel, true, (uint16_t)cluster, number};
    return last_id % CALLS_MAX;
}

static void send_order(int c, uint32_t number, const struct walk_switch *now)
{
    struct sever_order order = {.kind = SEVER_DO, .spread_ms = roll(4) ? 0 : SPREAD_MS};
    struct msg_writer w;
    char text[48];

    for (int e = 0; e < WALK_WRITERS; e++)
        if (now->endpoints >> e & 1)
            order.endpoints[order.endpoint_count++] =
                (struct sever_endpoint){endpoint_id(c, e), generation(e, number)};
    for (int m = 0; m < WALK_MEMBERS; m++)
        for (int family = 4; family <= 6 && now->demoted >> m & 1; family += 2) {
            address_text(family, c, m, text);
            inet_address_parse(text, WALK_PORT, &order.addresses[order.address_count++]);
        }
    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_request(&w, take_id(c, number, false), "sever");
    sever_order_put(&w, &order);
    send_whole(&w);
}

static void send_cancel(int c, uint32_t number)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_request(&w, take_id(c, number, true), "cancel");
    msg_put_array(&w, 1);
    msg_put_array(&w, WALK_WRITERS);
    for (int e = 0; e < WALK_WRITERS; e++)
        msg_put_uint(&w, endpoint_id(c, e));
    send_whole(&w);
}

/* An order that was cancelled is also replied to, after the cancellation was. */
static bool replied(void *arg, const struct msg *msg)
{
    struct call *call = &calls[msg->id % CALLS_MAX];
    struct walk_cluster *shared = &walk->clusters[call->cluster];

    (void)arg;
    if (msg->kind != MSG_REPLY || msg->error || !call->waiting)
        die("an order was refused");
    call->waiting = false;
    for (uint32_t n = call->cancel ? 1 : call->number; n <= call->number; n++) {
        uint8_t given = WALK_ORDER_GIVEN;

        atomic_compare_exchange_strong(&shared->switches[n].order, &given,
                                       call->cancel ? WALK_ORDER_CANCELLED : WALK_ORDER_DONE);
    }
    if (clusters[call->cluster].settled < call->number)
        clusters[call->cluster].settled = call->number;
    return true;
}

static void hear(void)
{
    if (!msg_receive_some(&sever_client.parser, sever_client.fd, replied, NULL))
        die("homing-sever");
}

/* ---- switches ---- */

static uint8_t next_writer(const struct cluster *cluster, bool back)
{
    return back ? cluster->was_writer
                : (uint8_t)((cluster->writer + 1 + roll(WALK_MEMBERS - 1)) % WALK_MEMBERS);
}

/* The order is for all members that were the writer once, as homingd's is. */
static void fill(struct cluster *cluster, uint8_t writer, struct walk_switch *ret)
{
    cluster->was_writer = cluster->writer;
    cluster->writer = writer;
    cluster->once_writer[writer] = true;
    ret->writer = writer;
    ret->demoted = 0;
    for (int m = 0; m < WALK_MEMBERS; m++)
        ret->demoted |= (uint8_t)((m != writer && cluster->once_writer[m]) << m);
    ret->endpoints = ret->demoted ? (uint8_t)(1 + roll((1 << WALK_WRITERS) - 1)) : 0;
}

static void plan(struct cluster *cluster)
{
    cluster->back = roll(4) == 0;
    cluster->due_ms =
        clock_ms() + (cluster->back ? roll(SOON_MS) : LATER_MS + roll(LATER_SPREAD_MS));
}

static void do_switch(int c, uint8_t writer)
{
    struct cluster *cluster = &clusters[c];
    struct walk_cluster *shared = &walk->clusters[c];
    uint32_t number = shared->begun + 1;
    struct walk_switch *now = &shared->switches[number];

    fill(cluster, writer, now);
    atomic_store(&shared->begun, number);
    /* As homingd does: before it moves on, the writer stops claiming, and then W7 allows no order. */
    if (cluster->settled + 1 < number)
        send_cancel(c, number - 1);
    write_view(c, now, number);
    atomic_store(&shared->published, number);
    atomic_store(&now->order, now->endpoints ? WALK_ORDER_GIVEN : WALK_ORDER_DONE);
    if (now->endpoints)
        send_order(c, number, now);
    else
        cluster->settled = number;
    plan(cluster);
}

static void switch_due(void)
{
    uint64_t now_ms = clock_ms();

    for (int c = 0; c < WALK_CLUSTERS; c++)
        if (clusters[c].due_ms <= now_ms && walk->clusters[c].begun + 1 < WALK_SWITCHES)
            do_switch(c, next_writer(&clusters[c], clusters[c].back));
}

static uint64_t switches(void)
{
    uint64_t count = 0;

    for (int c = 0; c < WALK_CLUSTERS; c++)
        count += walk->clusters[c].begun - 1;
    return count;
}

static bool all_settled(void)
{
    for (int i = 0; i < CALLS_MAX; i++)
        if (calls[i].waiting)
            return false;
    return true;
}

/* ---- start ---- */

static void share(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    if (fd < 0 || ftruncate(fd, sizeof(*walk)))
        die(path);
    walk = mmap(NULL, sizeof(*walk), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (walk == MAP_FAILED)
        die(path);
    close(fd);
}

static void dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    sever_client.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(sever_client.fd, (struct sockaddr *)&at, sizeof(at)))
        die(path);
    msg_parser_init(&sever_client.parser, HOMING_REPLY_MAX);
}

static void start(char **argv)
{
    share(argv[1]);
    walk->seed = dice = strtoull(argv[2], NULL, 10);
    walk->target = strtoull(argv[3], NULL, 10);
    walk_raise_limit();
    serve();
    if (fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN * 4, WALK_CLUSTERS) ||
        fake_agent_listen(&agent, argv[4], 128))
        die(argv[4]);
    view_write_sever_instance(&agent.writer, strtoull(argv[6], NULL, 10));
    dial(argv[5]);
    for (int c = 0; c < WALK_CLUSTERS; c++)
        do_switch(c, 0), clusters[c].due_ms = clock_ms() + roll(LATER_MS);
}

static void report_one(const char *what, const char *name, uint64_t count)
{
    printf("%s\t%s\t%llu\n", what, name, (unsigned long long)count);
}

static void report(void)
{
    report_one("count", "steps", walk->steps);
    report_one("count", "switches", switches());
    report_one("count", "checked", walk->checked);
    report_one("count", "severed", walk->aborted);
    report_one("count", "out of reach", walk->displaced);
    report_one("count", "wrong", walk->wrong);
    report_one("count", "missed", walk->missed);
    report_one("count", "astray", walk->astray);
    for (int i = 0; i < WALK_STEP_COUNT; i++)
        report_one("step", walk_step_names[i], walk->taken[i]);
    for (int i = 0; i < WALK_KIND_COUNT; i++)
        report_one("severed", walk_kind_names[i], walk->severed[i]);
    for (int i = 0; i < WALK_KIND_COUNT; i++)
        report_one("spared", walk_kind_names[i], walk->spared[i]);
    puts("end");
    fflush(stdout);
}

static void answer(void)
{
    char line[16];

    if (read(0, line, sizeof(line)) <= 0)
        exit(0);
    report();
}

static void turn(void)
{
    struct pollfd ready[3] = {{.fd = 0, .events = POLLIN},
                              {.fd = agent.listen_fd, .events = POLLIN},
                              {.fd = sever_client.fd, .events = POLLIN}};

    poll(ready, 3, BEAT_MS / 10);
    if (ready[0].revents)
        answer();
    if (ready[1].revents)
        fake_agent_serve(&agent);
    if (ready[2].revents)
        hear();
}

int main(int argc, char **argv)
{
    uint64_t beaten_ms = 0;

    if (argc != 7)
        return 2;
    start(argv);
    puts("ready");
    fflush(stdout);
    for (;;) {
        turn();
        if (clock_ms() - beaten_ms >= BEAT_MS) {
            beat();
            beaten_ms = clock_ms();
        }
        walk->enough |= walk->steps >= walk->target && switches() >= WALK_ENOUGH;
        if (!walk->enough)
            switch_due();
        else if (all_settled())
            walk->quiet = true;
    }
}
