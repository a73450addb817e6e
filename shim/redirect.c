/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.c - decides about one connect().
 *
 * 1. Where in doubt it passes: a connect that should have been redirected fails or is severed, one
 *    that should not have been writes into somebody else's database.
 * 2. A member is its address and its port: all members of a test may share an address.
 * 3. W6, I1: what is known to be demoted is not connected to for a writer endpoint.
 */
#include "shim/redirect.h"

#define REDIRECT_NOBODY UINT32_MAX

static bool redirect_is(const struct view_address *at, const struct redirect_address *to)
{
    int len = to->family == 4 ? 4 : 16;
    uint8_t differs = at->family ^ to->family;

    for (int i = 0; i < len; i++)
        differs |= at->bytes[i] ^ to->bytes[i];
    return !differs && at->port == to->port;
}

static bool redirect_same_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* What is asked, with the cluster's addresses beside it. */
struct redirect_case {
    const struct redirect_question *question;
    const struct view_entry *entry;
    const struct view_address *members;
    uint32_t count;
};

/* Who connects by the name uses the port that is configured for it somewhere: one of the members',
 * not always that of the member whose address it was given. */
static bool redirect_is_port(const struct redirect_case *c)
{
    uint16_t port = c->question->to->port;

    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].port == port)
            return true;
    return c->entry->port == port;
}

/* The flags of the destination as a member; 0: it is none. */
static uint8_t redirect_flags(const struct redirect_case *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (redirect_is(&c->members[i], c->question->to))
            return c->members[i].flags;
    return 0;
}

static bool redirect_is_answer(const struct view_entry *entry, const struct view_address *at)
{
    const char *text = at->family == 4 ? entry->text4 : entry->text6;

    return at->port == entry->port && *text && redirect_same_text(text, at->text);
}

/* The member that the answer is an address of. The answer counts, not the flag, since it is what
 * lookups are told; the flag serves when a host's addresses changed since the probe connected. */
static uint32_t redirect_writer(const struct redirect_case *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (redirect_is_answer(c->entry, &c->members[i]))
            return c->members[i].member;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].flags & VIEW_MEMBER_WRITER)
            return c->members[i].member;
    return REDIRECT_NOBODY;
}

/* The writer's address of the destination's family, the one that lookups are told if it is there;
 * NULL: it has none. */
static const struct view_address *redirect_writer_address(const struct redirect_case *c,
                                                          uint32_t writer)
{
    const struct view_address *found = NULL;

    for (uint32_t i = 0; i < c->count; i++) {
        const struct view_address *at = &c->members[i];

        if (at->member != writer || at->family != c->question->to->family)
            continue;
        if (redirect_is_answer(c->entry, at))
            return at;
        if (!found)
            found = at;
    }
    return found;
}

static bool redirect_is_member(const struct redirect_case *c, uint32_t member)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].member == member && redirect_is(&c->members[i], c->question->to))
            return true;
    return false;
}

static enum redirect_claim redirect_to(const struct view_address *at,
                                       struct redirect_address *ret_to)
{
    struct redirect_address to = {.family = at->family, .port = at->port};

    for (int i = 0; i < 16; i++)
        to.bytes[i] = at->bytes[i];
    *ret_to = to;
    return REDIRECT_WRONG;
}

static enum redirect_claim redirect_claim_writer(const struct redirect_case *c,
                                                 struct redirect_address *ret_to)
{
    uint32_t writer = redirect_writer(c);
    const struct view_address *at;

    if (c->entry->state == VIEW_STATE_NO_WRITER)
        return REDIRECT_NO_WRITER;
    if (writer == REDIRECT_NOBODY || redirect_is_member(c, writer))
        return REDIRECT_RIGHT;
    at = redirect_writer_address(c, writer);
    if (at)
        return redirect_to(at, ret_to);
    return redirect_flags(c) & VIEW_MEMBER_DEMOTED ? REDIRECT_NO_FAMILY : REDIRECT_RIGHT;
}

/* The serving reader of the destination's family whose turn it is, or NULL. */
static const struct view_address *redirect_reader(const struct redirect_case *c)
{
    uint32_t of_family = 0, turn;

    for (uint32_t i = 0; i < c->count; i++)
        of_family += c->members[i].flags & VIEW_MEMBER_READER &&
                     c->members[i].family == c->question->to->family;
    if (of_family == 0)
        return NULL;
    turn = c->question->turn % of_family;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].flags & VIEW_MEMBER_READER &&
            c->members[i].family == c->question->to->family && turn-- == 0)
            return &c->members[i];
    return NULL;
}

/* A reader that serves, and the writer, are as good as any other. In the place of one that is
 * silent, lags or left goes another; if there is none, the connect is let alone: nothing that is
 * read there is wrong, and a lookup would be told the writer. */
static enum redirect_claim redirect_claim_reader(const struct redirect_case *c,
                                                 struct redirect_address *ret_to)
{
    const struct view_address *at;

    if (redirect_flags(c) & (VIEW_MEMBER_READER | VIEW_MEMBER_WRITER))
        return REDIRECT_RIGHT;
    at = redirect_reader(c);
    return at ? redirect_to(at, ret_to) : REDIRECT_RIGHT;
}

enum redirect_claim redirect_claim(const struct redirect_question *question,
                                   const struct view_entry *entry,
                                   const struct view_address *members, uint32_t count,
                                   struct redirect_address *ret_to)
{
    const struct redirect_case c = {question, entry, members, count};

    if (!entry)
        return REDIRECT_STRANGE;
    if (!redirect_is_port(&c))
        return REDIRECT_ELSEWHERE;
    if (entry->mode != VIEW_MODE_OBSERVE && entry->mode < VIEW_MODE_CONNECT)
        return REDIRECT_STRANGE;
    if (view_entry_stale(entry, question->now_ms))
        return REDIRECT_RIGHT;
    if (entry->role == VIEW_ROLE_READER)
        return redirect_claim_reader(&c, ret_to);
    return redirect_claim_writer(&c, ret_to);
}

static void redirect_tag(struct redirect *r, enum redirect_claim claim,
                         const struct view_entry *entry, uint64_t stamp)
{
    bool ours = claim != REDIRECT_STRANGE;

    if (stamp < r->latest)
        return;
    r->latest = stamp;
    r->outdated = claim >= REDIRECT_WRONG;
    r->endpoint = ours ? entry->endpoint : 0;
    r->generation = ours ? entry->generation : 0;
    r->keepalive_ms = ours && entry->mode >= VIEW_MODE_CONNECT ? entry->keepalive_ms : 0;
}

static bool redirect_same(const struct redirect_address *a, const struct redirect_address *b)
{
    uint8_t differs = a->family ^ b->family;

    for (int i = 0; i < 16; i++)
        differs |= a->bytes[i] ^ b->bytes[i];
    return !differs && a->port == b->port;
}

/* Of several that say the destination is wrong a writer endpoint decides: who reads is served by
 * the writer, who writes is not by a reader. Two of the role that decides have to agree. */
static void redirect_wrong(struct redirect *r, enum redirect_claim claim,
                           const struct view_entry *entry, const struct redirect_address *to)
{
    bool first = !r->wrong || (r->wrong_role != entry->role && entry->role == VIEW_ROLE_WRITER);

    r->observed |= entry->mode == VIEW_MODE_OBSERVE;
    if (!first) {
        r->split |= r->wrong_role == entry->role &&
                    (r->wrong != claim || (claim == REDIRECT_WRONG && !redirect_same(&r->to, to)));
        return;
    }
    r->split = false;
    r->wrong = claim;
    r->wrong_role = entry->role;
    r->hold_ms = entry->hold_ms;
    if (claim == REDIRECT_WRONG)
        r->to = *to;
}

void redirect_add(struct redirect *r, enum redirect_claim claim, const struct view_entry *entry,
                  const struct redirect_address *to, uint64_t stamp)
{
    if (claim == REDIRECT_ELSEWHERE)
        return;
    redirect_tag(r, claim, entry, stamp);
    r->bystander |=
        claim == REDIRECT_STRANGE || (claim == REDIRECT_RIGHT && entry->role == VIEW_ROLE_READER);
    if (claim == REDIRECT_STRANGE || claim == REDIRECT_RIGHT)
        r->disputed = true;
    else
        redirect_wrong(r, claim, entry, to);
}

/* Passed. What the tag makes of it matters only if the destination is demoted: then it is severed,
 * if there is nobody who may read there. */
static void redirect_share(struct redirect *r)
{
    r->shared = true;
    if (r->outdated && !r->bystander && r->generation > 0)
        r->generation--;
}

void redirect_end(struct redirect *r)
{
    enum redirect_action action = REDIRECT_PASS;

    if (r->wrong && (r->disputed || r->split))
        redirect_share(r);
    else if (r->wrong == REDIRECT_WRONG)
        action = REDIRECT_GO;
    else if (r->wrong == REDIRECT_NO_WRITER)
        action = REDIRECT_WAIT;
    else if (r->wrong == REDIRECT_NO_FAMILY)
        action = REDIRECT_REFUSE;
    r->action = r->observed ? REDIRECT_PASS : action;
    r->would = r->observed ? action : REDIRECT_PASS;
}
