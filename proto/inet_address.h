/* SPDX-License-Identifier: Apache-2.0
 *
 * inet_address.h - an IP address with its port, as homing keeps it: one form for both families.
 *
 * Shared by the shim and the agent: libc-neutral, and no loop here becomes a call.
 */
#ifndef HOMING_PROTO_INET_ADDRESS_H
#define HOMING_PROTO_INET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inet_address {
    uint8_t bytes[16]; /* network order; IPv4 in the first 4 bytes, the rest 0 */
    uint8_t family;    /* 4 or 6; an IPv4 address that is written as IPv6 has 4 */
    uint16_t port;     /* host order */
};

static inline int inet_address_len(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

/* Whether the 16 bytes are ::ffff:a.b.c.d, an IPv4 address written as IPv6. */
static inline bool inet_address_is_mapped(const uint8_t *bytes)
{
    uint8_t differs = (uint8_t)(bytes[10] ^ 0xff) | (uint8_t)(bytes[11] ^ 0xff);

    for (int i = 0; i < 10; i++)
        differs |= bytes[i];
    return !differs;
}

/* Sets an address from `bytes` of `family`, 4 or 6. IPv4 that is written as IPv6 becomes IPv4. It is
 * made in place for the shim: a copy of it would have to wait for the stores of its parts. */
static inline void inet_address_set(uint8_t family, const uint8_t *bytes, uint16_t port,
                                    struct inet_address *ret)
{
    *ret = (struct inet_address){.family = family, .port = port};
    if (family == 6 && inet_address_is_mapped(bytes)) {
        ret->family = 4;
        bytes += 12;
    }
    for (int i = 0; i < inet_address_len(ret->family); i++)
        ret->bytes[i] = bytes[i];
}

/* The same, where a copy does not matter. */
static inline struct inet_address inet_address_make(uint8_t family, const uint8_t *bytes,
                                                    uint16_t port)
{
    struct inet_address address;

    inet_address_set(family, bytes, port, &address);
    return address;
}

/* Whether both are the same host, at whatever port. */
static inline bool inet_address_same_host(const struct inet_address *a,
                                          const struct inet_address *b)
{
    uint8_t differs = a->family ^ b->family;

    for (int i = 0; i < inet_address_len(a->family); i++)
        differs |= a->bytes[i] ^ b->bytes[i];
    return !differs;
}

static inline bool inet_address_same(const struct inet_address *a, const struct inet_address *b)
{
    return a->port == b->port && inet_address_same_host(a, b);
}

/* "10.0.0.1" or "fd00::1". IPv4 that is written as IPv6 becomes IPv4. False: neither. For the
 * agent. */
bool inet_address_parse(const char *text, uint16_t port, struct inet_address *ret_address);
/* ret_text has at least 46 bytes. */
void inet_address_print(const struct inet_address *address, char *ret_text, size_t size);

#endif
