/* SPDX-License-Identifier: Apache-2.0
 *
 * diag.c - any bytes as a datagram of the kernel's. Reading moves on and ends; what is listed can
 * be judged and named to the kernel.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/sever/sweep/diag.h"
#include "agent/sever/sweep/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t request[DIAG_DESTROY_LEN];
    struct diag_message m = {0};
    struct tags tags = {0};
    enum diag_kind kind;
    size_t at = 0, before = 0;

    while ((kind = diag_take(data, size, &at, 7, 3, &m)) != DIAG_END && kind != DIAG_BAD) {
        if (at < before + 16 || m.error > 0 || kind >= DIAG_KIND_COUNT)
            abort();
        if (kind != DIAG_FOREIGN && m.seq - 7 >= 3)
            abort();
        before = at;
        if (kind != DIAG_SOCKET)
            continue;
        struct inet_address peer = diag_peer(&m.socket);
        m.socket.whole = m.socket.state % 2;
        if (!diag_is_connected_to(&m.socket, &peer, 1) || tags_add(&tags, &m.socket))
            abort();
        diag_put_destroy(&m.socket, 1, request);
    }
    tags_note_users(&tags, NULL, 0);
    if (tags_join_subflows(&tags))
        abort();
    tags_done(&tags);
    return 0;
}
