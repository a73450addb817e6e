/* SPDX-License-Identifier: Apache-2.0
 *
 * steer.c - see steer.h.
 *
 * 1. The order: the answer, and with it its generation, is read; the destination chosen; the tag
 *    written; then the caller connects. A switch in between finds the tag with the old generation.
 * 2. A socket whose connect began before is not touched, nor is one that is not TCP.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>

#include "shim/attach.h"
#include "shim/consult.h"
#include "shim/libc.h"
#include "shim/permit.h"
#include "shim/process.h"
#include "shim/redirect.h"
#include "shim/seen.h"
#include "shim/steer.h"

/* Between two looks at the view while waiting for a writer: a 50th of what a promotion that is
 * worth waiting for takes, and 100 wake-ups a second at most. */
#define STEER_SLICE_MS 10

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* One connect(). `r`: the last decision about it. `turn`: of readers, taken when first needed. */
struct steer_call {
    int fd;
    bool has_turn;
    uint32_t turn;
    bool mapped; /* IPv4 written as IPv6 */
    uint64_t now_ms;
    struct redirect_address to;
    struct seen seen;
    struct redirect r;
};

static void steer_parse(const struct sockaddr *address, struct steer_call *ret)
{
    const uint8_t *bytes = steer_bytes(address);
    uint16_t port = ((const struct sockaddr_in *)address)->sin_port; /* in IPv6 the same place */

    ret->has_turn = false;
    ret->mapped = address->sa_family == AF_INET6 &&
                  IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr);
    if (ret->mapped)
        bytes += 12;
    ret->to.family = ret->mapped || address->sa_family == AF_INET ? 4 : 6;
    for (int i = 0; i < (ret->to.family == 4 ? 4 : 16); i++)
        ret->to.bytes[i] = bytes[i];
    ret->to.port = (uint16_t)(port << 8 | port >> 8);
}

static uint32_t steer_turn(struct steer_call *call)
{
    if (!call->has_turn)
        call->turn = process_turn();
    call->has_turn = true;
    return call->turn;
}

/* One name's part in the decision. Apart, because of its stack. */
__attribute__((noinline)) static void
steer_ask(struct steer_call *call, const struct attached *head, const struct seen_name *name)
{
    struct redirect_question question = {.to = &call->to, .now_ms = call->now_ms};
    struct view_address members[HOMING_VIEW_ADDRESSES_MAX];
    const struct view_map *map;
    struct view_entry entry;
    struct redirect_address to;
    enum redirect_claim claim;
    uint32_t count;

    if (!consult_hash(head, name->hash, call->now_ms, &entry, &map)) {
        redirect_add(&call->r, REDIRECT_STRANGE, NULL, NULL, name->stamp);
        return;
    }
    question.now_ms = consult_now_ms(&entry, call->now_ms);
    count =
        view_read_members(map, entry.cluster, VIEW_MEMBER_ALL, members, HOMING_VIEW_ADDRESSES_MAX);
    if (entry.role == VIEW_ROLE_READER)
        question.turn = steer_turn(call);
    claim = redirect_claim(&question, &entry, members, count, &to);
    redirect_add(&call->r, claim, &entry, &to, name->stamp);
}

/* Decides by the view as it is now. False: there is none. */
static bool steer_judge(struct steer_call *call, const struct attached **ret_head)
{
    call->now_ms = process_now_ms();
    *ret_head = attach_for_connect(call->now_ms);
    if (!*ret_head)
        return false;
    call->r = (struct redirect){0};
    if (call->seen.crowded) /* the last name that it was given for may be one that was left out */
        redirect_add(&call->r, REDIRECT_STRANGE, NULL, NULL, UINT64_MAX);
    for (uint32_t i = 0; i < call->seen.count; i++)
        steer_ask(call, *ret_head, &call->seen.names[i]);
    redirect_end(&call->r);
    return true;
}

/* ---- the socket ---- */

static int steer_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return syscall(SYS_getsockopt, fd, level, option, &value, &len) == 0 ? value : -1;
}

static bool steer_is_stream(int fd)
{
    return steer_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
}

/* TCP_CLOSE: nothing was begun with it yet, or that failed. 0: it is not TCP's. */
static uint8_t steer_tcp_state(int fd)
{
    uint8_t state = 0; /* the first of struct tcp_info */
    socklen_t len = sizeof(state);

    return syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &len) == 0 ? state : 0;
}

static bool steer_is_fresh(int fd)
{
    return steer_tcp_state(fd) == TCP_CLOSE;
}

static void steer_set(int fd, int level, int option, uint32_t value)
{
    syscall(SYS_setsockopt, fd, level, option, &value, (socklen_t)sizeof(value));
}

static uint32_t steer_seconds(uint32_t ms)
{
    return ms < 1000 ? 1 : ms / 1000;
}

/* Bounds the silence of a peer, on a sent byte or on none, to about keepalive_ms; what the program
 * chose for itself stays, and what it will choose counts. */
static void steer_keep_alive(int fd, uint32_t keepalive_ms)
{
    if (steer_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0)
        steer_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, keepalive_ms);
    if (steer_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0)
        return;
    steer_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, steer_seconds(keepalive_ms / 2));
    steer_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, steer_seconds(keepalive_ms / 4));
    steer_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* ---- waiting for a writer ---- */

/* A blocking connect is restarted after a signal whose handler says so (SA_RESTART) and fails with
 * EINTR after others. So does futex_waitv(), of the system calls that wait for a time, alone; where
 * it is not to be had each signal ends it. */
static int steer_sleep(uint64_t until_ms, uint64_t now_ms)
{
    static const uint32_t word;
    struct {
        uint64_t value, at;
        uint32_t flags, reserved;
    } waiter = {0, (uintptr_t)&word, 2 /* 32 bits */ | 128 /* private */, 0};
    int64_t until[2] = {(int64_t)(until_ms / 1000), (int64_t)(until_ms % 1000) * 1000000};
    struct timespec left = {.tv_nsec = (long)(until_ms - now_ms) * 1000000};

    if (syscall(SYS_futex_waitv, &waiter, 1, 0, until, CLOCK_MONOTONIC) < 0 &&
        (errno == ETIMEDOUT || errno == EINTR))
        return errno == EINTR ? -EINTR : 0;
    return syscall(SYS_ppoll, NULL, 0UL, &left, NULL, 0UL) < 0 ? -EINTR : 0;
}

/* hold, or less if the program bounded its connect by SO_SNDTIMEO. */
static uint64_t steer_patience(const struct steer_call *call)
{
    struct timeval bound = {0};
    socklen_t len = sizeof(bound);
    uint64_t bound_ms;

    syscall(SYS_getsockopt, call->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, &len);
    bound_ms = (uint64_t)bound.tv_sec * 1000 + (uint64_t)bound.tv_usec / 1000;
    return bound_ms && bound_ms < call->r.hold_ms ? bound_ms : call->r.hold_ms;
}

/* Until there is a writer, or something else is known; what then is to be done is in call->r. */
static int steer_wait(struct steer_call *call)
{
    long flags = syscall(SYS_fcntl, call->fd, F_GETFL);
    uint64_t end = call->now_ms + (flags & O_NONBLOCK ? 0 : steer_patience(call));
    const struct attached *head;

    while (call->r.action == REDIRECT_WAIT && call->now_ms < end) {
        uint64_t left = end - call->now_ms;
        int error = steer_sleep(call->now_ms + (left < STEER_SLICE_MS ? left : STEER_SLICE_MS),
                                call->now_ms);

        if (error < 0)
            return error;
        steer_judge(call, &head);
    }
    if (call->r.action == REDIRECT_WAIT)
        call->r.action = REDIRECT_REFUSE;
    return 0;
}

/* ---- the way out ---- */

static void steer_account(const struct steer_call *call, struct permit *permit)
{
    const struct redirect *r = &call->r;

    permit_count(permit, TAG_COUNT_CONNECTS);
    if (r->action == REDIRECT_GO)
        permit_count(permit, TAG_COUNT_REDIRECTED);
    if (r->action == REDIRECT_REFUSE)
        permit_count(permit, TAG_COUNT_REFUSED);
    if (r->would != REDIRECT_PASS)
        permit_count(permit, TAG_COUNT_WOULD_REDIRECT);
    if (r->shared)
        permit_count(permit, call->seen.crowded ? TAG_COUNT_UNTRACKED : TAG_COUNT_SHARED_ADDRESS);
}

static void steer_write(const struct steer_call *call, const struct sockaddr *address,
                        socklen_t len, struct steer_address *ret)
{
    const struct redirect_address *to = &call->r.to;
    uint8_t *bytes;

    ret->len = len < sizeof(ret->in6) ? len : sizeof(ret->in6);
    for (socklen_t i = 0; i < ret->len; i++)
        ((uint8_t *)&ret->any)[i] = ((const uint8_t *)address)[i];
    ret->in.sin_port = (uint16_t)(to->port << 8 | to->port >> 8);
    bytes =
        address->sa_family == AF_INET ? (uint8_t *)&ret->in.sin_addr : ret->in6.sin6_addr.s6_addr;
    if (call->mapped)
        bytes += 12;
    for (int i = 0; i < (to->family == 4 ? 4 : 16); i++)
        bytes[i] = to->bytes[i];
}

/* ---- tags ---- */

_Atomic uint64_t steer_marks[TAG_SLOTS / 64];

/* A vforked child, which has no permit of its own, leaves its parent's marks. What the tag is of,
 * if not of this socket, may still be open by another number. */
void steer_leave(int fd, bool dissolved)
{
    struct libc_kept kept = libc_keep_errno();
    uint8_t state = dissolved ? TCP_CLOSE : steer_tcp_state(fd);
    struct permit *permit = permit_known();

    if (permit && (state == TCP_CLOSE || state == 0)) {
        permit_untag(permit, fd);
        atomic_fetch_and_explicit(&steer_marks[fd / 64], ~(1ull << fd % 64), memory_order_relaxed);
    }
    libc_restore_errno(kept);
}

static void steer_mark(int fd)
{
    if ((unsigned)fd < TAG_SLOTS && !steer_is_marked(fd))
        atomic_fetch_or_explicit(&steer_marks[fd / 64], 1ull << fd % 64, memory_order_relaxed);
}

/* A connect that goes on, and is asked about once more, keeps its tag. One of before on the same
 * socket, which failed or was dissolved, does not. */
static void steer_tag(const struct steer_call *call, struct permit *permit)
{
    const struct redirect *r = &call->r;

    if (!r->endpoint) {
        steer_let_go(call->fd, false);
        return;
    }
    if (permit)
        steer_mark(call->fd);
    if (!permit_tag(permit, call->fd, r->endpoint, r->generation, call->now_ms, false) &&
        steer_is_fresh(call->fd))
        permit_tag(permit, call->fd, r->endpoint, r->generation, call->now_ms, true);
}

static int steer_managed(struct steer_call *call, const struct attached *head)
{
    struct permit *permit = permit_renew(view_sever_instance(&head->map), call->now_ms);
    struct redirect *r = &call->r;
    bool touch = r->action != REDIRECT_PASS || r->keepalive_ms;

    if (touch && !steer_is_fresh(call->fd))
        return 0;
    if (r->action == REDIRECT_WAIT) {
        int error = steer_wait(call);

        if (error < 0)
            return error;
    }
    steer_account(call, permit);
    if (r->action == REDIRECT_REFUSE)
        return -ECONNREFUSED;
    steer_tag(call, permit);
    if (r->keepalive_ms)
        steer_keep_alive(call->fd, r->keepalive_ms);
    return r->action == REDIRECT_GO;
}

/* Apart from steer(), as most connects are to peers that were never looked up,
 * or are not managed. */
__attribute__((noinline)) static int steer_known(struct steer_call *call)
{
    const struct attached *head;

    if (!steer_judge(call, &head))
        return 0;
    if (!call->r.endpoint && !call->r.wrong) {
        steer_let_go(call->fd, false);
        return 0;
    }
    return steer_is_stream(call->fd) ? steer_managed(call, head) : 0;
}

bool steer_is_vain(const struct sockaddr *address)
{
    const struct attached *head = attach_present();
    struct seen_address key = seen_address(address->sa_family, steer_bytes(address));
    uint64_t name = head ? seen_only(&key) : 0;

    return name && !view_has_hash(&head->map, name);
}

/* The same for a peer of several names. */
static bool steer_are_vain(const struct seen *seen)
{
    const struct attached *head = attach_present();

    if (!head)
        return false;
    for (uint32_t i = 0; i < seen->count; i++)
        if (view_has_hash(&head->map, seen->names[i].hash))
            return false;
    return true;
}

/* Nothing is known of the address, which may be because there was no room for it. */
static void steer_note_full(void)
{
    struct libc_kept kept = libc_keep_errno();

    permit_count(permit_known(), TAG_COUNT_UNTRACKED);
    libc_restore_errno(kept);
}

int steer(int fd, const struct sockaddr *address, socklen_t len, struct steer_address *ret_to)
{
    struct seen_address key = seen_address(address->sa_family, steer_bytes(address));
    struct steer_call call;
    bool known = seen_find(&key, &call.seen);
    struct libc_kept kept;
    int steered;

    if (!known && seen_is_full())
        steer_note_full();
    if (!known || steer_are_vain(&call.seen)) {
        steer_let_go(fd, false);
        return 0;
    }
    kept = libc_keep_errno();
    call.fd = fd;
    steer_parse(address, &call);
    steered = steer_known(&call);
    libc_restore_errno(kept);
    if (steered > 0)
        steer_write(&call, address, len, ret_to);
    return steered;
}
