/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.c - decides about one connect().
 *
 * 1. Three questions, in this order. Which endpoint is the connection tagged for? Which name says
 *    what is right? Does any other name stand against it?
 * 2. Findings of FINDING_ELSEWHERE have no part in any of them.
 */
#include "shim/steer/redirect.h"

static bool redirect_is_wrong(const struct finding *finding)
{
    return finding->kind >= FINDING_WRONG;
}

/* NULL: no name may be meant. */
static const struct finding *redirect_latest(const struct finding *findings, uint32_t count)
{
    const struct finding *latest = NULL;

    for (uint32_t i = 0; i < count; i++)
        if (findings[i].kind != FINDING_ELSEWHERE &&
            (!latest || findings[i].stamp >= latest->stamp))
            latest = &findings[i];
    return latest;
}

static void redirect_tag(const struct finding *latest, struct redirect *ret)
{
    if (latest->kind == FINDING_FOREIGN)
        return;
    ret->endpoint = latest->endpoint;
    ret->generation = latest->generation;
    ret->keepalive_ms = latest->mode >= VIEW_MODE_CONNECT ? latest->keepalive_ms : 0;
}

/* The name that says what is right, among those that say the destination is wrong. It is a writer
 * endpoint's if there is one: the writer serves readers too, but no reader serves writers. */
static const struct finding *redirect_guide(const struct finding *findings, uint32_t count)
{
    const struct finding *guide = NULL;

    for (uint32_t i = 0; i < count; i++)
        if (redirect_is_wrong(&findings[i]) &&
            (!guide || (guide->role != VIEW_ROLE_WRITER && findings[i].role == VIEW_ROLE_WRITER)))
            guide = &findings[i];
    return guide;
}

/* Of the names that say the destination is wrong, those with the guide's role have to agree. */
static bool redirect_contradicts(const struct finding *finding, const struct finding *guide)
{
    if (!redirect_is_wrong(finding))
        return finding->kind != FINDING_ELSEWHERE;
    if (finding->role != guide->role)
        return false;
    return finding->kind != guide->kind ||
           (guide->kind == FINDING_WRONG && !inet_address_same(&finding->right, &guide->right));
}

static bool redirect_is_shared(const struct finding *findings, uint32_t count,
                               const struct finding *guide)
{
    for (uint32_t i = 0; i < count; i++)
        if (redirect_contradicts(&findings[i], guide))
            return true;
    return false;
}

static bool redirect_is_observed(const struct finding *findings, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (redirect_is_wrong(&findings[i]) && findings[i].mode == VIEW_MODE_OBSERVE)
            return true;
    return false;
}

/* Whether a shared destination belongs to a connection from before a switch. The answers of a
 * cluster's endpoints are published one after the other, so that two writer endpoints differ for a
 * moment: then the latest name says that the destination is wrong, and no foreign name and no
 * reader endpoint may use it rightly. */
static bool redirect_is_of_before(const struct finding *findings, uint32_t count,
                                  const struct finding *latest)
{
    for (uint32_t i = 0; i < count; i++)
        if (findings[i].kind == FINDING_FOREIGN ||
            (findings[i].kind == FINDING_RIGHT && findings[i].role == VIEW_ROLE_READER))
            return false;
    return redirect_is_wrong(latest);
}

static enum redirect_action redirect_by(const struct finding *guide)
{
    if (guide->kind == FINDING_WRONG)
        return REDIRECT_GO;
    return guide->kind == FINDING_NO_WRITER ? REDIRECT_WAIT : REDIRECT_REFUSE;
}

void redirect_decide(const struct finding *findings, uint32_t count, struct redirect *ret)
{
    const struct finding *latest = redirect_latest(findings, count), *guide;

    *ret = (struct redirect){.action = REDIRECT_PASS};
    if (!latest)
        return;
    redirect_tag(latest, ret);
    guide = redirect_guide(findings, count);
    if (!guide)
        return;
    if (redirect_is_shared(findings, count, guide)) {
        ret->action = REDIRECT_SHARED;
        /* With the generation from before the switch, it is severed if its member is demoted. */
        if (redirect_is_of_before(findings, count, latest) && ret->generation > 0)
            ret->generation--;
        return;
    }
    if (guide->kind == FINDING_WRONG)
        ret->to = guide->right;
    ret->hold_ms = guide->hold_ms;
    ret->action = redirect_is_observed(findings, count) ? REDIRECT_OBSERVED : redirect_by(guide);
}
