/* SPDX-License-Identifier: Apache-2.0
 *
 * gethostbyname.c - takes over gethostbyname(), gethostbyname2() and their reentrant forms.
 *
 * As in getaddrinfo.c, the real function is asked for the numeric text, and then names are put into
 * its answer: the member's own, with the name asked for as its alias, or the name asked for. They
 * are put at the end of the caller's buffer, where the real function was not told of it. The forms
 * without a buffer put them into one that the next call overwrites, as it overwrites the rest of
 * the answer. If there is no address of the family asked for, libc is asked
 * for the text of the other one, and says in its own way that there is none.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shim/libc/libc.h"
#include "shim/libc/next.h"
#include "shim/steer/late.h"
#include "shim/view/consult.h"
#include "shim/view/seen.h"

#define GETHOSTBYNAME_EXPORT __attribute__((visibility("default")))

/* The names of an answer. */
struct gethostbyname_names {
    const char *node; /* as asked for */
    size_t node_len;
    size_t official_len; /* 0: the name asked for is the only one */
    char official[VIEW_OFFICIAL_SIZE];
};

/* The most aliases that are listed, and the NULL behind them. */
#define GETHOSTBYNAME_ALIASES 3

static void gethostbyname_name(const char *node, const struct consulted *consulted,
                               struct gethostbyname_names *ret)
{
    ret->node = node;
    ret->node_len = consult_name_len(node);
    ret->official_len = consult_official(consulted, node, ret->official);
}

/* Bytes that the names take, wherever they are put. */
static size_t gethostbyname_room(const struct gethostbyname_names *names)
{
    size_t pointers = GETHOSTBYNAME_ALIASES * sizeof(char *) + _Alignof(char *) - 1;

    return names->node_len + 1 + (names->official_len ? names->official_len + 1 + pointers : 0);
}

/* Returns where the text is. */
static char *gethostbyname_put(char **at, const char *text, size_t len)
{
    char *to = *at;

    for (size_t i = 0; i < len; i++)
        to[i] = text[i];
    to[len] = '\0';
    *at = to + len + 1;
    return to;
}

/* Each libc lists what it lists for a name that leads to another by a CNAME: glibc the first as an
 * alias, and musl before it the other, too. */
static void gethostbyname_rename_official(struct hostent *host,
                                          const struct gethostbyname_names *names, char *to)
{
    bool lists_itself = host->h_aliases && host->h_aliases[0] == host->h_name;
    char **alias = (char **)(((uintptr_t)to + _Alignof(char *) - 1) & -_Alignof(char *));

    to = (char *)(alias + GETHOSTBYNAME_ALIASES);
    host->h_aliases = alias;
    host->h_name = gethostbyname_put(&to, names->official, names->official_len);
    if (lists_itself)
        *alias++ = host->h_name;
    *alias++ = gethostbyname_put(&to, names->node, names->node_len);
    *alias = NULL;
}

/* `to` has as much room as gethostbyname_room() says. musl lists the name among the aliases, too. */
static void gethostbyname_rename(struct hostent *host, const struct gethostbyname_names *names,
                                 char *to)
{
    const char *was = host->h_name;

    if (names->official_len) {
        gethostbyname_rename_official(host, names, to);
        return;
    }
    host->h_name = gethostbyname_put(&to, names->node, names->node_len);
    for (char **alias = host->h_aliases; alias && *alias; alias++)
        if (*alias == was)
            *alias = host->h_name;
}

static bool gethostbyname_names_demoted(const struct hostent *host,
                                        const struct consulted *consulted)
{
    struct consult_demoted demoted;

    consult_demoted(consulted, &demoted);
    for (char **address = host->h_addr_list; *address; address++)
        if (lookup_is_demoted(host->h_addrtype, (const uint8_t *)*address, demoted.at,
                              demoted.count))
            return true;
    return false;
}

static void gethostbyname_record(const struct hostent *host, const struct consulted *consulted)
{
    struct seen_lookup lookup = {.name = consulted->name_hash, .managed = consulted->managed};

    if (!host || (host->h_addrtype != AF_INET && host->h_addrtype != AF_INET6))
        return;
    for (char **at = host->h_addr_list; *at; at++) {
        struct seen_address address = seen_address(host->h_addrtype, *at);

        seen_add(&lookup, &address);
    }
    seen_end(&lookup);
}

/* The forms without a buffer. Each is passed on to its own real function, because an old resolver
 * option makes gethostbyname() differ from gethostbyname2() for AF_INET. */
struct gethostbyname_call {
    enum next_id id;
    int family;
    const char *node;
};

static struct hostent *gethostbyname_real(const struct gethostbyname_call *call, const char *node)
{
    void *real = next_get(call->id);

    if (!real)
        return NULL;
    if (call->id == NEXT_GETHOSTBYNAME)
        return ((next_gethostbyname *)real)(node);
    return ((next_gethostbyname2 *)real)(node, call->family);
}

static struct hostent *gethostbyname_answer(const struct gethostbyname_call *call,
                                            const struct consulted *consulted)
{
    static char kept[2 * (HOMING_NAME_MAX + 1) + (GETHOSTBYNAME_ALIASES + 1) * sizeof(char *)];
    struct hostent *host = gethostbyname_real(call, consulted->text);
    struct gethostbyname_names names;

    if (!host)
        return NULL;
    gethostbyname_name(call->node, consulted, &names);
    gethostbyname_rename(host, &names, kept);
    return host;
}

/* W9. The last view's answer overwrites the real one, which has been looked at by then. */
static struct hostent *gethostbyname_verify(const struct gethostbyname_call *call,
                                            const struct consulted *consulted)
{
    struct hostent *host = gethostbyname_real(call, call->node);

    if (host && !gethostbyname_names_demoted(host, consulted))
        return host;
    return gethostbyname_answer(call, consulted);
}

static struct hostent *gethostbyname_act(const struct gethostbyname_call *call,
                                         enum lookup_action action,
                                         const struct consulted *consulted)
{
    struct libc_kept kept;
    struct hostent *host;

    if (action == LOOKUP_PASS)
        return gethostbyname_real(call, call->node);
    if (action == LOOKUP_VERIFY)
        return gethostbyname_verify(call, consulted);
    kept = libc_keep_errno();
    host = gethostbyname_answer(call, consulted);
    if (host)
        libc_restore_errno(kept);
    return host;
}

static struct hostent *gethostbyname_managed(const struct gethostbyname_call *call)
{
    struct consulted consulted;
    enum lookup_action action;
    struct hostent *host;

    if (consult_is_no_name(call->node))
        return gethostbyname_real(call, call->node);
    action = consult(call->node, call->family, 0, &consulted);
    late(attach_newest());
    host = gethostbyname_act(call, action, &consulted);
    gethostbyname_record(host, &consulted);
    return host;
}

GETHOSTBYNAME_EXPORT struct hostent *gethostbyname(const char *node)
{
    return gethostbyname_managed(&(struct gethostbyname_call){NEXT_GETHOSTBYNAME, AF_INET, node});
}

GETHOSTBYNAME_EXPORT struct hostent *gethostbyname2(const char *node, int family)
{
    if (family != AF_INET && family != AF_INET6)
        return gethostbyname_real(&(struct gethostbyname_call){NEXT_GETHOSTBYNAME2, family, node},
                                  node);
    return gethostbyname_managed(&(struct gethostbyname_call){NEXT_GETHOSTBYNAME2, family, node});
}

/* The forms with a buffer. */
struct gethostbyname_r_call {
    enum next_id id;
    int family;
    const char *node;
    struct hostent *host;
    char *buffer;
    size_t size;
    struct hostent **ret;
    int *ret_h_errno;
};

static int gethostbyname_r_real(const struct gethostbyname_r_call *call, const char *node,
                                size_t size)
{
    void *real = next_get(call->id);

    if (!real) {
        *call->ret = NULL;
        *call->ret_h_errno = NO_RECOVERY;
        return ENOSYS;
    }
    if (call->id == NEXT_GETHOSTBYNAME_R)
        return ((next_gethostbyname_r *)real)(node, call->host, call->buffer, size, call->ret,
                                              call->ret_h_errno);
    return ((next_gethostbyname2_r *)real)(node, call->family, call->host, call->buffer, size,
                                           call->ret, call->ret_h_errno);
}

/* If the buffer is too small, the real function refuses it in its own way. */
static int gethostbyname_r_answer(const struct gethostbyname_r_call *call,
                                  const struct consulted *consulted)
{
    struct gethostbyname_names names;
    size_t room, size;
    int rv;

    gethostbyname_name(call->node, consulted, &names);
    room = gethostbyname_room(&names);
    size = call->size > room ? call->size - room : 0;
    rv = gethostbyname_r_real(call, consulted->text, size);
    if (rv == 0 && *call->ret)
        gethostbyname_rename(*call->ret, &names, call->buffer + size);
    return rv;
}

/* W9. On ERANGE the caller comes again with a larger buffer. */
static int gethostbyname_r_verify(const struct gethostbyname_r_call *call,
                                  const struct consulted *consulted)
{
    int rv = gethostbyname_r_real(call, call->node, call->size);

    if (rv == ERANGE)
        return rv;
    if (rv == 0 && *call->ret && !gethostbyname_names_demoted(*call->ret, consulted))
        return rv;
    return gethostbyname_r_answer(call, consulted);
}

static int gethostbyname_r_act(const struct gethostbyname_r_call *call, enum lookup_action action,
                               const struct consulted *consulted)
{
    struct libc_kept kept;
    int rv;

    if (action == LOOKUP_PASS)
        return gethostbyname_r_real(call, call->node, call->size);
    if (action == LOOKUP_VERIFY)
        return gethostbyname_r_verify(call, consulted);
    kept = libc_keep_errno();
    rv = gethostbyname_r_answer(call, consulted);
    if (rv == 0 && *call->ret)
        libc_restore_errno(kept);
    return rv;
}

static int gethostbyname_r_managed(const struct gethostbyname_r_call *call)
{
    struct consulted consulted;
    enum lookup_action action;
    int rv;

    if (consult_is_no_name(call->node))
        return gethostbyname_r_real(call, call->node, call->size);
    action = consult(call->node, call->family, 0, &consulted);
    late(attach_newest());
    rv = gethostbyname_r_act(call, action, &consulted);
    if (rv == 0)
        gethostbyname_record(*call->ret, &consulted);
    return rv;
}

GETHOSTBYNAME_EXPORT int gethostbyname_r(const char *restrict node, struct hostent *restrict host,
                                         char *restrict buffer, size_t size,
                                         struct hostent **restrict ret, int *restrict ret_h_errno)
{
    return gethostbyname_r_managed(&(struct gethostbyname_r_call){
        NEXT_GETHOSTBYNAME_R, AF_INET, node, host, buffer, size, ret, ret_h_errno});
}

GETHOSTBYNAME_EXPORT int gethostbyname2_r(const char *restrict node, int family,
                                          struct hostent *restrict host, char *restrict buffer,
                                          size_t size, struct hostent **restrict ret,
                                          int *restrict ret_h_errno)
{
    struct gethostbyname_r_call call = {
        NEXT_GETHOSTBYNAME2_R, family, node, host, buffer, size, ret, ret_h_errno};

    if (family != AF_INET && family != AF_INET6)
        return gethostbyname_r_real(&call, node, size);
    return gethostbyname_r_managed(&call);
}
