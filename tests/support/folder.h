/* SPDX-License-Identifier: Apache-2.0
 *
 * folder.h - a folder of the test's own below /tmp.
 */
#ifndef HOMING_TESTS_SUPPORT_FOLDER_H
#define HOMING_TESTS_SUPPORT_FOLDER_H

enum {
    FOLDER_SIZE = sizeof("/tmp/homing-test-XXXXXX")
};

/* A new one, or the test fails. */
void folder_make(char ret_path[FOLDER_SIZE]);

/* With all that is in it. */
void folder_remove(const char *path);

/* For cmocka: all tests of a group run in one, `folder`. It has to be empty when they leave. */
extern char folder[FOLDER_SIZE];
int folder_enter(void **state);
int folder_leave(void **state);

#endif
