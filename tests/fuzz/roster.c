/* SPDX-License-Identifier: Apache-2.0
 *
 * roster.c - what hostile servers say of each other: lines "id|host|region|port". An empty line ends
 * an answer; a second passes, and whoever is missing for long leaves. Whatever is said, each member is
 * one that the operator's patterns or networks allow.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/conf/pattern.h"
#include "agent/discover/roster.h"
#include "tests/support/fuzz.h"

static char own_host[] = "own.db.x", domain[] = "?.db.x", dashed[] = "db-?.y", region[] = "eu-1";
static struct conf_member member = {.host = own_host, .port = 5};
static struct conf_pattern patterns[] = {{.pattern = domain},
                                         {.region = region, .pattern = dashed}};
static struct conf_network network = {.family = 4, .bits = 8, .bytes = {10}};

static void check(const struct roster *r, const struct conf_cluster *conf)
{
    require(r->count + conf->member_count <= HOMING_MEMBERS_MAX);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct roster_member *m = &r->at[i];
        struct conf_host host;
        require(!conf_value_host(m->host, &host) && strcmp(host.text, m->host) == 0);
        require(m->port != 0 && roster_find(r, m->host, m->port) == i);
        require(strcmp(m->host, own_host) != 0 || m->port != member.port);
        bool matches = conf_pattern_matches(domain, &host) || conf_pattern_matches(dashed, &host);
        bool bound = conf->engine->tells == ENGINE_TELLS_HOSTS &&
                     (host.family == 0 || (host.family == 4 && host.bytes[0] == 10));
        require(matches || bound);
    }
    for (const char *c = r->refused; *c; c++)
        require(*c > ' ' && *c < 0x7f);
}

static void add(struct topology *topology, char *line)
{
    const char *id = strsep(&line, "|"), *host = strsep(&line, "|"), *in = strsep(&line, "|");
    topology_add(topology, id, host, in, (uint16_t)(line ? atoi(line) : 0));
}

static void say(struct roster *r, const struct conf_cluster *conf, struct topology *topology,
                uint64_t *now_ms)
{
    static const enum roster_hold holds[HOMING_MEMBERS_MAX] = {
        ROSTER_FREE, ROSTER_A_DAY, ROSTER_ALWAYS, ROSTER_FREE, ROSTER_ALWAYS};
    uint32_t before = r->count;
    bool joined = roster_take(r, conf, topology, "s:5", 5, *now_ms);
    require(joined == (r->count > before));
    check(r, conf);
    (void)roster_leave(r, holds, *now_ms);
    check(r, conf);
    topology_init(topology);
    *now_ms += 25000;
}

static void play(char *text, enum engine_tells tells)
{
    const struct engine_kind kind = {.name = "any", .tells = tells};
    const struct conf_cluster conf = {.engine = &kind,
                                      .members = &member,
                                      .member_count = 1,
                                      .host_patterns = patterns,
                                      .host_pattern_count = 2,
                                      .allowed_networks = &network,
                                      .allowed_network_count = 1};
    static struct roster roster;
    struct topology topology;
    uint64_t now_ms = 1;
    roster = (struct roster){.count = 0};
    topology_init(&topology);
    for (char *line; (line = strsep(&text, "\n"));) {
        if (*line)
            add(&topology, line);
        else
            say(&roster, &conf, &topology, &now_ms);
    }
    say(&roster, &conf, &topology, &now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int tells = ENGINE_TELLS_IDS; tells <= ENGINE_TELLS_HOSTS; tells++) {
        char *text = fuzz_text(data, size);
        if (!text)
            return 0;
        play(text, (enum engine_tells)tells);
        free(text);
    }
    return 0;
}
