/* SPDX-License-Identifier: Apache-2.0
 *
 * test.h - what every C test includes: cmocka, which leaves its own includes to its user, and the
 * ways in which a test is listed.
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

/* Between a setup of its file's own and a teardown that several files share. */
#define TEST_BETWEEN(setup, teardown, function)                                                    \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

/* Whether a test may go instruction by instruction: ThreadSanitizer's own would be most of them, for
 * minutes; that build is for the threads. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define STEP_TESTS 0
#else
#define STEP_TESTS 1
#endif

/* AddressSanitizer's instructions, or those that count, stand between ours. */
#if defined(__SANITIZE_ADDRESS__) || defined(COUNTS_COVERAGE)
#define STEPS_BETWEEN 1
#else
#define STEPS_BETWEEN 0
#endif

#endif
