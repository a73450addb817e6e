/* SPDX-License-Identifier: Apache-2.0
 *
 * connections.c - `connections`: asks homing-sever what it sees, and says in our words which
 * endpoint and member each connection belongs to. See daemon/daemon.h.
 *
 * 1. homing-sever is asked in pieces, one per SEVER_ADDRESSES_MAX addresses, all at once; the reply
 *    is sent when the last piece was answered, or failed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/parts.h"

/* Lists collected at once: what people ask for. */
#define LISTINGS_MAX 8

struct run_listing {
    struct run *run;
    uint64_t client;
    uint32_t id;
    uint32_t missing; /* pieces without reply */
    uint32_t asked;
    struct sever_row *rows;
    uint32_t row_count;
    bool partial; /* not all could be asked for, or kept */
};

/* ---- a row in our words ---- */

struct owner {
    const struct run_cluster *rc;
    uint32_t endpoint;
    uint32_t member; /* MEMBER_NONE: it is connected to none that we know */
};

static bool same_address(const struct sever_address *a, const struct sever_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static uint32_t find_member(const struct run_cluster *rc, const struct sever_address *address)
{
    struct probe_member member;

    for (uint32_t m = 0; m < rc->conf->member_count; m++) {
        probe_member(rc->probe, m, &member);
        for (uint32_t i = 0; i < member.address_count; i++) {
            struct sever_address at = run_sever_address(&member.addresses[i]);
            if (same_address(&at, address))
                return m;
        }
    }
    return MEMBER_NONE;
}

static bool find_owner(const struct run *run, const struct sever_row *row, struct owner *ret)
{
    for (uint32_t c = 0; c < run->cluster_count; c++) {
        const struct run_cluster *rc = run->clusters[c];
        for (uint32_t e = 0; e < rc->conf->endpoint_count; e++)
            if (rc->endpoints[e].id == row->endpoint) {
                *ret = (struct owner){rc, e, find_member(rc, &row->address)};
                return true;
            }
    }
    return false;
}

/* As severing would judge it (W7). */
static bool is_outdated(const struct owner *owner, const struct sever_row *row)
{
    const struct run_cluster *rc = owner->rc;

    return rc->conf->endpoints[owner->endpoint].role == CONF_ROLE_WRITER &&
           row->generation < rc->endpoints[owner->endpoint].generation &&
           owner->member != MEMBER_NONE && (rc->mind.verdict.demoted >> owner->member & 1);
}

static void put_row(struct msg_writer *w, const struct run *run, const struct sever_row *row)
{
    char address[64], member[MEMBER_TEXT_SIZE] = "";
    struct owner owner;
    bool known = find_owner(run, row, &owner);

    if (known && owner.member != MEMBER_NONE)
        run_text_member_at(owner.rc, owner.member, member);
    sever_address_print(&row->address, address, sizeof(address));
    msg_open_map(w);
    msg_put_key_uint(w, "pid", (uint64_t)row->pid);
    msg_put_key_uint(w, "uid", row->uid);
    msg_put_key_str(w, "command", row->comm);
    msg_put_key_str(w, "cluster", known ? owner.rc->conf->name : NULL);
    msg_put_key_str(w, "endpoint",
                    known ? owner.rc->conf->endpoints[owner.endpoint].names[0] : NULL);
    msg_put_key_str(w, "member", member[0] ? member : NULL);
    msg_put_key_str(w, "address", address);
    msg_put_key_uint(w, "port", row->address.port);
    msg_put_key_uint(w, "age_ms", row->age_ms);
    msg_put_key_uint(w, "generation", row->generation);
    msg_put_key_bool(w, "outdated", known && is_outdated(&owner, row));
    msg_close(w);
}

/* ---- the reply ---- */

static void put_result(struct msg_writer *w, const struct run_listing *listing)
{
    msg_put_reply(w, listing->id);
    msg_open_map(w);
    msg_put_key_bool(w, "partial", listing->partial);
    msg_put_str(w, "connections");
    msg_put_array(w, listing->row_count);
    for (uint32_t i = 0; i < listing->row_count; i++)
        put_row(w, listing->run, &listing->rows[i]);
    msg_close(w);
}

static void free_listing(struct run_listing *listing)
{
    listing->run->listings--;
    free(listing->rows);
    free(listing);
}

static void finish(struct run_listing *listing)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REPLY_MAX);
    put_result(&w, listing);
    if (msg_writer_finish(&w)) {
        msg_writer_reset(&w);
        msg_put_error(&w, listing->id, MSG_ERROR_INTERNAL, "out of memory");
    }
    serve_reply(listing->run->serve, SERVE_ADMIN, listing->client, &w);
    msg_writer_done(&w);
    free_listing(listing);
}

static void keep_rows(struct run_listing *listing, const struct sever_row *rows, uint32_t count)
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
    struct run_listing *listing = arg;

    if (error == 0)
        keep_rows(listing, rows, count);
    else
        listing->partial = true;
    if (--listing->missing > 0)
        return;
    if (error == -ECANCELED) /* the agent ends, and its sockets are gone */
        free_listing(listing);
    else
        finish(listing);
}

/* ---- asking ---- */

static void send_piece(struct run_listing *listing, struct sever_order *order)
{
    if (order->address_count == 0)
        return;
    if (sever_client_connections(listing->run->sever_client, order, on_rows, listing) == 0) {
        listing->missing++;
        listing->asked++;
    } else {
        listing->partial = true;
    }
    order->address_count = 0;
}

static void ask_cluster(struct run_listing *listing, const struct run_cluster *rc,
                        struct sever_order *order)
{
    struct probe_member member;

    for (uint32_t m = 0; m < rc->conf->member_count; m++) {
        probe_member(rc->probe, m, &member);
        for (uint32_t i = 0; i < member.address_count; i++) {
            if (order->address_count == SEVER_ADDRESSES_MAX)
                send_piece(listing, order);
            order->addresses[order->address_count++] = run_sever_address(&member.addresses[i]);
        }
    }
}

static int begin(struct run_listing *listing, const struct run_cluster *only)
{
    struct sever_order order = {.kind = SEVER_LIST};
    struct run *run = listing->run;

    for (uint32_t i = 0; i < run->cluster_count; i++)
        if (!only || run->clusters[i] == only)
            ask_cluster(listing, run->clusters[i], &order);
    send_piece(listing, &order);
    return listing->asked ? 0 : -EAGAIN;
}

int run_connections_list(struct run *run, const struct run_cluster *only,
                         const struct serve_peer *peer, uint32_t id)
{
    struct run_listing *listing;
    int rv;

    if (!sever_client_instance(run->sever_client))
        return -ENOTCONN;
    if (run->listings >= LISTINGS_MAX)
        return -EBUSY;
    listing = calloc(1, sizeof(*listing));
    if (!listing)
        return -ENOMEM;
    *listing = (struct run_listing){.run = run, .client = peer->number, .id = id};
    run->listings++;
    rv = begin(listing, only);
    if (rv < 0)
        free_listing(listing);
    return rv;
}
