/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.c - member hosts to addresses, with c-ares on loop.h. The only file that includes ares.h.
 *
 * One pass: a host's timer fires; the hosts file is read, then DNS is asked; the answer becomes a
 * sorted set; fn is called if that changed; the timer is set to when it expires. Between two
 * expiries nothing wakes the process.
 *
 * 1. A failed lookup never takes away what is known: DNS is at its worst during a failover.
 * 2. fn is called last: it may free its host.
 */
#include "config.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/probe/hosts.h"
#include "agent/probe/resolve.h"

enum {
    /* Lower: a TTL of 0 would be a lookup per loop turn. Higher: a moved member is noticed late. */
    TTL_MIN_MS = 1000,
    /* Higher: an operator who corrects a record with a TTL of a day waits a day. */
    TTL_MAX_MS = 300000,
    /* How often the hosts file's stamp is looked at for a name that stands in it. */
    HOSTS_MS = 5000,
    /* Pause after a failed lookup: it doubles, from the first to the second. */
    BACKOFF_MIN_MS = 1000,
    BACKOFF_MAX_MS = 10000,
    /* W11: pauses between the questions for an urgent host, drawn between the two. Shorter: a fleet
     * asks a name server too much. Longer: a member that moved is found late, and a pool whose
     * connects are refused makes fewer and fewer of them meanwhile. The first question of each agent
     * comes at a moment of its own, so that a fleet does not ask together. */
    URGENT_MIN_MS = 250,
    URGENT_MAX_MS = 300,
    /* W11: a host is urgent for so long. A member that is gone for longer is in no failover. */
    URGENT_MS = 600000,
    /* The time of the first try, which doubles, and the number of tries: some 7 s in all. */
    SERVER_TIMEOUT_MS = 1000,
    SERVER_TRIES = 3,
};

/* What tells that a file was changed or replaced. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

/* A descriptor of c-ares that is being waited for. */
struct socket_watch {
    struct socket_watch *next;
    struct resolver *resolver;
    ares_socket_t fd;
    struct loop_io *io;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct loop_timer *timer; /* c-ares' own deadlines */
    struct socket_watch *sockets;
    struct resolve_host *hosts;
    const char *resolv_conf;
    const char *hosts_file;
    uint16_t port; /* of DNS servers */
    struct stamp resolv_conf_stamp;
    uint32_t random;
};

/* A lookup that runs. It may outlive its host, because c-ares cannot cancel one of several. */
struct lookup {
    struct resolve_host *host; /* NULL: freed meanwhile */
};

struct resolve_host {
    struct resolve_host *next;
    struct resolver *resolver;
    char *name;
    enum conf_family family;
    resolve_fn *fn;
    void *arg;
    struct loop_timer *timer;
    struct lookup *lookup; /* NULL: no lookup runs */
    struct address_set set;
    char official[HOMING_NAME_MAX + 1];
    struct stamp hosts_stamp; /* of the hosts file, if `set` is from there */
    bool from_hosts;
    bool literal; /* nothing will ever change */
    bool untold;  /* `set` is inherited, and fn was not called yet */
    uint32_t failures;
    uint64_t urgent_until_ms; /* W11; 0: it is not urgent */
};

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct stamp){0};
    return (struct stamp){
        .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim};
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* c-ares on the loop. */

static void arm(struct resolver *resolver)
{
    struct timeval tv;
    if (!ares_timeout(resolver->channel, NULL, &tv))
        loop_timer_stop(resolver->timer);
    else
        loop_timer_set(resolver->timer,
                       (uint64_t)tv.tv_sec * 1000 + (uint64_t)(tv.tv_usec + 999) / 1000);
}

static void deadline(void *arg)
{
    struct resolver *resolver = arg;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(resolver);
}

static void socket_ready(void *arg, int events)
{
    struct socket_watch *watch = arg;
    struct resolver *resolver = watch->resolver; /* the watch may be gone below */
    ares_socket_t fd = watch->fd;
    ares_process_fd(resolver->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    arm(resolver);
}

static void socket_forget(struct socket_watch **at)
{
    struct socket_watch *watch = *at;
    *at = watch->next;
    loop_io_free(watch->io);
    free(watch);
}

/* Out of memory: the lookup runs into c-ares' own deadline, and is repeated. */
static void socket_add(struct resolver *resolver, ares_socket_t fd, int events)
{
    struct socket_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return;
    *watch = (struct socket_watch){.next = resolver->sockets, .resolver = resolver, .fd = fd};
    watch->io = loop_io_new(resolver->loop, fd, socket_ready, watch);
    if (!watch->io) {
        free(watch);
        return;
    }
    loop_io_set(watch->io, events);
    resolver->sockets = watch;
}

/* c-ares wants to wait for other events on fd than before; none: it is about to close it. */
static void socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    int events = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);
    struct socket_watch **at = &resolver->sockets;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    if (!*at && events != 0)
        socket_add(resolver, fd, events);
    else if (*at && events != 0)
        loop_io_set((*at)->io, events);
    else if (*at)
        socket_forget(at);
}

/* We read the hosts file ourselves, so c-ares asks DNS alone ("b"). */
static int make_channel(struct resolver *resolver, ares_channel *ret_channel)
{
    struct ares_options options = {
        .timeout = SERVER_TIMEOUT_MS,
        .tries = SERVER_TRIES,
        .udp_port = resolver->port,
        .tcp_port = resolver->port,
        .lookups = (char *)"b",
        .sock_state_cb = socket_state,
        .sock_state_cb_data = resolver,
        .resolvconf_path = (char *)resolver->resolv_conf,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_RESOLVCONF | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
#ifdef ARES_OPT_QUERY_CACHE
    /* A newer c-ares keeps answers itself. Ours are kept once, in struct resolve_host. */
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    resolver->resolv_conf_stamp = stamp_of(resolver->resolv_conf);
    return ares_init_options(ret_channel, &options, mask);
}

/* A changed resolv.conf means other servers: lookups that run are ended, and begin anew. */
static void refresh_channel(struct resolver *resolver)
{
    struct stamp now = stamp_of(resolver->resolv_conf);
    ares_channel channel;
    if (stamp_equal(&now, &resolver->resolv_conf_stamp) ||
        make_channel(resolver, &channel) != ARES_SUCCESS)
        return;
    ares_channel old = resolver->channel;
    resolver->channel = channel;
    ares_destroy(old);
}

struct resolver *resolver_new(struct loop *loop)
{
    return resolver_new_from(loop, "/etc/resolv.conf", "/etc/hosts", 53);
}

struct resolver *resolver_new_from(struct loop *loop, const char *resolv_conf, const char *hosts,
                                   uint16_t port)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver)
        return NULL;
    *resolver = (struct resolver){
        .loop = loop, .resolv_conf = resolv_conf, .hosts_file = hosts, .port = port};
    resolver->random = (uint32_t)loop_now_ms(loop) | 1;
    resolver->timer = loop_timer_new(loop, deadline, resolver);
    if (!resolver->timer || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        goto fail;
    if (make_channel(resolver, &resolver->channel) == ARES_SUCCESS)
        return resolver;
    ares_library_cleanup();
fail:
    loop_timer_free(resolver->timer);
    free(resolver);
    return NULL;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    while (resolver->hosts)
        resolve_host_free(resolver->hosts);
    ares_destroy(resolver->channel);
    while (resolver->sockets)
        socket_forget(&resolver->sockets);
    loop_timer_free(resolver->timer);
    ares_library_cleanup();
    free(resolver);
}

/* Hosts. */

static uint32_t random_below(struct resolver *resolver, uint32_t bound)
{
    resolver->random = resolver->random * 1664525 + 1013904223;
    return (resolver->random >> 8) % bound;
}

static bool host_is_urgent(const struct resolve_host *host)
{
    return loop_now_ms(host->resolver->loop) < host->urgent_until_ms;
}

static uint32_t urgent_pause(struct resolve_host *host)
{
    return URGENT_MIN_MS + random_below(host->resolver, URGENT_MAX_MS - URGENT_MIN_MS + 1);
}

/* Expiries are rounded up to whole seconds, so that many hosts wake the process once. */
static void host_wait(struct resolve_host *host, uint64_t delay_ms)
{
    uint64_t due = loop_now_ms(host->resolver->loop) + delay_ms;
    if (host_is_urgent(host))
        loop_timer_set(host->timer, urgent_pause(host));
    else
        loop_timer_set(host->timer, delay_ms + (1000 - due % 1000) % 1000);
}

static void host_tell(struct resolve_host *host)
{
    host->untold = false;
    host->fn(host->arg, host->set.at, host->set.count, NULL);
}

static void host_learn(struct resolve_host *host, const struct address_set *set,
                       const char *official)
{
    host->failures = 0;
    if (address_set_equal(set, &host->set) && strcmp(official, host->official) == 0 &&
        !host_is_urgent(host) && !host->untold)
        return;
    host->set = *set;
    snprintf(host->official, sizeof(host->official), "%s", official);
    host_tell(host);
}

/* Invariant 1. Jitter keeps a fleet from asking a reviving DNS server together. */
static void host_fail(struct resolve_host *host, const char *error)
{
    struct resolver *resolver = host->resolver;
    uint32_t delay = BACKOFF_MIN_MS << (host->failures < 4 ? host->failures : 4);
    if (delay > BACKOFF_MAX_MS)
        delay = BACKOFF_MAX_MS;
    host->failures++;
    loop_timer_set(host->timer, host_is_urgent(host)
                                    ? urgent_pause(host)
                                    : delay - delay / 4 + random_below(resolver, delay / 2));
    if (host->set.count > 0) {
        if (host->untold)
            host_tell(host);
        return;
    }
    char text[160];
    snprintf(text, sizeof(text), "cannot resolve %.100s: %s", host->name, error);
    host->fn(host->arg, NULL, 0, text);
}

/* Collects the addresses, and the shortest TTL of them and of the aliases on the way, bounded. */
static void collect(const struct ares_addrinfo *info, struct address_set *set, uint32_t *ret_ttl_ms)
{
    int ttl = TTL_MAX_MS / 1000;
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        ttl = c->ttl < ttl ? c->ttl : ttl;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
        ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
        if (n->ai_family == AF_INET)
            address_set_add(set, 4, &((struct sockaddr_in *)(void *)n->ai_addr)->sin_addr);
        else if (n->ai_family == AF_INET6)
            address_set_add(set, 6, &((struct sockaddr_in6 *)(void *)n->ai_addr)->sin6_addr);
    }
    *ret_ttl_ms = ttl < TTL_MIN_MS / 1000 ? TTL_MIN_MS : (uint32_t)ttl * 1000;
}

/* The end of the chain of aliases that begins with the name asked for, which `search` may have made
 * longer. It is bounded by the number of aliases: they may form a ring. */
static void find_official(const struct ares_addrinfo *info, char *ret_official)
{
    const char *name = info->name ? info->name : "";
    uint32_t left = 0;
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        left++;
    for (const struct ares_addrinfo_cname *c = info->cnames; c && left > 0;) {
        if (!c->alias || !c->name || strcasecmp(c->alias, name) != 0) {
            c = c->next;
            continue;
        }
        name = c->name;
        c = info->cnames;
        left--;
    }
    hosts_set_official(name, ret_official);
}

static void lookup_done(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct lookup *lookup = arg;
    struct resolve_host *host = lookup->host;
    struct address_set set = {0};
    char official[HOMING_NAME_MAX + 1] = "";
    uint32_t ttl_ms = 0;
    free(lookup);
    if (info) {
        collect(info, &set, &ttl_ms);
        find_official(info, official);
        ares_freeaddrinfo(info);
    }
    if (!host)
        return;
    host->lookup = NULL;
    if (status == ARES_EDESTRUCTION) {
        loop_timer_set(host->timer, 0);
    } else if (status != ARES_SUCCESS || set.count == 0) {
        host_fail(host, ares_strerror(status == ARES_SUCCESS ? ARES_ENODATA : status));
    } else {
        host_wait(host, ttl_ms);
        host_learn(host, &set, official);
    }
}

/* The order of RFC 6724 is not wanted (NOSORT): the set has an order of its own. */
static void host_ask_dns(struct resolve_host *host)
{
    struct resolver *resolver = host->resolver;
    struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC};
    if (host->family != CONF_FAMILY_AUTO)
        hints.ai_family = host->family == CONF_FAMILY_4 ? AF_INET : AF_INET6;
    host->lookup = calloc(1, sizeof(*host->lookup));
    if (!host->lookup) {
        host_fail(host, "out of memory");
        return;
    }
    host->lookup->host = host;
    ares_getaddrinfo(resolver->channel, host->name, NULL, &hints, lookup_done, host->lookup);
    arm(resolver);
}

static void host_refresh(void *arg)
{
    struct resolve_host *host = arg;
    struct resolver *resolver = host->resolver;
    struct address_set set = {0};
    char official[HOMING_NAME_MAX + 1] = "";
    struct stamp stamp = stamp_of(resolver->hosts_file);
    if (host->from_hosts && stamp_equal(&stamp, &host->hosts_stamp)) {
        host_wait(host, HOSTS_MS);
        set = host->set;
        memcpy(official, host->official, sizeof(official));
        host_learn(host, &set, official);
        return;
    }
    if (address_set_add_text(&set, host->name, host->family)) {
        host->literal = true;
        if (set.count > 0)
            host_learn(host, &set, ""); /* a literal: nothing will ever change */
        else
            host->fn(host->arg, NULL, 0, "the address is not of the configured family");
        return;
    }
    hosts_read(resolver->hosts_file, host->name, host->family, &set, official);
    host->hosts_stamp = stamp;
    host->from_hosts = set.count > 0;
    if (host->from_hosts) {
        host_wait(host, HOSTS_MS);
        host_learn(host, &set, official);
        return;
    }
    refresh_channel(resolver);
    if (!host->lookup)
        host_ask_dns(host);
}

struct resolve_host *resolve_host_new(struct resolver *resolver, const char *name,
                                      enum conf_family family, resolve_fn *fn, void *arg)
{
    struct resolve_host *host = calloc(1, sizeof(*host));
    if (!host)
        return NULL;
    *host = (struct resolve_host){.resolver = resolver, .family = family, .fn = fn, .arg = arg};
    host->name = strdup(name);
    host->timer = loop_timer_new(resolver->loop, host_refresh, host);
    if (!host->name || !host->timer) {
        loop_timer_free(host->timer);
        free(host->name);
        free(host);
        return NULL;
    }
    host->next = resolver->hosts;
    resolver->hosts = host;
    loop_timer_set(host->timer, 0);
    return host;
}

void resolve_host_urge(struct resolve_host *host, bool urgent)
{
    bool was = host && host->urgent_until_ms != 0;

    if (!host || host->literal || was == urgent)
        return;
    host->urgent_until_ms = urgent ? loop_now_ms(host->resolver->loop) + URGENT_MS : 0;
    if (urgent && !host->lookup)
        loop_timer_set(host->timer, random_below(host->resolver, URGENT_MIN_MS));
}

void resolve_host_again(struct resolve_host *host)
{
    if (host && host_is_urgent(host) && !host->lookup)
        loop_timer_set(host->timer, RESOLVE_AGAIN_MS);
}

void resolve_host_free(struct resolve_host *host)
{
    if (!host)
        return;
    struct resolve_host **at = &host->resolver->hosts;
    while (*at != host)
        at = &(*at)->next;
    *at = host->next;
    if (host->lookup)
        host->lookup->host = NULL;
    loop_timer_free(host->timer);
    free(host->name);
    free(host);
}

const char *resolve_host_official(const struct resolve_host *host)
{
    return host->official;
}

void resolve_host_inherit(struct resolve_host *host, const struct resolve_host *old)
{
    if (host->family != old->family || strcmp(host->name, old->name) != 0)
        return;
    host->set = old->set;
    memcpy(host->official, old->official, sizeof(host->official));
    host->untold = host->set.count > 0;
}
