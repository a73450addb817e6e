/* SPDX-License-Identifier: Apache-2.0
 *
 * steer.c - see steer.h. Read it from steer() at its end, and then from the top.
 *
 * 1. The order: the answer is read, and its generation with it; the destination is chosen; the tag
 *    is written; then the caller connects. A switch in between finds a tag with the old generation.
 * 2. A socket that is not TCP, or whose connect has begun already, is left as it is.
 */
#include "proto/inet_address.h"
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/marks.h"
#include "shim/permit/permit.h"
#include "shim/steer/finding.h"
#include "shim/steer/hold.h"
#include "shim/steer/redirect.h"
#include "shim/steer/steer.h"
#include "shim/view/attach.h"
#include "shim/view/consult.h"
#include "shim/view/process.h"

/* One connect(). */
struct steer_call {
    int fd;
    bool mapped; /* `to` was given as an IPv4 address that is written as IPv6 */
    struct inet_address to;
    struct seen seen;
    bool has_turn;
    uint32_t turn; /* of the readers, taken when it is first needed */
    /* As of the last decision. */
    uint64_t now_ms;
    const struct attached *head;
    struct redirect redirect;
};

/* To network order and from it: name.c sees to it that this machine is little endian. */
static uint16_t steer_port(uint16_t port)
{
    return __builtin_bswap16(port);
}

static void steer_take(int fd, const struct sockaddr *address, struct steer_call *ret)
{
    uint16_t port = ((const struct sockaddr_in *)address)->sin_port; /* in IPv6 the same place */

    ret->fd = fd;
    inet_address_set(address->sa_family == AF_INET ? 4 : 6, steer_bytes(address), steer_port(port),
                     &ret->to);
    ret->mapped = address->sa_family == AF_INET6 && ret->to.family == 4;
    ret->has_turn = false;
}

/* ---- what is to be done ---- */

static uint32_t steer_turn(struct steer_call *call)
{
    if (!call->has_turn)
        call->turn = process_turn();
    call->has_turn = true;
    return call->turn;
}

/* What the view says about one name. Not inlined, because of its stack. */
__attribute__((noinline)) static void steer_find(struct steer_call *call,
                                                 const struct seen_name *name, struct finding *ret)
{
    struct finding_question question = {.to = &call->to};
    struct view_address members[HOMING_VIEW_ADDRESSES_MAX];
    const struct view_map *map;
    struct view_entry entry;
    uint32_t count;

    if (!consult_hash(call->head, name->hash, call->now_ms, &entry, &map)) {
        finding_make_foreign(name->stamp, ret);
        return;
    }
    question.now_ms = consult_now_ms(&entry, call->now_ms);
    if (entry.role == VIEW_ROLE_READER)
        question.turn = steer_turn(call);
    count =
        view_read_members(map, entry.cluster, VIEW_MEMBER_ALL, members, HOMING_VIEW_ADDRESSES_MAX);
    finding_make(&question, &entry, members, count, ret);
    ret->stamp = name->stamp;
}

/* Decides by what the view says now. False: there is no view. */
static bool steer_decide(struct steer_call *call)
{
    struct finding findings[SEEN_PROBES + 1];
    uint32_t count = 0;

    call->now_ms = process_now_ms();
    call->head = attach_for_connect(call->now_ms);
    if (!call->head)
        return false;
    for (; count < call->seen.count; count++)
        steer_find(call, &call->seen.names[count], &findings[count]);
    if (call->seen.crowded) /* the name that was looked up last may be one that had no room */
        finding_make_foreign(UINT64_MAX, &findings[count++]);
    redirect_decide(findings, count, &call->redirect);
    return true;
}

/* ---- doing it ---- */

/* Waits until there is a writer, or something else is to be done. 0, or a negative errno. */
static int steer_wait(struct steer_call *call)
{
    uint64_t end_ms = hold_end_ms(call->fd, call->redirect.hold_ms, call->now_ms);

    while (call->redirect.action == REDIRECT_WAIT && call->now_ms < end_ms) {
        int rv = hold_sleep(call->now_ms, end_ms);

        if (rv < 0)
            return rv;
        steer_decide(call);
    }
    if (call->redirect.action == REDIRECT_WAIT)
        call->redirect.action = REDIRECT_REFUSE;
    return 0;
}

static void steer_count(const struct steer_call *call, struct tags *tags)
{
    tags_count(tags, TAG_COUNT_CONNECTS);
    if (call->redirect.action == REDIRECT_GO)
        tags_count(tags, TAG_COUNT_REDIRECTED);
    else if (call->redirect.action == REDIRECT_REFUSE)
        tags_count(tags, TAG_COUNT_REFUSED);
    else if (call->redirect.action == REDIRECT_OBSERVED)
        tags_count(tags, TAG_COUNT_WOULD_REDIRECT);
    else if (call->redirect.action == REDIRECT_SHARED)
        tags_count(tags, call->seen.crowded ? TAG_COUNT_UNTRACKED : TAG_COUNT_SHARED_ADDRESS);
}

/* A program asks once more about a connect that goes on: then the socket keeps its tag. If the
 * socket has a tag and is fresh, that tag is from a connect that failed or was dissolved. */
static void steer_tag(const struct steer_call *call, struct tags *tags)
{
    struct tags_tag tag = {.endpoint = call->redirect.endpoint,
                           .generation = call->redirect.generation,
                           .since_ms = call->now_ms};

    if (!tag.endpoint) {
        marks_let_go(call->fd);
        return;
    }
    if (!tags)
        return;
    marks_add(call->fd);
    tag.cookie = socket_cookie(call->fd);
    if (tag.cookie && (tag.cookie != tags_cookie(tags, call->fd) || socket_is_fresh(call->fd)))
        tags_write(tags, call->fd, &tag);
}

/* Returns as steer() does. */
static int steer_act(struct steer_call *call)
{
    struct tags *tags = permit_renew(view_sever_instance(&call->head->map), call->now_ms);
    struct redirect *redirect = &call->redirect;
    bool changes = redirect->action >= REDIRECT_GO || redirect->keepalive_ms;

    if (changes && !socket_is_fresh(call->fd))
        return 0;
    if (redirect->action == REDIRECT_WAIT) {
        int rv = steer_wait(call);

        if (rv < 0)
            return rv;
    }
    steer_count(call, tags);
    if (redirect->action == REDIRECT_REFUSE)
        return -ECONNREFUSED;
    steer_tag(call, tags);
    if (redirect->keepalive_ms)
        socket_keep_alive(call->fd, redirect->keepalive_ms);
    return redirect->action == REDIRECT_GO;
}

/* The address asked for, with the host and port that are right in the place of its own. */
static void steer_write(const struct steer_call *call, const struct sockaddr *address,
                        socklen_t len, struct steer_address *ret)
{
    const struct inet_address *to = &call->redirect.to;
    uint8_t *bytes;

    ret->len = len < sizeof(ret->in6) ? len : sizeof(ret->in6);
    for (socklen_t i = 0; i < ret->len; i++)
        ((uint8_t *)&ret->any)[i] = ((const uint8_t *)address)[i];
    ret->in.sin_port = steer_port(to->port);
    bytes =
        address->sa_family == AF_INET ? (uint8_t *)&ret->in.sin_addr : ret->in6.sin6_addr.s6_addr;
    if (call->mapped)
        bytes += 12;
    for (int i = 0; i < inet_address_len(to->family); i++)
        bytes[i] = to->bytes[i];
}

/* ---- one connect ---- */

bool steer_is_unmanaged(const struct sockaddr *address)
{
    const struct attached *head = attach_present();
    struct seen_address key = seen_address(address->sa_family, steer_bytes(address));
    uint64_t name = head ? seen_only(&key) : 0;

    return name && !view_has_hash(&head->map, name);
}

/* The same for an address that the process was given for several names. */
static bool steer_are_unmanaged(const struct seen *seen)
{
    const struct attached *head = attach_present();

    if (!head)
        return false;
    for (uint32_t i = 0; i < seen->count; i++)
        if (view_has_hash(&head->map, seen->names[i].hash))
            return false;
    return true;
}

/* No name is known for the address, and the reason may be that there was no room for one. */
static void steer_count_untracked(void)
{
    struct libc_kept kept = libc_keep_errno();

    tags_count(permit_tags(), TAG_COUNT_UNTRACKED);
    libc_restore_errno(kept);
}

/* Not part of steer(), because most connects do not come as far. Returns as steer() does. */
__attribute__((noinline)) static int steer_known(struct steer_call *call)
{
    if (!steer_decide(call))
        return 0;
    if (!call->redirect.endpoint && call->redirect.action == REDIRECT_PASS) {
        marks_let_go(call->fd);
        return 0;
    }
    return socket_is_stream(call->fd) ? steer_act(call) : 0;
}

int steer(int fd, const struct sockaddr *address, socklen_t len, struct steer_address *ret_to)
{
    struct seen_address key = seen_address(address->sa_family, steer_bytes(address));
    struct steer_call call;
    bool known = seen_find(&key, &call.seen);
    struct libc_kept kept;
    int steered;

    if (!known && seen_is_full())
        steer_count_untracked();
    if (!known || steer_are_unmanaged(&call.seen)) {
        marks_let_go(fd);
        return 0;
    }
    kept = libc_keep_errno();
    steer_take(fd, address, &call);
    steered = steer_known(&call);
    libc_restore_errno(kept);
    if (steered > 0)
        steer_write(&call, address, len, ret_to);
    return steered;
}
