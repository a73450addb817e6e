/* SPDX-License-Identifier: Apache-2.0
 *
 * domains.h - the worlds that walk.c exhausts and whose merging faithful.c checks.
 */
#ifndef HOMING_TESTS_MODEL_DOMAINS_H
#define HOMING_TESTS_MODEL_DOMAINS_H

#include "tests/model/world.h"

enum {
    DOMAINS = 20
};

extern const struct domain domains[DOMAINS];

#endif
