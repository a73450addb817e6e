/* SPDX-License-Identifier: Apache-2.0
 *
 * steer.c - see steer.h. Read it from steer() at its end, and then from the top.
 *
 * 1. The order: the answer is read, and its generation with it; the destination is chosen; the tag
 *    is written; then it connects. A switch in between finds a tag with the old generation.
 * 2. A socket that is not TCP, or whose connect has begun already, is left as it is.
 */
#include <netinet/tcp.h>

#include "proto/inet_address.h"
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/marks.h"
#include "shim/permit/permit.h"
#include "shim/steer/finding.h"
#include "shim/steer/hold.h"
#include "shim/steer/late.h"
#include "shim/steer/passed.h"
#include "shim/steer/recall.h"
#include "shim/steer/redirect.h"
#include "shim/steer/steer.h"
#include "shim/view/attach.h"
#include "shim/view/consult.h"
#include "shim/view/process.h"

/* Different things that the names of one address may say: one that is not managed, readers, and
 * writers of which some still have the answer from before a switch. More than that is said only if
 * endpoints of one cluster differ in their mode or their hold, or in two switches at once. */
#define STEER_FINDINGS 4

/* What the names of one address say, each thing once: of names that say the same, the one counts
 * that was looked up last. */
struct steer_findings {
    uint32_t count;
    bool more; /* there was no room for all of them */
    struct finding at[STEER_FINDINGS];
};

/* One connect(). */
struct steer_call {
    int fd;
    bool mapped;  /* `to` was given as an IPv4 address that is written as IPv6 */
    bool unseen;  /* the process was given the address for no name */
    bool assumed; /* and by HOMING_ASSUME it is meant for an endpoint */
    struct inet_address to;
    struct seen_address key;
    uint64_t asked; /* see struct seen */
    bool crowded;
    bool has_turn;
    uint32_t turn; /* of the readers, taken when it is first needed */
    /* What the last decision could not know. */
    bool behind; /* something was confirmed after the clock was read */
    bool lacks_turn;
    uint32_t changes; /* steer_changes() before the view was asked */
    /* As of the last decision. */
    uint64_t now_ms;
    const struct attached *head;
    struct steer_findings findings;
    union {
        struct redirect redirect;
        struct finding made; /* while it is decided */
    };
    /* Once it has begun. */
    struct tags *tags; /* of this process; NULL: it has none */
    uint64_t cookie;   /* of the socket */
    uint64_t end_ms;   /* of the wait for a writer */
};

/* To network order and from it: name.c sees to it that this machine is little endian. */
static uint16_t steer_port(uint16_t port)
{
    return __builtin_bswap16(port);
}

static void steer_take_address(const struct sockaddr *address, struct steer_call *ret)
{
    uint16_t port = ((const struct sockaddr_in *)address)->sin_port; /* in IPv6 the same place */

    inet_address_set(address->sa_family == AF_INET ? 4 : 6, steer_bytes(address), steer_port(port),
                     &ret->to);
    ret->mapped = address->sa_family == AF_INET6 && ret->to.family == 4;
}

/* ---- what is to be done ---- */

/* The names come one at a time, because all of them at once would take too much of the stack. What
 * lookups say of one goes to where its finding is made. *name is 0 at first. False: no more. */
__attribute__((noinline)) static bool steer_next(struct steer_call *call, uint64_t *name)
{
    struct seen_name next = {0};

    if (call->assumed ? !assume_next(*name, &next.hash) : !seen_next(&call->key, *name, &next))
        return false;
    *name = next.hash;
    call->made.stamp = next.stamp;
    call->made.left = next.left;
    call->made.asked = !call->assumed && next.hash == call->asked;
    return true;
}

/* What the view says about one name: this takes the most of the stack. So the clock and the turn
 * are asked for elsewhere, and what lacks one of them is decided once more. */
__attribute__((noinline)) static void steer_find(struct steer_call *call, uint64_t name)
{
    struct finding *made = &call->made;
    struct finding_question question;
    struct view_entry entry;

    if (!consult_hash(call->head, name, call->now_ms, &entry, &question.map)) {
        finding_make_foreign(made->stamp, made);
        if (call->assumed)
            made->kind = FINDING_ELSEWHERE;
        return;
    }
    if (call->assumed && entry.endpoint != name) { /* it is not the endpoint's first name */
        made->kind = FINDING_ELSEWHERE;
        return;
    }
    question.assumed = call->assumed;
    question.to = &call->to;
    question.entry = &entry;
    question.now_ms = call->now_ms;
    question.turn = call->turn;
    finding_make(&question, made);
    call->behind |= entry.confirmed_ms > call->now_ms;
    call->lacks_turn |= !call->has_turn && made->kind == FINDING_WRONG && !made->idle &&
                        entry.role == VIEW_ROLE_READER;
}

/* Of two names the one counts that has not left the address, or was looked up last. */
static bool steer_counts_less(const struct finding *a, const struct finding *b)
{
    return a->left != b->left ? a->left : a->stamp < b->stamp;
}

/* They say the same. */
static void steer_join(struct finding *at, const struct finding *made)
{
    bool left = at->left && made->left, asked = at->asked || made->asked;

    if (!steer_counts_less(made, at))
        *at = *made;
    at->left = left;
    at->asked = asked;
}

/* If there is no room, what counts the most stays, because the tag is for that. */
static void steer_add(struct steer_findings *findings, const struct finding *made)
{
    struct finding *least = &findings->at[0];

    if (made->kind == FINDING_ELSEWHERE)
        return;
    for (uint32_t i = 0; i < findings->count; i++) {
        if (finding_same(&findings->at[i], made)) {
            steer_join(&findings->at[i], made);
            return;
        }
        if (steer_counts_less(&findings->at[i], least))
            least = &findings->at[i];
    }
    if (findings->count < STEER_FINDINGS) {
        findings->at[findings->count++] = *made;
        return;
    }
    findings->more = true;
    if (steer_counts_less(least, made))
        *least = *made;
}

/* Decides by what the view says. What is said by a name that there was no room for may stand
 * against it: then the connect is left as it is. */
static void steer_decide(struct steer_call *call)
{
    struct steer_findings *findings = &call->findings;
    uint64_t name = 0;

    call->behind = call->lacks_turn = false;
    findings->count = 0;
    findings->more = false;
    for (uint32_t i = 0; i < SEEN_PROBES && steer_next(call, &name); i++) {
        steer_find(call, name);
        steer_add(findings, &call->made);
    }
    if (call->crowded) { /* the name that was looked up last may be one that had no room */
        finding_make_foreign(UINT64_MAX, &call->made);
        call->made.left = call->made.asked = false;
        steer_add(findings, &call->made);
    }
    redirect_decide(findings->at, findings->count, &call->redirect);
    if (findings->more && call->redirect.action > REDIRECT_SHARED)
        call->redirect.action = REDIRECT_SHARED;
}

/* Of the view's count: equal or not is all that is asked, for which its low half is enough. */
static uint32_t steer_changes(const struct attached *head)
{
    return head ? (uint32_t)view_changes(&head->map) : 0;
}

/* False: there is no view. Not inlined, because of its stack. */
__attribute__((noinline)) static bool steer_attach(struct steer_call *call)
{
    call->now_ms = process_now_ms();
    call->head = attach_for_connect(call->now_ms);
    call->changes = steer_changes(call->head);
    late(call->head);
    return call->head;
}

/* Decides by what the view says now: once more if the clock was behind, or if a turn is needed.
 * False: there is no view. */
static bool steer_judge(struct steer_call *call)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!steer_attach(call))
            return false;
        steer_decide(call);
        if (!call->behind && !call->lacks_turn)
            break;
        if (call->lacks_turn) {
            call->turn = process_turn();
            call->has_turn = true;
        }
    }
    return true;
}

/* ---- doing it ---- */

static void steer_count(const struct steer_call *call, struct tags *tags)
{
    if (process_sever_refused())
        return;
    tags_count(tags, TAG_COUNT_CONNECTS);
    if (call->redirect.action == REDIRECT_GO)
        tags_count(tags, TAG_COUNT_REDIRECTED);
    else if (call->redirect.action == REDIRECT_REFUSE)
        tags_count(tags, TAG_COUNT_REFUSED);
    else if (call->redirect.action == REDIRECT_OBSERVED)
        tags_count(tags, TAG_COUNT_WOULD_REDIRECT);
    else if (call->redirect.action == REDIRECT_SHARED)
        tags_count(tags, call->crowded ? TAG_COUNT_UNTRACKED : TAG_COUNT_SHARED_ADDRESS);
    if (call->redirect.untold && call->redirect.action != REDIRECT_SHARED)
        tags_count(tags, TAG_COUNT_SHARED_ADDRESS);
    if (call->redirect.behind)
        tags_count(tags, TAG_COUNT_BEHIND);
}

/* False: it should be there, and cannot be written now. A program asks once more about a connect that
 * goes on: then the socket keeps its tag. If the socket has a tag and is fresh, that tag is from a
 * connect that failed or was dissolved. */
static bool steer_write_tag(const struct steer_call *call, struct tags *tags)
{
    struct tags_tag tag = {.cookie = call->cookie,
                           .endpoint = call->redirect.endpoint,
                           .generation = call->redirect.generation,
                           .since_ms = call->now_ms};

    if (!tags || !marks_add(call->fd))
        return false;
    if (process_sever_refused()) /* its tags only say that it has them */
        tag.endpoint = TAG_ENDPOINT_NONE;
    if (tag.cookie && (tag.cookie != tags_cookie(tags, call->fd) || socket_is_fresh(call->fd)))
        return tags_write(tags, call->fd, &tag);
    return true;
}

static struct recall_connect steer_recalled(const struct steer_call *call)
{
    return (struct recall_connect){call->fd, call->to.port, call->key, call->now_ms};
}

/* With an endpoint, for later. */
__attribute__((noinline, cold)) static void steer_tag_later(const struct steer_call *call)
{
    const struct recall_connect connect = steer_recalled(call);

    recall_for_endpoint(&connect, call->redirect.endpoint, call->redirect.generation);
    late_once_more();
}

static void steer_tag(const struct steer_call *call, struct tags *tags)
{
    if (!call->redirect.endpoint)
        marks_let_go(call->fd);
    else if (!steer_write_tag(call, tags))
        steer_tag_later(call);
}

/* For later. Another thread may just have seen that homing looks now, before this was recalled. */
__attribute__((noinline)) static void steer_recall(const struct steer_call *call)
{
    const struct recall_connect connect = steer_recalled(call);

    if (call->head && call->redirect.idle)
        recall_for_endpoint(&connect, call->redirect.endpoint, call->redirect.generation);
    else
        recall_for_names(&connect);
    if (attach_newest() != call->head || steer_changes(call->head) != call->changes)
        late_once_more();
}

/* Whether nothing is to be done for an endpoint, now. If something is, what was recalled with the number is
 * of a socket that is gone. */
static bool steer_is_idle(const struct steer_call *call)
{
    if (call->redirect.idle ||
        (!call->redirect.endpoint && call->redirect.action == REDIRECT_PASS)) {
        steer_recall(call);
        marks_let_go(call->fd);
        return true;
    }
    if (recall_forget_all(call->fd) && call->redirect.endpoint)
        steer_tag_later(call);
    return false;
}

/* After the first decision, and before anything is waited for. False: the connect is not ours, or
 * is to be changed and has begun already. Not inlined, nor is what is called after it: none of
 * their stack is in use while it is decided, which needs the most. */
__attribute__((noinline)) static bool steer_begin(struct steer_call *call)
{
    bool changes = call->redirect.action >= REDIRECT_GO || call->redirect.keepalive_ms;
    uint8_t state = 0;

    if (changes) /* then one question tells that it is TCP and that it is fresh */
        state = socket_tcp_state(call->fd);
    if (!state && !socket_is_stream(call->fd))
        return false;
    call->cookie = socket_cookie(call->fd);
    call->tags =
        permit_renew(call->fd, call->cookie, view_sever_instance(&call->head->map), call->now_ms);
    if (changes && state != TCP_CLOSE)
        return false;
    call->end_ms = 0;
    if (call->redirect.action == REDIRECT_WAIT)
        call->end_ms = hold_end_ms(call->fd, call->redirect.hold_ms, call->now_ms);
    return true;
}

/* Whether the view is to be looked at once more, in the hope of a writer. A signal that would end a
 * connect ends the wait, and the connect is refused. It does not fail with EINTR: then a program
 * would wait until its connect is completed, and take one that never began for a success. */
static bool steer_wait(const struct steer_call *call)
{
    return call->redirect.action == REDIRECT_WAIT && call->now_ms < call->end_ms &&
           hold_sleep(call->now_ms, call->end_ms);
}

__attribute__((noinline)) static void steer_note(const struct steer_call *call)
{
    steer_count(call, call->tags);
    if (call->redirect.action == REDIRECT_REFUSE)
        return;
    steer_tag(call, call->tags);
    if (call->redirect.keepalive_ms)
        socket_keep_alive(call->fd, call->redirect.keepalive_ms);
}

/* One that is refused is a cancellation point as well. */
__attribute__((noinline)) static int steer_refuse(void)
{
    libc_test_cancel();
    return libc_fail(ECONNREFUSED);
}

/* To the address asked for, with the host and port that are right in the place of its own. */
__attribute__((noinline)) static int steer_elsewhere(const struct steer_call *call,
                                                     next_connect *real,
                                                     const struct sockaddr *address, socklen_t len)
{
    const struct inet_address *to = &call->redirect.to;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } other;
    uint8_t *bytes;

    len = len < sizeof(other.in6) ? len : sizeof(other.in6);
    for (socklen_t i = 0; i < len; i++)
        ((uint8_t *)&other.any)[i] = ((const uint8_t *)address)[i];
    other.in.sin_port = steer_port(to->port);
    bytes =
        address->sa_family == AF_INET ? (uint8_t *)&other.in.sin_addr : other.in6.sin6_addr.s6_addr;
    if (call->mapped)
        bytes += 12;
    for (int i = 0; i < inet_address_len(to->family); i++)
        bytes[i] = to->bytes[i];
    return real(call->fd, &other.any, len);
}

/* ---- one connect ---- */

/* No name is known for the address, and the reason may be that there was no room for one. */
static void steer_count_untracked(void)
{
    struct libc_kept kept = libc_keep_errno();

    tags_count(permit_tags(), TAG_COUNT_UNTRACKED);
    libc_restore_errno(kept);
}

/* What is to be done in the end; the first three actions are one. */
static enum redirect_action steer_known(struct steer_call *call)
{
    bool begun = false;

    do {
        if (!steer_judge(call)) {
            steer_recall(call);
            return REDIRECT_PASS;
        }
        if (!begun && (steer_is_idle(call) || !steer_begin(call)))
            return REDIRECT_PASS;
        begun = true;
    } while (steer_wait(call));
    if (call->redirect.action == REDIRECT_WAIT)
        call->redirect.action = REDIRECT_REFUSE;
    steer_note(call);
    return call->redirect.action;
}

/* Begins a call. False: the address is of no name. Not inlined, because of its stack. */
__attribute__((noinline)) static bool steer_take(int fd, const struct sockaddr *address,
                                                 struct steer_call *ret)
{
    struct seen seen;
    bool known;

    ret->key = seen_address(address->sa_family, steer_bytes(address));
    known = seen_find(&ret->key, &seen);
    if (!known && seen_is_full() && seen_may(&ret->key))
        steer_count_untracked();
    ret->fd = fd;
    ret->unseen = !known && !seen.crowded;
    ret->assumed = false;
    ret->asked = seen.asked;
    ret->crowded = seen.crowded;
    ret->has_turn = false;
    ret->turn = 0;
    if (known)
        steer_take_address(address, ret);
    return known;
}

/* Whether the index of the newest view has it, or that of one before: a new agent may not know yet
 * what its members' names lead to. */
static bool steer_is_indexed(const struct attached *head, const struct inet_address *to)
{
    uint64_t key = view_address_key(to);

    for (unsigned depth = 0; head; head = attach_older(head, depth++)) {
        uint32_t at = 0, cluster;

        if (view_index_next(&head->map, key, &at, &cluster))
            return true;
    }
    return false;
}

/* An address that no view has. */
__attribute__((noinline)) static void steer_recall_unseen(const struct steer_call *call)
{
    const struct recall_connect connect = {call->fd, call->to.port, call->key, call->now_ms};

    recall_for_assumed(&connect);
}

/* Goes on with a call that was begun for an address that was given for no name. False: nothing is
 * assumed of it. No lookup went before: if the agent is late, it is asked once more at once, because
 * the connection may last for days. Not inlined, because of its stack. errno is kept. */
__attribute__((noinline)) static bool steer_assume(const struct sockaddr *address,
                                                   struct steer_call *call)
{
    struct libc_kept kept;
    bool indexed;

    if (!call->unseen || !assume_is())
        return false;
    kept = libc_keep_errno();
    steer_take_address(address, call);
    indexed = (steer_attach(call) || steer_attach(call)) && steer_is_indexed(call->head, &call->to);
    if (!indexed)
        steer_recall_unseen(call);
    call->assumed = indexed && !assume_is_own_host(&call->to);
    libc_restore_errno(kept);
    return call->assumed;
}

__attribute__((noinline, cold)) static void steer_hand_over(int fd, const struct sockaddr *address)
{
    struct inet_address to;

    inet_address_set(address->sa_family == AF_INET ? 4 : 6, steer_bytes(address),
                     steer_port(((const struct sockaddr_in *)address)->sin_port), &to);
    passed_hand_over(fd, &to);
}

void steer_pass(int fd, const struct sockaddr *address)
{
    if (attach_wants_permits())
        steer_hand_over(fd, address);
    marks_let_go(fd);
}

static struct recall_connect steer_connect(int fd, const struct sockaddr *address)
{
    uint16_t port = ((const struct sockaddr_in *)address)->sin_port; /* in IPv6 the same place */

    return (struct recall_connect){fd, steer_port(port),
                                   seen_address(address->sa_family, steer_bytes(address)), 0};
}

/* It begins a cache line, as connect() does: see there. */
__attribute__((aligned(64))) bool steer_pass_unmanaged(int fd, const struct sockaddr *address)
{
    const struct attached *head = attach_present();
    const struct recall_connect connect = steer_connect(fd, address);
    uint32_t changes = steer_changes(head); /* before it is asked for the name */
    uint64_t name = head ? seen_only(&connect.address) : 0;

    if (!name || view_has_hash(&head->map, name))
        return false;
    late(head);
    recall_for_name(&connect, name);
    if (attach_present() != head || steer_changes(head) != changes)
        late_once_more(); /* somebody may have looked before this was recalled */
    steer_pass(fd, address);
    return true;
}

/* Whether there is a view, and it has none of the names that the process was given the address for. */
static bool steer_are_unmanaged(const struct attached *head, const struct seen_address *address)
{
    struct seen_name name = {0};
    bool any = false;

    while (head && seen_next(address, name.hash, &name)) {
        if (view_has_hash(&head->map, name.hash))
            return false;
        any = true;
    }
    return any;
}

__attribute__((noinline)) bool steer_pass_several(int fd, const struct sockaddr *address)
{
    const struct attached *head = attach_present();
    const struct recall_connect connect = steer_connect(fd, address);

    if (!steer_are_unmanaged(head, &connect.address))
        return false;
    late(head);
    recall_for_names(&connect);
    if (!steer_are_unmanaged(attach_present(), &connect.address))
        late_once_more();
    steer_pass(fd, address);
    return true;
}

int steer(next_connect *real, int fd, const struct sockaddr *address, socklen_t len)
{
    struct steer_call call;
    enum redirect_action action;
    struct libc_kept kept;

    if (!steer_take(fd, address, &call) && !steer_assume(address, &call)) {
        steer_pass(fd, address);
        return real(fd, address, len);
    }
    kept = libc_keep_errno();
    action = steer_known(&call);
    seen_use(&call.key);
    libc_restore_errno(kept);
    if (action == REDIRECT_REFUSE)
        return steer_refuse();
    if (action == REDIRECT_GO)
        return steer_elsewhere(&call, real, address, len);
    return real(fd, address, len);
}
