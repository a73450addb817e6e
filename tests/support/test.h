/* SPDX-License-Identifier: Apache-2.0
 *
 * test.h - what every C test includes: cmocka, which leaves its own includes to its user, and the
 * two ways in which a test is listed.
 *
 *     const struct CMUnitTest tests[] = {
 *         TEST(a_name_is_a_sentence),
 *         TEST_IN(serve_rig, both_sockets_answer),
 *     };
 *     return cmocka_run_group_tests(tests, NULL, NULL);
 */
#ifndef HOMING_TESTS_SUPPORT_TEST_H
#define HOMING_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TEST(function) cmocka_unit_test(function)

/* A rig is what a test stands in: RIG_setup() before it and RIG_teardown() after it, each time anew.
 * One that only this file has is called `rig`. */
#define TEST_IN(rig, function)                                                                     \
    cmocka_unit_test_setup_teardown(function, rig##_setup, rig##_teardown)

/* In a rig that needs no teardown. */
#define TEST_FROM(setup, function) cmocka_unit_test_setup(function, setup)

#endif
