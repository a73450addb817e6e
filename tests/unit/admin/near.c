/* SPDX-License-Identifier: Apache-2.0
 *
 * near.c - which configured name somebody may have meant.
 */
#include "config.h"

#include "agent/admin/near.h"
#include "tests/support/test.h"

static const struct {
    const char *asked, *configured;
    enum near near;
} pairs[] = {
    {"orders-db.ns.svc", "orders-db", NEAR_SUFFIX},
    {"orders-db", "orders-db.ns", NEAR_SUFFIX},
    {"orders-db.ns", "orders-db.internal", NEAR_LABEL},
    {"orders-db.exampel.com", "orders-db.example.com", NEAR_SLIP},
    {"orders-bd", "orders-db", NEAR_TYPO},  /* swapped */
    {"order-db", "orders-db", NEAR_TYPO},   /* one too few */
    {"orders-ddb", "orders-db", NEAR_TYPO}, /* one too many */
    {"orders-dc", "orders-db", NEAR_TYPO},  /* another */
    {"orders-d", "orders-db", NEAR_TYPO},   /* at the end */
    {"xorders-db", "orders-db", NEAR_TYPO}, /* at the start */
    {"orders-db", "orders-db", NEAR_LABEL}, /* the caller has looked for it before */
    {"orders-db2.internal", "orders-db.internal", NEAR_TYPO},
    {"bills-db", "orders-db", NEAR_NOTHING},
    {"ordres-bd", "orders-db", NEAR_NOTHING}, /* two slips */
    {"pg1", "pg2", NEAR_NOTHING},             /* too short to be alike */
    {"orders", "orders-db", NEAR_NOTHING},    /* no dot: not a suffix */
    {"a", "", NEAR_NOTHING},
};

static void names_are_near_by_suffix_label_or_one_slip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        enum near near = near_compare(pairs[i].asked, pairs[i].configured);
        if (near != pairs[i].near)
            fail_msg("%s, %s: %d, not %d", pairs[i].asked, pairs[i].configured, near,
                     pairs[i].near);
    }
}

static void the_best_of_all_configured_names_is_found(void **state)
{
    struct conf_name bills[] = {{.text = "orders-dc"}};
    struct conf_name orders[] = {{.text = "orders.example"}, {.text = "orders-db.internal"}};
    struct conf_endpoint endpoints[] = {
        {.names = bills, .name_count = 1},
        {.names = orders, .name_count = 2},
    };
    struct conf_cluster clusters[] = {
        {.endpoints = &endpoints[0], .endpoint_count = 1},
        {.endpoints = &endpoints[1], .endpoint_count = 1},
    };
    struct conf conf = {.clusters = clusters, .cluster_count = 2};
    const char *name = NULL;

    (void)state;
    assert_int_equal(near_find(&conf, "orders-db", &name), NEAR_SUFFIX);
    assert_string_equal(name, "orders-db.internal");
    assert_int_equal(near_find(&conf, "orders-dd", &name), NEAR_TYPO);
    assert_string_equal(name, "orders-dc");
    orders[0].text = "orders-db";
    assert_int_equal(near_find(&conf, "orders-db.internla", &name), NEAR_SLIP);
    assert_string_equal(name, "orders-db.internal");
    assert_int_equal(near_find(&conf, "orders-db.ns", &name), NEAR_SUFFIX);
    assert_string_equal(name, "orders-db");
    name = NULL;
    assert_int_equal(near_find(&conf, "elsewhere", &name), NEAR_NOTHING);
    assert_null(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_near_by_suffix_label_or_one_slip),
        TEST(the_best_of_all_configured_names_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
