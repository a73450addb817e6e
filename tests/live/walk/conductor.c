/* SPDX-License-Identifier: Apache-2.0
 *
 * conductor.c - stands in for homingd: owns the view, switches writers at random, orders the
 * outdated connections severed, and never waits for either.
 * usage: conductor FILE SEED STEPS RESTARTS AGENT_SOCKET SEVER_SOCKET INSTANCE; it says "ready", and does
 * what each line of its standard input says, with whose end it ends, too:
 *   report      what was counted, up to a line "end"
 *   restart     homing-sever is about to be ended
 *   INSTANCE    the next one is there: after RESTARTS of them, and when all steps are taken, the walk ends
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/live/walk/conductor.h"
#include "tests/support/dice.h"
#include "tests/support/fake_agent.h"

/* A switch back before the last sweep of the order is over cancels it; any other waits for that. */
enum {
    SOON_MS = 400,
    LATER_MS = 2300,
    LATER_SPREAD_MS = 1500,
    PAUSE_US = 1000,
    BEAT_MS = 50,
    WITHOUT_MS = 300,
    HOLD_MS = 100,
    HOME = WALK_MEMBERS - 2 /* the first address of the member that has two */
};

static struct fake_agent agent;
struct walk *walk;
static uint64_t dice;
static const char *sever_path;
static uint32_t restarts; /* wanted */

struct cluster clusters[WALK_CLUSTERS];

void die(const char *what)
{
    fprintf(stderr, "conductor: %s: %s\n", what, strerror(errno));
    exit(2);
}

uint32_t roll(uint32_t sides)
{
    return dice_roll(&dice, sides);
}

void address_text(int family, int cluster, int member, char ret_text[48])
{
    snprintf(ret_text, 48, family == 4 ? "127.77.%d.%d" : "fd77::%x:%x", cluster + 1, member + 1);
}

/* ---- the view ---- */

/* The member whose address it is now; the last two addresses are one member's. */
static uint16_t member_at(int cluster, int address)
{
    if (address < HOME)
        return (uint16_t)address;
    return address == clusters[cluster].home ? HOME : VIEW_MEMBER_NOBODY;
}

static struct view_address address_of(int family, int cluster, int member, uint8_t flags)
{
    struct view_address at = {.address = {.family = (uint8_t)family, .port = WALK_PORT},
                              .flags = flags};

    at.member = member_at(cluster, member);
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

uint64_t endpoint_id(int cluster, int endpoint)
{
    return name_of(cluster, endpoint ? (enum walk_name)(endpoint + 1) : WALK_NAME_FIRST).hash;
}

uint64_t generation(int endpoint, uint32_t number)
{
    return number + 1000 * (uint64_t)endpoint * endpoint;
}

static void write_members(int c, const struct walk_switch *now)
{
    struct view_address at[2 * WALK_MEMBERS];
    uint32_t count = 0;

    for (int m = 0; m < WALK_MEMBERS; m++) {
        uint8_t flags = m == now->writer ? VIEW_MEMBER_WRITER : 0;
        bool nobody = member_at(c, m) == VIEW_MEMBER_NOBODY;

        if (nobody && !clusters[c].moved)
            continue;
        if (m != now->writer && now->demoted >> m & 1)
            flags |= VIEW_MEMBER_DEMOTED;
        if (m != now->writer && !nobody && roll(8)) /* one in eight lags and serves nobody */
            flags |= VIEW_MEMBER_READER;
        at[count++] = address_of(4, c, m, flags);
        at[count++] = address_of(6, c, m, flags);
    }
    const struct view_listing listing = {.at = at,
                                         .count = count,
                                         .ports = (const uint16_t[]){WALK_POOLER_PORT},
                                         .port_count = walk_has_pooler(c, WALK_NAME_FIRST)};
    if (view_write_cluster(&agent.writer, (uint32_t)c, &listing))
        die("view_write_cluster");
}

static void write_name(int c, enum walk_name which, const struct walk_switch *now, uint32_t number)
{
    bool reader = which == WALK_NAME_READER;
    int endpoint = reader ? WALK_WRITERS : endpoint_of(which);
    struct name name = name_of(c, which);
    struct view_entry entry = {
        .mode = VIEW_MODE_SEVER,
        .state = clusters[c].without ? VIEW_STATE_NO_WRITER : VIEW_STATE_STEADY,
        .hold_ms = c / 8 % 2 ? HOLD_MS : 0,
        .role = reader ? VIEW_ROLE_READER : VIEW_ROLE_WRITER,
        .family = roll(2) ? 4 : 6,
        .port = WALK_PORT,
        .ports = walk_has_pooler(c, which) ? WALK_POOLER_PORT : 0,
        .cluster = (uint32_t)c,
        .generation = generation(endpoint, number),
        .endpoint = reader ? name.hash : endpoint_id(c, endpoint),
        .confirmed_ms = clock_ms(),
        .max_stale_ms = 60000,
    };

    snprintf(entry.text4, sizeof(entry.text4), "127.77.%d.%d", (c + 1) & 0xff,
             (now->writer + 1) & 0xff);
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

/* ---- switches ---- */

static uint8_t next_writer(const struct cluster *cluster, bool back)
{
    return back ? cluster->was_writer
                : (uint8_t)((cluster->writer + 1 + roll(WALK_MEMBERS - 1)) % WALK_MEMBERS);
}

/* W11: the member with two addresses comes up at the other one, as the writer or as a reader. */
static void move(struct cluster *cluster, uint8_t writer)
{
    uint8_t other = cluster->home == HOME ? HOME + 1 : HOME;

    if (writer != other && (writer == cluster->home || roll(4)))
        return;
    cluster->home = other;
    cluster->moved = true;
}

/* The order is for all members that were the writer once, as homingd's is, and for the address that
 * was left. */
static void fill(struct cluster *cluster, uint8_t writer, struct walk_switch *ret)
{
    move(cluster, writer);
    cluster->was_writer = cluster->writer;
    cluster->writer = writer;
    cluster->once_writer[writer] = true;
    ret->writer = writer;
    ret->left = cluster->moved ? (uint8_t)(1 << (HOME + HOME + 1 - cluster->home)) : 0;
    ret->demoted = ret->left;
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

/* The writer says that it is one no more; nobody else does. So W7 allows no order. */
static void begin_without(int c)
{
    struct walk_cluster *shared = &walk->clusters[c];

    atomic_fetch_add(&shared->without, 1);
    if (clusters[c].settled < shared->begun)
        orders_cancel(c, shared->begun);
    clusters[c].without = true;
    write_view(c, &shared->switches[shared->begun], shared->begun);
    clusters[c].due_ms = clock_ms() + roll(WITHOUT_MS);
}

static void do_switch(int c, uint8_t writer)
{
    struct cluster *cluster = &clusters[c];
    struct walk_cluster *shared = &walk->clusters[c];
    uint32_t number = shared->begun + 1;
    struct walk_switch *now = &shared->switches[number];
    bool without;

    fill(cluster, writer, now);
    atomic_store(&shared->begun, number);
    /* As homingd does: before it moves on, the writer stops claiming, and then W7 allows no order. */
    if (cluster->settled + 1 < number && !cluster->without)
        orders_cancel(c, number - 1);
    without = cluster->without;
    cluster->without = false;
    write_view(c, now, number);
    if (without)
        atomic_fetch_add(&shared->without, 1);
    atomic_store(&shared->published, number);
    atomic_store(&now->order, now->endpoints ? WALK_ORDER_GIVEN : WALK_ORDER_DONE);
    if (now->endpoints)
        orders_send(c, number);
    else
        cluster->settled = number;
    plan(cluster);
}

static void switch_due(void)
{
    uint64_t now_ms = clock_ms();

    for (int c = 0; c < WALK_CLUSTERS; c++)
        if (clusters[c].due_ms > now_ms || walk->clusters[c].begun + 1 >= WALK_SWITCHES)
            continue;
        else if (!clusters[c].without && roll(3) == 0)
            begin_without(c);
        else
            do_switch(c, next_writer(&clusters[c], clusters[c].back));
}

static uint64_t switches(void)
{
    uint64_t count = 0;

    for (int c = 0; c < WALK_CLUSTERS; c++)
        count += walk->clusters[c].begun - 1;
    return count;
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

static void start(char **argv)
{
    share(argv[1]);
    walk->seed = dice = strtoull(argv[2], NULL, 10);
    walk->target = strtoull(argv[3], NULL, 10);
    restarts = (uint32_t)atoi(argv[4]);
    sever_path = argv[6];
    walk_raise_limit();
    servers_start();
    if (fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN * 4, WALK_CLUSTERS) ||
        fake_agent_listen(&agent, argv[5], 128))
        die(argv[5]);
    view_write_sever_instance(&agent.writer, strtoull(argv[7], NULL, 10));
    orders_dial(sever_path);
    for (int c = 0; c < WALK_CLUSTERS; c++)
        clusters[c].home = HOME, do_switch(c, 0), clusters[c].due_ms = clock_ms() + roll(LATER_MS);
}

static void report_one(const char *what, const char *name, uint64_t count)
{
    printf("%s\t%s\t%llu\n", what, name, (unsigned long long)count);
}

static void report(void)
{
    report_one("count", "steps", walk->steps);
    report_one("count", "switches", switches());
    report_one("count", "restarts", walk->restarts / 2);
    report_one("count", "checked", walk->checked);
    report_one("count", "severed", walk->aborted);
    report_one("count", "out of reach", walk->displaced);
    report_one("count", "without a permit", walk->passed_by);
    report_one("count", "wrong", walk->wrong);
    report_one("count", "missed", walk->missed);
    report_one("count", "astray", walk->astray);
    report_one("count", "refused without a writer", walk->refused);
    report_one("count", "waited for a writer", walk->waited);
    for (int i = 0; i < WALK_STEP_COUNT; i++)
        report_one("step", walk_step_names[i], walk->taken[i]);
    for (int i = 0; i < WALK_KIND_COUNT; i++)
        report_one("severed", walk_kind_names[i], walk->severed[i]);
    for (int i = 0; i < WALK_KIND_COUNT; i++)
        report_one("spared", walk_kind_names[i], walk->spared[i]);
    puts("end");
    fflush(stdout);
}

/* The next homing-sever has no orders yet. */
static void take_over(uint64_t instance)
{
    orders_lost();
    orders_dial(sever_path);
    view_write_sever_instance(&agent.writer, instance);
    walk->restarted_ms = clock_ms();
    walk->restarts++;
}

/* One line at a time: who writes them waits for what it says. */
static void answer(void)
{
    char line[32] = "";

    if (read(0, line, sizeof(line) - 1) <= 0)
        exit(0);
    if (strcmp(line, "report\n") == 0) {
        report();
        return;
    }
    if (strcmp(line, "restart\n") == 0)
        walk->restarts++;
    else
        take_over(strtoull(line, NULL, 10));
    puts("ok");
    fflush(stdout);
}

static void turn(void)
{
    struct pollfd ready[3] = {{.fd = 0, .events = POLLIN},
                              {.fd = agent.listen_fd, .events = POLLIN},
                              {.fd = orders_fd(), .events = POLLIN}};

    poll(ready, 3, BEAT_MS / 10);
    if (ready[0].revents)
        answer();
    if (ready[1].revents)
        fake_agent_serve(&agent);
    if (ready[2].revents)
        orders_hear();
}

int main(int argc, char **argv)
{
    uint64_t beaten_ms = 0;

    if (argc != 8)
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
        walk->enough |= walk->steps >= walk->target && switches() >= WALK_ENOUGH &&
                        walk->restarts >= 2 * restarts;
        if (!walk->enough)
            switch_due();
        else if (orders_all_settled())
            walk->quiet = true;
    }
}
