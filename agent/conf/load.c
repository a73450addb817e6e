/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - a configuration as a whole: read the file, position, schema, check; free.
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

static void free_discovery(struct conf_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->seed_count; i++)
        free(cluster->seeds[i].host);
    for (uint32_t i = 0; i < cluster->host_pattern_count; i++) {
        free(cluster->host_patterns[i].region);
        free(cluster->host_patterns[i].pattern);
    }
    free(cluster->seeds);
    free(cluster->host_patterns);
}

static void free_cluster(struct conf_cluster *cluster)
{
    free_discovery(cluster);
    for (uint32_t i = 0; i < cluster->member_count; i++)
        free(cluster->members[i].host);
    for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
        for (uint32_t j = 0; j < cluster->endpoints[i].name_count; j++)
            free(cluster->endpoints[i].names[j].text);
        free(cluster->endpoints[i].names);
        free(cluster->endpoints[i].ports);
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
    if (!conf)
        return;
    for (uint32_t i = 0; i < conf->cluster_count; i++)
        free_cluster(&conf->clusters[i]);
    free(conf->clusters);
    free(conf->file);
    free(conf->run_dir);
    free(conf->state_dir);
    free(conf);
}

/* Grows with what is read, since a pipe (/dev/stdin) has no size. */
static int read_all(int fd, char **ret_bytes, size_t *ret_len)
{
    char *bytes = NULL;
    size_t len = 0, room = 0;
    int rv = 0;
    for (;;) {
        if (len == room) {
            room += room < CONF_FILE_STEP ? CONF_FILE_STEP : room;
            char *larger = realloc(bytes, room);
            if (!larger) {
                rv = -ENOMEM;
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
        rv = got < 0 ? -errno : len > CONF_FILE_MAX ? -EFBIG : 0;
        if (rv != 0)
            break;
    }
    if (rv != 0) {
        free(bytes);
        return rv;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}

/* Editors of Windows write a byte order mark. libyaml takes it for a column: the keys of the first
 * line would stand further in than all others. */
static const char *behind_mark(const char *bytes, size_t *len)
{
    static const char mark[] = {'\xef', '\xbb', '\xbf'};
    if (*len < sizeof(mark) || memcmp(bytes, mark, sizeof(mark)) != 0)
        return bytes;
    *len -= sizeof(mark);
    return bytes + sizeof(mark);
}

static int read_file(const char *file, char **ret_bytes, size_t *ret_len)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int rv = read_all(fd, ret_bytes, ret_len);
    close(fd);
    return rv;
}

static int build(const struct conf_raw *raw, const struct conf_node *root,
                 const struct engine_kind *const *engines, struct conf_errors *errors,
                 struct conf **ret_conf)
{
    struct conf *conf = calloc(1, sizeof(*conf));
    if (!conf)
        return -ENOMEM;
    conf->engines = engines;
    conf->file = strdup(errors->file);
    int rv = conf->file ? conf_check(raw, root, errors, conf) : -ENOMEM;
    if (rv == 0 && errors->failures != 0)
        rv = -EINVAL;
    if (rv == 0)
        *ret_conf = conf;
    else
        conf_free(conf);
    return rv;
}

static int parse(const char *bytes, size_t len, const struct engine_kind *const *engines,
                 struct conf_errors *errors, struct conf **ret_conf)
{
    struct conf_position *position = NULL;
    struct conf_raw *raw = NULL;
    int rv = conf_position_read(bytes, len, errors, &position);
    if (rv != 0)
        return rv;
    const struct conf_node *root = conf_position_root(position);
    bool sound = errors->failures == 0;
    rv = conf_schema_check(root, errors) && sound ? conf_schema_load(bytes, len, errors, &raw)
                                                  : -EINVAL;
    if (rv == 0)
        rv = build(raw, root, engines, errors, ret_conf);
    conf_schema_free(raw);
    conf_position_free(position);
    return rv;
}

static void explain(const char *file, int rv, FILE *out)
{
    if (rv == -ENOMEM)
        fprintf(out, "%s: cannot be loaded: out of memory\n", file);
    else if (rv == -EFBIG)
        fprintf(out, "%s: larger than 32 MB; this cannot be a configuration of homing's\n", file);
    else
        fprintf(out, "%s: cannot be read: %s; check the path and its permissions\n", file,
                strerror(-rv));
}

int conf_load(const char *file, const struct engine_kind *const *engines, FILE *out,
              struct conf **ret_conf)
{
    struct conf_errors errors = {.file = file};
    char *bytes = NULL;
    size_t len = 0;
    int rv = read_file(file, &bytes, &len);
    if (rv == 0) {
        const char *text = behind_mark(bytes, &len);
        rv = parse(text, len, engines, &errors, ret_conf);
    }
    free(bytes);
    conf_errors_print(&errors, out);
    if (rv == -ENOMEM || (rv != 0 && errors.failures == 0))
        explain(file, rv, out);
    return rv;
}
