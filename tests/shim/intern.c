/* SPDX-License-Identifier: Apache-2.0
 *
 * intern.c - strings that are kept for as long as the process lives.
 */
#include "config.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "shim/view/intern.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

enum {
    THREADS = 8,
    STRINGS = 100,
    ASKED = 20000,
    HOSTS = 400 /* what must find room, whatever the tests before have kept */
};

static void a_string_of_any_length_is_kept_where_it_was(void **state)
{
    static const int lengths[] = {0, 1, 2, 3, 8, 60, HOMING_NAME_MAX - 1, HOMING_NAME_MAX};
    char text[HOMING_NAME_MAX + 1], *kept[8];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < 8; i++) {
            char *now = intern(text, (size_t)lengths[i]);

            assert_non_null(now);
            assert_int_equal(strlen(now), lengths[i]);
            assert_memory_equal(now, text, lengths[i]);
            assert_true(!again || now == kept[i]);
            kept[i] = now;
        }
    assert_null(intern(text, HOMING_NAME_MAX + 1));
}

/* Some are beginnings of others, and their lengths differ. */
static void *keep_strings(void *data)
{
    uint64_t dice = (uint64_t)(uintptr_t)data;
    char text[32];

    for (int i = 0; i < ASKED; i++) {
        snprintf(text, sizeof(text), "node-%u", (unsigned)dice_roll(&dice, STRINGS));

        char *kept = intern(text, strlen(text));
        if (!kept || strcmp(kept, text) != 0)
            return data;
    }
    return NULL;
}

static void threads_that_keep_the_same_strings_get_them_whole(void **state)
{
    pthread_t threads[THREADS];
    int failed = 0;

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_strings, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        failed += !!bad;
    }
    assert_int_equal(failed, 0);
}

/* A process of musl libc that follows a hundred clusters needs a name for each of their members. */
static void hundreds_of_names_are_kept_and_then_no_more(void **state)
{
    char text[32], *kept[2 * INTERN_BYTES / 20] = {NULL};
    int count = 0;

    (void)state;
    for (; count < 2 * INTERN_BYTES / 20; count++) {
        snprintf(text, sizeof(text), "more-%05d.example", count);
        kept[count] = intern(text, strlen(text));
        if (!kept[count])
            break;
    }
    assert_in_range(count, HOSTS, INTERN_BYTES / 20);
    assert_null(intern(text, strlen(text)));
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "more-%05d.example", i);
        assert_ptr_equal(intern(text, strlen(text)), kept[i]);
        assert_string_equal(kept[i], text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_string_of_any_length_is_kept_where_it_was),
        TEST(threads_that_keep_the_same_strings_get_them_whole),
        TEST(hundreds_of_names_are_kept_and_then_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
