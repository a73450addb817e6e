/* SPDX-License-Identifier: Apache-2.0
 *
 * getaddrinfo.c - takes over getaddrinfo().
 *
 * A managed name is answered by the real getaddrinfo(), which is asked for the numeric address. So
 * services, socket types and flags are checked and filled in as they are without the shim, and
 * freeaddrinfo(), which is not taken over, gets no lists but libc's own.
 *
 * If both families are asked for, it is asked for two addresses. glibc allocates and frees each
 * node of a list by itself, so that the second list can be put behind the first. musl frees a list as
 * the one block that it is, so that there the first list is the answer.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/libc/libc.h"
#include "shim/libc/next.h"
#include "shim/steer/late.h"
#include "shim/view/consult.h"
#include "shim/view/intern.h"
#include "shim/view/route.h"
#include "shim/view/seen.h"

/* What glibc assumes if there are no hints, and then reports in the result. */
#define GETADDRINFO_FLAGS (AI_V4MAPPED | AI_ADDRCONFIG)

struct getaddrinfo_call {
    next_getaddrinfo *real;
    const char *node, *service;
    const struct addrinfo *hints;
};

static int getaddrinfo_pass(const struct getaddrinfo_call *call, struct addrinfo **ret)
{
    return call->real(call->node, call->service, call->hints, ret);
}

static void getaddrinfo_free(struct addrinfo *list)
{
    next_freeaddrinfo *real = (next_freeaddrinfo *)next_get(NEXT_FREEADDRINFO);

    if (real)
        real(list);
}

/* Puts a name in the place of the numeric text: the member's own, as if the name asked for were an
 * alias of it, or the name asked for. musl has given a canonical name although it was asked for
 * none, in memory that belongs to the list: there the new name is a string that nobody frees. glibc
 * has given none, and frees what it finds: there it is a string for free(). */
__attribute__((noinline)) static bool getaddrinfo_restore_name(struct addrinfo *list,
                                                               const struct consulted *consulted,
                                                               const char *node, bool wanted)
{
    char official[VIEW_OFFICIAL_SIZE];
    size_t len = wanted ? consult_official(consulted, node, official) : 0;
    const char *name = len ? official : node;

    if (!len)
        len = consult_name_len(node);
    if (!list->ai_canonname) {
        if (wanted && strndup)
            list->ai_canonname = strndup(name, len);
        return !wanted || list->ai_canonname;
    }
    name = intern(name, len);
    if (!name)
        name = intern(node, consult_name_len(node));
    for (; name && list; list = list->ai_next)
        list->ai_canonname = (char *)name;
    return true;
}

/* Makes the list what it would be if the name had been resolved. False: no memory for the name. */
static bool getaddrinfo_dress(struct addrinfo *list, int given, int asked,
                              const struct consulted *consulted, const char *node)
{
    for (struct addrinfo *info = list; info; info = info->ai_next)
        if (info->ai_flags == asked) /* glibc repeats them, musl leaves 0 */
            info->ai_flags = given;
    if (!list->ai_canonname && !(given & AI_CANONNAME))
        return true;
    return getaddrinfo_restore_name(list, consulted, node, given & AI_CANONNAME);
}

/* Whether each node was allocated by itself. glibc repeats the flags in each node, and gives no
 * canonical name that it was not asked for. musl does neither, nor do the libraries that put a whole
 * list into one block, and are preloaded themselves. */
static bool getaddrinfo_is_by_node(const struct addrinfo *list, int asked)
{
    return !list->ai_canonname && list->ai_flags == asked;
}

/* Asks the kernel for a route to each of the two addresses, which need no service for that. Where one
 * of them is all that can be given, and there is a route to both, it is the one that the view has
 * first: its server was seen to answer there. */
__attribute__((noinline, cold)) static void
getaddrinfo_learn(next_getaddrinfo *real, const struct consulted *consulted, struct route *ret)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
    struct libc_kept kept = libc_keep_errno();
    struct addrinfo *list, *other;

    *ret = (struct route){0};
    if (real(consulted->text, NULL, &hints, &list) != 0)
        return;
    if (real(consulted->other, NULL, &hints, &other) == 0) {
        route_learn(consulted->text, consulted->other, list, other,
                    !getaddrinfo_is_by_node(list, hints.ai_flags), consulted->now_ms, ret);
        getaddrinfo_free(other);
    }
    getaddrinfo_free(list);
    libc_restore_errno(kept);
}

static void getaddrinfo_append(struct addrinfo *list, struct addrinfo *more)
{
    while (list->ai_next)
        list = list->ai_next;
    list->ai_next = more;
}

/* What libc makes of an address of each family, or of the one that is to be listed alone. If the
 * second is no address, as in a broken view, the first is the answer. */
__attribute__((noinline)) static int
getaddrinfo_both(const struct getaddrinfo_call *call, const struct consulted *consulted,
                 bool only_routed, const struct addrinfo *hints, struct addrinfo **ret)
{
    const char *first, *second;
    struct addrinfo *more;
    struct route route;
    int rv;

    if (!route_recall(consulted->text, consulted->other, consulted->now_ms, &route))
        getaddrinfo_learn(call->real, consulted, &route);
    route_sort(&route, consulted->text, consulted->other, consulted->one_member, only_routed,
               &first, &second);
    rv = call->real(first, call->service, hints, ret);
    if (rv || !second || !getaddrinfo_is_by_node(*ret, hints->ai_flags))
        return rv;
    rv = call->real(second, call->service, hints, &more);
    if (rv == 0)
        getaddrinfo_append(*ret, more);
    else if (rv == EAI_MEMORY)
        getaddrinfo_free(*ret);
    return rv == EAI_MEMORY ? rv : 0;
}

/* AI_ADDRCONFIG is left out: it would ask the kernel for the interfaces with ten system calls. Of two
 * families the one without a route is left out in its place. The hints are copied field by field: their caller has
 * just stored them so, and wider loads would wait for those stores. */
static int getaddrinfo_answer(const struct getaddrinfo_call *call,
                              const struct consulted *consulted, struct addrinfo **ret)
{
    int given = call->hints ? call->hints->ai_flags : GETADDRINFO_FLAGS, rv;
    struct addrinfo *list,
        hints = {.ai_flags = (given | AI_NUMERICHOST) & ~(AI_ADDRCONFIG | AI_CANONNAME)};

    if (call->hints) {
        hints.ai_family = call->hints->ai_family;
        hints.ai_socktype = call->hints->ai_socktype;
        hints.ai_protocol = call->hints->ai_protocol;
    }
    if (consulted->other)
        rv = getaddrinfo_both(call, consulted, given & AI_ADDRCONFIG, &hints, &list);
    else
        rv = call->real(consulted->text, call->service, &hints, &list);
    if (rv)
        return rv;
    if (!getaddrinfo_dress(list, given, hints.ai_flags, consulted, call->node)) {
        getaddrinfo_free(list);
        return EAI_MEMORY;
    }
    *ret = list;
    return 0;
}

static const uint8_t *getaddrinfo_bytes(const struct addrinfo *info)
{
    if (info->ai_family == AF_INET6)
        return (const uint8_t *)&((const struct sockaddr_in6 *)info->ai_addr)->sin6_addr;
    return (const uint8_t *)&((const struct sockaddr_in *)info->ai_addr)->sin_addr;
}

static bool getaddrinfo_names_demoted(const struct addrinfo *list,
                                      const struct consulted *consulted)
{
    struct consult_demoted demoted;

    consult_demoted(consulted, &demoted);
    for (; list; list = list->ai_next)
        if (lookup_is_demoted(list->ai_family, getaddrinfo_bytes(list), demoted.at, demoted.count))
            return true;
    return false;
}

/* W9: the real resolver's answer. The last view's answer takes its place if the resolver fails, or
 * names a member that is known to be demoted. */
__attribute__((noinline, cold)) static int getaddrinfo_verify(const struct getaddrinfo_call *call,
                                                              const struct consulted *consulted,
                                                              struct addrinfo **ret)
{
    struct addrinfo *list = NULL, *last;
    int rv = getaddrinfo_pass(call, &list);
    struct libc_kept kept = libc_keep_errno();

    if (rv == 0 && !getaddrinfo_names_demoted(list, consulted)) {
        *ret = list;
    } else if (getaddrinfo_answer(call, consulted, &last) == 0) {
        if (rv == 0)
            getaddrinfo_free(list);
        rv = 0;
        *ret = last;
    } else if (rv == 0) {
        *ret = list;
    }
    libc_restore_errno(kept);
    return rv;
}

/* A text that libc does not take for an address can only come from a broken view. Then the lookup
 * goes on as if there were no view. */
static int getaddrinfo_managed(const struct getaddrinfo_call *call, enum lookup_action action,
                               const struct consulted *consulted, struct addrinfo **ret)
{
    struct libc_kept kept;
    int rv;

    if (action == LOOKUP_NONAME)
        return EAI_NONAME;
    if (action == LOOKUP_VERIFY)
        return getaddrinfo_verify(call, consulted, ret);
    kept = libc_keep_errno();
    rv = getaddrinfo_answer(call, consulted, ret);
    if (!rv)
        libc_restore_errno(kept);
    return rv == EAI_NONAME ? getaddrinfo_pass(call, ret) : rv;
}

/* An address is listed once for each socket type, one after the other. */
__attribute__((noinline)) static void getaddrinfo_record_all(const struct addrinfo *list,
                                                             const struct consulted *consulted)
{
    struct seen_lookup lookup = {.name = consulted->name_hash, .managed = consulted->managed};

    for (; list; list = list->ai_next) {
        struct seen_address address;

        if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
            continue;
        address = seen_address(list->ai_family, getaddrinfo_bytes(list));
        seen_add(&lookup, &address);
    }
    seen_end(&lookup);
}

static void getaddrinfo_record(const struct addrinfo *list, const struct consulted *consulted)
{
    struct seen_address only;

    if (!consulted->managed || list->ai_next ||
        (list->ai_family != AF_INET && list->ai_family != AF_INET6)) {
        getaddrinfo_record_all(list, consulted);
        return;
    }
    only = seen_address(list->ai_family, getaddrinfo_bytes(list));
    if (!seen_again(consulted->name_hash, &only))
        getaddrinfo_record_all(list, consulted);
}

/* For a name. Not inlined, so that getaddrinfo() hands on everything else without a stack of its
 * own. Flattened, because from function to function the saving of registers and the passing of
 * arguments were a fifth of what a managed name costs. */
__attribute__((noinline, flatten, hot)) static int
getaddrinfo_name(const struct getaddrinfo_call *call, struct addrinfo **ret)
{
    int family = call->hints ? call->hints->ai_family : AF_UNSPEC;
    int flags = call->hints ? call->hints->ai_flags : GETADDRINFO_FLAGS;
    struct consulted consulted;
    enum lookup_action action = consult(call->node, family, flags, &consulted);
    int rv;

    late(attach_newest());
    rv = action == LOOKUP_PASS ? getaddrinfo_pass(call, ret)
                               : getaddrinfo_managed(call, action, &consulted, ret);

    if (rv == 0)
        getaddrinfo_record(*ret, &consulted);
    return rv;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict ret)
{
    next_getaddrinfo *real = (next_getaddrinfo *)next_get(NEXT_GETADDRINFO);

    if (!real)
        return EAI_FAIL;
    if (consult_is_no_name(node) || (hints && hints->ai_flags & AI_NUMERICHOST))
        return real(node, service, hints, ret);
    return getaddrinfo_name(&(struct getaddrinfo_call){real, node, service, hints}, ret);
}
