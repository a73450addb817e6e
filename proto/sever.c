/* SPDX-License-Identifier: Apache-2.0
 *
 * sever.c - see sever.h. Called by agent/sever/client/sever_client.c, which orders, and agent/sever,
 * which obeys.
 */
#include "config.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

#include "proto/sever.h"

static const struct {
    const char *name;
    size_t at;
} counts_fields[] = {
    {"seen", offsetof(struct sever_counts, seen)},
    {"outdated", offsetof(struct sever_counts, outdated)},
    {"untagged", offsetof(struct sever_counts, untagged)},
    {"foreign", offsetof(struct sever_counts, foreign)},
    {"unsure", offsetof(struct sever_counts, unsure)},
    {"older", offsetof(struct sever_counts, older)},
    {"severed", offsetof(struct sever_counts, severed)},
    {"gone", offsetof(struct sever_counts, gone)},
    {"denied", offsetof(struct sever_counts, denied)},
    {"failed", offsetof(struct sever_counts, failed)},
    {"dropped", offsetof(struct sever_counts, dropped)},
    {"memories", offsetof(struct sever_counts, memories)},
    {"behind", offsetof(struct sever_counts, behind)},
    {"given_up", offsetof(struct sever_counts, given_up)},
    {"mptcp_late", offsetof(struct sever_counts, mptcp_late)},
    {"mptcp_hidden", offsetof(struct sever_counts, mptcp_hidden)},
    {"processes", offsetof(struct sever_counts, processes)},
    {"namespaces", offsetof(struct sever_counts, namespaces)},
    {"first_us", offsetof(struct sever_counts, first_us)},
};

enum {
    COUNTS_FIELDS = sizeof(counts_fields) / sizeof(counts_fields[0])
};

/* ---- orders ---- */

void sever_order_put(struct msg_writer *w, const struct sever_order *order)
{
    char text[INET6_ADDRSTRLEN];

    msg_put_array(w, 1);
    msg_open_map(w);
    msg_put_key_uint(w, "limit", SEVER_ROWS_MAX);
    msg_put_str(w, "endpoints");
    msg_put_array(w, order->endpoint_count);
    for (uint32_t i = 0; i < order->endpoint_count; i++) {
        msg_put_array(w, 2);
        msg_put_uint(w, order->endpoints[i].id);
        msg_put_uint(w, order->endpoints[i].older_than);
    }
    msg_put_str(w, "addresses");
    msg_put_array(w, order->address_count);
    for (uint32_t i = 0; i < order->address_count; i++) {
        inet_address_print(&order->addresses[i], text, sizeof(text));
        msg_put_array(w, 2);
        msg_put_str(w, text);
        msg_put_uint(w, order->addresses[i].port);
    }
    msg_put_key_uint(w, "spread_ms", order->spread_ms);
    msg_put_key_bool(w, "observe", order->kind == SEVER_OBSERVE);
    msg_put_key_bool(w, "untagged", order->untagged);
    msg_put_key_bool(w, "unasked", order->unasked);
    msg_put_str(w, "spared");
    msg_put_array(w, order->spared_count);
    for (uint32_t i = 0; i < order->spared_count; i++)
        msg_put_uint(w, order->spared[i]);
    msg_close(w);
}

static const char *get_endpoints(const struct msg_value *list, struct sever_order *order)
{
    uint32_t count = msg_array_len(list);

    if (count > SEVER_ENDPOINTS_MAX)
        return "too many endpoints";
    for (uint32_t i = 0; i < count; i++) {
        const struct msg_value *pair = msg_array_at(list, i);
        struct sever_endpoint *e = &order->endpoints[i];
        if (msg_array_len(pair) != 2 || !msg_uint(msg_array_at(pair, 0), &e->id) ||
            !msg_uint(msg_array_at(pair, 1), &e->older_than))
            return "an endpoint is [id, older_than]";
    }
    order->endpoint_count = count;
    return NULL;
}

static const char *get_addresses(const struct msg_value *list, struct sever_order *order)
{
    uint32_t count = msg_array_len(list);

    if (count == 0 || count > SEVER_ADDRESSES_MAX)
        return count ? "too many addresses" : "no addresses";
    for (uint32_t i = 0; i < count; i++) {
        const struct msg_value *pair = msg_array_at(list, i);
        const char *text = msg_str(msg_array_at(pair, 0));
        uint64_t port = 0;
        if (msg_array_len(pair) != 2 || !text || !msg_uint(msg_array_at(pair, 1), &port) ||
            port == 0 || port > 65535 ||
            !inet_address_parse(text, (uint16_t)port, &order->addresses[i]))
            return "an address is [\"numeric address\", port]";
    }
    order->address_count = count;
    return NULL;
}

/* Missing: none. */
static const char *get_spared(const struct msg_value *list, struct sever_order *order)
{
    uint32_t count = msg_array_len(list);

    if (count > SEVER_SPARED_MAX)
        return "too many that are spared";
    for (uint32_t i = 0; i < count; i++)
        if (!msg_uint(msg_array_at(list, i), &order->spared[i]))
            return "what is spared is a list of cookies";
    order->spared_count = count;
    return NULL;
}

const char *sever_order_get(const struct msg_value *params, enum sever_kind kind,
                            struct sever_order *ret_order)
{
    const struct msg_value *map = msg_array_at(params, 0);
    struct sever_order order = {.kind = kind};
    uint64_t spread = msg_get_uint(map, "spread_ms", 0);

    if (msg_array_len(params) != 1 || msg_type(map) != MSG_TYPE_MAP)
        return "params are one map";
    const char *wrong = get_endpoints(msg_get(map, "endpoints"), &order);
    if (!wrong)
        wrong = get_addresses(msg_get(map, "addresses"), &order);
    if (!wrong)
        wrong = get_spared(msg_get(map, "spared"), &order);
    if (!wrong && spread > SEVER_SPREAD_MAX_MS)
        wrong = "spread_ms is too long";
    if (wrong)
        return wrong;
    if (kind == SEVER_DO && msg_get_bool(map, "observe", false))
        order.kind = SEVER_OBSERVE;
    order.spread_ms = (uint32_t)spread;
    order.untagged = msg_get_bool(map, "untagged", false);
    order.unasked = msg_get_bool(map, "unasked", false);
    *ret_order = order;
    return NULL;
}

/* ---- counts ---- */

void sever_counts_put(struct msg_writer *w, const struct sever_counts *counts)
{
    msg_open_map(w);
    for (size_t i = 0; i < COUNTS_FIELDS; i++) {
        uint64_t value;
        memcpy(&value, (const char *)counts + counts_fields[i].at, sizeof(value));
        msg_put_key_uint(w, counts_fields[i].name, value);
    }
    msg_close(w);
}

void sever_counts_get(const struct msg_value *map, struct sever_counts *ret_counts)
{
    for (size_t i = 0; i < COUNTS_FIELDS; i++) {
        uint64_t value = msg_get_uint(map, counts_fields[i].name, 0);
        memcpy((char *)ret_counts + counts_fields[i].at, &value, sizeof(value));
    }
}

static const char *const tag_count_names[TAG_COUNT_COUNT] = {
    [TAG_COUNT_CONNECTS] = "connects",
    [TAG_COUNT_REDIRECTED] = "redirected",
    [TAG_COUNT_WOULD_REDIRECT] = "would_redirect",
    [TAG_COUNT_REFUSED] = "refused",
    [TAG_COUNT_SHARED_ADDRESS] = "shared_address",
    [TAG_COUNT_UNTRACKED] = "untracked",
    [TAG_COUNT_BEHIND] = "behind",
    [TAG_COUNT_LATE] = "late",
};

void sever_tag_counts_put(struct msg_writer *w, const uint64_t counts[TAG_COUNT_COUNT])
{
    msg_open_map(w);
    for (int i = 0; i < TAG_COUNT_COUNT; i++)
        msg_put_key_uint(w, tag_count_names[i], counts[i]);
    msg_close(w);
}

void sever_tag_counts_get(const struct msg_value *map, uint64_t ret_counts[TAG_COUNT_COUNT])
{
    for (int i = 0; i < TAG_COUNT_COUNT; i++)
        ret_counts[i] = msg_get_uint(map, tag_count_names[i], 0);
}

/* ---- rows ---- */

void sever_rows_put(struct msg_writer *w, const struct sever_row *rows, uint32_t count)
{
    char text[INET6_ADDRSTRLEN];

    msg_put_array(w, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct sever_row *row = &rows[i];
        inet_address_print(&row->address, text, sizeof(text));
        msg_open_map(w);
        msg_put_key_uint(w, "pid", (uint64_t)row->pid);
        msg_put_key_uint(w, "uid", row->uid);
        msg_put_key_str(w, "comm", row->comm);
        msg_put_key_uint(w, "endpoint", row->endpoint);
        msg_put_key_uint(w, "generation", row->generation);
        msg_put_key_uint(w, "age_ms", row->age_ms);
        msg_put_key_str(w, "address", text);
        msg_put_key_uint(w, "port", row->address.port);
        msg_put_key_bool(w, "mptcp", row->mptcp);
        msg_put_key_uint(w, "inode", row->inode);
        msg_close(w);
    }
}

bool sever_row_get(const struct msg_value *map, struct sever_row *ret_row)
{
    const char *address = msg_get_str(map, "address");
    const char *comm = msg_get_str(map, "comm");
    uint64_t port = msg_get_uint(map, "port", 0);
    struct sever_row row = {.pid = (int)msg_get_uint(map, "pid", 0),
                            .uid = (uint32_t)msg_get_uint(map, "uid", 0),
                            .endpoint = msg_get_uint(map, "endpoint", 0),
                            .generation = msg_get_uint(map, "generation", 0),
                            .age_ms = msg_get_uint(map, "age_ms", 0),
                            .mptcp = msg_get_bool(map, "mptcp", false),
                            .inode = (uint32_t)msg_get_uint(map, "inode", 0)};

    if (!address || port > 65535 || !inet_address_parse(address, (uint16_t)port, &row.address))
        return false;
    for (size_t i = 0; comm && comm[i] && i < sizeof(row.comm) - 1; i++)
        row.comm[i] = comm[i];
    *ret_row = row;
    return true;
}

void sever_holder_put(struct msg_writer *w, const struct sever_holder *holder)
{
    msg_put_array(w, 2);
    msg_put_uint(w, (uint64_t)holder->pid);
    msg_put_uint(w, holder->started);
}

bool sever_holder_get(const struct msg_value *pair, struct sever_holder *ret_holder)
{
    uint64_t pid, started;

    if (!msg_uint(msg_array_at(pair, 0), &pid) || pid > INT_MAX ||
        !msg_uint(msg_array_at(pair, 1), &started))
        return false;
    *ret_holder = (struct sever_holder){(int)pid, started};
    return true;
}
