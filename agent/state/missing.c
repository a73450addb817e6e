/* SPDX-License-Identifier: Apache-2.0
 *
 * missing.c - see missing.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/state/disk.h"
#include "agent/state/missing.h"

enum {
    /* "sum ", 16 digits and a newline. */
    SUM_LINE = 21,
    /* The head, and a line of up to 48 bytes for each process. */
    FILE_MAX = 256 + 2 * MISSING_MAX * 48
};

static const char file_name[] = "missing", new_name[] = "missing.new",
                  aside_name[] = "missing.corrupt";

/* ---- writing ---- */

static uint32_t at_most(uint32_t count)
{
    return count < MISSING_MAX ? count : MISSING_MAX;
}

static void put_holders(const char *kind, const struct sever_holder *at, uint32_t count, FILE *out)
{
    for (uint32_t i = 0; i < at_most(count); i++)
        fprintf(out, "%s %d %" PRIu64 "\n", kind, at[i].pid, at[i].started);
}

static void put_list(const struct missing_place *place, const struct state_missing *list, FILE *out)
{
    fprintf(out, "homing-missing 1\nboot %s\n", place->clock.boot_id);
    fprintf(out, "namespace %" PRIu64 "\n", list->seen ? place->pids : 0);
    fprintf(out, "since %" PRIu64 "\n", state_time_save(&place->clock, list->since_ms));
    fprintf(out, "back %" PRIu32 "\n", list->back);
    put_holders("missing", list->missing, list->missing_count, out);
    put_holders("held", list->held, list->held_count, out);
}

int missing_encode(const struct missing_place *place, const struct state_missing *list,
                   char **ret_text, size_t *ret_len)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return -ENOMEM;
    put_list(place, list, out);
    bool failed = fflush(out) != 0;
    if (!failed)
        fprintf(out, "sum %016" PRIx64 "\n", state_disk_sum(text, len));
    if (fclose(out) || failed) {
        free(text);
        return -ENOMEM;
    }
    *ret_text = text;
    *ret_len = len;
    return 0;
}

static int write_new(int dir, const char *text, size_t len)
{
    int fd = openat(dir, new_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            break;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    int rv = len > 0 ? -errno : 0;
    if (close(fd) && rv == 0)
        rv = -errno;
    return rv;
}

static int replace(int dir, const char *text, size_t len)
{
    int rv = write_new(dir, text, len);

    if (rv == 0 && renameat(dir, new_name, dir, file_name))
        rv = -errno;
    if (rv)
        (void)unlinkat(dir, new_name, 0);
    return rv;
}

int missing_save(int dir, const struct missing_place *place, const struct state_missing *list)
{
    size_t len;
    char *text;

    if (list->missing_count == 0 && list->held_count == 0)
        return unlinkat(dir, file_name, 0) && errno != ENOENT ? -errno : 0;
    int rv = missing_encode(place, list, &text, &len);
    if (rv)
        return rv;
    rv = replace(dir, text, len);
    free(text);
    return rv;
}

/* ---- reading ---- */

/* A line is exactly a key, a blank, and what comes behind it. NULL: this one is not. */
static char *next_value(char **text, const char *key)
{
    size_t len = strlen(key);
    char *line = *text, *end = strchr(line, '\n');

    if (!end || strncmp(line, key, len) != 0 || line[len] != ' ')
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line + len + 1;
}

/* As it is written: digits alone. */
static bool take_number(const char *value, uint64_t most, uint64_t *ret)
{
    char *end;

    if (!value || *value < '0' || *value > '9')
        return false;
    errno = 0;
    *ret = strtoull(value, &end, 10);
    return errno == 0 && *end == '\0' && *ret <= most;
}

static bool take_holder(char *value, struct sever_holder *ret)
{
    char *blank = value ? strchr(value, ' ') : NULL;
    uint64_t pid;

    if (!blank)
        return false;
    *blank = '\0';
    if (!take_number(value, INT_MAX, &pid) || !take_number(blank + 1, UINT64_MAX, &ret->started))
        return false;
    ret->pid = (int)pid;
    return true;
}

/* How many lines of this kind come next. */
static bool take_holders(char **text, const char *kind, struct sever_holder *at,
                         uint32_t *ret_count)
{
    uint32_t count = 0;
    char *value;

    while ((value = next_value(text, kind)))
        if (count == MISSING_MAX || !take_holder(value, &at[count++]))
            return false;
    *ret_count = count;
    return true;
}

/* 0: what comes next are the processes. */
static int take_head(char **text, const struct missing_place *place, struct state_missing *list)
{
    const char *version = next_value(text, "homing-missing");
    const char *boot = version ? next_value(text, "boot") : NULL;
    uint64_t pids, since, back;

    if (!boot || strcmp(version, "1") != 0)
        return -EBADMSG;
    if (!boot[0] || strcmp(boot, place->clock.boot_id) != 0)
        return -ESTALE;
    if (!take_number(next_value(text, "namespace"), UINT64_MAX, &pids) ||
        !take_number(next_value(text, "since"), place->clock.boot_ms, &since) ||
        !take_number(next_value(text, "back"), UINT32_MAX, &back))
        return -EBADMSG;
    list->seen = pids && pids == place->pids;
    list->since_ms = state_time_load(&place->clock, since);
    list->back = (uint32_t)back;
    return 0;
}

static int take_list(char *text, const struct missing_place *place, struct state_missing *list)
{
    struct sever_holder *at = list->owned;
    int rv = take_head(&text, place, list);

    if (rv)
        return rv;
    if (!take_holders(&text, "missing", at, &list->missing_count) ||
        !take_holders(&text, "held", at + list->missing_count, &list->held_count) || *text)
        return -EBADMSG;
    list->missing = at;
    list->held = at + list->missing_count;
    return 0;
}

/* Nothing is behind the sum, and no NUL is before it. */
static bool is_whole(const char *text, size_t len)
{
    char line[SUM_LINE + 1];

    if (len <= SUM_LINE || memchr(text, '\0', len))
        return false;
    snprintf(line, sizeof(line), "sum %016" PRIx64 "\n", state_disk_sum(text, len - SUM_LINE));
    return memcmp(text + len - SUM_LINE, line, SUM_LINE) == 0;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    while ((text = strchr(text, '\n'))) {
        text++;
        count++;
    }
    return count;
}

int missing_decode(const char *text, size_t len, const struct missing_place *place,
                   struct state_missing *ret_list)
{
    struct state_missing list = {0};

    if (!is_whole(text, len))
        return -EBADMSG;
    char *copy = strndup(text, len - SUM_LINE);
    if (copy)
        list.owned = calloc(count_lines(copy) + 1, sizeof(*list.owned));
    int rv = list.owned ? take_list(copy, place, &list) : -ENOMEM;
    free(copy);
    if (rv == 0)
        *ret_list = list;
    else
        free(list.owned);
    return rv;
}

/* Up to `size` bytes; more than FILE_MAX were not written by us. */
static int read_file(int dir, char *text, size_t size, size_t *ret_len)
{
    int fd = openat(dir, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    ssize_t n = 1;
    size_t len = 0;

    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    int rv = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? 0 : -EBADMSG;
    while (rv == 0 && n != 0 && len < size) {
        n = read(fd, text + len, size - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno != EINTR)
            rv = errno == EIO ? -EBADMSG : -errno;
    }
    close(fd);
    *ret_len = len;
    return rv == 0 && len > FILE_MAX ? -EBADMSG : rv;
}

int missing_load(int dir, const struct missing_place *place, struct state_missing *ret_list)
{
    char *text = malloc(FILE_MAX + 1);
    size_t len = 0;

    *ret_list = (struct state_missing){0};
    if (!text)
        return -ENOMEM;
    int rv = read_file(dir, text, FILE_MAX + 1, &len);
    if (rv == 0)
        rv = missing_decode(text, len, place, ret_list);
    free(text);
    if (rv == -EBADMSG)
        (void)renameat(dir, file_name, dir, aside_name);
    else if (rv == -ESTALE)
        (void)unlinkat(dir, file_name, 0);
    return rv == -ENOENT || rv == -ESTALE ? 0 : rv;
}
