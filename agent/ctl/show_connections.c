/* SPDX-License-Identifier: Apache-2.0
 *
 * show_connections.c - `homingctl connections`. homing-sever knows of a connection without a tag only
 * which inode its socket has, because it sees no other process' descriptors. Who runs this command may.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/process.h"
#include "agent/ctl/show.h"
#include "agent/ctl/text.h"

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
static void cell_member(const struct show *show, const struct msg_value *row)
{
    const char *member = msg_get_str(row, "member"), *address = msg_get_str(row, "address");
    char port[32], text[512];

    snprintf(port, sizeof(port), ":%llu", (unsigned long long)msg_get_uint(row, "port", 0));
    if (member && ends_with(member, port)) {
        cell(show, member, WIDTH_MEMBER);
        return;
    }
    if (!member)
        member = address ? address : "?";
    snprintf(text, sizeof(text), "%.400s port %s", member, port + 1);
    cell(show, text, WIDTH_MEMBER);
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

static pid_t owner_of(const struct owners *owners, const struct msg_value *row)
{
    for (uint32_t i = 0; i < owners->count; i++)
        if (owners->at[i].inode == inode_of(row))
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

static void print_untagged(const struct show *show, const struct owners *owners,
                           const struct msg_value *row)
{
    pid_t pid = owner_of(owners, row);
    char name[PROCESS_NAME_SIZE] = "";

    if (pid)
        process_name(pid, name);
    fprintf(show->out, "%-8d %-8llu ", (int)pid, (unsigned long long)msg_get_uint(row, "uid", 0));
    cell(show, name[0] ? name : "-", WIDTH_COMMAND);
    cell(show, "-", WIDTH_ENDPOINT);
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

bool show_connections(const struct show *show, const struct msg_value *result)
{
    const struct msg_value *rows = msg_get(result, "connections"),
                           *untagged = msg_get(result, "untagged");
    bool partial = msg_get_bool(result, "partial", true);

    if (msg_array_len(rows) || msg_array_len(untagged))
        fprintf(show->out, "%-8s %-8s %-*s %-*s %-*s %s\n", "PID", "UID", WIDTH_COMMAND, "COMMAND",
                WIDTH_ENDPOINT, "ENDPOINT", WIDTH_MEMBER, "MEMBER", "AGE");
    else
        fputs("no connections\n", show->out);
    print_rows(show, rows, true);
    print_rows(show, rows, false);
    print_all_untagged(show, untagged, msg_get(result, "lost_pids"));
    if (partial)
        fputs("homingctl: not all could be listed\n", stderr);
    return !partial;
}
