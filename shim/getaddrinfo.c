/* SPDX-License-Identifier: Apache-2.0
 *
 * getaddrinfo.c - takes over getaddrinfo().
 *
 * A managed name is answered by the real getaddrinfo(), asked for the numeric address: services,
 * socket types and flags are checked and filled in by who does so anyway, and freeaddrinfo(), which
 * is not taken over, gets lists of its own making only.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/consult.h"
#include "shim/intern.h"
#include "shim/libc.h"
#include "shim/next.h"
#include "shim/seen.h"

/* What glibc assumes, and reports in the result, where there are no hints. */
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

/* Puts the name asked for in the place of the numeric text. Asked for no canonical name, musl gives
 * one nevertheless, in memory that is the list's; glibc then gives none, and frees what it finds.
 * So who has one here gets a string that nobody frees,
 * and who has none gets one that free() can. */
__attribute__((noinline)) static bool getaddrinfo_restore_name(struct addrinfo *list,
                                                               const char *node, bool wanted)
{
    if (!list->ai_canonname) {
        if (wanted && strndup)
            list->ai_canonname = strndup(node, consult_name_len(node));
        return !wanted || list->ai_canonname;
    }
    for (char *kept = intern(node, consult_name_len(node)); kept && list; list = list->ai_next)
        list->ai_canonname = kept;
    return true;
}

/* The list as it would be if the name had been resolved. False: no memory for the name. */
static bool getaddrinfo_dress(struct addrinfo *list, int given, int asked, const char *node)
{
    for (struct addrinfo *info = list; info; info = info->ai_next)
        if (info->ai_flags == asked) /* glibc repeats them, musl leaves 0 */
            info->ai_flags = given;
    if (!list->ai_canonname && !(given & AI_CANONNAME))
        return true;
    return getaddrinfo_restore_name(list, node, given & AI_CANONNAME);
}

/* AI_ADDRCONFIG would ask the kernel for the interfaces: ten system calls, for an address that the
 * agent is connected to. Hints are copied field by field, as their caller has just stored them:
 * wider loads would wait for these stores. */
static int getaddrinfo_answer(const struct getaddrinfo_call *call, const char *text,
                              struct addrinfo **ret)
{
    int given = call->hints ? call->hints->ai_flags : GETADDRINFO_FLAGS, error;
    struct addrinfo *list,
        hints = {.ai_flags = (given | AI_NUMERICHOST) & ~(AI_ADDRCONFIG | AI_CANONNAME)};

    if (call->hints) {
        hints.ai_family = call->hints->ai_family;
        hints.ai_socktype = call->hints->ai_socktype;
        hints.ai_protocol = call->hints->ai_protocol;
    }
    error = call->real(text, call->service, &hints, &list);
    if (error)
        return error;
    if (!getaddrinfo_dress(list, given, hints.ai_flags, call->node)) {
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

/* W9: the real resolver's answer,
 * unless it is none or known to be wrong and the last view has one. */
__attribute__((noinline, cold)) static int getaddrinfo_verify(const struct getaddrinfo_call *call,
                                                              const struct consulted *consulted,
                                                              struct addrinfo **ret)
{
    struct addrinfo *list = NULL, *last;
    int error = getaddrinfo_pass(call, &list);
    struct libc_kept kept = libc_keep_errno();

    if (error == 0 && !getaddrinfo_names_demoted(list, consulted)) {
        *ret = list;
    } else if (getaddrinfo_answer(call, consulted->text, &last) == 0) {
        if (error == 0)
            getaddrinfo_free(list);
        error = 0;
        *ret = last;
    } else if (error == 0) {
        *ret = list;
    }
    libc_restore_errno(kept);
    return error;
}

/* A text that libc takes for no address can only come from a broken view: as if there were none. */
static int getaddrinfo_managed(const struct getaddrinfo_call *call, enum lookup_action action,
                               const struct consulted *consulted, struct addrinfo **ret)
{
    struct libc_kept kept;
    int error;

    if (action == LOOKUP_NONAME)
        return EAI_NONAME;
    if (action == LOOKUP_VERIFY)
        return getaddrinfo_verify(call, consulted, ret);
    kept = libc_keep_errno();
    error = getaddrinfo_answer(call, consulted->text, ret);
    if (!error)
        libc_restore_errno(kept);
    return error == EAI_NONAME ? getaddrinfo_pass(call, ret) : error;
}

/* Each address once, however many socket types it is listed for: they follow each other. */
static void getaddrinfo_record(const struct addrinfo *list, uint64_t name_hash)
{
    struct seen_address last = {{0, 0}};

    for (; list && name_hash; list = list->ai_next) {
        struct seen_address address;

        if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
            continue;
        address = seen_address(list->ai_family, getaddrinfo_bytes(list));
        if (address.words[0] != last.words[0] || address.words[1] != last.words[1])
            seen_record(&address, name_hash);
        last = address;
    }
}

/* A name. Apart from getaddrinfo(), which hands everything else on without a stack of its own; and
 * the whole way of a managed one in one function: saving registers and passing arguments from one
 * to the next were a fifth of what it costs. */
__attribute__((noinline, flatten, hot)) static int
getaddrinfo_name(const struct getaddrinfo_call *call, struct addrinfo **ret)
{
    int family = call->hints ? call->hints->ai_family : AF_UNSPEC;
    int flags = call->hints ? call->hints->ai_flags : GETADDRINFO_FLAGS;
    struct consulted consulted;
    enum lookup_action action = consult(call->node, family, flags & AI_V4MAPPED, &consulted);

    int error = action == LOOKUP_PASS ? getaddrinfo_pass(call, ret)
                                      : getaddrinfo_managed(call, action, &consulted, ret);

    if (error == 0)
        getaddrinfo_record(*ret, consulted.name_hash);
    return error;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict ret)
{
    next_getaddrinfo *real = (next_getaddrinfo *)next_get(NEXT_GETADDRINFO);

    if (!real)
        return EAI_FAIL;
    if (consult_is_vain(node) || (hints && hints->ai_flags & AI_NUMERICHOST))
        return real(node, service, hints, ret);
    return getaddrinfo_name(&(struct getaddrinfo_call){real, node, service, hints}, ret);
}
