/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h - one line per event on stderr: a JSON object, or plain text on a terminal.
 *
 * Every line has time, level, event (a fixed word to search for), message (for people) and fields.
 * Of one event LOG_BURST lines go out in 10 s. Further ones are counted, and the next line tells
 * their number. Never allocates; a line that cannot be written is lost.
 */
#ifndef HOMING_AGENT_BASE_LOG_H
#define HOMING_AGENT_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
    LOG_LEVEL_COUNT
};

enum {
    LOG_BURST = 20
};

enum log_type {
    LOG_TYPE_STR,
    LOG_TYPE_INT,
    LOG_TYPE_BOOL
};

struct log_field {
    const char *key;
    enum log_type type;
    const char *str; /* NULL is printed as null */
    int64_t num;
};

#define LOG_STR(k, v)  ((struct log_field){.key = (k), .type = LOG_TYPE_STR, .str = (v)})
#define LOG_INT(k, v)  ((struct log_field){.key = (k), .type = LOG_TYPE_INT, .num = (int64_t)(v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_TYPE_BOOL, .num = (v)})

/* json: false for plain text. Called once at start; log lines before it go out as plain text. */
void log_init(bool json, enum log_level least);

void log_fields(enum log_level level, const char *event, const char *message,
                const struct log_field *fields, size_t count);

/* log_event(LOG_INFO, "writer_changed", "orders: db-a → db-b", LOG_STR("cluster", name), ...) */
#define log_event(level, event, message, ...)                                                      \
    log_fields((level), (event), (message), (struct log_field[]){__VA_ARGS__},                     \
               sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
