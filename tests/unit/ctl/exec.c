/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.c - what `homingctl run` preloads: the shim once, in front of what hides it, and client
 * libraries that a program finds from any directory.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/exec.h"
#include "tests/support/test.h"

#define OWN "/opt/homing/lib/libhoming.so"

static void preloads(const char *old, const char *const *with, const char *wanted)
{
    char *value = exec_preload(old, OWN, with);

    assert_non_null(value);
    assert_string_equal(value, wanted);
    free(value);
}

static const char *const nothing[] = {NULL};

static void the_shim_stands_before_what_was_preloaded(void **state)
{
    static const char *const with[] = {"liba.so", "libb.so", NULL};

    (void)state;
    preloads("", nothing, OWN);
    preloads("other.so", nothing, OWN ":other.so");
    preloads(" :a.so  b.so:", nothing, OWN ":a.so:b.so");
    preloads("other.so", with, OWN ":liba.so:libb.so:other.so");
}

static void a_library_that_is_preloaded_already_is_not_preloaded_twice(void **state)
{
    static const char *const with[] = {"liba.so", NULL};

    (void)state;
    preloads("other.so:liba.so", with, OWN ":other.so:liba.so");
    preloads("xliba.so", with, OWN ":liba.so:xliba.so");
}

/* Two would each act. ASan wants to stand in front of it, and "$LIB" serves 32-bit programs. */
static void a_shim_that_is_preloaded_already_stays_the_one_and_where_it_is(void **state)
{
    static const char *const with[] = {"liba.so", NULL};

    (void)state;
    preloads("/usr/lib/homing/$LIB/libhoming.so", nothing, "/usr/lib/homing/$LIB/libhoming.so");
    preloads("asan.so:/x/$LIB/libhoming.so:other.so", with,
             "asan.so:/x/$LIB/libhoming.so:liba.so:other.so");
    preloads("liba.so:libhoming.so", with, "liba.so:libhoming.so");
}

static void a_shim_that_is_not_there_or_only_called_alike_does_not_count(void **state)
{
    (void)state;
    preloads("/nonexistent/libhoming.so", nothing, OWN ":/nonexistent/libhoming.so");
    preloads("/usr/lib/xlibhoming.so", nothing, OWN ":/usr/lib/xlibhoming.so");
}

static void without_a_shim_there_is_nothing_to_preload(void **state)
{
    char *value;

    (void)state;
    assert_null(exec_preload("other.so", NULL, nothing));
    assert_null(exec_preload("", "/a folder/libhoming.so", nothing));
    value = exec_preload("/x/$LIB/libhoming.so", NULL, nothing);
    assert_string_equal(value, "/x/$LIB/libhoming.so");
    free(value);
}

static void found_as(const char *given, const char *wanted)
{
    char *path = NULL;

    assert_int_equal(exec_library(given, &path), EXIT_OK);
    assert_string_equal(path, wanted);
    free(path);
}

static void a_path_is_found_from_any_directory(void **state)
{
    char folder[PATH_MAX], wanted[PATH_MAX + 16], *path = NULL;

    (void)state;
    assert_int_equal(chdir("/proc/self"), 0);
    assert_non_null(getcwd(folder, sizeof(folder)));
    snprintf(wanted, sizeof(wanted), "%s/./status", folder);
    found_as("./status", wanted);
    found_as("/proc/self/status", "/proc/self/status");
    found_as("libpq.so.5", "libpq.so.5");
    found_as("/usr/$LIB/libpq.so.5", "/usr/$LIB/libpq.so.5");
    assert_int_equal(exec_library("./nothing.so", &path), EXIT_USAGE);
    assert_int_equal(exec_library("/nonexistent/libpq.so.5", &path), EXIT_USAGE);
    assert_null(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_shim_stands_before_what_was_preloaded),
        TEST(a_library_that_is_preloaded_already_is_not_preloaded_twice),
        TEST(a_shim_that_is_preloaded_already_stays_the_one_and_where_it_is),
        TEST(a_shim_that_is_not_there_or_only_called_alike_does_not_count),
        TEST(without_a_shim_there_is_nothing_to_preload),
        TEST(a_path_is_found_from_any_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
