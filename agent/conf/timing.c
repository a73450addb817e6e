/* SPDX-License-Identifier: Apache-2.0
 *
 * timing.c - as conf/timing.h says: one table, read by the check and by the dump.
 */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "agent/conf/timing.h"
#include "agent/conf/value.h"
#include "proto/view_names.h"

const struct conf_timing conf_timing_defaults = {
    .interval_ms = 250,
    .fast_interval_ms = 50,
    .sever_spread_ms = 50,
    .timeout_ms = 1000,
    .max_stale_ms = 30000,
    .hold_ms = 2000,
    .max_switches = 5,
    .max_lag = (uint64_t)16 << 20,
    .mode = CONF_MODE_HIGHEST,
};

enum conf_timing_kind {
    CONF_TIMING_DURATION,
    CONF_TIMING_SIZE,
    CONF_TIMING_NUMBER,
    CONF_TIMING_MODE,
    CONF_TIMING_FAMILY
};

struct conf_timing_key {
    const char *name;
    enum conf_timing_kind kind;
    uint64_t min;
    uint64_t max;
    size_t offset;
};

#define FIELD(member) offsetof(struct conf_timing, member)

/* Bounds: below the least, a question is asked before the last answer can be there, or a healthy
 * agent's pause looks like death; above the most, a failure goes unnoticed longer than DNS would
 * take. */
static const struct conf_timing_key timing_keys[CONF_KEY_COUNT] = {
    [CONF_KEY_MODE] = {"mode", CONF_TIMING_MODE, 0, 0, FIELD(mode)},
    [CONF_KEY_INTERVAL] = {"interval", CONF_TIMING_DURATION, 50, 60000, FIELD(interval_ms)},
    [CONF_KEY_FAST_INTERVAL] = {"fast_interval", CONF_TIMING_DURATION, 10, 10000,
                                FIELD(fast_interval_ms)},
    [CONF_KEY_TIMEOUT] = {"timeout", CONF_TIMING_DURATION, 100, 60000, FIELD(timeout_ms)},
    [CONF_KEY_MAX_STALE] = {"max_stale", CONF_TIMING_DURATION, 5000, 600000, FIELD(max_stale_ms)},
    [CONF_KEY_HOLD] = {"hold", CONF_TIMING_DURATION, 0, 30000, FIELD(hold_ms)},
    [CONF_KEY_MAX_LAG] = {"max_lag", CONF_TIMING_SIZE, 0, UINT64_MAX, FIELD(max_lag)},
    [CONF_KEY_MAX_SWITCHES] = {"max_switches", CONF_TIMING_NUMBER, 0, 1000, FIELD(max_switches)},
    [CONF_KEY_SEVER_SPREAD] = {"sever_spread", CONF_TIMING_DURATION, 0, 600000,
                               FIELD(sever_spread_ms)},
    [CONF_KEY_KEEPALIVE] = {"keepalive", CONF_TIMING_DURATION, 0, 3600000, FIELD(keepalive_ms)},
    [CONF_KEY_FAMILY] = {"family", CONF_TIMING_FAMILY, 0, 0, FIELD(family)},
};

static void write_duration(char *text, size_t size, uint64_t ms)
{
    if (ms != 0 && ms % 60000 == 0)
        snprintf(text, size, "%" PRIu64 "m", ms / 60000);
    else if (ms % 1000 == 0)
        snprintf(text, size, "%" PRIu64 "s", ms / 1000);
    else
        snprintf(text, size, "%" PRIu64 "ms", ms);
}

void conf_timing_print_duration(uint64_t ms, FILE *out)
{
    char text[32];
    write_duration(text, sizeof(text), ms);
    fputs(text, out);
}

bool conf_timing_duration(const char *key, const char *text, struct conf_at at, uint64_t min_ms,
                          uint64_t max_ms, struct conf_errors *errors)
{
    uint64_t ms;
    char least[32], most[32];
    const char *wrong = conf_value_duration(text, &ms);
    if (wrong) {
        conf_errors_add(errors, at, "%s '%.100s' %s", key, text, wrong);
        return false;
    }
    if (ms >= min_ms && ms <= max_ms)
        return true;
    write_duration(least, sizeof(least), min_ms);
    write_duration(most, sizeof(most), max_ms);
    conf_errors_add(errors, at, "%s '%.100s' is out of range; write %s to %s", key, text, least,
                    most);
    return false;
}

static const char *read_mode(const char *text, enum view_mode *ret_mode)
{
    enum view_mode mode;
    if (!view_mode_parse(text, &mode))
        return "is no mode; write off, observe, names, connect or sever";
    *ret_mode = mode;
    return NULL;
}

static const char *read_family(const char *text, enum conf_family *ret_family)
{
    if (strcmp(text, "auto") == 0)
        *ret_family = CONF_FAMILY_AUTO;
    else if (strcmp(text, "4") == 0)
        *ret_family = CONF_FAMILY_4;
    else if (strcmp(text, "6") == 0)
        *ret_family = CONF_FAMILY_6;
    else
        return "is no address family; write auto, 4 or 6";
    return NULL;
}

static const char *set_number(const struct conf_timing_key *key, const char *text,
                              uint32_t *ret_number)
{
    uint64_t number;
    const char *wrong = conf_value_number(text, &number);
    if (!wrong && number > key->max)
        wrong = "is out of range; write 0 to 1000";
    if (!wrong)
        *ret_number = (uint32_t)number;
    return wrong;
}

static void set_duration(const struct conf_timing_key *key, const char *text, struct conf_at at,
                         struct conf_errors *errors, uint32_t *ret)
{
    uint64_t ms;
    if (conf_timing_duration(key->name, text, at, key->min, key->max, errors) &&
        !conf_value_duration(text, &ms))
        *ret = (uint32_t)ms;
}

static void set_key(const struct conf_timing_key *key, const char *text, struct conf_at at,
                    struct conf_errors *errors, struct conf_timing *timing)
{
    void *field = (char *)timing + key->offset;
    const char *wrong = NULL;
    switch (key->kind) {
    case CONF_TIMING_DURATION:
        set_duration(key, text, at, errors, field);
        break;
    case CONF_TIMING_SIZE:
        wrong = conf_value_size(text, field);
        break;
    case CONF_TIMING_NUMBER:
        wrong = set_number(key, text, field);
        break;
    case CONF_TIMING_MODE:
        wrong = read_mode(text, field);
        break;
    case CONF_TIMING_FAMILY:
        wrong = read_family(text, field);
        break;
    }
    if (wrong)
        conf_errors_add(errors, at, "%s '%.100s' %s", key->name, text, wrong);
}

/* Both keys may come from an outer level: the error stands where one is given,
 * else at the mapping. */
static struct conf_at place_of(const struct conf_node *node, const char *key, const char *other)
{
    return conf_position_at(node, conf_position_find(node, key) ? key : other);
}

static void check_agreement(const struct conf_node *node, struct conf_errors *errors,
                            const struct conf_timing *timing)
{
    if (timing->fast_interval_ms > timing->interval_ms)
        conf_errors_add(errors, place_of(node, "fast_interval", "interval"),
                        "fast_interval is longer than interval (%" PRIu32 " and %" PRIu32
                        " ms); make it shorter",
                        timing->fast_interval_ms, timing->interval_ms);
    if (timing->interval_ms >= timing->timeout_ms)
        conf_errors_add(errors, place_of(node, "timeout", "interval"),
                        "timeout is not longer than interval (%" PRIu32 " and %" PRIu32
                        " ms), so every answer would be too old before the next; make it longer",
                        timing->timeout_ms, timing->interval_ms);
    if (timing->timeout_ms >= timing->max_stale_ms)
        conf_errors_add(errors, place_of(node, "max_stale", "timeout"),
                        "max_stale is not longer than timeout (%" PRIu32 " and %" PRIu32
                        " ms); make it longer",
                        timing->max_stale_ms, timing->timeout_ms);
}

void conf_timing_apply(char *const *keys, const struct conf_node *node, struct conf_errors *errors,
                       struct conf_timing *timing)
{
    uint32_t failures = errors->failures;
    bool given = false; /* one of the four that must agree */
    for (unsigned i = 0; i < CONF_KEY_COUNT; i++) {
        const struct conf_timing_key *key = &timing_keys[i];
        if (!keys[i])
            continue;
        given = given || (i >= CONF_KEY_INTERVAL && i <= CONF_KEY_MAX_STALE);
        struct conf_at at = conf_position_at(node, key->name);
        set_key(key, keys[i], at, errors, timing);
    }
    if (given && errors->failures == failures)
        check_agreement(node, errors, timing);
}

static uint64_t value_of(const struct conf_timing *timing, const struct conf_timing_key *key)
{
    const void *field = (const char *)timing + key->offset;
    switch (key->kind) {
    case CONF_TIMING_SIZE:
        return *(const uint64_t *)field;
    case CONF_TIMING_MODE:
        return *(const enum view_mode *)field;
    case CONF_TIMING_FAMILY:
        return *(const enum conf_family *)field;
    default:
        return *(const uint32_t *)field;
    }
}

static void print_size(uint64_t bytes, FILE *out)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    unsigned unit = 0;
    for (; bytes != 0 && bytes % 1024 == 0 && unit < 4; unit++)
        bytes /= 1024;
    fprintf(out, "%" PRIu64 "%s", bytes, units[unit]);
}

static void print_value(const struct conf_timing_key *key, uint64_t value, FILE *out)
{
    if (key->kind == CONF_TIMING_DURATION)
        conf_timing_print_duration(value, out);
    else if (key->kind == CONF_TIMING_SIZE)
        print_size(value, out);
    else if (key->kind == CONF_TIMING_MODE)
        fputs(view_mode_name((enum view_mode)value), out);
    else if (key->kind == CONF_TIMING_FAMILY && value == CONF_FAMILY_AUTO)
        fputs("auto", out);
    else
        fprintf(out, "%" PRIu64, value);
}

void conf_timing_print(const struct conf_timing *timing, const char *indent, FILE *out)
{
    for (unsigned i = 0; i < CONF_KEY_COUNT; i++) {
        const struct conf_timing_key *key = &timing_keys[i];
        fprintf(out, "%s%s: ", indent, key->name);
        print_value(key, value_of(timing, key), out);
        fputc('\n', out);
    }
}
