/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.h - what a key of the configuration is: one row each, and nothing about a key stands
 * anywhere else, but for the field that holds its value.
 *
 * schema.c reads from the rows what shape a file has, check.c what a value may be and what it is
 * where it is not given, dump.c what to print, and conf_same_cluster() what a reload looks at. Their
 * order is that of lists of known keys and of the dump.
 */
#ifndef HOMING_AGENT_CONF_KEYS_H
#define HOMING_AGENT_CONF_KEYS_H

#include <stddef.h>

#include "agent/conf/conf.h"

/* The mappings in which a key may stand, and what each becomes. */
enum conf_place {
    CONF_PLACE_FILE,     /* struct conf */
    CONF_PLACE_AGENT,    /* struct conf */
    CONF_PLACE_DEFAULTS, /* struct conf_timing, until all clusters are checked */
    CONF_PLACE_CLUSTER,  /* struct conf_cluster */
    CONF_PLACE_ENDPOINT, /* struct conf_endpoint */
    CONF_PLACE_MEMBER,   /* struct conf_member */
    CONF_PLACE_COUNT
};

/* What is written, and what is kept of it. */
enum conf_type {
    /* One value, which is a number inside: value.h reads and prints it. */
    CONF_TYPE_DURATION, /* uint32_t, ms */
    CONF_TYPE_SIZE,     /* uint64_t, bytes */
    CONF_TYPE_NUMBER,   /* uint32_t */
    CONF_TYPE_PORT,     /* uint16_t */
    CONF_TYPE_BOOL,     /* bool */
    CONF_TYPE_MODE,     /* enum view_mode */
    CONF_TYPE_FAMILY,   /* enum conf_family */
    CONF_TYPE_ROLE,     /* enum view_role */
    /* One value, which is a text inside: char *, NULL where it is not given and has no default. */
    CONF_TYPE_DIRECTORY,
    CONF_TYPE_WORD, /* a cluster's name */
    CONF_TYPE_HOST,
    CONF_TYPE_CONNECTION,
    CONF_TYPE_SECRET_FILE,
    /* One value: const struct engine_kind *. */
    CONF_TYPE_ENGINE,
    /* A list of values: an array and its count. */
    CONF_TYPE_NAMES,    /* struct conf_name */
    CONF_TYPE_NETWORKS, /* struct conf_network */
    /* A list of mappings, or one, with keys of their own. */
    CONF_TYPE_MAPPINGS, /* what `inner` becomes, and the count */
    CONF_TYPE_MAPPING,  /* what `inner` becomes; agent.defaults is kept nowhere */
    CONF_TYPE_COUNT
};

/* Texts of errors: as far as they are the same for all keys of a type, they stand in check.c. */
struct conf_key {
    const char *name;
    enum conf_type type;
    unsigned places; /* a bit for each enum conf_place */
    const char
        *standard;      /* the value where none is given; NULL: none, or the enclosing mapping's */
    uint64_t min, max;  /* of a number; bytes of a text; entries of a list. Both 0: any */
    const char *holder; /* of a list, for errors: "a cluster has" so many at most */
    const char *required;  /* the error where it is missing, or an empty list; NULL: optional */
    bool unseen;           /* a reload does not compare it: it knows clusters by it */
    bool idle;             /* without effect in this version: checked, and warned of */
    bool words;            /* an entry of the list may be one value instead of a mapping */
    enum conf_place inner; /* of mappings: the place that they are */
    uint16_t at[CONF_PLACE_COUNT]; /* where in what its place becomes the value is kept */
    uint16_t count_at;             /* the same of a list's count, a uint32_t */
};

/* The last one has no name. */
extern const struct conf_key conf_keys[];

/* Sizes of what the places become. */
extern const size_t conf_place_size[CONF_PLACE_COUNT];

/* The mapping whose values hold where a key that both know is not given; CONF_PLACE_COUNT: none. */
enum conf_place conf_place_outer(enum conf_place place);

static inline bool conf_key_in(const struct conf_key *key, enum conf_place place)
{
    return key->places >> place & 1;
}

/* Whether its value is kept. */
static inline bool conf_key_kept(const struct conf_key *key)
{
    return !key->idle && (key->type != CONF_TYPE_MAPPING || key->inner != CONF_PLACE_DEFAULTS);
}

/* Whether a reload that finds it changed has to act. */
static inline bool conf_key_compared(const struct conf_key *key)
{
    return conf_key_kept(key) && !key->unseen;
}

static inline bool conf_key_is_number(const struct conf_key *key)
{
    return key->type <= CONF_TYPE_ROLE;
}

static inline bool conf_key_is_text(const struct conf_key *key)
{
    return key->type >= CONF_TYPE_DIRECTORY && key->type <= CONF_TYPE_SECRET_FILE;
}

static inline bool conf_key_is_list(const struct conf_key *key)
{
    return key->type >= CONF_TYPE_NAMES && key->type <= CONF_TYPE_MAPPINGS;
}

/* Its field in `object`, which is what `place` becomes. */
static inline void *conf_key_field(const struct conf_key *key, enum conf_place place, void *object)
{
    return (char *)object + key->at[place];
}

uint64_t conf_key_number(const struct conf_key *key, enum conf_place place, const void *object);
void conf_key_set_number(const struct conf_key *key, enum conf_place place, void *object,
                         uint64_t number);
const char *conf_key_text(const struct conf_key *key, enum conf_place place, const void *object);
/* Entries of a list; *ret_list is the array. */
uint32_t conf_key_list(const struct conf_key *key, enum conf_place place, const void *object,
                       const void **ret_list);

#endif
