/* SPDX-License-Identifier: Apache-2.0
 *
 * readers.c - see readers.h.
 */
#include "config.h"

#include "agent/decide/bluegreen.h"
#include "agent/decide/readers.h"

/* At most max_lag behind the writer. A position that is not known is 0, which is far behind; but not
 * for a server that reads the writer's own volume (W3a). */
static bool is_near(const struct report *last, const struct decision_conf *conf,
                    const struct verdict *held)
{
    return (last->fenced && last->position == 0) || held->position <= last->position ||
           held->position - last->position <= conf->max_lag;
}

/* A reader of this data set that is near. */
static bool reader_good(const struct report *last, const struct decision_conf *conf,
                        const struct verdict *held)
{
    return last->role == ROLE_READER && last->identity == held->identity &&
           is_near(last, conf, held);
}

static void reader_count(struct topo_member *m, bool good)
{
    if (!good)
        m->good_answers = 0;
    else if (m->good_answers < READER_GOOD_ANSWERS)
        m->good_answers++;
}

void readers_note(struct topo *topo, const struct decision_conf *conf, const struct verdict *held,
                  uint32_t answered, uint64_t now_ms)
{
    for (uint32_t m = 0; m < topo->members; m++)
        if (topo->at[m].heard && !topo_live(topo, m, conf->timeout_ms, now_ms))
            topo->at[m].good_answers = 0;
    if (answered != MEMBER_NONE && verdict_holds(held))
        reader_count(&topo->at[answered], reader_good(&topo->at[answered].last, conf, held));
}

uint32_t readers_mask(const struct writer_input *in, const struct verdict *held)
{
    uint32_t mask = 0;

    for (uint32_t m = 0; m < in->topo->members; m++)
        if (m != held->writer && ((held->green | held->retired) >> m & 1) == 0 &&
            !bluegreen_keeps_back(in, held, m) &&
            in->topo->at[m].good_answers == READER_GOOD_ANSWERS &&
            in->topo->at[m].last.identity == held->identity &&
            topo_live(in->topo, m, in->conf->timeout_ms, in->now_ms))
            mask |= UINT32_C(1) << m;
    return mask;
}
