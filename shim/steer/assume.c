/* SPDX-License-Identifier: Apache-2.0
 *
 * assume.c - see assume.h.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "proto/name.h"
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/steer/assume.h"
#include "shim/view/process.h"

_Atomic uint8_t assume_state;

/* Threads that read the variable at once store the same. 0: none. */
static _Atomic uint64_t assume_names[HOMING_ASSUME_MAX];

/* Up to the next comma. Returns what is behind it; NULL: nothing. *ret_hash is 0 if this can be no
 * managed name. Not inlined, because of its stack, which a process without the variable does not
 * need. */
__attribute__((noinline)) static const char *assume_take(const char *text, uint64_t *ret_hash)
{
    char word[HOMING_NAME_MAX + 2];
    struct name name;
    unsigned len = 0;

    for (; *text && *text != ','; text++)
        if (len < sizeof(word) - 1)
            word[len++] = *text;
    word[len] = '\0';
    *ret_hash = name_canonical(word, &name) ? name.hash : 0;
    return *text ? text + 1 : NULL;
}

__attribute__((noinline, cold)) static enum assume_state assume_read(void)
{
    const char *text = process_disabled() ? NULL : process_environment("HOMING_ASSUME");
    unsigned count = 0;
    uint64_t hash;

    while (text && count < HOMING_ASSUME_MAX) {
        text = assume_take(text, &hash);
        if (hash)
            atomic_store_explicit(&assume_names[count++], hash, memory_order_relaxed);
    }
    return count ? ASSUME_SOMETHING : ASSUME_NOTHING;
}

bool assume_is(void)
{
    uint8_t state = atomic_load_explicit(&assume_state, memory_order_acquire);
    struct libc_kept kept;

    if (state == ASSUME_UNREAD) {
        kept = libc_keep_errno();
        state = (uint8_t)assume_read();
        /* Pairs with the load above: who sees it sees the names. */
        atomic_store_explicit(&assume_state, state, memory_order_release);
        libc_restore_errno(kept);
    }
    return state == ASSUME_SOMETHING;
}

bool assume_next(uint64_t above, uint64_t *ret_name)
{
    uint64_t next = 0;

    for (unsigned i = 0; i < HOMING_ASSUME_MAX; i++) {
        uint64_t name = atomic_load_explicit(&assume_names[i], memory_order_relaxed);

        if (name > above && (!next || name < next))
            next = name;
    }
    *ret_name = next;
    return next;
}

/* What goes to an address of one's own comes from there; but for the loopback network. */
__attribute__((noinline)) bool assume_is_own_host(const struct inet_address *address)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } to = {.in6 = {.sin6_family = AF_INET6}}, from = {.in6 = {0}};
    bool four = address->family == 4;
    uint8_t *bytes = four ? (uint8_t *)&to.in.sin_addr : to.in6.sin6_addr.s6_addr;
    const uint8_t *source = four ? (uint8_t *)&from.in.sin_addr : from.in6.sin6_addr.s6_addr;
    enum socket_source found;
    uint8_t differs = 0;

    if (four && address->bytes[0] == 127)
        return true;
    to.any.sa_family = four ? AF_INET : AF_INET6;
    to.in.sin_port = __builtin_bswap16(address->port);
    for (int i = 0; i < inet_address_len(address->family); i++)
        bytes[i] = address->bytes[i];
    found = socket_source(&to.any, four ? sizeof(to.in) : sizeof(to.in6), &from.in6);
    for (int i = 0; i < inet_address_len(address->family); i++)
        differs |= bytes[i] ^ source[i];
    return found == SOCKET_SOURCE_UNKNOWN || (found == SOCKET_SOURCE_FOUND && !differs);
}
