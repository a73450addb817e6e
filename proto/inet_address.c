/* SPDX-License-Identifier: Apache-2.0
 *
 * inet_address.c - addresses as text. Not in the shim, which has no use for it.
 */
#include "config.h"

#include <arpa/inet.h>

#include "proto/inet_address.h"

bool inet_address_parse(const char *text, uint16_t port, struct inet_address *ret_address)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        *ret_address = inet_address_make(4, bytes, port);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ret_address = inet_address_make(6, bytes, port);
    else
        return false;
    return true;
}

void inet_address_print(const struct inet_address *address, char *ret_text, size_t size)
{
    int family = address->family == 4 ? AF_INET : AF_INET6;

    if (!inet_ntop(family, address->bytes, ret_text, (socklen_t)size) && size)
        ret_text[0] = '\0';
}
