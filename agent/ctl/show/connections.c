/* SPDX-License-Identifier: Apache-2.0
 *
 * connections.c - `homingctl connections`. homing-sever knows of a connection without a tag only
 * which inode its socket has, because it sees no other process' descriptors. Who runs this command may.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/process.h"
#include "agent/ctl/show/show.h"
#include "agent/ctl/show/text.h"

/* Wider words push their own line, not the table. */
#define WIDTH_COMMAND  16
#define WIDTH_ENDPOINT 28
#define WIDTH_MEMBER   24

static void cell(const struct show *show, const char *text, int width)
{
    char clean[1024];
    int own = (int)text_clean(text, clean, sizeof(clean));

    fprintf(show->out, "%s%*s", clean, own < width ? width - own + 1 : 1, "");
}

static void cell_of(const struct show *show, const struct msg_value *row, const char *key,
                    int width)
{
    const char *text = msg_get_str(row, key);

    cell(show, text ? text : "-", width);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The member; with the port, if that is another one than its own. If it is none, the address. */
static void cell_place(const struct show *show, const char *member, const char *address,
                       unsigned long long number)
{
    char port[32], text[512];

    snprintf(port, sizeof(port), ":%llu", number);
    if (member && ends_with(member, port)) {
        cell(show, member, WIDTH_MEMBER);
        return;
    }
    if (!member)
        member = address ? address : "?";
    snprintf(text, sizeof(text), "%.400s port %s", member, port + 1);
    cell(show, text, WIDTH_MEMBER);
}

static void cell_member(const struct show *show, const struct msg_value *row)
{
    cell_place(show, msg_get_str(row, "member"), msg_get_str(row, "address"),
               msg_get_uint(row, "port", 0));
}

/* Of the connections without a tag. */
struct owners {
    struct process_socket *at;
    uint32_t count;
    uint32_t hidden; /* processes whose sockets are not shown */
    const struct msg_value *lost_pids;
};

static uint64_t inode_of(const struct msg_value *row)
{
    return msg_get_uint(row, "inode", 0);
}

/* Without memory, nobody is known. */
static void find_owners(const struct msg_value *rows, struct owners *ret)
{
    *ret = (struct owners){.at = calloc(msg_array_len(rows) + 1, sizeof(*ret->at)), .hidden = 1};
    if (!ret->at)
        return;
    for (; ret->count < msg_array_len(rows); ret->count++)
        ret->at[ret->count].inode = (uint32_t)inode_of(msg_array_at(rows, ret->count));
    if (ret->count)
        ret->hidden = process_find_sockets(ret->at, ret->count);
}

static pid_t owner_of(const struct owners *owners, uint64_t inode)
{
    for (uint32_t i = 0; i < owners->count; i++)
        if (owners->at[i].inode == inode)
            return owners->at[i].pid;
    return 0;
}

static bool is_lost(const struct owners *owners, pid_t pid)
{
    uint64_t lost;

    for (uint32_t i = 0; i < msg_array_len(owners->lost_pids); i++)
        if (msg_uint(msg_array_at(owners->lost_pids, i), &lost) && lost == (uint64_t)pid)
            return true;
    return false;
}

/* Why it has no tag, as far as that can be told. */
static const char *why_untagged(const struct owners *owners, pid_t pid)
{
    if (!pid)
        return owners->hidden ? "whose it is only root sees" : "of no process that is seen here";
    if (!process_has_mapped(pid, "libhoming.so"))
        return "without homing";
    if (is_lost(owners, pid))
        return "its permit was lost, see permits_lost in status";
    if (process_is_chrooted(pid))
        return "has changed its root directory, where the sockets have to be, too";
    if (process_is_filtered(pid))
        return "in a sandbox, which needs AF_NETLINK";
    return "no call since homing looks, or not by a name, or not by libc";
}

static void print_owner(const struct show *show, pid_t pid, unsigned long long uid)
{
    char name[PROCESS_NAME_SIZE] = "";

    if (pid)
        process_name(pid, name);
    fprintf(show->out, "%-8d %-8llu ", (int)pid, uid);
    cell(show, name[0] ? name : "-", WIDTH_COMMAND);
    cell(show, "-", WIDTH_ENDPOINT);
}

static void print_untagged(const struct show *show, const struct owners *owners,
                           const struct msg_value *row)
{
    pid_t pid = owner_of(owners, inode_of(row));

    print_owner(show, pid, msg_get_uint(row, "uid", 0));
    cell_member(show, row);
    fprintf(show->out, "%-9s  untagged: %s\n", "-", why_untagged(owners, pid));
}

static void print_row(const struct show *show, const struct msg_value *row)
{
    char age[TEXT_SHORT];

    text_age(msg_get_uint(row, "age_ms", 0), age);
    fprintf(show->out, "%-8llu %-8llu ", (unsigned long long)msg_get_uint(row, "pid", 0),
            (unsigned long long)msg_get_uint(row, "uid", 0));
    cell_of(show, row, "command", WIDTH_COMMAND);
    cell_of(show, row, "endpoint", WIDTH_ENDPOINT);
    cell_member(show, row);
    fprintf(show->out, "%-9s%s%s\n", age, msg_get_bool(row, "outdated", false) ? "  outdated" : "",
            msg_get_bool(row, "mptcp", false) ? "  MPTCP: notices late" : "");
}

static void print_rows(const struct show *show, const struct msg_value *rows, bool outdated)
{
    for (uint32_t i = 0; i < msg_array_len(rows); i++) {
        const struct msg_value *row = msg_array_at(rows, i);
        if (msg_get_bool(row, "outdated", false) == outdated)
            print_row(show, row);
    }
}

static void print_all_untagged(const struct show *show, const struct msg_value *rows,
                               const struct msg_value *lost_pids)
{
    struct owners owners;

    find_owners(rows, &owners);
    owners.lost_pids = lost_pids;
    for (uint32_t i = 0; i < msg_array_len(rows); i++)
        print_untagged(show, &owners, msg_array_at(rows, i));
    free(owners.at);
}

/* ---- what homing-sever cannot list ---- */

/* A connection to a member, in a network namespace for which nobody has handed over a permit. */
struct unlisted_row {
    const struct msg_value *to; /* [address, port, member] */
    uint32_t uid;
    uint32_t inode;
};

/* As many as homing-sever tells of. */
#define UNLISTED_MAX 10000

struct unlisted {
    const struct msg_value *addresses, *untagged;
    uint64_t *netns; /* listed, or gone through */
    uint32_t netns_count, netns_size;
    struct unlisted_row *rows;
    uint32_t count, size;
    bool partial;
};

/* NULL: there is no memory for one more. */
static void *room_for(void *all, uint32_t count, uint32_t *size, size_t each)
{
    uint32_t wanted = *size ? *size * 2 : 64;
    void *more;

    if (count < *size)
        return all;
    more = realloc(all, wanted * each);
    *size = more ? wanted : *size;
    return more;
}

/* False: it was there already, or cannot be kept. */
static bool note_netns(struct unlisted *u, uint64_t netns)
{
    uint64_t *all;

    for (uint32_t i = 0; i < u->netns_count; i++)
        if (u->netns[i] == netns)
            return false;
    all = room_for(u->netns, u->netns_count, &u->netns_size, sizeof(*all));
    if (!all)
        return false;
    u->netns = all;
    u->netns[u->netns_count++] = netns;
    return true;
}

static const struct msg_value *find_address(const struct unlisted *u,
                                            const struct inet_address *peer)
{
    for (uint32_t i = 0; i < msg_array_len(u->addresses); i++) {
        const struct msg_value *row = msg_array_at(u->addresses, i);
        const char *text = msg_str(msg_array_at(row, 0));
        struct inet_address at;
        uint64_t port;
        if (text && msg_uint(msg_array_at(row, 1), &port) && port == peer->port &&
            inet_address_parse(text, (uint16_t)port, &at) && inet_address_same(&at, peer))
            return row;
    }
    return NULL;
}

static bool is_listed(const struct unlisted *u, uint64_t inode)
{
    for (uint32_t i = 0; i < msg_array_len(u->untagged); i++)
        if (inode_of(msg_array_at(u->untagged, i)) == inode)
            return true;
    return false;
}

static void take_connection(void *arg, const struct process_connection *connection)
{
    struct unlisted *u = arg;
    const struct msg_value *to = find_address(u, &connection->peer);
    struct unlisted_row *rows;

    if (!to || is_listed(u, connection->inode))
        return;
    rows = u->count < UNLISTED_MAX ? room_for(u->rows, u->count, &u->size, sizeof(*rows)) : NULL;
    if (!rows) {
        u->partial = true;
        return;
    }
    u->rows = rows;
    u->rows[u->count++] = (struct unlisted_row){to, connection->uid, connection->inode};
}

/* Each network namespace in which some program has loaded the library is gone through once. */
static void take_process(void *arg, pid_t pid)
{
    struct unlisted *u = arg;
    uint64_t netns = process_netns(pid);

    for (uint32_t i = 0; i < u->netns_count; i++)
        if (u->netns[i] == netns)
            return;
    if (netns && process_has_mapped(pid, "libhoming.so") && note_netns(u, netns))
        process_each_connection(pid, take_connection, u);
}

/* False: it cannot be told which namespaces are listed. */
static bool note_listed(struct unlisted *u, const struct msg_value *result)
{
    const struct msg_value *pids = msg_get(result, "listed_pids"),
                           *rows = msg_get(result, "connections");
    uint64_t pid;

    for (uint32_t i = 0; i < msg_array_len(pids); i++)
        if (msg_uint(msg_array_at(pids, i), &pid))
            note_netns(u, process_netns((pid_t)pid));
    for (uint32_t i = 0; i < msg_array_len(rows); i++) {
        pid = msg_get_uint(msg_array_at(rows, i), "pid", 0);
        if (!pid)
            return false;
        note_netns(u, process_netns((pid_t)pid));
    }
    return msg_array_len(pids);
}

/* Only those of programs that have loaded the library stay: what others have there was never asked. */
static void keep_ours(struct unlisted *u, struct owners *ret_owners)
{
    uint32_t kept = 0;

    *ret_owners = (struct owners){.at = calloc(u->count + 1, sizeof(*ret_owners->at))};
    for (; ret_owners->at && ret_owners->count < u->count; ret_owners->count++)
        ret_owners->at[ret_owners->count].inode = u->rows[ret_owners->count].inode;
    if (ret_owners->count)
        process_find_sockets(ret_owners->at, ret_owners->count);
    for (uint32_t i = 0; i < u->count; i++) {
        pid_t pid = owner_of(ret_owners, u->rows[i].inode);
        if (pid && process_has_mapped(pid, "libhoming.so"))
            u->rows[kept++] = u->rows[i];
    }
    u->count = kept;
}

static void find_unlisted(const struct msg_value *result, struct unlisted *ret,
                          struct owners *ret_owners)
{
    *ret = (struct unlisted){.addresses = msg_get(result, "addresses"),
                             .untagged = msg_get(result, "untagged")};
    if (note_listed(ret, result))
        process_each(take_process, ret);
    keep_ours(ret, ret_owners);
    ret_owners->lost_pids = msg_get(result, "lost_pids");
}

static void print_unlisted(const struct show *show, const struct unlisted *u,
                           const struct owners *owners)
{
    for (uint32_t i = 0; i < u->count; i++) {
        const struct msg_value *to = u->rows[i].to;
        pid_t pid = owner_of(owners, u->rows[i].inode);
        uint64_t port = 0;
        (void)msg_uint(msg_array_at(to, 1), &port);
        print_owner(show, pid, u->rows[i].uid);
        cell_place(show, msg_str(msg_array_at(to, 2)), msg_str(msg_array_at(to, 0)), port);
        fprintf(show->out, "%-9s  untagged: %s\n", "-", why_untagged(owners, pid));
    }
}

/* ---- all of it ---- */

bool show_connections(const struct show *show, const struct msg_value *result)
{
    const struct msg_value *rows = msg_get(result, "connections"),
                           *untagged = msg_get(result, "untagged"),
                           *lost_pids = msg_get(result, "lost_pids");
    bool partial = msg_get_bool(result, "partial", true);
    struct unlisted unlisted;
    struct owners owners;

    find_unlisted(result, &unlisted, &owners);
    partial |= unlisted.partial;
    if (msg_array_len(rows) || msg_array_len(untagged) || unlisted.count)
        fprintf(show->out, "%-8s %-8s %-*s %-*s %-*s %s\n", "PID", "UID", WIDTH_COMMAND, "COMMAND",
                WIDTH_ENDPOINT, "ENDPOINT", WIDTH_MEMBER, "MEMBER", "AGE");
    else
        fputs("no connections\n", show->out);
    print_rows(show, rows, true);
    print_rows(show, rows, false);
    print_all_untagged(show, untagged, lost_pids);
    print_unlisted(show, &unlisted, &owners);
    free(owners.at);
    free(unlisted.netns);
    free(unlisted.rows);
    if (partial)
        fputs("homingctl: not all could be listed\n", stderr);
    return !partial;
}
