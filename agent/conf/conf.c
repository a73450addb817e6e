/* SPDX-License-Identifier: Apache-2.0
 *
 * conf.c - the configuration as a whole: read the file, position, schema, check; free; small
 * answers.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/conf/check.h"

/* 16,384 clusters of 2 kB each. Larger: somebody gave us another file. */
#define CONF_FILE_MAX  ((size_t)32 * 1024 * 1024)
#define CONF_FILE_STEP ((size_t)64 * 1024)

static const char *const conf_mode_names[CONF_MODE_COUNT] = {
    [CONF_MODE_OFF] = "off",         [CONF_MODE_OBSERVE] = "observe", [CONF_MODE_NAMES] = "names",
    [CONF_MODE_CONNECT] = "connect", [CONF_MODE_SEVER] = "sever",
};

const char *conf_mode_name(enum conf_mode mode)
{
    return mode >= CONF_MODE_OFF && mode < CONF_MODE_COUNT ? conf_mode_names[mode] : "?";
}

bool conf_mode_parse(const char *text, enum conf_mode *ret_mode)
{
    for (int mode = CONF_MODE_OFF; mode < CONF_MODE_COUNT; mode++) {
        if (strcmp(text, conf_mode_names[mode]) == 0) {
            *ret_mode = (enum conf_mode)mode;
            return true;
        }
    }
    return false;
}

static bool conf_network_holds(const struct conf_network *network, uint8_t family,
                               const uint8_t *bytes)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (network->family != family || memcmp(network->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

bool conf_address_allowed(const struct conf_cluster *cluster, uint8_t family, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < cluster->allowed_network_count; i++)
        if (conf_network_holds(&cluster->allowed_networks[i], family, bytes))
            return true;
    return cluster->allowed_network_count == 0;
}

static void conf_free_cluster(struct conf_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->member_count; i++)
        free(cluster->members[i].host);
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        for (uint32_t j = 0; j < cluster->endpoints[i].name_count; j++)
            free(cluster->endpoints[i].names[j]);
        free(cluster->endpoints[i].names);
    }
    free(cluster->name);
    free(cluster->members);
    free(cluster->connection);
    free(cluster->password_file);
    free(cluster->endpoints);
    free(cluster->allowed_networks);
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    for (uint32_t i = 0; i < conf->cluster_count; i++)
        conf_free_cluster(&conf->clusters[i]);
    free(conf->clusters);
    free(conf->file);
    free(conf->run_dir);
    free(conf->state_dir);
    free(conf);
}

/* Grows with what is read, since a pipe (/dev/stdin) has no size. */
static int conf_read_all(int fd, char **ret_bytes, size_t *ret_len)
{
    char *bytes = NULL;
    size_t len = 0, room = 0;
    int r = 0;
    for (;;) {
        if (len == room) {
            room += room < CONF_FILE_STEP ? CONF_FILE_STEP : room;
            char *larger = realloc(bytes, room);
            if (larger == NULL) {
                r = -ENOMEM;
                break;
            }
            bytes = larger;
        }
        ssize_t got = read(fd, bytes + len, room - len);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        len += got > 0 ? (size_t)got : 0;
        r = got < 0 ? -errno : len > CONF_FILE_MAX ? -EFBIG : 0;
        if (r != 0)
            break;
    }
    if (r != 0) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}

static int conf_read_file(const char *file, char **ret_bytes, size_t *ret_len)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int r = conf_read_all(fd, ret_bytes, ret_len);
    close(fd);
    return r;
}

static int conf_build(const struct conf_raw *raw, const struct conf_node *root,
                      struct conf_errors *errors, struct conf **ret_conf)
{
    struct conf *conf = calloc(1, sizeof *conf);
    if (conf == NULL)
        return -ENOMEM;
    conf->file = strdup(errors->file);
    int r = conf->file != NULL ? conf_check(raw, root, errors, conf) : -ENOMEM;
    if (r == 0 && errors->failures != 0)
        r = -EINVAL;
    if (r == 0)
        *ret_conf = conf;
    else
        conf_free(conf);
    return r;
}

static int conf_parse(const char *bytes, size_t len, struct conf_errors *errors,
                      struct conf **ret_conf)
{
    struct conf_position *position = NULL;
    struct conf_raw *raw = NULL;
    int r = conf_position_read(bytes, len, errors, &position);
    if (r != 0)
        return r;
    const struct conf_node *root = conf_position_root(position);
    bool sound = errors->failures == 0;
    r = conf_schema_check(root, errors) && sound ? conf_schema_load(bytes, len, errors, &raw)
                                                 : -EINVAL;
    if (r == 0)
        r = conf_build(raw, root, errors, ret_conf);
    conf_schema_free(raw);
    conf_position_free(position);
    return r;
}

static void conf_explain(const char *file, int r, FILE *out)
{
    if (r == -ENOMEM)
        fprintf(out, "%s: cannot be loaded: out of memory\n", file);
    else if (r == -EFBIG)
        fprintf(out, "%s: larger than 32 MB; this cannot be a configuration of homing's\n", file);
    else
        fprintf(out, "%s: cannot be read: %s; check the path and its permissions\n", file,
                strerror(-r));
}

int conf_load(const char *file, FILE *out, struct conf **ret_conf)
{
    struct conf_errors errors = {.file = file};
    char *bytes = NULL;
    size_t len = 0;
    int r = conf_read_file(file, &bytes, &len);
    if (r == 0)
        r = conf_parse(bytes, len, &errors, ret_conf);
    free(bytes);
    conf_errors_print(&errors, out);
    if (r == -ENOMEM || (r != 0 && errors.failures == 0))
        conf_explain(file, r, out);
    return r;
}
