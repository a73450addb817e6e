/* SPDX-License-Identifier: Apache-2.0
 *
 * show_rig.h - an answer that a test writes, as homingctl reads it, and the text that it makes of it.
 */
#ifndef HOMING_TESTS_UNIT_CTL_SHOW_RIG_H
#define HOMING_TESTS_UNIT_CTL_SHOW_RIG_H

#include <stdlib.h>

#include "agent/ctl/show/show.h"
#include "proto/limits.h"
#include "tests/support/test.h"

static struct msg_writer writer;
static struct show show;

static struct {
    struct msg_parser parser;
    struct msg message;
    char *text;
    size_t size;
} reader;

static int rig_setup(void **state)
{
    (void)state;
    msg_writer_init(&writer, HOMING_REPLY_MAX);
    msg_parser_init(&reader.parser, HOMING_REPLY_MAX);
    reader.text = NULL;
    show = (struct show){.out = open_memstream(&reader.text, &reader.size)};
    msg_put_reply(&writer, 1);
    return show.out ? 0 : -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    fclose(show.out);
    free(reader.text);
    msg_parser_done(&reader.parser);
    msg_writer_done(&writer);
    return 0;
}

/* What was put into `writer`, as a client reads it. */
static const struct msg_value *result(void)
{
    size_t used;

    assert_int_equal(msg_writer_finish(&writer), 0);
    assert_int_equal(
        msg_parser_feed(&reader.parser, writer.data, writer.len, &used, &reader.message),
        MSG_FED_MESSAGE);
    return reader.message.result;
}

static const char *shown(void)
{
    fflush(show.out);
    return reader.text;
}

#endif
