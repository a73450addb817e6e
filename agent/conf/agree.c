/* SPDX-License-Identifier: Apache-2.0
 *
 * agree.c - as agree.h says; and whether an address is in the networks that a cluster allows.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/agree.h"
#include "agent/conf/value.h"

/* ---- durations ---- */

/* Both keys may come from an outer mapping: the error stands where one is given,
 * else at the mapping. */
static struct conf_at at_either(const struct conf_node *node, const char *key, const char *other)
{
    return conf_position_at(node, conf_position_find(node, key) ? key : other);
}

static bool is_given(const struct conf_node *node)
{
    return conf_position_find(node, "interval") || conf_position_find(node, "fast_interval") ||
           conf_position_find(node, "timeout") || conf_position_find(node, "max_stale");
}

void conf_agree_timing(const struct conf_node *node, const struct conf_timing *timing,
                       struct conf_errors *errors)
{
    if (!is_given(node))
        return;
    if (timing->fast_interval_ms > timing->interval_ms)
        conf_errors_add(errors, at_either(node, "fast_interval", "interval"),
                        "fast_interval is longer than interval (%" PRIu32 " and %" PRIu32
                        " ms); make it shorter",
                        timing->fast_interval_ms, timing->interval_ms);
    if (timing->interval_ms >= timing->timeout_ms)
        conf_errors_add(errors, at_either(node, "timeout", "interval"),
                        "timeout is not longer than interval (%" PRIu32 " and %" PRIu32
                        " ms), so every answer would be too old before the next; make it longer",
                        timing->timeout_ms, timing->interval_ms);
    if (timing->timeout_ms >= timing->max_stale_ms)
        conf_errors_add(errors, at_either(node, "max_stale", "timeout"),
                        "max_stale is not longer than timeout (%" PRIu32 " and %" PRIu32
                        " ms); make it longer",
                        timing->max_stale_ms, timing->timeout_ms);
}

/* ---- members and networks ---- */

static bool network_holds(const struct conf_network *network, uint8_t family, const uint8_t *bytes)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (network->family != family || memcmp(network->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

bool conf_address_allowed(const struct conf_cluster *cluster, uint8_t family, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < cluster->allowed_network_count; i++)
        if (network_holds(&cluster->allowed_networks[i], family, bytes))
            return true;
    return cluster->allowed_network_count == 0;
}

void conf_agree_members(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        const struct conf_member *member = &cluster->members[i];
        struct conf_host host;
        if (conf_value_host(member->host, &host) || host.family == 0)
            continue;
        if (cluster->timing.family != CONF_FAMILY_AUTO && host.family != cluster->timing.family)
            conf_errors_add(errors, member->at,
                            "member '%s' is no IPv%d address, as family asks; change one of them",
                            member->host, (int)cluster->timing.family);
        if (!conf_address_allowed(cluster, host.family, host.bytes))
            conf_errors_add(errors, member->at,
                            "member '%s' is in none of allowed_networks; change one of them",
                            member->host);
    }
}

void conf_agree_last_member(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    const struct conf_member *last = &cluster->members[cluster->member_count - 1];
    for (const struct conf_member *member = cluster->members; member != last; member++) {
        if (member->port != last->port || strcmp(member->host, last->host) != 0)
            continue;
        conf_errors_add(errors, last->at,
                        "member '%s', port %u, is already listed at %s:%u:%u; keep one of them",
                        last->host, last->port, errors->file, member->at.line, member->at.column);
        return;
    }
}

/* ---- names, sorted, because there may be 16,384 clusters with 32 names each ---- */

int conf_uses_add(struct conf_uses *uses, const char *name, struct conf_at at)
{
    if (uses->count == uses->room) {
        size_t room = uses->room != 0 ? 2 * uses->room : 64;
        struct conf_use *list = realloc(uses->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        uses->list = list;
        uses->room = room;
    }
    uses->list[uses->count++] = (struct conf_use){.name = name, .at = at};
    return 0;
}

static int compare_uses(const void *left, const void *right)
{
    const struct conf_use *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    return a->at.column < b->at.column ? -1 : 1;
}

void conf_uses_check(struct conf_uses *uses, const char *what, struct conf_errors *errors)
{
    if (uses->count < 2)
        return;
    qsort(uses->list, uses->count, sizeof(*uses->list), compare_uses);
    const struct conf_use *first = &uses->list[0];
    for (size_t i = 1; i < uses->count; i++) {
        const struct conf_use *use = &uses->list[i];
        if (strcmp(use->name, first->name) == 0)
            conf_errors_add(errors, use->at,
                            "%s '%s' is already used at %s:%u:%u; keep one of them", what,
                            use->name, errors->file, first->at.line, first->at.column);
        else
            first = use;
    }
}

void conf_uses_done(struct conf_uses *uses)
{
    free(uses->list);
}
