/* SPDX-License-Identifier: Apache-2.0
 *
 * sever.c - any bytes as a message over sever.sock, either way. An order that is taken is taken
 * again, the same, from what is made of it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/sever.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct sever_order *order)
{
    static struct sever_order back;
    struct msg_writer w;
    struct msg_parser p;
    struct msg msg;
    size_t used;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_parser_init(&p, HOMING_REQUEST_MAX);
    msg_put_request(&w, 1, "sever");
    sever_order_put(&w, order);
    memset(&back, 0, sizeof(back));
    if (msg_writer_finish(&w) ||
        msg_parser_feed(&p, w.data, w.len, &used, &msg) != MSG_FED_MESSAGE ||
        sever_order_get(msg.params, SEVER_DO, &back) || memcmp(order, &back, sizeof(back)) != 0)
        abort();
    msg_parser_done(&p);
    msg_writer_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sever_order order;
    struct sever_counts counts;
    struct sever_row row;
    struct msg_parser p;
    struct msg msg;
    size_t used;

    msg_parser_init(&p, HOMING_REQUEST_MAX);
    memset(&order, 0, sizeof(order));
    if (msg_parser_feed(&p, data, size, &used, &msg) == MSG_FED_MESSAGE) {
        if (!sever_order_get(msg.params, SEVER_DO, &order))
            again(&order);
        sever_counts_get(msg.result, &counts);
        (void)sever_row_get(msg_array_at(msg.result, 0), &row);
    }
    msg_parser_done(&p);
    return 0;
}
