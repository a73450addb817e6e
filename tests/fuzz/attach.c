/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c - any bytes as the reply to `attach`. What is accepted is a MessagePack-RPC reply, and
 * encodes to the same bytes again.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "proto/attach.h"
#include "proto/limits.h"
#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attach_reply reply;
    struct msg_parser parser;
    struct msg msg;
    uint8_t again[ATTACH_REPLY_SIZE];
    size_t used;

    if (!attach_reply_check(data, size, &reply))
        return 0;
    attach_reply_encode(&reply, again);
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    if (memcmp(data, again, sizeof(again)) != 0 ||
        msg_parser_feed(&parser, data, size, &used, &msg) != MSG_FED_MESSAGE || used != size ||
        msg_get_uint(msg.result, "size", ~reply.size) != reply.size)
        abort();
    msg_parser_done(&parser);
    return 0;
}
