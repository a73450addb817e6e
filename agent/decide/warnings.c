/* SPDX-License-Identifier: Apache-2.0
 *
 * warnings.c - see warnings.h.
 */
#include "config.h"

#include "agent/decide/warnings.h"

#define BIT(warning) (UINT64_C(1) << (warning))

static bool cannot_be_asked(const struct warnings_input *in, uint32_t member)
{
    const struct topo_member *m = &in->topo->at[member];

    if (member >= in->topo->members)
        return false;
    return !m->heard || (m->kind != REPORT_ANSWER && m->kind != REPORT_DENIED);
}

/* Where the writer is the only member, its readers are meant to be there. */
static bool no_reader(const struct warnings_input *in)
{
    return in->wants_readers && in->topo->members > 1 && in->verdict->writer != MEMBER_NONE &&
           in->verdict->readers == 0;
}

static bool is_wrong(const struct warnings_input *in, uint32_t warning)
{
    if (warning == WARNING_NO_READER)
        return no_reader(in);
    if (warning == WARNING_PASSWORD)
        return in->no_password;
    if (warning == WARNING_NO_ADDRESS)
        return in->no_address;
    if (warning == WARNING_SPARED)
        return in->spared;
    if (warning == WARNING_UNTOLD)
        return in->untold;
    if (warning == WARNING_REFUSED)
        return in->refused;
    if (warning == WARNING_CROWDED)
        return in->crowded;
    if (warning == WARNING_GREEN)
        return in->green;
    return cannot_be_asked(in, warning);
}

/* Whether it has lasted. */
static bool note(uint64_t *since_ms, bool wrong, uint64_t now_ms)
{
    if (!wrong)
        *since_ms = 0;
    else if (*since_ms == 0)
        *since_ms = now_ms;
    return wrong && now_ms - *since_ms >= WARNINGS_AFTER_MS;
}

void warnings_update(struct warnings *w, const struct warnings_input *in, uint64_t now_ms,
                     uint64_t *ret_raised, uint64_t *ret_cleared)
{
    uint64_t before = w->raised;

    w->raised = 0;
    for (uint32_t i = 0; i < WARNING_COUNT; i++)
        if (note(&w->since_ms[i], is_wrong(in, i), now_ms))
            w->raised |= BIT(i);
    *ret_raised = w->raised & ~before;
    *ret_cleared = before & ~w->raised;
}

static void take(struct warnings *w, uint32_t to, const struct warnings *old, uint32_t from)
{
    w->since_ms[to] = old->since_ms[from];
    if (old->raised & BIT(from))
        w->raised |= BIT(to);
}

void warnings_inherit(struct warnings *w, const struct warnings *old, const uint32_t *map,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (map[i] != MEMBER_NONE)
            take(w, map[i], old, i);
    for (uint32_t i = WARNING_NO_READER; i < WARNING_COUNT; i++)
        take(w, i, old, i);
}

const char *warning_name(uint32_t warning)
{
    static const char *const names[] = {"no_reader",        "password_unreadable", "no_address",
                                        "spared_older",     "members_untold",      "member_refused",
                                        "members_too_many", "green_no_member"};

    return warning < WARNING_NO_READER ? "member_unreachable" : names[warning - WARNING_NO_READER];
}
