/* SPDX-License-Identifier: Apache-2.0
 *
 * finding.c - compares one destination with what the view says about one name.
 *
 * 1. A member is known by address and port together: several members may share an address.
 * 2. W6, I1: a writer endpoint finds a demoted member wrong, even if nothing can replace it.
 * 3. In doubt the destination is right. If a connect is let go that should have been redirected, it
 *    fails or is severed later. If one is redirected that should not have been, it writes into
 *    another database.
 */
#include "shim/steer/finding.h"

#define FINDING_NOBODY UINT32_MAX

/* The question with all that it is judged by. */
struct finding_case {
    const struct finding_question *question;
    const struct view_entry *entry;
    const struct view_address *members;
    uint32_t count;
};

/* A program that connects by the name uses a port that is configured for one of the members. It
 * need not be the port of the member whose address it was given. */
static bool finding_is_port(const struct finding_case *c)
{
    uint16_t port = c->question->to->port;

    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].address.port == port)
            return true;
    return c->entry->port == port;
}

static bool finding_is_to(const struct finding_case *c, const struct view_address *member)
{
    return inet_address_same(&member->address, c->question->to);
}

/* The flags of the destination as a member; 0: it is no member. */
static uint8_t finding_flags(const struct finding_case *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (finding_is_to(c, &c->members[i]))
            return c->members[i].flags;
    return 0;
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
static uint32_t finding_writer(const struct finding_case *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (finding_is_answer(c->entry, &c->members[i]))
            return c->members[i].member;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].flags & VIEW_MEMBER_WRITER)
            return c->members[i].member;
    return FINDING_NOBODY;
}

static bool finding_is_to_member(const struct finding_case *c, uint32_t member)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].member == member && finding_is_to(c, &c->members[i]))
            return true;
    return false;
}

/* The writer's address in the destination's family: the one that lookups are answered with, else
 * its first. NULL: it has none. */
static const struct view_address *finding_writer_address(const struct finding_case *c,
                                                         uint32_t writer)
{
    const struct view_address *first = NULL;

    for (uint32_t i = 0; i < c->count; i++) {
        const struct view_address *member = &c->members[i];

        if (member->member != writer || member->address.family != c->question->to->family)
            continue;
        if (finding_is_answer(c->entry, member))
            return member;
        if (!first)
            first = member;
    }
    return first;
}

static enum finding_kind finding_wrong(const struct view_address *right,
                                       struct inet_address *ret_right)
{
    *ret_right = right->address;
    return FINDING_WRONG;
}

static enum finding_kind finding_of_writer(const struct finding_case *c,
                                           struct inet_address *ret_right)
{
    uint32_t writer = finding_writer(c);
    const struct view_address *right;

    if (c->entry->state == VIEW_STATE_NO_WRITER)
        return FINDING_NO_WRITER;
    if (writer == FINDING_NOBODY || finding_is_to_member(c, writer))
        return FINDING_RIGHT;
    right = finding_writer_address(c, writer);
    if (right)
        return finding_wrong(right, ret_right);
    return finding_flags(c) & VIEW_MEMBER_DEMOTED ? FINDING_NO_FAMILY : FINDING_RIGHT;
}

static bool finding_is_reader(const struct finding_case *c, const struct view_address *member)
{
    return member->flags & VIEW_MEMBER_READER && member->address.family == c->question->to->family;
}

/* The reader whose turn it is, of those that serve and have the destination's family; or NULL. */
static const struct view_address *finding_reader(const struct finding_case *c)
{
    uint32_t readers = 0, turn;

    for (uint32_t i = 0; i < c->count; i++)
        readers += finding_is_reader(c, &c->members[i]);
    if (readers == 0)
        return NULL;
    turn = c->question->turn % readers;
    for (uint32_t i = 0; i < c->count; i++)
        if (finding_is_reader(c, &c->members[i]) && turn-- == 0)
            return &c->members[i];
    return NULL;
}

/* Any reader that serves is right, and so is the writer. A member that is silent, lags or has left
 * is replaced by a reader. If there is no reader, the connect is let go: nothing that is read there
 * is wrong, and a lookup would be answered with the writer. */
static enum finding_kind finding_of_reader(const struct finding_case *c,
                                           struct inet_address *ret_right)
{
    const struct view_address *right;

    if (finding_flags(c) & (VIEW_MEMBER_READER | VIEW_MEMBER_WRITER))
        return FINDING_RIGHT;
    right = finding_reader(c);
    return right ? finding_wrong(right, ret_right) : FINDING_RIGHT;
}

static enum finding_kind finding_of(const struct finding_case *c, struct inet_address *ret_right)
{
    if (!finding_is_port(c))
        return FINDING_ELSEWHERE;
    if (c->entry->mode != VIEW_MODE_OBSERVE && c->entry->mode < VIEW_MODE_CONNECT)
        return FINDING_FOREIGN;
    if (view_entry_stale(c->entry, c->question->now_ms))
        return FINDING_RIGHT;
    if (c->entry->role == VIEW_ROLE_READER)
        return finding_of_reader(c, ret_right);
    return finding_of_writer(c, ret_right);
}

void finding_make(const struct finding_question *question, const struct view_entry *entry,
                  const struct view_address *members, uint32_t count, struct finding *ret)
{
    const struct finding_case c = {question, entry, members, count};

    ret->kind = finding_of(&c, &ret->right);
    if (ret->kind == FINDING_ELSEWHERE)
        return;
    ret->mode = entry->mode;
    ret->role = entry->role;
    ret->endpoint = entry->endpoint;
    ret->generation = entry->generation;
    ret->hold_ms = entry->hold_ms;
    ret->keepalive_ms = entry->keepalive_ms;
}

void finding_make_foreign(uint64_t stamp, struct finding *ret)
{
    ret->kind = FINDING_FOREIGN;
    ret->stamp = stamp;
}
