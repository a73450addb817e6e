/* SPDX-License-Identifier: Apache-2.0
 *
 * near.c - see near.h.
 */
#include "config.h"

#include <string.h>

#include "agent/admin/near.h"
#include "agent/base/spelling.h"

/* Whether `longer` is `shorter`, a dot, and more. */
static bool is_suffixed(const char *shorter, const char *longer)
{
    size_t len = strlen(shorter);

    return strncmp(shorter, longer, len) == 0 && longer[len] == '.';
}

static bool same_first_label(const char *a, const char *b)
{
    size_t len = strcspn(a, ".");

    return len == strcspn(b, ".") && strncmp(a, b, len) == 0;
}

/* Names of up to three letters do not count: they are all near one another. */
static bool is_typo(const char *a, const char *b)
{
    return strlen(a) >= 4 && strlen(b) >= 4 && spelling_is_near(a, b);
}

enum near near_compare(const char *asked, const char *configured)
{
    if (same_first_label(asked, configured) && is_typo(asked, configured))
        return NEAR_SLIP;
    if (is_suffixed(asked, configured) || is_suffixed(configured, asked))
        return NEAR_SUFFIX;
    if (same_first_label(asked, configured))
        return NEAR_LABEL;
    return is_typo(asked, configured) ? NEAR_TYPO : NEAR_NOTHING;
}

enum near near_find(const struct conf *conf, const char *asked, const char **ret_name)
{
    enum near best = NEAR_NOTHING;

    for (uint32_t c = 0; c < conf->cluster_count; c++)
        for (uint32_t e = 0; e < conf->clusters[c].endpoint_count; e++) {
            const struct conf_endpoint *endpoint = &conf->clusters[c].endpoints[e];
            for (uint32_t n = 0; n < endpoint->name_count; n++) {
                enum near near = near_compare(asked, endpoint->names[n].text);
                if (near != NEAR_NOTHING && (best == NEAR_NOTHING || near < best)) {
                    best = near;
                    *ret_name = endpoint->names[n].text;
                }
            }
        }
    return best;
}
