/* SPDX-License-Identifier: Apache-2.0
 *
 * finding.c - compares one destination with what the view says about one name.
 *
 * 1. A member is known by address and port together: several members may share an address. At one of
 *    the endpoint's other ports it is known by its address alone, and the port is kept.
 * 2. W6, I1: a writer endpoint finds a demoted member wrong, even if nothing can replace it.
 * 3. The functions that lead to the verdict are inlined into their caller: each frame would take 64
 *    bytes of a stack that may be small.
 * 4. In doubt the destination is right. If a connect is let go that should have been redirected, it
 *    fails or is severed later. If one is redirected that should not have been, it writes into
 *    another database.
 */
#include "shim/steer/finding.h"

#define FINDING_NOBODY UINT32_MAX

/* Address number `i` of the cluster; NULL: there are no more. Each is read each time that it is
 * asked for, into the same place. If the list has changed, all that was concluded is void. */
static const struct view_address *finding_at(struct finding_question *q, uint32_t i)
{
    if (i >= q->list.count || q->changed)
        return NULL;
    q->changed = !view_list_at(&q->list, i, &q->at);
    return q->changed ? NULL : &q->at;
}

/* A program that connects by the name uses a port that is configured for one of the members, or
 * another port of the endpoint's. It need not be the port of the member whose address it was
 * given. */
static bool finding_is_port(struct finding_question *q)
{
    uint16_t port = q->to->port;
    const struct view_address *at;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (at->address.port == port)
            return true;
    if (q->entry->port == port)
        return true;
    q->by_host = view_entry_has_port(q->entry, port);
    return q->by_host;
}

static bool finding_is_to(const struct finding_question *q, const struct view_address *member)
{
    return q->by_host ? inet_address_same_host(&member->address, q->to)
                      : inet_address_same(&member->address, q->to);
}

/* The flags of the destination as a member; 0: it is no member. */
static uint8_t finding_flags(struct finding_question *q)
{
    const struct view_address *at;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (finding_is_to(q, at))
            return at->flags;
    return 0;
}

/* Whether the destination's host is a member's, demoted ones and those that have left included. What
 * else the name stood for once is dialled on purpose, or by somebody whose address it is now. */
static bool finding_is_known(struct finding_question *q)
{
    const struct view_address *at;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (inet_address_same_host(&at->address, q->to))
            return true;
    return false;
}

/* Whether an address that was given for no name is meant for the cluster. One that a member has left
 * is, while its data set answers there still: else somebody else's database may be there by now. */
static bool finding_is_member(struct finding_question *q)
{
    const struct view_address *at;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (finding_is_to(q, at) &&
            (at->member != VIEW_MEMBER_NOBODY || at->flags & VIEW_MEMBER_STILL))
            return true;
    return false;
}

static bool finding_same_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Whether lookups of the name are answered with this address. */
static bool finding_is_answer(const struct view_entry *entry, const struct view_address *member)
{
    const char *text = member->address.family == 4 ? entry->text4 : entry->text6;

    return member->address.port == entry->port && *text && finding_same_text(text, member->text);
}

/* The index of the writer; FINDING_NOBODY: there is none. What lookups are answered with counts
 * more than the flag. The flag serves if the addresses of the writer's host have changed since the
 * agent connected to it. */
static uint32_t finding_writer(struct finding_question *q)
{
    const struct view_address *at;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (at->member != VIEW_MEMBER_NOBODY && finding_is_answer(q->entry, at))
            return at->member;
    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (at->flags & VIEW_MEMBER_WRITER)
            return at->member;
    return FINDING_NOBODY;
}

static bool finding_is_to_member(struct finding_question *q, uint32_t member)
{
    const struct view_address *at;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (at->member == member && finding_is_to(q, at))
            return true;
    return false;
}

/* The writer's address in the destination's family: the one that lookups are answered with, else
 * its first. False: it has none. */
static bool finding_writer_address(struct finding_question *q, uint32_t writer,
                                   struct inet_address *ret_right)
{
    const struct view_address *at;
    bool found = false;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++) {
        if (at->member != writer || at->address.family != q->to->family)
            continue;
        if (!found || finding_is_answer(q->entry, at))
            *ret_right = at->address;
        if (finding_is_answer(q->entry, at))
            return true;
        found = true;
    }
    return found;
}

static enum finding_kind finding_of_writer(struct finding_question *q,
                                           struct inet_address *ret_right)
{
    uint32_t writer = finding_writer(q);

    if (q->entry->state == VIEW_STATE_NO_WRITER)
        return FINDING_NO_WRITER;
    if (writer == FINDING_NOBODY || finding_is_to_member(q, writer))
        return FINDING_RIGHT;
    if (finding_writer_address(q, writer, ret_right))
        return FINDING_WRONG;
    return finding_flags(q) & VIEW_MEMBER_DEMOTED ? FINDING_NO_FAMILY : FINDING_RIGHT;
}

static bool finding_is_reader(const struct finding_question *q, const struct view_address *member)
{
    return member->flags & VIEW_MEMBER_READER && member->address.family == q->to->family;
}

/* The reader whose turn it is, of those that serve and have the destination's family. False: there
 * is none. */
static bool finding_reader(struct finding_question *q, struct inet_address *ret_right)
{
    const struct view_address *at;
    uint32_t readers = 0, turn;

    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        readers += finding_is_reader(q, at);
    if (readers == 0)
        return false;
    turn = q->turn % readers;
    for (uint32_t i = 0; (at = finding_at(q, i)); i++)
        if (finding_is_reader(q, at) && turn-- == 0) {
            *ret_right = at->address;
            return true;
        }
    return false;
}

/* Any reader that serves is right, and so is the writer. A member that is silent, lags or has left
 * is replaced by a reader. If there is no reader, the connect is let go: nothing that is read there
 * is wrong, and a lookup would be answered with the writer. */
static enum finding_kind finding_of_reader(struct finding_question *q,
                                           struct inet_address *ret_right)
{
    if (finding_flags(q) & (VIEW_MEMBER_READER | VIEW_MEMBER_WRITER))
        return FINDING_RIGHT;
    return finding_reader(q, ret_right) ? FINDING_WRONG : FINDING_RIGHT;
}

__attribute__((always_inline)) static inline enum finding_kind
finding_of(struct finding_question *q, struct finding *ret)
{
    ret->behind = false;
    if (!finding_is_port(q) || (q->assumed && !finding_is_member(q)))
        return FINDING_ELSEWHERE;
    if (view_entry_stale(q->entry, q->now_ms)) {
        ret->behind = q->entry->role == VIEW_ROLE_WRITER && finding_flags(q) & VIEW_MEMBER_DEMOTED;
        return FINDING_RIGHT;
    }
    if (!finding_is_known(q))
        return FINDING_RIGHT;
    if (q->entry->role == VIEW_ROLE_READER)
        return finding_of_reader(q, &ret->right);
    return finding_of_writer(q, &ret->right);
}

/* V2: the attempts are bounded. */
__attribute__((always_inline)) static inline enum finding_kind
finding_kind(struct finding_question *q, struct finding *ret)
{
    enum finding_kind kind;

    for (int attempt = 0;; attempt++) {
        if (attempt == HOMING_VIEW_RETRIES_MAX ||
            !view_list_open(q->map, q->entry->cluster, &q->list))
            q->list.count = 0;
        q->changed = q->by_host = false;
        kind = finding_of(q, ret);
        if (!q->changed)
            return kind;
    }
}

__attribute__((always_inline)) inline void finding_make(struct finding_question *question,
                                                        struct finding *ret)
{
    const struct view_entry *entry = question->entry;

    ret->kind = finding_kind(question, ret);
    if (ret->kind == FINDING_ELSEWHERE)
        return;
    ret->idle = entry->mode != VIEW_MODE_OBSERVE && entry->mode < VIEW_MODE_CONNECT;
    if (question->by_host)
        ret->right.port = question->to->port;
    ret->mode = entry->mode;
    ret->role = entry->role;
    ret->endpoint = entry->endpoint;
    ret->generation = entry->generation;
    ret->hold_ms = entry->hold_ms;
    ret->keepalive_ms = entry->keepalive_ms;
}

bool finding_same(const struct finding *a, const struct finding *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == FINDING_ELSEWHERE || a->kind == FINDING_FOREIGN)
        return true;
    return a->behind == b->behind && a->idle == b->idle && a->mode == b->mode &&
           a->role == b->role && a->hold_ms == b->hold_ms &&
           (a->kind != FINDING_WRONG || inet_address_same(&a->right, &b->right));
}

void finding_make_foreign(uint64_t stamp, struct finding *ret)
{
    ret->kind = FINDING_FOREIGN;
    ret->stamp = stamp;
}
