/* SPDX-License-Identifier: Apache-2.0
 *
 * listed.c - any bytes as a datagram of the kernel's, in answer to the probe's question. Reading ends, and an
 * address that is found is one.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/probe/listed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inet_address found = {.family = 0};
    enum listed_found is = listed_take(data, size, 7, 6, &found);

    if (is >= LISTED_COUNT)
        abort();
    if ((is == LISTED_SOCKET) != (found.family == 4 || found.family == 6))
        abort();
    return 0;
}
