/* SPDX-License-Identifier: Apache-2.0
 *
 * alias.c - names of a provider: which lead now to one server and now to another one, and of which region one is.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/discovery/alias.h"
#include "tests/support/test.h"

#define ID "c7tj4example"

static void a_name_that_the_provider_moves_is_told_by_its_form(void **state)
{
    static const char *const names[][3] = {
        {"o.cluster-" ID ".eu-west-1.rds.amazonaws.com", "the endpoint of a cluster",
         "?." ID ".eu-west-1.rds.amazonaws.com"},
        {"o.cluster-ro-" ID ".us-gov-west-1.rds.amazonaws.com", "the reader endpoint of a cluster",
         "?." ID ".us-gov-west-1.rds.amazonaws.com"},
        {"o.cluster-custom-" ID ".eu-west-1.rds.amazonaws.com", "a custom endpoint of a cluster",
         "?." ID ".eu-west-1.rds.amazonaws.com"},
        {"o.cluster-" ID ".rds.cn-northwest-1.amazonaws.com.cn", "the endpoint of a cluster",
         "?." ID ".rds.cn-northwest-1.amazonaws.com.cn"},
        {"o.cluster-" ID ".cn-north-1.rds.amazonaws.com.cn", "the endpoint of a cluster",
         "?." ID ".cn-north-1.rds.amazonaws.com.cn"},
        {"o.cluster-ro-" ID ".rds.us-iso-east-1.c2s.ic.gov", "the reader endpoint of a cluster",
         "?." ID ".rds.us-iso-east-1.c2s.ic.gov"},
        {"o.proxy-" ID ".eu-west-1.rds.amazonaws.com", "an endpoint of a proxy",
         "?." ID ".eu-west-1.rds.amazonaws.com"},
        {"o.endpoint.proxy-" ID ".eu-west-1.rds.amazonaws.com", "an endpoint of a proxy",
         "?." ID ".eu-west-1.rds.amazonaws.com"},
        {"o.global-" ID ".global.rds.amazonaws.com", "the endpoint of a global database", ""},
        {"o.shardgrp-" ID ".eu-west-1.rds.amazonaws.com", "the endpoint of a shard group", ""},
    };
    struct alias alias;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!alias_amazon(names[i][0], &alias))
            fail_msg("%s is not told", names[i][0]);
        assert_string_equal(alias.what, names[i][1]);
        assert_string_equal(alias.pattern, names[i][2]);
    }
}

static void a_servers_own_name_is_none(void **state)
{
    static const char *const names[] = {
        "orders-1." ID ".eu-west-1.rds.amazonaws.com",
        "cluster-1." ID ".eu-west-1.rds.amazonaws.com",
        "orders-1." ID ".rds.cn-northwest-1.amazonaws.com.cn",
        "proxy-1." ID ".rds.cn-northwest-1.amazonaws.com.cn",
        "cluster-" ID ".eu-west-1.rds.amazonaws.com",
        "o.cluster-a.eu-west-1.rds.amazonaws.com.example.com",
        "o.cluster-a.eu-west-1.rds.example.com",
        "cluster-a.rds.amazonaws.com",
        "rds.amazonaws.com",
        "a.rds.amazonaws.com",
        "db.cluster-1.internal",
        "10.0.0.1",
        "a",
    };
    struct alias alias;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (alias_amazon(names[i], &alias))
            fail_msg("%s is taken for %s", names[i], alias.what);
}

static void a_name_of_amazon_has_its_region_in_it(void **state)
{
    static const struct {
        const char *host, *region;
    } cases[] = {
        {"o." ID ".eu-west-1.rds.amazonaws.com", "eu-west-1"},
        {"o.cluster-" ID ".us-east-1.rds.amazonaws.com", "us-east-1"},
        {"o." ID ".rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"},
        {"o.db.eu-west-1.rds.example.com", NULL},
        {"a", NULL},
    };
    char region[ALIAS_REGION_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(alias_amazon_region(cases[i].host, region), !!cases[i].region);
        if (cases[i].region)
            assert_string_equal(region, cases[i].region);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_the_provider_moves_is_told_by_its_form),
        TEST(a_servers_own_name_is_none),
        TEST(a_name_of_amazon_has_its_region_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
