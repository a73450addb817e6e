/* SPDX-License-Identifier: Apache-2.0
 *
 * dump.c - a configuration printed so that conf_load() takes it, and that printing that gives
 * the same again: inherited values are written out, texts are quoted, secrets are stars.
 */
#include "config.h"

#include <arpa/inet.h>

#include "agent/conf/check.h"
#include "agent/conf/timing.h"
#include "proto/view_names.h"

static void dump_byte(char byte, FILE *out)
{
    if (byte == '"' || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if ((unsigned char)byte < 0x20 || byte == 0x7f)
        fprintf(out, "\\x%02x", (unsigned char)byte);
    else
        fputc(byte, out);
}

static void dump_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++)
        dump_byte(*text, out);
    fputc('"', out);
}

static void dump_pair(const char *key, const char *text, FILE *out)
{
    fputs(key, out);
    dump_text(text, out);
    fputc('\n', out);
}

static void dump_members(const struct conf_cluster *cluster, FILE *out)
{
    fputs("    members:\n", out);
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        const struct conf_member *member = &cluster->members[i];
        fputs("      - {host: ", out);
        dump_text(member->host, out);
        fprintf(out, ", port: %u, failover: %s}\n", member->port,
                member->failover ? "true" : "false");
    }
}

static void dump_endpoint(const struct conf_endpoint *endpoint, const struct conf_timing *timing,
                          FILE *out)
{
    fputs("      - names: [", out);
    for (uint32_t i = 0; i < endpoint->name_count; i++) {
        fputs(i != 0 ? ", " : "", out);
        dump_text(endpoint->names[i].text, out);
    }
    fprintf(out, "]\n        role: %s\n        mode: %s\n", view_role_name(endpoint->role),
            view_mode_name(endpoint->mode));
    if (endpoint->hold_ms == timing->hold_ms)
        return;
    fputs("        hold: ", out);
    conf_timing_print_duration(endpoint->hold_ms, out);
    fputc('\n', out);
}

static void dump_networks(const struct conf_cluster *cluster, FILE *out)
{
    if (cluster->allowed_network_count == 0)
        return;
    fputs("    allowed_networks:\n", out);
    for (uint32_t i = 0; i < cluster->allowed_network_count; i++) {
        const struct conf_network *network = &cluster->allowed_networks[i];
        char text[INET6_ADDRSTRLEN] = "";
        inet_ntop(network->family == 4 ? AF_INET : AF_INET6, network->bytes, text, sizeof(text));
        fprintf(out, "      - \"%s/%u\"\n", text, network->bits);
    }
}

static void dump_cluster(const struct conf_cluster *cluster, FILE *out)
{
    dump_pair("  - name: ", cluster->name, out);
    dump_pair("    engine: ", cluster->engine->name, out);
    dump_members(cluster, out);
    if (cluster->connection[0] != '\0') {
        fputs("    connection: \"", out);
        conf_connection_print(cluster->engine, cluster->connection, dump_byte, out);
        fputs("\"\n", out);
    }
    if (cluster->password_file)
        dump_pair("    password_file: ", cluster->password_file, out);
    dump_networks(cluster, out);
    conf_timing_print(&cluster->timing, "    ", out);
    fprintf(out, "    sever_untagged: %s\n", cluster->sever_untagged ? "true" : "false");
    fputs("    endpoints:\n", out);
    for (uint32_t i = 0; i < cluster->endpoint_count; i++)
        dump_endpoint(&cluster->endpoints[i], &cluster->timing, out);
}

void conf_dump(const struct conf *conf, FILE *out)
{
    fputs("agent:\n", out);
    dump_pair("  run_dir: ", conf->run_dir, out);
    dump_pair("  state_dir: ", conf->state_dir, out);
    fputs(conf->cluster_count != 0 ? "clusters:\n" : "clusters: []\n", out);
    for (uint32_t i = 0; i < conf->cluster_count; i++)
        dump_cluster(&conf->clusters[i], out);
}
