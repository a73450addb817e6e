/* SPDX-License-Identifier: Apache-2.0
 *
 * seen_beside.c - a lookup is stopped at each of its instructions, and another one of the same name begins and
 * ends meanwhile. Afterwards one of the two is the later, and no address is said to be the name's beside that one's.
 */
#include "config.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "shim/view/attach.h"
#include "shim/view/seen.h"
#include "tests/support/stepped.h"
#include "tests/support/test.h"

/* A slot is taken and filled within some ten instructions; the rest takes longer. */
#define FINE  60
#define PARTS 15

enum {
    NAME = 100,
    OTHER = 101,
    BESIDE = 102
};

static struct seen_address before, here, there;

/* There is no view, in place of attach.c's. */
const struct attached *attach_newest(void)
{
    return NULL;
}

static struct seen_address at(uint32_t host)
{
    uint32_t bytes = htonl(host);

    return seen_address(AF_INET, &bytes);
}

static void give(const struct seen_address *address, uint64_t name)
{
    struct seen_lookup lookup = {.name = name, .managed = true};

    if (seen_again(name, address)) /* as the lookup of a managed name does */
        return;
    seen_add(&lookup, address);
    seen_end(&lookup);
}

/* The stamp is 0 if it is not there. */
static struct seen_name name_at(const struct seen_address *address, uint64_t name)
{
    struct seen_name at = {0};

    return seen_next(address, name - 1, &at) && at.hash == name ? at : (struct seen_name){0};
}

static bool is_at(const struct seen_address *address)
{
    struct seen_name at = name_at(address, NAME);

    return at.stamp && !at.left;
}

static bool has_left(const struct seen_address *address)
{
    struct seen_name at = name_at(address, NAME);

    return at.stamp && at.left;
}

/* ---- stories ---- */

static void begin_with_nothing(void)
{
    before = at(0x0a000001);
    here = at(0x0a000002);
    there = at(0x0a000003);
    give(&before, BESIDE); /* the table is there */
}

static void begin(void)
{
    begin_with_nothing();
    give(&before, NAME);
}

static void go_here(void)
{
    give(&here, NAME);
}

static void go_there(void)
{
    give(&there, NAME);
}

static void grow(void)
{
    struct seen_table table = seen_table_now();

    (void)seen_grow(&table, true);
}

static bool is_one(void)
{
    bool well;

    go_there();
    well = is_at(&there) && has_left(&here);
    grow();
    well &= is_at(&there) && has_left(&here);
    go_here();
    well &= is_at(&here) && has_left(&there);
    give(&here, OTHER);
    well &= name_at(&here, NAME).stamp < name_at(&here, OTHER).stamp;
    go_here();
    return well && name_at(&here, NAME).stamp > name_at(&here, OTHER).stamp;
}

/* Both may have a slot for it. */
static void what_two_lookups_note_at_once_counts_as_one(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin_with_nothing, go_here, go_here, is_one, FINE});
}

/* Either may be the later. */
static bool is_at_one(void)
{
    return has_left(&before) && is_at(&here) != is_at(&there);
}

static void of_two_lookups_at_once_that_give_new_addresses_one_is_the_later(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, go_here, go_there, is_at_one, PARTS});
}

static void there_and_never_on(void)
{
    go_there();
    stepped_jump();
}

static bool next_is_at_one(void)
{
    go_there();
    return has_left(&before) && is_at(&there) && !is_at(&here);
}

static void a_lookup_that_never_goes_on_leaves_nothing_that_the_next_one_does_not_mend(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, go_here, there_and_never_on, next_is_at_one, PARTS});
}

static void go_here_and_there(void)
{
    struct seen_lookup lookup = {.name = NAME, .managed = true};

    seen_add(&lookup, &here);
    seen_add(&lookup, &there);
    seen_end(&lookup);
}

/* All three are its addresses, or all but one have left. */
static bool is_at_all_or_one(void)
{
    return (!has_left(&before) && !has_left(&here)) ||
           (has_left(&before) && is_at(&here) != is_at(&there));
}

static void a_lookup_that_gives_several_is_before_or_after_one_that_gives_one(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, go_here_and_there, go_here, is_at_all_or_one, PARTS});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_two_lookups_note_at_once_counts_as_one),
        TEST(of_two_lookups_at_once_that_give_new_addresses_one_is_the_later),
        TEST(a_lookup_that_never_goes_on_leaves_nothing_that_the_next_one_does_not_mend),
        TEST(a_lookup_that_gives_several_is_before_or_after_one_that_gives_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
