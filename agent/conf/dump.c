/* SPDX-License-Identifier: Apache-2.0
 *
 * dump.c - a configuration printed so that conf_load() takes it, and that printing that gives the
 * same again: the rows of keys.h, inherited values written out, texts quoted, secrets as stars.
 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/conf/connection.h"
#include "agent/conf/value.h"

/* How deep the keys of each mapping stand; members and patterns are mappings on one line. */
static const int indents[CONF_PLACE_COUNT] = {
    [CONF_PLACE_AGENT] = 2, [CONF_PLACE_CLUSTER] = 4, [CONF_PLACE_ENDPOINT] = 8};

static void print_byte(char byte, FILE *out)
{
    if (byte == '"' || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if ((unsigned char)byte < 0x20 || byte == 0x7f)
        fprintf(out, "\\x%02x", (unsigned char)byte);
    else
        fputc(byte, out);
}

static void print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++)
        print_byte(*text, out);
    fputc('"', out);
}

static void print_connection(const struct conf_cluster *cluster, FILE *out)
{
    fputc('"', out);
    conf_connection_print(cluster->engine, cluster->connection, print_byte, out);
    fputc('"', out);
}

static void print_network(const struct conf_network *network, FILE *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(network->family == 4 ? AF_INET : AF_INET6, network->bytes, text, sizeof(text));
    fprintf(out, "\"%s/%u\"", text, network->bits);
}

static void print_values(const struct conf_key *key, const void *list, uint32_t count, FILE *out)
{
    fputc('[', out);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i != 0 ? ", " : "", out);
        if (key->type == CONF_TYPE_NAMES)
            print_text(((const struct conf_name *)list)[i].text, out);
        else if (key->type == CONF_TYPE_PORTS)
            fprintf(out, "%u", ((const uint16_t *)list)[i]);
        else
            print_network((const struct conf_network *)list + i, out);
    }
    fputc(']', out);
}

static void print_mapping(enum conf_place place, const void *object, FILE *out);

/* Each begins a line, behind "- ". What is not on the key's own line begins without a blank. */
static void print_mappings(const struct conf_key *key, const void *list, uint32_t count, int indent,
                           FILE *out)
{
    const char *entry = list;
    if (count == 0)
        fputs(" []", out);
    for (uint32_t i = 0; i < count; i++, entry += conf_place_size[key->inner]) {
        fprintf(out, "\n%*s- %s", indent, "", key->words ? "{" : "");
        print_mapping(key->inner, entry, out);
        fputs(key->words ? "}" : "", out);
    }
}

static void print_list(const struct conf_key *key, enum conf_place place, const void *object,
                       FILE *out)
{
    const void *list;
    uint32_t count = conf_key_list(key, place, object, &list);
    if (key->type == CONF_TYPE_MAPPINGS)
        print_mappings(key, list, count, indents[place] + 2, out);
    else
        print_values(key, list, count, out);
}

static void print_value(const struct conf_key *key, enum conf_place place, const void *object,
                        FILE *out)
{
    char text[CONF_VALUE_SIZE];
    if (conf_key_is_number(key)) {
        conf_value_print(key->type, conf_key_number(key, place, object), text, sizeof(text));
        fputs(text, out);
    } else if (key->type == CONF_TYPE_CONNECTION) {
        print_connection(object, out);
    } else if (key->type == CONF_TYPE_ENGINE) {
        print_text(((const struct conf_cluster *)object)->engine->name, out);
    } else if (conf_key_is_text(key)) {
        print_text(conf_key_text(key, place, object), out);
    } else if (conf_key_is_list(key)) {
        print_list(key, place, object, out);
    } else {
        fprintf(out, "\n%*s", indents[key->inner], "");
        print_mapping(key->inner, object, out);
    }
}

/* Left out: what is kept nowhere, a text that is not there, and an optional list that is empty. */
static bool is_printed(const struct conf_key *key, enum conf_place place, const void *object)
{
    const void *list;
    if (!conf_key_in(key, place) || !conf_key_kept(key))
        return false;
    if (conf_key_is_text(key))
        return conf_key_text(key, place, object) && *conf_key_text(key, place, object) != '\0';
    return !conf_key_is_list(key) || place == CONF_PLACE_FILE ||
           conf_key_list(key, place, object, &list) != 0;
}

static void print_mapping(enum conf_place place, const void *object, FILE *out)
{
    bool first = true;
    for (const struct conf_key *key = conf_keys; key->name; key++) {
        if (!is_printed(key, place, object))
            continue;
        if (!first && (conf_place_is_server(place) || place == CONF_PLACE_PATTERN))
            fputs(", ", out);
        else if (!first)
            fprintf(out, "\n%*s", indents[place], "");
        bool block = key->type == CONF_TYPE_MAPPING || key->type == CONF_TYPE_MAPPINGS;
        fprintf(out, "%s:%s", key->name, block ? "" : " ");
        print_value(key, place, object, out);
        first = false;
    }
}

void conf_dump(const struct conf *conf, FILE *out)
{
    print_mapping(CONF_PLACE_FILE, conf, out);
    fputc('\n', out);
}
