/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_kind.h - what an engine is, but for asking it: how its clusters may be configured, and how
 * its operators write what they read.
 *
 * One const struct an engine, in <engine>_kind.c below agent/probe/engines, without I/O and without
 * a client library. main.c hands a list of them to conf_load(); from then on a cluster points to its
 * own, and nobody compares names. How it is asked is agent/probe/engine.h's.
 */
#ifndef HOMING_AGENT_CONF_ENGINE_KIND_H
#define HOMING_AGENT_CONF_ENGINE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf/discovery/alias.h"

/* One keyword of the key `connection`. */
struct engine_keyword {
    const char *name;
    const char *instead; /* it is refused, and this is to be done instead; NULL: it is taken */
    bool secret;         /* its value is not for other people's eyes: the dump has stars */
    bool file;           /* the absolute path of a file, which the agent can read */
    /* NULL: any value is good. Else NULL, or what is wrong and what to do, as a whole sentence. The
     * value is as it stands in the file, quotes and backslashes included. */
    const char *(*check)(const char *value, size_t len);
};

/* What its servers tell of the other members of their cluster. */
enum engine_tells {
    ENGINE_TELLS_NOTHING,
    ENGINE_TELLS_IDS,   /* ids: host_patterns make hosts of them */
    ENGINE_TELLS_HOSTS, /* hosts, which host_patterns or allowed_networks have to allow */
    ENGINE_TELLS_COUNT
};

/* What an operator can do about a failure or a remark. */
struct engine_advice {
    const char *words; /* the server's or the client's text has them */
    const char *line; /* $1 .. $3: the first pieces of the text that stand in double quotes; $u: the
                        * user of the configuration; $w: where the server's port is written. If one of these is not
                        * known, the next row counts. */
};

struct engine_kind {
    const char *name; /* as `engine` has it; its files have _ for each - */
    const char *also; /* what people call it; NULL: nothing else */
    uint16_t default_port;
    enum engine_tells tells;
    bool
        spans_regions; /* they tell of each one's region, and each region has a pattern of its own */

    /* The key `connection`, in the form keyword=value. */
    const char *client;                    /* whose keywords they are, for errors */
    const struct engine_keyword *keywords; /* the last one's name is NULL */
    bool takes_others; /* other keywords are taken too: the client library judges them */
    /* As engine_keyword.check, for the text as a whole. If it is wrong, its keywords are not looked
     * at. NULL: there is nothing to check. */
    const char *(*check_connection)(const char *connection);
    /* The same, for how its keywords go together, once each of them is good. */
    const char *(*check_together)(const char *connection);

    /* The port at which its servers are asked, one for all of them, where that is not the members' own, to
     * which programs connect; what listens there, and the keyword that says it. NULL: it is the members'. */
    uint16_t (*asked_port)(const char *connection);
    const char *asked_what, *asked_keyword;

    /* Whether the name, in its canonical form, is one that its provider has lead now to one server and now to another one.
     * NULL: nobody knows such names. */
    bool (*alias)(const char *host, struct alias *ret);
    /* The region that its provider's names have in them; false: it is none of these. NULL exactly where `alias` is. */
    bool (*region)(const char *host, char ret_region[ALIAS_REGION_SIZE]);

    /* The keyword and value with which a server has to prove its name. NULL: none does. */
    const char *proof_keyword, *proof_value;

    /* password_file is refused, and this says why. NULL: it is taken. */
    const char *no_password;

    /* If what a server says when it denies us has these words, our credentials are not what is wrong, and that is to be
     * done instead. NULL: it has none. */
    const char *admits_by, *admit;

    /* The first that fits counts; the last one's words are NULL. NULL: the engine has none. */
    const struct engine_advice *advice;
    /* What its own words may ask an administrator to GRANT: no other such statement is told to be run.
     * The last one is NULL. NULL: nothing. */
    const char *const *grants;

    /* A position or a term as its operators write it. NULL: plain numbers. */
    void (*print_position)(uint64_t position, char *ret, size_t size);
    void (*print_term)(uint64_t hi, uint64_t lo, char *ret, size_t size);

    /* What positions count, in the plural. A lag and a loss are differences of two positions. */
    const char *lag_unit;
    /* They count transactions, and max_lag_transactions is the most a reader may lack. False: bytes,
     * and max_lag. */
    bool lag_in_transactions;
    /* `circular` may be set: a writable server may replicate from another one. */
    bool takes_circular;
    /* The operators' word for the position at which a new writer's history leaves the old one's. */
    const char *branch;
};

/* Long enough for what these print, with its NUL. A term of zeros is "none". */
#define ENGINE_PRINT_SIZE 48

void engine_print_position(const struct engine_kind *kind, uint64_t position, char *ret,
                           size_t size);
void engine_print_term(const struct engine_kind *kind, uint64_t hi, uint64_t lo, char *ret,
                       size_t size);

#endif
