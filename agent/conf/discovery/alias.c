/* SPDX-License-Identifier: Apache-2.0
 *
 * alias.c - see alias.h. Called by way of the kinds.
 *
 * Amazon documents the names of endpoints in its guides of Aurora and RDS, and its own drivers tell them by
 * their form: NAME.ACCOUNT.REGION.rds.amazonaws.com, where ACCOUNT stands for an account in a region. What is no
 * instance has a word before that. A newer form has the region behind "rds".
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/conf/discovery/alias.h"

/* Behind "rds", or behind the region there. */
static const char *const domains[] = {
    "amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov", NULL,
};

/* What stands before the account; the longest of two that fit comes first. */
static const struct word {
    const char *begin, *what;
    enum alias_leads leads;
    bool seed, same; /* the account is that of the instances' names */
} words[] = {
    {"cluster-ro-", "the reader endpoint of a cluster", ALIAS_LEADS_TO_READERS, true, true},
    {"cluster-custom-", "a custom endpoint of a cluster", ALIAS_LEADS_ANYWHERE, true, true},
    {"cluster-", "the endpoint of a cluster", ALIAS_LEADS_TO_WRITER, true, true},
    {"shardgrp-", "the endpoint of a shard group", ALIAS_LEADS_ANYWHERE, false, false},
    {"proxy-", "an endpoint of a proxy", ALIAS_LEADS_ANYWHERE, false, true},
    {"global-", "the endpoint of a global database", ALIAS_LEADS_TO_WRITER, true, false},
};

static bool is_domain(const char *text)
{
    for (const char *const *at = domains; *at; at++)
        if (strcmp(text, *at) == 0)
            return true;
    return false;
}

/* The label before this one; NULL: there is none. */
static const char *label_before(const char *host, const char *label)
{
    if (label < host + 2)
        return NULL;
    for (label -= 2; label > host && label[-1] != '.'; label--)
        ;
    return label;
}

/* The label of the account, and that of the region; NULL: this is no name of Amazon's databases. */
static const char *find_account(const char *host, const char **ret_region)
{
    const char *service = strstr(host, ".rds.");
    if (!service)
        return NULL;
    const char *behind = service + strlen(".rds."), *dot = strchr(behind, '.');
    const char *before = label_before(host, service + 1);
    *ret_region = is_domain(behind) ? before : behind;
    if (is_domain(behind))
        return before ? label_before(host, before) : NULL;
    return dot && is_domain(dot + 1) ? before : NULL;
}

bool alias_amazon_region(const char *host, char ret_region[ALIAS_REGION_SIZE])
{
    const char *region;
    if (!find_account(host, &region))
        return false;
    snprintf(ret_region, ALIAS_REGION_SIZE, "%.*s", (int)strcspn(region, "."), region);
    return true;
}

bool alias_amazon(const char *host, struct alias *ret)
{
    const char *region, *account = find_account(host, &region);
    if (!account || account == host) /* an instance may be called so, too */
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const struct word *word = &words[i];
        size_t len = strlen(word->begin);
        if (strncmp(account, word->begin, len) != 0)
            continue;
        *ret = (struct alias){.what = word->what, .leads = word->leads, .seed = word->seed};
        if (word->same)
            snprintf(ret->pattern, sizeof(ret->pattern), "?.%s", account + len);
        return true;
    }
    return false;
}
