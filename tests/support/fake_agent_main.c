/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_agent_main.c - the fake agent as a process: one command per line, one line in reply.
 * usage: fake_agent SOCKET [COMMAND...]     the commands before it can be asked; then on standard input:
 *   view [SLOTS]                            a new, empty view, handed out from now on
 *   entry NAME MODE STATE ROLE FAMILY TEXT4 TEXT6 MAX_STALE_MS AGE_MS [KEY=VALUE...]    "-": none
 *   newer NAME MODE STATE ROLE | ahead      numbers, known or not, in its entry | a view of an agent to come
 *   officials[@CLUSTER] NAME... | ports[@CLUSTER] PORT...    of the next `members`; "-": not known
 *   members[@CLUSTER] FLAGS=ADDRESS[@PORT[/MEMBER]]...      FLAGS of the letters w, r, d, p and -
 *   sever INSTANCE                          of homing-sever
 *   gone NAME | retire | manner NAME | listen BACKLOG | scribble SEED | scribble-header SEED
 *   beat MS                                 0: now and from now on; else stands MS in the past
 *   attached | standard                     how many were handed a view; its last client's of 0, 1, 2
 *   missed                                  how often it or its client was not run in time
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/view_names.h"
#include "tests/support/fake_agent.h"

#define WORDS_MAX     40
#define FAKE_CLUSTERS 2

static struct fake_agent agent;
static const char *socket_path;
static bool beats = true;
static uint64_t beats_missed;
static char officials[FAKE_CLUSTERS][HOMING_MEMBERS_MAX][HOMING_NAME_MAX + 1];
static uint32_t official_count[FAKE_CLUSTERS];
static uint16_t other_ports[FAKE_CLUSTERS][HOMING_CLUSTER_PORTS_MAX];
static uint32_t other_count[FAKE_CLUSTERS];

static int enum_find(const char *word, int count, const char *(*name_of)(int))
{
    for (int i = 0; i < count; i++)
        if (strcmp(name_of(i), word) == 0)
            return i;
    fprintf(stderr, "fake_agent: what is %s?\n", word);
    exit(2);
}

static const char *mode_name(int i)
{
    return view_mode_name((enum view_mode)i);
}

static const char *state_name(int i)
{
    return view_state_name((enum view_state)i);
}

static const char *role_name(int i)
{
    return view_role_name((enum view_role)i);
}

static const char *manner_name(int i)
{
    return fake_manner_name((enum fake_manner)i);
}

static bool name_parse(const char *text, struct name *ret_name)
{
    if (name_canonical(text, ret_name))
        return true;
    fprintf(stderr, "fake_agent: no name: %s\n", text);
    return false;
}

/* port, generation, hold, keepalive, cluster, endpoint: its id, other: a port. */
static bool entry_key(const char *word, struct view_entry *entry)
{
    const char *value = strchr(word, '=');
    uint32_t number = value ? (uint32_t)atoi(value + 1) : 0;
    size_t len = value ? (size_t)(value - word) : 0;

    if (len == 4 && memcmp(word, "port", len) == 0)
        entry->port = (uint16_t)number;
    else if (len == 10 && memcmp(word, "generation", len) == 0)
        entry->generation = number;
    else if (len == 4 && memcmp(word, "hold", len) == 0)
        entry->hold_ms = number;
    else if (len == 9 && memcmp(word, "keepalive", len) == 0)
        entry->keepalive_ms = number;
    else if (len == 7 && memcmp(word, "cluster", len) == 0)
        entry->cluster = number;
    else if (len == 5 && memcmp(word, "other", len) == 0)
        entry->ports = entry->ports << 16 | (number & 0xffff);
    else if (len == 8 && memcmp(word, "endpoint", len) == 0)
        entry->endpoint = number;
    else
        return false;
    return true;
}

static bool do_entry(char **words, int count)
{
    struct view_entry entry = {.port = 5432, .generation = 1};
    struct name name;

    if (count < 10 || !name_parse(words[1], &name))
        return false;
    entry.mode = (enum view_mode)enum_find(words[2], VIEW_MODE_COUNT, mode_name);
    entry.state = (enum view_state)enum_find(words[3], VIEW_STATE_COUNT, state_name);
    entry.role = (enum view_role)enum_find(words[4], VIEW_ROLE_COUNT, role_name);
    entry.family = (uint8_t)atoi(words[5]);
    entry.endpoint = name.hash;
    for (int i = 10; i < count; i++)
        if (!entry_key(words[i], &entry))
            return false;
    if (strcmp(words[6], "-") != 0)
        snprintf(entry.text4, sizeof(entry.text4), "%s", words[6]);
    if (strcmp(words[7], "-") != 0)
        snprintf(entry.text6, sizeof(entry.text6), "%s", words[7]);
    entry.max_stale_ms = (uint32_t)atoi(words[8]);
    entry.confirmed_ms = clock_ms() - (uint64_t)atoi(words[9]);
    return view_write_entry(&agent.writer, &name, &entry) == 0;
}

static uint8_t flag_of(char letter)
{
    switch (letter) {
    case 'w':
        return VIEW_MEMBER_WRITER;
    case 'r':
        return VIEW_MEMBER_READER;
    case 'd':
        return VIEW_MEMBER_DEMOTED;
    case 'p':
        return VIEW_MEMBER_PERMIT;
    case 's':
        return VIEW_MEMBER_STILL;
    default:
        return 0;
    }
}

/* Members count up unless they say which they are. */
static bool address_parse(const char *word, uint16_t index, struct view_address *ret)
{
    const char *text = strchr(word, '=');
    int member = index, port = 5432;

    if (!text)
        return false;
    for (; word < text; word++)
        ret->flags |= flag_of(*word);
    sscanf(text + 1, "%47[^@]@%d/%d", ret->text, &port, &member);
    ret->address.port = (uint16_t)port;
    ret->member = (uint16_t)member;
    ret->address.family = strchr(ret->text, ':') ? 6 : 4;
    return inet_pton(ret->address.family == 4 ? AF_INET : AF_INET6, ret->text,
                     ret->address.bytes) == 1;
}

/* What a newer agent might store. */
static bool do_newer(char **words, int count)
{
    struct name name;
    struct view_slot *slot = agent.writer.slots;

    if (count != 5 || !name_parse(words[1], &name))
        return false;
    while (slot->hash != name.hash)
        if (++slot == agent.writer.slots + agent.writer.slot_count)
            return false;
    for (int i = 0; i < 2; i++)
        slot->copies[i].meta = (slot->copies[i].meta & ~0xffffffull) | (uint64_t)atoi(words[2]) |
                               (uint64_t)atoi(words[3]) << 8 | (uint64_t)atoi(words[4]) << 16;
    return true;
}

static uint32_t cluster_of(const char *word)
{
    const char *cluster = strchr(word, '@');

    return cluster ? (uint32_t)atoi(cluster + 1) : 0;
}

static bool do_officials(char **words, int count)
{
    uint32_t cluster = cluster_of(words[0]);

    if (cluster >= FAKE_CLUSTERS || count > HOMING_MEMBERS_MAX)
        return false;
    official_count[cluster] = (uint32_t)count - 1;
    for (int i = 1; i < count; i++) {
        char *name = officials[cluster][i - 1];

        snprintf(name, sizeof(officials[0][0]), "%s", strcmp(words[i], "-") == 0 ? "" : words[i]);
    }
    return true;
}

static bool do_ports(char **words, int count)
{
    uint32_t cluster = cluster_of(words[0]);

    if (cluster >= FAKE_CLUSTERS || count > HOMING_CLUSTER_PORTS_MAX + 1)
        return false;
    other_count[cluster] = (uint32_t)count - 1;
    for (int i = 1; i < count; i++)
        other_ports[cluster][i - 1] = (uint16_t)atoi(words[i]);
    return true;
}

static bool do_members(char **words, int count)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX] = {0};
    uint32_t cluster = cluster_of(words[0]);
    const char *names[HOMING_MEMBERS_MAX];

    if (cluster >= FAKE_CLUSTERS)
        return false;
    for (int i = 1; i < count && i <= HOMING_VIEW_ADDRESSES_MAX; i++)
        if (!address_parse(words[i], (uint16_t)(i - 1), &at[i - 1]))
            return false;
    for (uint32_t i = 0; i < official_count[cluster]; i++)
        names[i] = officials[cluster][i];
    return view_write_cluster(&agent.writer, cluster,
                              &(struct view_listing){
                                  .at = at,
                                  .count = (uint32_t)count - 1,
                                  .names = names,
                                  .name_count = official_count[cluster],
                                  .ports = other_ports[cluster],
                                  .port_count = other_count[cluster],
                              }) == 0;
}

/* Random bytes over everything between `from` and `to`: what a hostile agent may do at any time. */
static bool do_scribble(size_t from, size_t to, unsigned seed)
{
    unsigned char *base = (unsigned char *)agent.writer.header;

    srandom(seed);
    for (size_t i = from; i < to; i++)
        if (random() % 8 == 0)
            base[i] = random() % 4 ? (unsigned char)random() : (unsigned char)(random() % 8);
    return true;
}

static bool do_beat(int age_ms)
{
    beats = age_ms == 0;
    view_write_heartbeat(&agent.writer, clock_ms() - (uint64_t)(int64_t)age_ms);
    return true;
}

static bool do_gone(const char *text)
{
    struct name name;

    if (!name_parse(text, &name))
        return false;
    view_write_gone(&agent.writer, &name);
    return true;
}

static bool do_listen(int backlog)
{
    close(agent.listen_fd);
    return fake_agent_listen(&agent, socket_path, backlog) == 0;
}

static bool command(char **words, int count)
{
    const char *verb = words[0];
    int number = count > 1 ? atoi(words[1]) : 0;

    if (strcmp(verb, "view") == 0)
        return fake_agent_view(&agent, number ? (uint32_t)number : HOMING_VIEW_SLOTS_MIN,
                               FAKE_CLUSTERS) == 0;
    if (strcmp(verb, "entry") == 0)
        return do_entry(words, count);
    if (strcmp(verb, "newer") == 0)
        return do_newer(words, count);
    if (strcmp(verb, "ahead") == 0)
        return fake_agent_ahead(&agent) == 0;
    if (strncmp(verb, "ports", 5) == 0)
        return do_ports(words, count);
    if (strncmp(verb, "officials", 9) == 0)
        return do_officials(words, count);
    if (strncmp(verb, "members", 7) == 0)
        return do_members(words, count);
    if (strcmp(verb, "sever") == 0) {
        view_write_sever_instance(&agent.writer, count > 1 ? strtoull(words[1], NULL, 10) : 0);
        return true;
    }
    if (strcmp(verb, "beat") == 0)
        return do_beat(number);
    if (strcmp(verb, "listen") == 0)
        return do_listen(number);
    if (strcmp(verb, "scribble") == 0)
        return do_scribble(sizeof(struct view_header), agent.size, (unsigned)number);
    if (strcmp(verb, "scribble-header") == 0)
        return do_scribble(8, sizeof(struct view_header), (unsigned)number);
    if (strcmp(verb, "retire") == 0) {
        view_write_retired(&agent.writer);
        return true;
    }
    if (count != 2)
        return false;
    if (strcmp(verb, "gone") == 0)
        return do_gone(words[1]);
    if (strcmp(verb, "manner") != 0)
        return false;
    agent.manner = (enum fake_manner)enum_find(words[1], FAKE_MANNER_COUNT, manner_name);
    return true;
}

/* A reader that finds a beat late asks again, as it should. */
static void beat(void)
{
    static uint64_t last_ms;
    uint64_t now_ms = clock_ms();

    beats_missed += last_ms && now_ms - last_ms > HOMING_HEARTBEAT_LATE_MS - HOMING_HEARTBEAT_MS;
    last_ms = now_ms;
    view_write_heartbeat(&agent.writer, now_ms);
}

static int split(char *line, char **words)
{
    char *word = strtok(line, " \n");
    int count = 0;

    for (; word && count < WORDS_MAX; word = strtok(NULL, " \n"))
        words[count++] = word;
    return count;
}

static int commands_before(char **lines, int count)
{
    char *words[WORDS_MAX + 1];

    for (int i = 0; i < count; i++) {
        int word_count = split(lines[i], words);

        if (!word_count || !command(words, word_count))
            return -EINVAL;
    }
    return 0;
}

static void command_line(char *line)
{
    char *words[WORDS_MAX + 1];
    int count = split(line, words);

    if (count && strcmp(words[0], "attached") == 0)
        printf("%llu\n", (unsigned long long)agent.attached);
    else if (count && strcmp(words[0], "standard") == 0)
        printf("%u\n", agent.standard);
    else if (count && strcmp(words[0], "missed") == 0)
        printf("%llu\n", (unsigned long long)(fake_agent_missed(&agent) + beats_missed));
    else
        puts(count && command(words, count) ? "ok" : "error");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[4096];
    int error;

    socket_path = argc >= 2 ? argv[1] : "";
    error = fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN, FAKE_CLUSTERS);
    if (error == 0 && argc > 2)
        error = commands_before(argv + 2, argc - 2);
    if (error == 0)
        error = fake_agent_listen(&agent, socket_path, 128);
    if (error < 0) {
        fprintf(stderr, "fake_agent: %s: %s\n", socket_path, strerror(-error));
        return 1;
    }
    setvbuf(stdin, NULL, _IONBF, 0);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd ready[2] = {{.fd = 0, .events = POLLIN},
                                  {.fd = agent.listen_fd, .events = POLLIN}};

        if (agent.manner == FAKE_ABSENT)
            ready[1].fd = -1;
        poll(ready, 2, 50);
        if (beats)
            beat();
        if (ready[1].revents)
            fake_agent_serve(&agent);
        if (ready[0].revents && !fgets(line, sizeof(line), stdin))
            return 0;
        if (ready[0].revents)
            command_line(line);
    }
}
