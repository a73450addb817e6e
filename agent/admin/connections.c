/* SPDX-License-Identifier: Apache-2.0
 *
 * connections.c - `connections`: asks homing-sever what it sees, and says in our words which
 * endpoint and member each connection belongs to.
 *
 * 1. homing-sever is asked in pieces, one per SEVER_ADDRESSES_MAX addresses, all at once. The reply
 *    is sent when the last piece has come back, or has failed.
 * 2. A homing-sever that hangs is not waited for without an end: after LISTING_MS the reply says so,
 *    and what comes back later is dropped.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admin/connections.h"
#include "agent/admin/status.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/sever_target.h"
#include "agent/daemon/words.h"

/* So many addresses are told to who looks further, in what homing-sever cannot list. */
#define ADDRESSES_TOLD_MAX 4096

/* How many lists are collected at the same time: people ask for them, one by one. */
#define LISTINGS_MAX 8

/* Longer: homingctl gives up before (its ANSWER_SECONDS), and takes homingd for the one that hangs.
 * Shorter: the list of a busy node does not come. */
#define LISTING_MS 4000

struct listing {
    struct daemon *daemon;
    uint64_t client;
    uint32_t id;
    uint32_t missing; /* pieces that have not come back */
    uint32_t asked;
    struct sever_row *rows;
    uint32_t row_count;
    struct inet_address *addresses; /* that were asked for */
    uint32_t address_count;
    bool partial; /* not all could be asked for, or kept */
    struct loop_timer *late;
    bool replied; /* the time was over */
};

/* ---- a row in our words ---- */

#define ENDPOINT_NONE UINT32_MAX

struct owner {
    const struct cluster *cluster;
    uint32_t endpoint;
    uint32_t member; /* MEMBER_NONE: the address is no member's that we know */
};

static uint32_t find_member(const struct cluster *cluster, uint32_t endpoint,
                            const struct inet_address *address)
{
    if (conf_endpoint_has_port(&cluster->conf->endpoints[endpoint], address->port))
        return members_find_host(&cluster->members, address);
    return members_find(&cluster->members, address);
}

/* Of one without a tag: by its address alone. */
static bool find_by_address(const struct daemon *daemon, const struct sever_row *row,
                            struct owner *ret)
{
    for (uint32_t c = 0; c < daemon->cluster_count; c++) {
        const struct cluster *cluster = daemon->clusters[c];
        uint32_t member = members_find(&cluster->members, &row->address);
        if (member == MEMBER_NONE)
            member = members_find_host(&cluster->members, &row->address);
        *ret = (struct owner){cluster, ENDPOINT_NONE, member};
        if (member != MEMBER_NONE)
            return true;
    }
    return false;
}

static bool find_owner(const struct daemon *daemon, const struct sever_row *row, struct owner *ret)
{
    if (row->inode)
        return find_by_address(daemon, row, ret);
    for (uint32_t c = 0; c < daemon->cluster_count; c++) {
        const struct cluster *cluster = daemon->clusters[c];
        for (uint32_t e = 0; e < cluster->conf->endpoint_count; e++)
            if (cluster->endpoints[e].id == row->endpoint) {
                *ret = (struct owner){cluster, e, find_member(cluster, e, &row->address)};
                return true;
            }
    }
    return false;
}

/* As severing would judge it (W7). */
static bool is_outdated(const struct owner *owner, const struct sever_row *row)
{
    const struct cluster *cluster = owner->cluster;

    return owner->endpoint != ENDPOINT_NONE &&
           cluster->conf->endpoints[owner->endpoint].role == VIEW_ROLE_WRITER &&
           row->generation < cluster->endpoints[owner->endpoint].generation &&
           owner->member != MEMBER_NONE && (cluster->decision.verdict.demoted >> owner->member & 1);
}

/* NULL: it has none, or one that we do not know. */
static const char *endpoint_name(const struct owner *owner)
{
    if (owner->endpoint == ENDPOINT_NONE)
        return NULL;
    return owner->cluster->conf->endpoints[owner->endpoint].names[0].text;
}

static void put_row(struct msg_writer *w, const struct daemon *daemon, const struct sever_row *row)
{
    char address[64], member[MEMBER_TEXT_SIZE] = "";
    struct owner owner;
    bool known = find_owner(daemon, row, &owner);

    if (known && owner.member != MEMBER_NONE)
        words_member_at(owner.cluster, owner.member, member);
    inet_address_print(&row->address, address, sizeof(address));
    msg_open_map(w);
    msg_put_key_uint(w, "pid", (uint64_t)row->pid);
    msg_put_key_uint(w, "uid", row->uid);
    msg_put_key_str(w, "command", row->comm);
    msg_put_key_str(w, "cluster", known ? owner.cluster->conf->name : NULL);
    msg_put_key_str(w, "endpoint", known ? endpoint_name(&owner) : NULL);
    msg_put_key_str(w, "member", member[0] ? member : NULL);
    msg_put_key_str(w, "address", address);
    msg_put_key_uint(w, "port", row->address.port);
    msg_put_key_uint(w, "age_ms", row->age_ms);
    msg_put_key_uint(w, "generation", row->generation);
    msg_put_key_bool(w, "outdated", known && is_outdated(&owner, row));
    msg_put_key_bool(w, "mptcp", row->mptcp);
    msg_put_key_uint(w, "inode", row->inode);
    msg_close(w);
}

/* ---- the reply ---- */

static void put_rows(struct msg_writer *w, const struct listing *listing, const char *key,
                     bool untagged)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < listing->row_count; i++)
        count += !listing->rows[i].inode != untagged;
    msg_put_str(w, key);
    msg_put_array(w, count);
    for (uint32_t i = 0; i < listing->row_count; i++)
        if (!listing->rows[i].inode != untagged)
            put_row(w, listing->daemon, &listing->rows[i]);
}

/* As find_by_address() has it. */
static void put_address(struct msg_writer *w, const struct daemon *daemon,
                        const struct inet_address *at)
{
    char address[64], member[MEMBER_TEXT_SIZE] = "";
    struct owner owner;

    if (find_by_address(daemon, &(struct sever_row){.address = *at}, &owner))
        words_member_at(owner.cluster, owner.member, member);
    inet_address_print(at, address, sizeof(address));
    msg_put_array(w, 3);
    msg_put_str(w, address);
    msg_put_uint(w, at->port);
    msg_put_str(w, member[0] ? member : NULL);
}

static void put_addresses(struct msg_writer *w, const struct listing *listing)
{
    msg_put_str(w, "addresses");
    msg_put_array(w, listing->address_count);
    for (uint32_t i = 0; i < listing->address_count; i++)
        put_address(w, listing->daemon, &listing->addresses[i]);
}

/* Nil: some of those who have handed over are not seen here, nor is their network namespace. */
static void put_listed_pids(struct msg_writer *w, const struct daemon *daemon)
{
    const struct lost *lost = sever_client_lost(daemon->sever_client);
    struct lost_list list = {.seen = false};
    bool seen;

    if (lost)
        lost_tell(lost, true, &list);
    seen = list.seen;
    for (uint32_t i = 0; i < list.held_count; i++)
        seen &= list.held[i].pid > 0;
    msg_put_str(w, "listed_pids");
    if (!seen) {
        msg_put_nil(w);
        return;
    }
    msg_put_array(w, list.held_count + 1);
    msg_put_uint(w, sever_client_status(daemon->sever_client)->pid);
    for (uint32_t i = 0; i < list.held_count; i++)
        msg_put_uint(w, (uint64_t)list.held[i].pid);
}

static void put_result(struct msg_writer *w, const struct listing *listing)
{
    msg_put_reply(w, listing->id);
    msg_open_map(w);
    msg_put_key_bool(w, "partial", listing->partial);
    put_rows(w, listing, "connections", false);
    put_rows(w, listing, "untagged", true);
    status_put_lost_pids(w, listing->daemon, true);
    put_listed_pids(w, listing->daemon);
    put_addresses(w, listing);
    msg_close(w);
}

static void free_listing(struct listing *listing)
{
    listing->daemon->listings--;
    loop_timer_free(listing->late);
    free(listing->rows);
    free(listing->addresses);
    free(listing);
}

static void finish(struct listing *listing)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REPLY_MAX);
    put_result(&w, listing);
    if (msg_writer_finish(&w)) {
        msg_writer_reset(&w);
        msg_put_error(&w, listing->id, MSG_ERROR_INTERNAL, "out of memory");
    }
    serve_reply(listing->daemon->serve, SERVE_ADMIN, listing->client, &w);
    msg_writer_done(&w);
    free_listing(listing);
}

static void say_late(void *arg)
{
    struct listing *listing = arg;
    struct msg_writer w;

    listing->replied = true;
    msg_writer_init(&w, HOMING_REPLY_MAX);
    msg_put_error(&w, listing->id, MSG_ERROR_INTERNAL,
                  "connections: only homing-sever knows them, and it does not answer: if it hangs, "
                  "status says so within 5 s; else try again");
    serve_reply(listing->daemon->serve, SERVE_ADMIN, listing->client, &w);
    msg_writer_done(&w);
}

static void keep_rows(struct listing *listing, const struct sever_row *rows, uint32_t count)
{
    uint32_t left = SEVER_ROWS_MAX - listing->row_count, more = count < left ? count : left;
    struct sever_row *all = NULL;

    if (more)
        all = realloc(listing->rows, (listing->row_count + more) * sizeof(*all));
    listing->partial |= more < count || (more && !all);
    if (!all)
        return;
    memcpy(all + listing->row_count, rows, more * sizeof(*all));
    listing->rows = all;
    listing->row_count += more;
}

static void on_rows(void *arg, int error, const struct sever_row *rows, uint32_t count)
{
    struct listing *listing = arg;

    if (error == 0)
        keep_rows(listing, rows, count);
    else
        listing->partial = true;
    if (--listing->missing > 0)
        return;
    if (error == -ECANCELED ||
        listing->replied) /* the agent ends, and its sockets are gone; or late */
        free_listing(listing);
    else
        finish(listing);
}

/* ---- asking ---- */

static void send_piece(struct listing *listing, struct sever_order *order)
{
    if (order->address_count == 0)
        return;
    order->spared_count = sever_target_own(listing->daemon, order->addresses, order->address_count,
                                           order->spared, SEVER_SPARED_MAX);
    if (sever_client_connections(listing->daemon->sever_client, order, on_rows, listing) == 0) {
        listing->missing++;
        listing->asked++;
    } else {
        listing->partial = true;
    }
    order->address_count = 0;
}

/* Without memory, it is not told. */
static void keep_address(struct listing *listing, const struct inet_address *address)
{
    if (!listing->addresses)
        listing->addresses = calloc(ADDRESSES_TOLD_MAX, sizeof(*listing->addresses));
    if (listing->addresses && listing->address_count < ADDRESSES_TOLD_MAX)
        listing->addresses[listing->address_count++] = *address;
}

static void ask_address(struct listing *listing, const struct inet_address *address,
                        struct sever_order *order)
{
    keep_address(listing, address);
    if (order->address_count == SEVER_ADDRESSES_MAX)
        send_piece(listing, order);
    order->addresses[order->address_count++] = *address;
}

/* At its own port, and at the other ports of the endpoints. */
static void ask_host(struct listing *listing, const struct cluster *cluster,
                     const struct inet_address *address, struct sever_order *order)
{
    struct inet_address other = *address;

    ask_address(listing, address, order);
    for (uint16_t port = 0; (port = sever_target_port(cluster, SEVER_LIST, port)) != 0;) {
        other.port = port;
        ask_address(listing, &other, order);
    }
}

/* Those that the kernel lists in the place of a member's. */
static void ask_listed(struct listing *listing, const struct cluster *cluster,
                       struct sever_order *order)
{
    const struct members *members = &cluster->members;

    for (uint32_t i = 0; i < members->listed_count; i++) {
        const struct listed_pair *pair = &members->listed[i];
        if (members_find(members, &pair->listed) == MEMBER_NONE)
            continue;
        if (pair->listed.port == pair->asked.port)
            ask_host(listing, cluster, &pair->listed, order);
        else
            ask_address(listing, &pair->listed, order);
    }
}

static void ask_cluster(struct listing *listing, const struct cluster *cluster,
                        struct sever_order *order)
{
    const struct members *members = &cluster->members;
    struct left_addresses left;

    for (uint32_t m = 0; m < members->count; m++)
        for (uint32_t i = 0; i < members->at[m].where.count; i++)
            ask_host(listing, cluster, &members->at[m].where.at[i].inet, order);
    elsewhere_left(cluster, &left);
    for (uint32_t i = 0; i < left.count; i++)
        ask_host(listing, cluster, &left.at[i].inet, order);
    ask_listed(listing, cluster, order);
}

static int begin(struct listing *listing, const struct cluster *only)
{
    struct sever_order order = {.kind = SEVER_LIST, .untagged = true};
    struct daemon *daemon = listing->daemon;

    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        if (!only || daemon->clusters[i] == only)
            ask_cluster(listing, daemon->clusters[i], &order);
    send_piece(listing, &order);
    if (listing->asked)
        return 0;
    return listing->partial ? -EAGAIN : -EADDRNOTAVAIL;
}

static int list(struct daemon *daemon, const struct cluster *only, const struct serve_peer *peer,
                uint32_t id)
{
    struct listing *listing;
    int rv;

    if (!sever_client_instance(daemon->sever_client))
        return -ENOTCONN;
    if (daemon->listings >= LISTINGS_MAX)
        return -EBUSY;
    listing = calloc(1, sizeof(*listing));
    if (!listing)
        return -ENOMEM;
    *listing = (struct listing){.daemon = daemon, .client = peer->number, .id = id};
    daemon->listings++;
    listing->late = loop_timer_new(daemon->loop, say_late, listing);
    rv = listing->late ? begin(listing, only) : -ENOMEM;
    if (rv < 0)
        free_listing(listing);
    else
        loop_timer_set(listing->late, LISTING_MS);
    return rv;
}

void connections_call(struct call *call)
{
    const char *text = call_param(call, 0);
    const struct cluster *only = cluster_find(call->daemon, text);
    int rv;

    if (text && !only) {
        call_refuse_cluster(call, text);
        return;
    }
    rv = list(call->daemon, only, call->peer, call->id);
    if (rv == 0)
        *call->ret_fd = SERVE_LATER;
    else if (rv == -ENOTCONN)
        call_refuse(call, MSG_ERROR_UNSUPPORTED,
                    "connections: only homing-sever knows them, and none is running (see status)");
    else if (rv == -EADDRNOTAVAIL)
        call_refuse(call, MSG_ERROR_CONFLICT,
                    "connections: no member's address is known yet (see status)");
    else
        call_refuse(call, MSG_ERROR_INTERNAL, "connections: %s: try again", strerror(-rv));
}
