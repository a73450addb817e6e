/* SPDX-License-Identifier: Apache-2.0
 *
 * view_rig.h - one view with its writer and a map of it, anew for each test. For the tests of
 * proto/view_*.c.
 */
#ifndef HOMING_TESTS_UNIT_PROTO_VIEW_RIG_H
#define HOMING_TESTS_UNIT_PROTO_VIEW_RIG_H

#include <stdlib.h>

#include "tests/support/test.h"
#include "tests/unit/proto/view_pattern.h"

struct fixture {
    void *base;
    size_t size;
    struct view_writer writer;
    struct view_map map;
};

static struct fixture view;

static int rig_setup(void **state)
{
    *state = &view;
    view.size = view_size(view_slots_for(1), PATTERN_CLUSTERS, PATTERN_NAMES);
    view.base = aligned_alloc(4096, view.size);
    memset(view.base, 0xa5, view.size);
    view_write_init(&view.writer, view.base, view.size, view_slots_for(1), PATTERN_CLUSTERS, 77);
    return view_map_check(view.base, view.size, &view.map) ? 0 : -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    free(view.base);
    return 0;
}

#endif
