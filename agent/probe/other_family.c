/* SPDX-License-Identifier: Apache-2.0
 *
 * other_family.c - see other_family.h. The resolver watches the name once more, for this family.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/value.h"
#include "agent/probe/other_family.h"

/* If there never was an address of this family, that is no error: most servers have one. */
static void resolved(void *arg, const struct inet_address *addresses, uint32_t count,
                     const char *error)
{
    struct other_family *other = arg;
    if (error)
        return;
    other->count = count;
    memcpy(other->at, addresses, count * sizeof(*addresses));
    other->changed(other->arg);
}

bool other_family_init(struct other_family *other, struct resolver *resolver, const char *name,
                       enum conf_family family, void (*changed)(void *arg), void *arg)
{
    struct conf_host host;
    *other = (struct other_family){.changed = changed, .arg = arg};
    if (family == CONF_FAMILY_AUTO)
        return true;
    family = family == CONF_FAMILY_4 ? CONF_FAMILY_6 : CONF_FAMILY_4;
    other->family = (uint8_t)family;
    if (conf_value_host(name, &host) || host.family != 0)
        return true;
    other->host = resolve_host_new(resolver, name, family, resolved, other);
    return other->host;
}

void other_family_done(struct other_family *other)
{
    resolve_host_free(other->host);
    other->host = NULL;
}

uint32_t other_family_split(struct other_family *other, const struct addresses *known,
                            struct inet_address *ret)
{
    uint32_t count = 0;
    other->count = 0;
    for (uint32_t i = 0; i < known->count; i++)
        if (known->at[i].inet.family == other->family)
            other->at[other->count++] = known->at[i].inet;
        else
            ret[count++] = known->at[i].inet;
    return count;
}
