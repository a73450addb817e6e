/* SPDX-License-Identifier: Apache-2.0
 *
 * publication.c - what a publication writes beside its entries: addresses with the official names
 * of their members' hosts.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/publish/publication.h"
#include "tests/support/test.h"

enum {
    MEMBERS = 2
};

static struct addresses members[MEMBERS];
static const struct addresses *const where[] = {&members[0], &members[1]};
static struct conf_name names[1] = {{.text = "orders-db"}};
static struct conf_endpoint endpoints[1] = {
    {.names = names, .name_count = 1, .mode = VIEW_MODE_NAMES, .role = VIEW_ROLE_WRITER}};
static const struct conf_cluster conf = {
    .member_count = MEMBERS, .endpoints = endpoints, .endpoint_count = 1};
static const struct state_endpoint saved[1] = {{.id = 1, .generation = 1}};
static const struct verdict first_writes = {
    .state = CLUSTER_STEADY, .writer = 0, .rival = MEMBER_NONE, .readers = 1 << 1};

static const struct left_addresses nothing_left;

static void set_member(int i, const char *text, const char *official)
{
    members[i] = (struct addresses){.count = 1};
    assert_true(inet_address_parse(text, 5432, &members[i].at[0].inet));
    snprintf(members[i].at[0].text, sizeof(members[i].at[0].text), "%s", text);
    snprintf(members[i].official, sizeof(members[i].official), "%s", official);
}

static int set_up(void **state)
{
    (void)state;
    set_member(0, "10.0.0.1", "node-a.corp");
    set_member(1, "10.0.0.2", "node-b.corp");
    return name_canonical(names[0].text, &names[0].name) ? 0 : -1;
}

static int publish(struct view *view)
{
    struct publication publication;

    publication_make(&conf, 0, &first_writes, where, &nothing_left, &publication);
    return publication_write(&publication, &conf, saved, 0, view);
}

static bool found(struct view *view, const char *text, const char *official)
{
    char name[VIEW_OFFICIAL_SIZE] = "";
    struct view_map map;

    assert_true(view_map_check(view_writer(view)->header, view_bytes(view), &map));
    if (!view_read_official(&map, 0, text, 0, name))
        return !official;
    return official && strcmp(name, official) == 0;
}

static bool indexed(const struct view_map *map, const char *text, uint16_t port)
{
    struct inet_address address;
    uint32_t at = 0, cluster;

    assert_true(inet_address_parse(text, port, &address));
    return view_index_next(map, view_address_key(&address), &at, &cluster) && cluster == 0;
}

static void an_endpoints_other_ports_are_in_its_answer_and_in_the_index(void **state)
{
    uint16_t ports[] = {6432, 65535};
    struct view *view = view_new(1, 1, MEMBERS);
    struct view_entry entry;
    struct view_map map;

    (void)state;
    endpoints[0].ports = ports;
    endpoints[0].port_count = 2;
    assert_int_equal(publish(view), 0);
    endpoints[0].port_count = 0;
    assert_true(view_map_check(view_writer(view)->header, view_bytes(view), &map));
    assert_int_equal(view_read(&map, &names[0].name, &entry), VIEW_FOUND);
    assert_true(view_entry_has_port(&entry, 6432));
    assert_true(view_entry_has_port(&entry, 65535));
    assert_false(view_entry_has_port(&entry, 5432));
    assert_false(view_entry_has_port(&entry, 0)); /* that stands for none */
    assert_true(indexed(&map, "10.0.0.2", 5432));
    assert_true(indexed(&map, "10.0.0.2", 6432));
    assert_false(indexed(&map, "10.0.0.2", 6433));
    assert_false(indexed(&map, "10.0.0.3", 5432));
    view_free(view);
}

static void each_member_has_the_name_of_its_own_host(void **state)
{
    struct view *view = view_new(1, 1, MEMBERS);

    (void)state;
    assert_int_equal(publish(view), 0);
    assert_true(found(view, "10.0.0.1", "node-a.corp"));
    assert_true(found(view, "10.0.0.2", "node-b.corp"));
    set_member(0, "10.0.0.1", "");
    set_member(1, "10.0.0.2", "renamed.corp");
    assert_int_equal(publish(view), 0);
    assert_true(found(view, "10.0.0.1", NULL));
    assert_true(found(view, "10.0.0.2", "renamed.corp"));
    view_free(view);
}

/* A program that already knows the answer must not be severed because a host was renamed. */
static void a_new_name_of_a_host_is_no_new_answer(void **state)
{
    struct publication before, after;

    (void)state;
    publication_make(&conf, 0, &first_writes, where, &nothing_left, &before);
    set_member(0, "10.0.0.1", "renamed.corp");
    publication_make(&conf, 0, &first_writes, where, &nothing_left, &after);
    for (enum view_role role = VIEW_ROLE_WRITER; role < VIEW_ROLE_COUNT; role++)
        assert_true(publication_fingerprint(&before, role) ==
                    publication_fingerprint(&after, role));
}

/* The names that programs ask for are worth more than those that they are told. */
static void a_view_without_places_for_them_still_has_the_answers(void **state)
{
    struct view *view = view_new(1, 1, 0);
    struct view_entry entry;
    struct view_map map;

    (void)state;
    assert_int_equal(publish(view), -ENOSPC);
    assert_true(view_map_check(view_writer(view)->header, view_bytes(view), &map));
    assert_int_equal(view_read(&map, &names[0].name, &entry), VIEW_FOUND);
    assert_string_equal(entry.text4, "10.0.0.1");
    assert_true(found(view, "10.0.0.1", NULL));
    view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, an_endpoints_other_ports_are_in_its_answer_and_in_the_index),
        TEST_FROM(set_up, each_member_has_the_name_of_its_own_host),
        TEST_FROM(set_up, a_new_name_of_a_host_is_no_new_answer),
        TEST_FROM(set_up, a_view_without_places_for_them_still_has_the_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
