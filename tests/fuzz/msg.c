/* SPDX-License-Identifier: Apache-2.0
 *
 * msg.c - any bytes from a peer. The first chooses how they are cut: they mean the same however
 * they arrive, and what they hold can be read and printed without a control character.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/msg.h"
#include "proto/msg_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printed(void (*print)(FILE *, const struct msg_value *),
                          const struct msg_value *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    print(out, value);
    fclose(out);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            abort();
    free(text);
}

/* Looks at every string of a value, as a reader would. */
static void walk(const struct msg_value *value)
{
    size_t len = 0;
    const char *text = msg_str_len(value, &len);

    if (text && text[len] != '\0')
        abort();
    check_printed(msg_print_text, value);
    for (uint32_t i = 0; i < msg_array_len(value); i++)
        walk(msg_array_at(value, i));
    for (uint32_t i = 0; i < msg_map_len(value); i++) {
        walk(msg_map_key(value, i));
        walk(msg_map_value(value, i));
    }
}

static void read_message(const struct msg *msg)
{
    const struct msg_value *parts[] = {msg->params, msg->error, msg->result};

    if (msg->method && msg->kind == MSG_REPLY)
        abort();
    for (int i = 0; i < 3; i++) {
        walk(parts[i]);
        msg_get(parts[i], "code");
        check_printed(msg_print_json, parts[i]);
    }
}

/* Feeds all of it, at most `step` bytes at a time. Returns what came last,
 * and how many messages. */
static enum msg_fed feed_all(const uint8_t *data, size_t size, size_t step, unsigned *ret_messages,
                             bool look)
{
    enum msg_fed fed = MSG_FED_MORE;
    struct msg_parser parser;
    struct msg msg;
    size_t used;

    *ret_messages = 0;
    msg_parser_init(&parser, HOMING_REQUEST_MAX);
    for (size_t at = 0; at < size && (fed == MSG_FED_MORE || fed == MSG_FED_MESSAGE); at += used) {
        fed = msg_parser_feed(&parser, data + at, size - at < step ? size - at : step, &used, &msg);
        if (used == 0 || parser.size > 2 * HOMING_REQUEST_MAX)
            abort();
        *ret_messages += fed == MSG_FED_MESSAGE;
        if (fed == MSG_FED_MESSAGE && look)
            read_message(&msg);
    }
    msg_parser_done(&parser);
    return fed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned whole, cut;
    size_t step = size ? data[0] % 16 + 1 : 1;

    if (size < 2)
        return 0;
    if (feed_all(data + 1, size - 1, size, &whole, true) !=
            feed_all(data + 1, size - 1, step, &cut, false) ||
        whole != cut)
        abort();
    return 0;
}
