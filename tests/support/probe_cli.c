/* SPDX-License-Identifier: Apache-2.0
 *
 * probe_cli.c - the probe of one cluster, by itself: prints what it reports, obeys standard input.
 *
 * usage: probe_cli [-a] [-n CLUSTERS] [-r RESOLV_CONF] [-p DNS_PORT] CONNECTION PASSWORD_FILE|-
 * HOST:PORT... prints MS report MEMBER KIND [ROLE term= identity= incarnation= position=
 * authenticated=] [text=][note=], MS addresses MEMBER CONNECTED|- ADDRESS..., MS place PLACE is KIND
 * MEMBER ADDRESS [named], and MS place PLACE says KIND ROLE identity= incarnation=
 *
 * Only reports that differ in more than their position are printed; -a: all. -n asks the same
 * members as many clusters (for measuring), and prints the first one's. MS is CLOCK_MONOTONIC.
 * Commands: fast, steady, ask MASK, move PLACE, quit; the end of the input is quit.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/probe/engines/postgresql/postgresql.h"
#include "agent/probe/probe.h"

enum {
    LINE_MAX_BYTES = 1024,
    MEMBERS_MAX = 32,
};

struct cli {
    struct loop *loop;
    struct conf_cluster cluster;
    struct conf_member members[MEMBERS_MAX];
    struct probe **probes;
    struct conf_cluster *clusters; /* copies of `cluster`, named apart */
    int count;
    bool all;
    char last[MEMBERS_MAX][LINE_MAX_BYTES];
    struct addresses where[MEMBERS_MAX]; /* what the first probe told last of each member */
    char error[MEMBERS_MAX][ENGINE_TEXT_MAX];
    char note[MEMBERS_MAX][ENGINE_TEXT_MAX];
};

static void describe(const struct cli *cli, const struct report *r, char *line, bool position)
{
    const char *error = cli->error[r->member], *note = cli->note[r->member];
    int n = snprintf(line, LINE_MAX_BYTES, "report %u %s", r->member, report_kind_name(r->kind));
    if (r->kind == REPORT_ANSWER)
        n += snprintf(
            line + n, (size_t)(LINE_MAX_BYTES - n),
            " %s term=%" PRIu64 " identity=%" PRIu64 " incarnation=%" PRIu64 " authenticated=%d",
            role_name(r->role), r->term.lo, r->identity, r->incarnation, r->authenticated);
    if (r->kind == REPORT_ANSWER && position)
        n += snprintf(line + n, (size_t)(LINE_MAX_BYTES - n), " position=%" PRIu64, r->position);
    if (error[0] != '\0')
        n += snprintf(line + n, (size_t)(LINE_MAX_BYTES - n), " text=%s", error);
    if (note[0] != '\0')
        snprintf(line + n, (size_t)(LINE_MAX_BYTES - n), " note=%s", note);
}

static void on_member(void *arg, uint32_t index, const struct probe_member *known)
{
    struct cli *cli = arg;
    cli->where[index] = *known->where;
    snprintf(cli->error[index], ENGINE_TEXT_MAX, "%s", known->error);
    snprintf(cli->note[index], ENGINE_TEXT_MAX, "%s", known->note);
}

/* W11 */
static void on_place(void *arg, uint32_t place, const struct probe_place *known)
{
    static const char *const kinds[PLACE_KIND_COUNT] = {"free", "candidate", "left"};
    struct cli *cli = arg;
    printf("%" PRIu64 " place %u is %s %u %s%s\n", loop_now_ms(cli->loop), place,
           kinds[known->kind], known->member, known->address.text, known->named ? " named" : "");
}

static bool on_is_taken(void *arg, uint32_t member, const struct inet_address *address)
{
    (void)arg, (void)member, (void)address;
    return false;
}

static bool on_is_behind(void *arg, const struct inet_address *address)
{
    (void)arg, (void)address;
    return false;
}

static void on_place_report(const struct cli *cli, const struct report *report)
{
    printf("%" PRIu64 " place %u says %s %s identity=%" PRIu64 " incarnation=%" PRIu64 "\n",
           loop_now_ms(cli->loop), report->member - HOMING_MEMBERS_MAX,
           report_kind_name(report->kind), role_name(report->role), report->identity,
           report->incarnation);
}

static void on_report(void *arg, const struct report *report)
{
    struct cli *cli = arg;
    char line[LINE_MAX_BYTES];
    if (report->member >= HOMING_MEMBERS_MAX) {
        on_place_report(cli, report);
        return;
    }
    describe(cli, report, line, false);
    if (!cli->all && strcmp(line, cli->last[report->member]) == 0)
        return;
    strcpy(cli->last[report->member], line);
    describe(cli, report, line, true);
    printf("%" PRIu64 " %s\n", loop_now_ms(cli->loop), line);
}

static void on_addresses(void *arg, uint32_t index)
{
    struct cli *cli = arg;
    const struct addresses *where = &cli->where[index];
    printf("%" PRIu64 " addresses %u %s", loop_now_ms(cli->loop), index,
           where->connected.inet.family ? where->connected.text : "-");
    for (uint32_t i = 0; i < where->count; i++)
        printf(" %s", where->at[i].text);
    printf("\n");
}

static void ignore_member(void *arg, uint32_t index, const struct probe_member *known)
{
    (void)arg, (void)index, (void)known;
}

static void ignore_report(void *arg, const struct report *report)
{
    (void)arg;
    (void)report;
}

static void ignore_addresses(void *arg, uint32_t member)
{
    (void)arg;
    (void)member;
}

static void obey(struct cli *cli, const char *command)
{
    for (int i = 0; i < cli->count; i++) {
        if (strncmp(command, "fast", 4) == 0)
            probe_set_pace(cli->probes[i], PACE_FAST);
        else if (strncmp(command, "steady", 6) == 0)
            probe_set_pace(cli->probes[i], PACE_STEADY);
        else if (strncmp(command, "ask ", 4) == 0)
            probe_ask(cli->probes[i], (uint32_t)strtoul(command + 4, NULL, 0));
        else if (strncmp(command, "move ", 5) == 0)
            probe_move(cli->probes[i], (uint32_t)strtoul(command + 5, NULL, 0));
    }
}

static void on_input(void *arg, int events)
{
    (void)events;
    struct cli *cli = arg;
    char input[256];
    ssize_t n = read(STDIN_FILENO, input, sizeof(input) - 1);
    input[n > 0 ? n : 0] = '\0';
    if (n <= 0 || strstr(input, "quit"))
        loop_stop(cli->loop);
    char *save = NULL;
    for (char *line = strtok_r(input, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        obey(cli, line);
}

static void add_member(struct cli *cli, char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon || cli->cluster.member_count == MEMBERS_MAX)
        exit(2);
    *colon = '\0';
    cli->members[cli->cluster.member_count++] =
        (struct conf_member){.host = text, .port = (uint16_t)atoi(colon + 1), .failover = true};
}

static void start(struct cli *cli, struct resolver *resolver)
{
    const struct probe_sink loud = {
        .member = on_member,
        .report = on_report,
        .addresses = on_addresses,
        .is_taken = on_is_taken,
        .is_behind = on_is_behind,
        .place = on_place,
        .arg = cli,
    };
    const struct probe_sink mute = {
        .member = ignore_member, .report = ignore_report, .addresses = ignore_addresses};
    cli->probes = calloc((size_t)cli->count, sizeof(cli->probes[0]));
    cli->clusters = calloc((size_t)cli->count, sizeof(cli->clusters[0]));
    for (int i = 0; i < cli->count; i++) {
        cli->clusters[i] = cli->cluster;
        cli->clusters[i].name = malloc(32);
        snprintf(cli->clusters[i].name, 32, "cluster%d", i);
        cli->probes[i] = probe_new(cli->loop, resolver, &engine_postgresql, &cli->clusters[i],
                                   i == 0 ? &loud : &mute);
    }
}

int main(int argc, char **argv)
{
    engine_postgresql.prepare();
    static struct cli cli = {.count = 1};
    const char *resolv_conf = "/etc/resolv.conf";
    uint16_t port = 53;
    for (int c; (c = getopt(argc, argv, "an:p:r:")) != -1;) {
        if (c == 'a')
            cli.all = true;
        else if (c == 'n')
            cli.count = atoi(optarg);
        else if (c == 'p')
            port = (uint16_t)atoi(optarg);
        else if (c == 'r')
            resolv_conf = optarg;
        else
            return 2;
    }
    if (argc - optind < 3)
        return 2;
    cli.cluster = (struct conf_cluster){
        .connection = argv[optind],
        .password_file = strcmp(argv[optind + 1], "-") == 0 ? NULL : argv[optind + 1],
        .members = cli.members,
        .timing = {.interval_ms = 250, .fast_interval_ms = 50, .timeout_ms = 1000},
    };
    for (int i = optind + 2; i < argc; i++)
        add_member(&cli, argv[i]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    cli.loop = loop_new();
    struct resolver *resolver = resolver_new_from(cli.loop, resolv_conf, "/etc/hosts", port);
    start(&cli, resolver);
    struct loop_io *input = loop_io_new(cli.loop, STDIN_FILENO, on_input, &cli);
    loop_io_set(input, LOOP_READ);
    loop_run(cli.loop);
    for (int i = 0; i < cli.count; i++) {
        probe_free(cli.probes[i]);
        free(cli.clusters[i].name);
    }
    free(cli.probes);
    free(cli.clusters);
    resolver_free(resolver);
    loop_io_free(input);
    loop_free(cli.loop);
    return 0;
}
