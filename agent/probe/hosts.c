/* SPDX-License-Identifier: Apache-2.0
 *
 * hosts.c - address sets and the hosts file. Called by resolve.c only.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/probe/hosts.h"

/* Behind the four bytes of an IPv4 address are zeros, so that all bytes can be compared. */
static int compare(const struct inet_address *a, const struct inet_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

void address_set_add(struct address_set *set, uint8_t family, const void *bytes)
{
    struct inet_address new = {.family = family};
    memcpy(new.bytes, bytes, family == 4 ? 4 : 16);
    uint32_t i = 0;
    while (i < set->count && compare(&set->at[i], &new) < 0)
        i++;
    if (i == HOMING_ADDRESSES_MAX)
        return;
    if (i < set->count && compare(&set->at[i], &new) == 0)
        return;
    if (set->count < HOMING_ADDRESSES_MAX)
        set->count++;
    memmove(&set->at[i + 1], &set->at[i], (set->count - 1 - i) * sizeof(new));
    set->at[i] = new;
}

bool address_set_equal(const struct address_set *a, const struct address_set *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (compare(&a->at[i], &b->at[i]) != 0)
            return false;
    return true;
}

bool address_set_add_text(struct address_set *set, const char *text, enum conf_family family)
{
    uint8_t bytes[16];
    uint8_t is = 4;
    if (inet_pton(AF_INET, text, bytes) != 1) {
        is = 6;
        if (inet_pton(AF_INET6, text, bytes) != 1)
            return false;
    }
    if (family == CONF_FAMILY_AUTO || (int)family == is)
        address_set_add(set, is, bytes);
    return true;
}

void hosts_set_official(const char *name, char ret_official[HOMING_NAME_MAX + 1])
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    ret_official[0] = '\0';
    if (name[len] != '\0')
        return;
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len <= HOMING_NAME_MAX)
        snprintf(ret_official, HOMING_NAME_MAX + 1, "%.*s", (int)len, name);
}

/* One line: an address and its names, of which the first is the official one. */
static void read_line(char *line, const char *host, enum conf_family family,
                      struct address_set *set, char *ret_official)
{
    static const char BLANK[] = " \t\r\n";
    char *save = NULL;
    line[strcspn(line, "#")] = '\0';
    const char *address = strtok_r(line, BLANK, &save), *first = NULL;
    if (!address)
        return;
    for (const char *name; (name = strtok_r(NULL, BLANK, &save));) {
        first = first ? first : name;
        if (strcasecmp(name, host) == 0) {
            bool is_first = set->count == 0;
            address_set_add_text(set, address, family);
            if (is_first && set->count > 0)
                hosts_set_official(first, ret_official);
            return;
        }
    }
}

void hosts_read(const char *path, const char *host, enum conf_family family,
                struct address_set *set, char ret_official[HOMING_NAME_MAX + 1])
{
    char line[1024];
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file))
        read_line(line, host, family, set, ret_official);
    fclose(file);
}
