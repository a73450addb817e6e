/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_rig.c - a DNS server that is part of the test: a UDP socket on a loopback address, answered by
 * hand. And what the resolver says.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/dns_rig.h"
#include "tests/support/fake_loop.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* The server. */

struct zone zone;
uint32_t queries, aaaa_queries;
static int server = -1;
static uint16_t server_port;

/* In labels. */
static size_t put_name(uint8_t *at, const char *name)
{
    size_t used = 0;
    for (const char *label = name; *label;) {
        size_t len = strcspn(label, ".");
        at[used] = (uint8_t)len;
        memcpy(at + used + 1, label, len);
        used += 1 + len;
        label += len + (label[len] == '.');
    }
    at[used] = 0;
    return used + 1;
}

/* The part of a record that stands before its data. `owner`: NULL for the name asked for. */
static size_t put_head(uint8_t *at, const char *owner, uint8_t type, size_t size)
{
    const uint8_t asked[] = {0xc0, 12}, kind[] = {0, type, 0, 1};
    uint32_t ttl = htonl(zone.ttl);
    size_t used = sizeof(asked);
    if (owner)
        used = put_name(at, owner);
    else
        memcpy(at, asked, sizeof(asked));
    memcpy(at + used, kind, sizeof(kind));
    memcpy(at + used + 4, &ttl, 4);
    at[used + 8] = 0;
    at[used + 9] = (uint8_t)size;
    return used + 10;
}

static size_t put_cnames(uint8_t *at, const char **owner, uint8_t *ret_count)
{
    size_t used = 0;
    for (*ret_count = 0; *ret_count < 3 && zone.cnames[*ret_count]; ++*ret_count) {
        uint8_t target[256];
        size_t size = put_name(target, zone.cnames[*ret_count]);
        used += put_head(at + used, *owner, 5, size);
        memcpy(at + used, target, size);
        used += size;
        *owner = zone.cnames[*ret_count];
    }
    return used;
}

static size_t put_records(uint8_t *at, const char *owner, uint8_t type, uint8_t *ret_count)
{
    const char *const *texts = type == 1 ? zone.a : zone.aaaa;
    size_t size = type == 1 ? 4 : 16, count = type == 1 ? 12 : 4, used = 0;
    for (*ret_count = 0; *ret_count < count && texts[*ret_count]; ++*ret_count) {
        used += put_head(at + used, owner, type, size);
        inet_pton(type == 1 ? AF_INET : AF_INET6, texts[*ret_count], at + used);
        used += size;
    }
    return used;
}

static void reply(uint8_t *packet, size_t end, uint8_t type, const struct sockaddr_in *to)
{
    const char *owner = NULL;
    uint8_t cnames = 0, records = 0;
    size_t used = 0;
    if (zone.rcode == 0) {
        used = put_cnames(packet + end, &owner, &cnames);
        used += put_records(packet + end + used, owner, type, &records);
    }
    packet[2] = 0x84;
    packet[3] = 0x80 | zone.rcode;
    packet[7] = (uint8_t)(cnames + records); /* answers */
    packet[11] = 0;                          /* no EDNS */
    sendto(server, packet, end + used, 0, (const struct sockaddr *)to, sizeof(*to));
}

static bool serve(void)
{
    uint8_t packet[1024];
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(server, packet, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    if (n <= 12)
        return false;
    size_t at = 12;
    while (packet[at] != 0)
        at += packet[at] + 1u;
    queries++;
    aaaa_queries += packet[at + 2] == 28;
    reply(packet, at + 5, packet[at + 2], &from);
    return true;
}

/* The rig. */

struct loop *loop;
struct resolver *resolver;
static char dir[FOLDER_SIZE];
char resolv_conf[64], hosts[64];
uint32_t calls;
char said[512];

void heard(void *arg, const struct inet_address *addresses, uint32_t count, const char *error)
{
    (void)arg;
    calls++;
    snprintf(said, sizeof(said), "%s", !error ? "" : error);
    for (uint32_t i = 0; i < count; i++) {
        char text[48];
        inet_ntop(addresses[i].family == 4 ? AF_INET : AF_INET6, addresses[i].bytes, text,
                  sizeof(text));
        if (i > 0)
            strcat(said, " ");
        strcat(said, text);
    }
}

void forget(void)
{
    calls = queries = aaaa_queries = 0;
    said[0] = '\0';
}

/* `generation` makes the file's size differ, however coarse the file system's clock. */
void write_file(const char *path, const char *text)
{
    static int generation;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n#%*d\n", text, ++generation, 0);
    fclose(file);
}

int dns_rig_setup(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof(at);
    (void)state;
    folder_make(dir);
    snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", dir);
    snprintf(hosts, sizeof(hosts), "%s/hosts", dir);
    write_file(resolv_conf, "nameserver 127.0.0.1");
    write_file(hosts, "127.0.0.1 localhost");
    server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)&at, sizeof(at)) != 0)
        return 1;
    getsockname(server, (struct sockaddr *)&at, &length);
    server_port = ntohs(at.sin_port);
    zone = (struct zone){.ttl = 10, .a = {"10.0.0.1"}};
    forget();
    loop = loop_new();
    resolver = resolver_new_from(loop, resolv_conf, hosts, server_port);
    return !resolver;
}

int dns_rig_teardown(void **state)
{
    (void)state;
    resolver_free(resolver);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    close(server);
    unlink(resolv_conf);
    unlink(hosts);
    return rmdir(dir);
}

/* Lets everybody answer until nobody has anything to say. */
static void settle(void)
{
    for (int idle = 0; idle < 3; idle++) {
        bool served = serve();
        if (fake_loop_poll(loop) || served)
            idle = 0;
    }
}

void pass(uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < 100 ? ms : 100;
        fake_loop_advance(loop, step);
        settle();
        ms -= step;
    }
}

struct resolve_host *watch(const char *name, enum conf_family family)
{
    return watch_heir(name, family, NULL);
}

struct resolve_host *watch_heir(const char *name, enum conf_family family,
                                const struct resolve_host *old)
{
    struct resolve_host *host = resolve_host_new(resolver, name, family, heard, NULL);
    if (old)
        resolve_host_inherit(host, old);
    assert_int_equal(calls, 0);
    fake_loop_advance(loop, 0);
    settle();
    return host;
}
