/* SPDX-License-Identifier: Apache-2.0
 *
 * seen_midway.c - one thread is stopped at each instruction while it makes the table of seen addresses
 * larger, and another one looks names up meanwhile. Afterwards the table says what the lookups have given.
 */
#include "config.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "shim/view/attach.h"
#include "shim/view/seen.h"
#include "tests/support/stepped.h"
#include "tests/support/test.h"

/* Growing copies hundreds of slots, of which one instruction is as good as another. */
#define PARTS 8

enum {
    NAME = 100,
    OTHER = 101,
    FILLING = 200 /* names from here on */
};

static struct seen_address here, there;

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

    seen_add(&lookup, address);
    seen_end(&lookup);
}

/* The stamp is 0 if it is not there. */
static struct seen_name name_at(const struct seen_address *address, uint64_t name)
{
    struct seen_name at = {0};

    return seen_next(address, name - 1, &at) && at.hash == name ? at : (struct seen_name){0};
}

static bool is_at(const struct seen_address *address, uint64_t name)
{
    struct seen_name at = name_at(address, name);

    return at.stamp && !at.left;
}

static bool has_left(const struct seen_address *address, uint64_t name)
{
    struct seen_name at = name_at(address, name);

    return at.stamp && at.left;
}

/* ---- stories ---- */

static void begin_with_nothing(void)
{
    here = at(0x0a000001);
    there = at(0x0a000002);
}

static void begin(void)
{
    begin_with_nothing();
    give(&here, NAME);
}

static void grow(void)
{
    struct seen_table table = seen_table_now();

    (void)seen_grow(&table, true);
}

static void come_back(void)
{
    give(&here, NAME);
}

static bool is_here(void)
{
    return is_at(&here, NAME);
}

/* At each instruction: there is nothing to copy yet. */
static void what_is_noted_while_the_first_table_comes_about_is_there(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin_with_nothing, grow, come_back, is_here, .parts = 0});
}

static void move_on(void)
{
    give(&there, NAME);
}

static bool has_moved_on(void)
{
    return has_left(&here, NAME) && is_at(&there, NAME);
}

static void a_name_that_moves_on_while_the_table_grows_has_left(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, grow, move_on, has_moved_on, PARTS});
}

static void begin_elsewhere(void)
{
    begin();
    give(&there, NAME);
}

static bool has_come_back(void)
{
    return is_at(&here, NAME) && has_left(&there, NAME);
}

static void a_name_that_comes_back_while_the_table_grows_is_there(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin_elsewhere, grow, come_back, has_come_back, PARTS});
}

static void there_and_back(void)
{
    move_on();
    come_back();
}

static void a_name_that_leaves_and_comes_back_while_the_table_grows_is_there(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, grow, there_and_back, has_come_back, PARTS});
}

static void begin_with_another(void)
{
    begin();
    give(&here, OTHER);
}

static bool is_the_later(void)
{
    return name_at(&here, NAME).stamp > name_at(&here, OTHER).stamp && is_at(&here, OTHER);
}

static void the_name_that_is_looked_up_while_the_table_grows_is_the_later(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin_with_another, grow, come_back, is_the_later, PARTS});
}

static void fill(void)
{
    for (uint32_t i = 0; i < 1200; i++)
        give(&(struct seen_address){{i, i}}, FILLING + i);
}

static bool is_full(void)
{
    for (uint32_t i = 0; i < 1200; i++)
        if (!is_at(&(struct seen_address){{i, i}}, FILLING + i))
            return false;
    return is_at(&here, NAME) && !seen_is_full();
}

static void the_table_grows_in_the_midst_of_growing(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, grow, fill, is_full, PARTS});
}

static void fill_and_leave(void)
{
    fill();
    stepped_jump();
}

static void whoever_makes_the_table_grow_and_never_goes_on_keeps_nobody(void **test)
{
    (void)test;
    stepped_assert(&(struct stepped){begin, grow, fill_and_leave, is_full, PARTS});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_noted_while_the_first_table_comes_about_is_there),
        TEST(a_name_that_moves_on_while_the_table_grows_has_left),
        TEST(a_name_that_comes_back_while_the_table_grows_is_there),
        TEST(a_name_that_leaves_and_comes_back_while_the_table_grows_is_there),
        TEST(the_name_that_is_looked_up_while_the_table_grows_is_the_later),
        TEST(the_table_grows_in_the_midst_of_growing),
        TEST(whoever_makes_the_table_grow_and_never_goes_on_keeps_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
