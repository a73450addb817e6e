/* SPDX-License-Identifier: Apache-2.0
 *
 * deepbind.c - a library as PHP's extensions are: opened with RTLD_DEEPBIND, it binds to libc past
 * the shim. process.py loads it.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stddef.h>

/* The IPv4 address of a name, in host order; 0: none. */
unsigned deepbind_lookup(const char *name);
unsigned deepbind_lookup(const char *name)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    unsigned address;

    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return 0;
    address = ntohl(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(list);
    return address;
}
