/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.c - decides about one connect().
 *
 * 1. First, which endpoints may be meant. An address stops being an endpoint's once the process was
 *    given another one for it, unless nobody else claims the address. If a writer and a reader
 *    endpoint are left, it is the reader's only if this thread has just looked up the reader's
 *    name; else the writer's. A reader that is sent to the writer, or severed needlessly, reads on.
 *    A writer that is left behind fails until its pool gives up.
 * 2. Then three questions. Which endpoint is the connection tagged for? Which name says what is
 *    right? Does any other name stand against it?
 * 3. Findings of FINDING_ELSEWHERE have no part in any of them.
 * 4. An endpoint in mode `off` or `names` counts as a name that is not ours, beside one that is. If
 *    all of them are idle, the connection is tagged in the same way as it would be otherwise.
 */
#include "shim/steer/redirect.h"

/* What may be meant. */
struct redirect_case {
    const struct finding *findings;
    uint32_t count;
    bool idle;    /* all endpoints are */
    bool foreign; /* a name that is not ours to steer */
    bool present; /* some endpoint has not had another address since */
    bool told;    /* only endpoints of this role */
    enum view_role role;
};

static bool redirect_is_endpoint(const struct finding *finding)
{
    return finding->kind >= FINDING_RIGHT;
}

static bool redirect_is_ours(const struct redirect_case *c, const struct finding *finding)
{
    return redirect_is_endpoint(finding) && finding->idle == c->idle;
}

static bool redirect_is_wrong(const struct finding *finding)
{
    return finding->kind >= FINDING_WRONG;
}

static bool redirect_may_be(const struct redirect_case *c, const struct finding *finding)
{
    return redirect_is_ours(c, finding) && !(c->present && finding->left) &&
           !(c->told && finding->role != c->role);
}

static void redirect_sort(struct redirect_case *c)
{
    c->idle = true;
    for (uint32_t i = 0; i < c->count; i++)
        c->idle &= !redirect_is_endpoint(&c->findings[i]) || c->findings[i].idle;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct finding *finding = &c->findings[i];
        bool ours = redirect_is_ours(c, finding);

        c->foreign |= !ours && finding->kind != FINDING_ELSEWHERE;
        c->present |= ours && !finding->left;
    }
}

/* Whether a writer and a reader endpoint may be meant. Then *ret_asked says that it is the
 * reader's. */
static bool redirect_is_both(const struct redirect_case *c, bool *ret_asked)
{
    bool roles[VIEW_ROLE_COUNT] = {false};

    *ret_asked = false;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct finding *finding = &c->findings[i];

        if (!redirect_may_be(c, finding))
            continue;
        roles[finding->role] = true;
        *ret_asked |= finding->asked && finding->role == VIEW_ROLE_READER;
    }
    return roles[VIEW_ROLE_WRITER] && roles[VIEW_ROLE_READER];
}

/* NULL: no endpoint may be meant. */
static const struct finding *redirect_latest(const struct redirect_case *c)
{
    const struct finding *latest = NULL;

    for (uint32_t i = 0; i < c->count; i++)
        if (redirect_may_be(c, &c->findings[i]) &&
            (!latest || c->findings[i].stamp >= latest->stamp))
            latest = &c->findings[i];
    return latest;
}

static void redirect_tag(const struct finding *latest, struct redirect *ret)
{
    ret->endpoint = latest->endpoint;
    ret->generation = latest->generation;
    ret->keepalive_ms = latest->mode >= VIEW_MODE_CONNECT ? latest->keepalive_ms : 0;
}

/* The name that says what is right, among those that say the destination is wrong. */
static const struct finding *redirect_guide(const struct redirect_case *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (redirect_may_be(c, &c->findings[i]) && redirect_is_wrong(&c->findings[i]))
            return &c->findings[i];
    return NULL;
}

static bool redirect_agree(const struct finding *a, const struct finding *b)
{
    return a->kind == b->kind &&
           (a->kind != FINDING_WRONG || inet_address_same(&a->right, &b->right));
}

static bool redirect_is_disputed(const struct redirect_case *c, const struct finding *guide)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (redirect_may_be(c, &c->findings[i]) && !redirect_agree(&c->findings[i], guide))
            return true;
    return false;
}

static bool redirect_is_observed(const struct redirect_case *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (redirect_may_be(c, &c->findings[i]) && redirect_is_wrong(&c->findings[i]) &&
            c->findings[i].mode == VIEW_MODE_OBSERVE)
            return true;
    return false;
}

static enum redirect_action redirect_by(const struct finding *guide)
{
    if (guide->kind == FINDING_WRONG)
        return REDIRECT_GO;
    return guide->kind == FINDING_NO_WRITER ? REDIRECT_WAIT : REDIRECT_REFUSE;
}

static void redirect_act(const struct redirect_case *c, const struct finding *guide,
                         struct redirect *ret)
{
    if (c->foreign || redirect_is_disputed(c, guide)) {
        ret->action = REDIRECT_SHARED;
        return;
    }
    if (guide->kind == FINDING_WRONG)
        ret->to = guide->right;
    ret->hold_ms = guide->hold_ms;
    ret->action = redirect_is_observed(c) ? REDIRECT_OBSERVED : redirect_by(guide);
}

/* Whether it goes where the next connect will not: to a demoted member, while nothing is confirmed.
 * Or two writer endpoints differ for a moment, because the answers of a cluster's endpoints are
 * published one after the other; then the latest name says that the destination is wrong. */
static bool redirect_is_behind(const struct redirect_case *c, const struct finding *latest,
                               const struct redirect *redirect)
{
    if (c->foreign || latest->role != VIEW_ROLE_WRITER || redirect->action > REDIRECT_SHARED)
        return false;
    return redirect_is_wrong(latest) || latest->behind;
}

/* With a generation from before the switch, it is severed if its member is demoted. 0 says that the
 * program itself expects no other to follow: if one does, it is not severed again and again (W7). In
 * mode `off` and `names` others do follow. */
static uint64_t redirect_behind_generation(const struct redirect *redirect)
{
    return redirect->idle && redirect->generation > 0 ? redirect->generation - 1 : 0;
}

void redirect_decide(const struct finding *findings, uint32_t count, struct redirect *ret)
{
    struct redirect_case c = {.findings = findings, .count = count};
    const struct finding *latest, *guide;
    bool asked;

    *ret = (struct redirect){.action = REDIRECT_PASS};
    redirect_sort(&c);
    if (redirect_is_both(&c, &asked)) {
        ret->untold = !asked;
        c.role = asked ? VIEW_ROLE_READER : VIEW_ROLE_WRITER;
        c.told = true;
    }
    latest = redirect_latest(&c);
    if (!latest)
        return;
    redirect_tag(latest, ret);
    ret->idle = c.idle;
    guide = redirect_guide(&c);
    if (guide && !c.idle)
        redirect_act(&c, guide, ret);
    ret->behind = redirect_is_behind(&c, latest, ret);
    if (ret->behind)
        ret->generation = redirect_behind_generation(ret);
}
