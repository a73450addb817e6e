/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.h - what a key of the configuration is: one row. Of a single key no other code says more,
 * except the field of conf.h that holds its value; what binds several keys is agree.c's.
 *
 * schema.c reads from the rows which shape a file has; check.c, which values are good and which one
 * holds if none is given; dump.c, what to print; conf_same_cluster(), what a reload compares. The
 * dump, and errors that list known keys, have the order of the rows.
 */
#ifndef HOMING_AGENT_CONF_KEYS_H
#define HOMING_AGENT_CONF_KEYS_H

#include <stddef.h>

#include "agent/conf/conf.h"

/* The mappings in which a key may stand, and the struct that each becomes. */
enum conf_place {
    CONF_PLACE_FILE,     /* struct conf */
    CONF_PLACE_AGENT,    /* struct conf */
    CONF_PLACE_DEFAULTS, /* struct conf_timing, until all clusters are checked */
    CONF_PLACE_CLUSTER,  /* struct conf_cluster */
    CONF_PLACE_ENDPOINT, /* struct conf_endpoint */
    CONF_PLACE_MEMBER,   /* struct conf_member */
    CONF_PLACE_SEED,     /* the same: a seed is no member, and never the writer */
    CONF_PLACE_PATTERN,  /* struct conf_pattern */
    CONF_PLACE_COUNT
};

/* What is written, and what is kept. */
enum conf_type {
    /* One value that is kept as a number: value.h reads and prints it. */
    CONF_TYPE_DURATION, /* uint32_t, ms */
    CONF_TYPE_SIZE,     /* uint64_t, bytes */
    CONF_TYPE_NUMBER,   /* uint32_t */
    CONF_TYPE_PORT,     /* uint16_t */
    CONF_TYPE_BOOL,     /* bool */
    CONF_TYPE_MODE,     /* enum view_mode */
    CONF_TYPE_FAMILY,   /* enum conf_family */
    CONF_TYPE_ROLE,     /* enum view_role */
    /* One value that is kept as a text: char *; NULL: none was given, and there is no standard. */
    CONF_TYPE_DIRECTORY,
    CONF_TYPE_WORD, /* a cluster's name */
    CONF_TYPE_HOST,
    CONF_TYPE_PATTERN,
    CONF_TYPE_REGION,
    CONF_TYPE_CONNECTION,
    CONF_TYPE_SECRET_FILE,
    /* One value: const struct engine_kind *. */
    CONF_TYPE_ENGINE,
    /* A list of values: an array and its count. */
    CONF_TYPE_NAMES,    /* struct conf_name */
    CONF_TYPE_NETWORKS, /* struct conf_network */
    CONF_TYPE_PORTS,    /* uint16_t */
    /* A list of mappings, or one, with keys of their own. */
    CONF_TYPE_MAPPINGS, /* what `inner` becomes, and the count */
    CONF_TYPE_MAPPING,  /* what `inner` becomes; agent.defaults is kept nowhere */
    CONF_TYPE_COUNT
};

/* Errors whose words are the same for all keys of a type stand in check.c. */
struct conf_key {
    const char *name;
    enum conf_type type;
    unsigned places;      /* a bit for each enum conf_place */
    const char *standard; /* the value if none is given and none is inherited; NULL: none */
    /* Bounds of a number, of a text's bytes, or of a list's entries. Both 0: there are none. */
    uint64_t min, max;
    bool off;              /* 0 is allowed, below min: it is off */
    const char *holder;    /* of a list with bounds, for the error: "a cluster has" (so many) */
    const char *required;  /* the error if it is missing or an empty list; NULL: it is optional */
    const char *instead;   /* it is not required where this key is given */
    bool unseen;           /* a reload does not compare it: it finds the cluster by this key */
    bool idle;             /* it has no effect in this version: it is checked and warned of */
    bool words;            /* an entry of the list may be one value in place of a mapping */
    enum conf_place inner; /* of mappings: the place that they are */
    uint16_t at[CONF_PLACE_COUNT]; /* where the value is, in the struct that its place becomes */
    uint16_t count_at;             /* of a list: where its count is, a uint32_t */
};

/* The last one has no name. */
extern const struct conf_key conf_keys[];

/* NULL: no such key may stand there. */
const struct conf_key *conf_key_find(enum conf_place place, const char *name);

/* The size of the struct that each place becomes. */
extern const size_t conf_place_size[CONF_PLACE_COUNT];

/* The place from which this one inherits the keys that both have; CONF_PLACE_COUNT: from none. */
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

/* Where its value is in `object`, the struct that `place` becomes. */
static inline void *conf_key_field(const struct conf_key *key, enum conf_place place, void *object)
{
    return (char *)object + key->at[place];
}

/* Whether the mapping is a server. */
static inline bool conf_place_is_server(enum conf_place place)
{
    return place == CONF_PLACE_MEMBER || place == CONF_PLACE_SEED;
}

uint64_t conf_key_number(const struct conf_key *key, enum conf_place place, const void *object);
void conf_key_set_number(const struct conf_key *key, enum conf_place place, void *object,
                         uint64_t number);
const char *conf_key_text(const struct conf_key *key, enum conf_place place, const void *object);
/* Entries of a list; *ret_list is the array. */
uint32_t conf_key_list(const struct conf_key *key, enum conf_place place, const void *object,
                       const void **ret_list);

#endif
