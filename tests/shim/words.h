/* SPDX-License-Identifier: Apache-2.0
 *
 * words.h - what the shim decided, as words, so that a test that fails says what it found.
 *
 * Only tests need them: libhoming.so prints nothing.
 */
#ifndef HOMING_TESTS_SHIM_WORDS_H
#define HOMING_TESTS_SHIM_WORDS_H

#include "shim/steer/redirect.h"
#include "shim/view/lookup.h"

/* "invalid" for a value that is none. */
const char *lookup_action_name(enum lookup_action action);
const char *finding_kind_name(enum finding_kind kind);
const char *redirect_action_name(enum redirect_action action);

/* assert_int_equal() with words. `kind`: lookup_action, finding_kind or redirect_action. */
#define assert_word(kind, found, expected)                                                         \
    do {                                                                                           \
        enum kind word_found = (found), word_expected = (expected);                                \
        if (word_found != word_expected)                                                           \
            fail_msg("found %s, expected %s", kind##_name(word_found),                             \
                     kind##_name(word_expected));                                                  \
    } while (0)

#endif
