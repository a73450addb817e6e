/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.c - each row of agent/conf/keys.c is kept by all that reads it: what is accepted where, what
 * holds where nothing is given, bounds, the dump, what a reload sees, and the manual.
 *
 * A configuration is made of one mapping inside the other, each of the least that it needs, and one
 * key under test. A new row needs a line of samples, and a word in homing.yaml(5).
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/conf/keys.h"
#include "agent/conf/value.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

/* Two values that are good, and differ; neither is the standard one. */
static const struct sample {
    const char *key;
    const char *values[2];
} samples[] = {
    {"agent", {"{run_dir: /a}", "{run_dir: /b}"}},
    {"clusters",
     {"[{name: n, engine: one, members: [a], endpoints: [{names: [x], role: writer}]}]",
      "[{name: n, engine: two, members: [a], endpoints: [{names: [x], role: writer}]}]"}},
    {"run_dir", {"/a", "/b"}},
    {"state_dir", {"/a", "/b"}},
    {"confirm", {"1s", "2s"}},
    {"bus_max_stale", {"6s", "7s"}},
    {"defaults", {"{interval: 240ms}", "{interval: 260ms}"}},
    {"name", {"a", "b"}},
    {"engine", {"one", "two"}},
    {"members", {"[a]", "[b]"}},
    {"seeds", {"[a]", "[b]"}},
    {"host_patterns", {"['?.a']", "['?.b']"}},
    {"connection", {"user=a", "user=b"}},
    {"password_file", {"a.pw", "b.pw"}},
    {"endpoints", {"[{names: [a], role: writer}]", "[{names: [a], role: reader}]"}},
    {"allowed_networks", {"[10.0.0.0/8]", "[10.0.0.0/9]"}},
    {"sever_untagged", {"true", "false"}},
    {"circular", {"true", "false"}},
    {"names", {"[a]", "[b]"}},
    {"role", {"reader", "writer"}},
    {"ports", {"[1]", "[2]"}},
    {"mode", {"observe", "names"}},
    {"interval", {"240ms", "260ms"}},
    {"fast_interval", {"20ms", "30ms"}},
    {"timeout", {"2s", "3s"}},
    {"max_stale", {"20s", "40s"}},
    {"hold", {"1s", "3s"}},
    {"max_lag", {"1MB", "2MB"}},
    {"max_lag_transactions", {"1", "2"}},
    {"max_switches", {"1", "2"}},
    {"sever_spread", {"1s", "2s"}},
    {"keepalive", {"5s", "6s"}},
    {"family", {"4", "6"}},
    {"host", {"a", "b"}},
    {"port", {"1", "2"}},
    {"failover", {"false", "true"}},
    {"region", {"a", "b"}},
    {"pattern", {"'?.a'", "'?.b'"}},
};

static const struct engine_keyword no_keywords[] = {{.name = NULL}};
#define TAKES_ALL                                                                                  \
    .default_port = 11, .tells = ENGINE_TELLS_HOSTS, .spans_regions = true,                        \
    .keywords = no_keywords, .takes_others = true, .takes_circular = true
static const struct engine_kind one = {.name = "one", TAKES_ALL};
static const struct engine_kind two = {.name = "two", TAKES_ALL};
static const struct engine_kind *const engines[] = {&one, &two, NULL};

static void write_secret(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static int enter_folder(void **state)
{
    if (folder_enter(state))
        return -1;
    write_secret("a.pw");
    write_secret("b.pw");
    return 0;
}

static int leave_folder(void **state)
{
    unlink("a.pw");
    unlink("b.pw");
    unlink("t.yaml");
    return folder_leave(state);
}

static const struct sample *sample_of(const struct conf_key *key)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        if (strcmp(samples[i].key, key->name) == 0)
            return &samples[i];
    fail_msg("no samples for %s", key->name);
    return NULL;
}

/* ---- configurations ---- */

/* The key under test; `value` NULL: left out, if the mapping has it. */
struct probe_key {
    enum conf_place place;
    const char *name;
    const char *value;
};

/* What a mapping needs to be one. */
static const struct need {
    enum conf_place place;
    const char *name;
    const char *value; /* NULL: the mapping that is of place `inner` */
    enum conf_place inner;
    bool list; /* alone in a list */
} needs[] = {
    {CONF_PLACE_FILE, "agent", NULL, CONF_PLACE_AGENT, false},
    {CONF_PLACE_FILE, "clusters", NULL, CONF_PLACE_CLUSTER, true},
    {CONF_PLACE_AGENT, "defaults", NULL, CONF_PLACE_DEFAULTS, false},
    {CONF_PLACE_CLUSTER, "name", "n", CONF_PLACE_COUNT, false},
    {CONF_PLACE_CLUSTER, "engine", "one", CONF_PLACE_COUNT, false},
    {CONF_PLACE_CLUSTER, "members", NULL, CONF_PLACE_MEMBER, true},
    {CONF_PLACE_CLUSTER, "seeds", NULL, CONF_PLACE_SEED, true},
    {CONF_PLACE_CLUSTER, "host_patterns", NULL, CONF_PLACE_PATTERN, true},
    {CONF_PLACE_CLUSTER, "endpoints", NULL, CONF_PLACE_ENDPOINT, true},
    {CONF_PLACE_ENDPOINT, "names", "[x]", CONF_PLACE_COUNT, false},
    {CONF_PLACE_ENDPOINT, "role", "writer", CONF_PLACE_COUNT, false},
    {CONF_PLACE_MEMBER, "host", "h", CONF_PLACE_COUNT, false},
    {CONF_PLACE_SEED, "host", "h", CONF_PLACE_COUNT, false},
    {CONF_PLACE_PATTERN, "pattern", "'?.x'", CONF_PLACE_COUNT, false},
};

/* Unless it is the key under test, which takes its place. */
static void put_need(FILE *out, const struct probe_key *probe, const struct need *need,
                     const char *inner, bool *first)
{
    if ((probe->place == need->place && strcmp(probe->name, need->name) == 0) ||
        (need->inner == CONF_PLACE_SEED && probe->place != CONF_PLACE_SEED))
        return;
    fprintf(out, "%s%s: %s%s%s", *first ? "" : ", ", need->name, need->list ? "[" : "",
            inner ? inner : need->value, need->list ? "]" : "");
    *first = false;
}

/* A mapping of `place`, with what it needs. The caller frees. */
static char *make_mapping(const struct probe_key *probe, enum conf_place place)
{
    char *text = NULL;
    size_t size;
    bool first = true;
    FILE *out = open_memstream(&text, &size);
    fputc('{', out);
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (needs[i].place != place)
            continue;
        char *inner = needs[i].value ? NULL : make_mapping(probe, needs[i].inner);
        put_need(out, probe, &needs[i], inner, &first);
        free(inner);
    }
    if (probe->place == place && probe->value)
        fprintf(out, "%s%s: %s", first ? "" : ", ", probe->name, probe->value);
    fputc('}', out);
    fclose(out);
    return text;
}

/* What conf_load() says of this file; the caller frees it, and *ret_conf, which may be NULL. */
static char *load_text(const char *text, struct conf **ret_conf)
{
    char *answer = NULL;
    size_t size;
    FILE *file = fopen("t.yaml", "w"), *out = open_memstream(&answer, &size);
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    *ret_conf = NULL;
    int rv = conf_load("t.yaml", engines, out, ret_conf);
    assert_int_equal(rv, *ret_conf ? 0 : -EINVAL);
    fclose(out);
    return answer;
}

static char *load(enum conf_place place, const char *name, const char *value,
                  struct conf **ret_conf)
{
    const struct probe_key probe = {place, name, value};
    char *text = make_mapping(&probe, CONF_PLACE_FILE);
    char *answer = load_text(text, ret_conf);
    free(text);
    return answer;
}

/* Both engines count bytes; engine_kind.c tests what is said of it. */
#define IS_OTHERS(key, place)                                                                      \
    ((place) == CONF_PLACE_CLUSTER && strcmp((key)->name, "max_lag_transactions") == 0)

static struct conf *load_good(enum conf_place place, const struct conf_key *key, const char *value)
{
    struct conf *conf;
    char *answer = load(place, key->name, value, &conf);
    if (!conf || (*answer && !key->idle && !IS_OTHERS(key, place)))
        fail_msg("%s: %s: %s", key->name, value ? value : "(left out)", answer);
    free(answer);
    return conf;
}

static void assert_refused(enum conf_place place, const struct conf_key *key, const char *value,
                           const char *why)
{
    struct conf *conf;
    char *answer = load(place, key->name, value, &conf);
    if (conf || !strstr(answer, why))
        fail_msg("%s: %.80s: not refused as '%s', but: %s", key->name, value ? value : "(left out)",
                 why, answer);
    free(answer);
}

/* What the mapping of a place has become; NULL: it is kept nowhere. */
static const void *object_of(const struct conf *conf, enum conf_place place)
{
    switch (place) {
    case CONF_PLACE_FILE:
    case CONF_PLACE_AGENT:
        return conf;
    case CONF_PLACE_CLUSTER:
        return &conf->clusters[0];
    case CONF_PLACE_ENDPOINT:
        return &conf->clusters[0].endpoints[0];
    case CONF_PLACE_MEMBER:
        return &conf->clusters[0].members[0];
    case CONF_PLACE_SEED:
        return &conf->clusters[0].seeds[0];
    case CONF_PLACE_PATTERN:
        return &conf->clusters[0].host_patterns[0];
    default:
        return NULL;
    }
}

static void for_each_key(void (*check)(const struct conf_key *key, enum conf_place place))
{
    for (const struct conf_key *key = conf_keys; key->name; key++)
        for (int place = 0; place < CONF_PLACE_COUNT; place++)
            check(key, (enum conf_place)place);
}

/* ---- where ---- */

static void check_place(const struct conf_key *key, enum conf_place place)
{
    char why[100];
    snprintf(why, sizeof(why), "unknown key '%s'", key->name);
    if (conf_key_in(key, place))
        conf_free(load_good(place, key, sample_of(key)->values[0]));
    else
        assert_refused(place, key, sample_of(key)->values[0], why);
}

static void a_key_is_accepted_where_its_row_says_and_refused_elsewhere(void **state)
{
    (void)state;
    for_each_key(check_place);
}

static void check_effect(const struct conf_key *key, enum conf_place place)
{
    struct conf *conf;
    char expected[100] = "";
    if (!conf_key_in(key, place) || IS_OTHERS(key, place))
        return;
    char *answer = load(place, key->name, sample_of(key)->values[0], &conf);
    if (key->idle)
        snprintf(expected, sizeof(expected), "warning: %s has no effect in this version\n",
                 key->name);
    assert_string_equal(*answer ? strstr(answer, "warning: ") : answer, expected);
    free(answer);
    conf_free(conf);
}

static void a_key_without_effect_is_warned_of_and_no_other(void **state)
{
    (void)state;
    for_each_key(check_effect);
}

/* ---- where nothing is given ---- */

static void assert_standard(const struct conf_key *key, enum conf_place place,
                            const struct conf *conf)
{
    const void *object = object_of(conf, place), *list;
    uint64_t number = 0;
    if (key->standard && conf_key_is_text(key)) {
        assert_string_equal(conf_key_text(key, place, object), key->standard);
    } else if (key->standard) {
        assert_null(conf_value_read(key->type, key->standard, &number));
        assert_int_equal(conf_key_number(key, place, object), number);
    } else if (conf_key_is_text(key)) {
        assert_null(conf_key_text(key, place, object));
    } else if (conf_key_is_list(key)) {
        assert_int_equal(conf_key_list(key, place, object, &list), 0);
    } else if (key->type == CONF_TYPE_PORT) {
        assert_int_equal(conf_key_number(key, place, object), one.default_port);
    } else {
        assert_int_equal(key->type, CONF_TYPE_MAPPING);
    }
}

static void check_standard(const struct conf_key *key, enum conf_place place)
{
    struct conf *conf;
    if (!conf_key_in(key, place))
        return;
    if (key->required) {
        assert_refused(place, key, NULL, key->required);
        return;
    }
    char *answer = load(place, key->name, NULL, &conf);
    assert_non_null(conf);
    if (conf_key_kept(key) && object_of(conf, place))
        assert_standard(key, place, conf);
    free(answer);
    conf_free(conf);
}

static void what_is_not_given_is_the_standard_of_its_row_or_refused(void **state)
{
    (void)state;
    for_each_key(check_standard);
}

/* ---- bounds ---- */

static void assert_number(enum conf_place place, const struct conf_key *key, uint64_t number,
                          bool good)
{
    struct conf *conf;
    char value[CONF_VALUE_SIZE], least[CONF_VALUE_SIZE], most[CONF_VALUE_SIZE], why[200];
    conf_value_print(key->type, number, value, sizeof(value));
    conf_value_print(key->type, key->min, least, sizeof(least));
    conf_value_print(key->type, key->max, most, sizeof(most));
    if (key->type == CONF_TYPE_PORT)
        snprintf(why, sizeof(why), "%s '%s' is not a port; write a number of %s to %s\n", key->name,
                 value, least, most);
    else
        snprintf(why, sizeof(why), "%s '%s' is out of range; write %s%s to %s\n", key->name, value,
                 key->off ? "0s, or " : "", least, most);
    char *answer = load(place, key->name, value, &conf);
    if (!strstr(answer, why) != good) /* other keys' values may not go with it */
        fail_msg("%s: %s: %s", key->name, value, answer);
    free(answer);
    conf_free(conf);
}

static void check_number(const struct conf_key *key, enum conf_place place)
{
    assert_number(place, key, key->min, true);
    assert_number(place, key, key->max, true);
    assert_number(place, key, key->max + 1, false);
    if (key->min > 0)
        assert_number(place, key, key->min - 1, false);
    if (key->off)
        assert_number(place, key, 0, true);
}

static void check_length(const struct conf_key *key, enum conf_place place)
{
    char value[200], why[100];
    memset(value, 'x', sizeof(value));
    value[0] = key->type == CONF_TYPE_DIRECTORY ? '/' : 'x';
    value[key->max] = '\0';
    conf_free(load_good(place, key, value));
    value[key->max] = 'x';
    value[key->max + 1] = '\0';
    snprintf(why, sizeof(why), "%" PRIu64, key->max);
    assert_refused(place, key, value, why);
}

/* [x0, x1, ...], of what the list is of. The caller frees. */
static char *make_list(const struct conf_key *key, uint64_t count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (uint64_t i = 0; i < count; i++) {
        fputs(i ? ", " : "[", out);
        if (key->inner == CONF_PLACE_CLUSTER)
            fprintf(out,
                    "{name: x%" PRIu64 ", engine: one, members: [a], "
                    "endpoints: [{names: [x%" PRIu64 "], role: writer}]}",
                    i, i);
        else if (key->type == CONF_TYPE_PORTS)
            fprintf(out, "%" PRIu64, i + 1);
        else if (key->inner == CONF_PLACE_PATTERN)
            fprintf(out, "'?.x%" PRIu64 "'", i);
        else
            fprintf(out, "x%" PRIu64, i);
    }
    fputc(']', out);
    fclose(out);
    return text;
}

static void check_count(const struct conf_key *key, enum conf_place place)
{
    char *most = make_list(key, key->max), *more = make_list(key, key->max + 1), why[100];
    conf_free(load_good(place, key, most));
    snprintf(why, sizeof(why), "%" PRIu64 " %s; %s at most %" PRIu64 "\n", key->max + 1, key->name,
             key->holder, key->max);
    assert_refused(place, key, more, why);
    free(most);
    free(more);
}

static void check_bounds(const struct conf_key *key, enum conf_place place)
{
    if (!conf_key_in(key, place) || key->max == 0)
        return;
    if (conf_key_is_number(key))
        check_number(key, place);
    else if (conf_key_is_text(key))
        check_length(key, place);
    else
        check_count(key, place);
}

static void bounds_are_those_of_the_row(void **state)
{
    (void)state;
    for_each_key(check_bounds);
}

/* ---- the dump ---- */

static char *dump(const struct conf *conf)
{
    static char *text; /* static: gcc 12 takes it for dangling otherwise */
    size_t size;
    FILE *out = open_memstream(&text, &size);
    conf_dump(conf, out);
    fclose(out);
    return text;
}

/* Whether a line, or an entry that is one line, has this key. */
static bool has_key(const char *text, const char *name)
{
    char word[100];
    snprintf(word, sizeof(word), "%s:", name);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if (at == text || strchr(" {\n", at[-1]))
            return true;
    return false;
}

static void assert_same(const struct conf_key *key, enum conf_place place, const struct conf *a,
                        const struct conf *b)
{
    const void *one_object = object_of(a, place), *other = object_of(b, place);
    assert_true(conf_same_cluster(&a->clusters[0], &b->clusters[0]));
    assert_true(conf_same_agent(a, b));
    if (one_object && conf_key_kept(key) && conf_key_is_text(key))
        assert_string_equal(conf_key_text(key, place, one_object),
                            conf_key_text(key, place, other));
}

static void check_dump(const struct conf_key *key, enum conf_place place)
{
    for (int i = 0; i < 2 && conf_key_in(key, place); i++) {
        struct conf *conf = load_good(place, key, sample_of(key)->values[i]), *again;
        char *text = dump(conf);
        char *answer = load_text(text, &again);
        assert_string_equal(answer, "");
        assert_non_null(again);
        assert_same(key, place, conf, again);
        if (has_key(text, key->name) != conf_key_kept(key))
            fail_msg("%s is %s the dump", key->name, conf_key_kept(key) ? "not in" : "in");
        free(answer);
        free(text);
        conf_free(again);
        conf_free(conf);
    }
}

static void a_value_is_dumped_and_read_back(void **state)
{
    (void)state;
    for_each_key(check_dump);
}

/* ---- a reload ---- */

static void check_difference(const struct conf_key *key, enum conf_place place)
{
    /* What only holds other keys differs by these. */
    if (!conf_key_in(key, place) || place == CONF_PLACE_FILE || key->type == CONF_TYPE_MAPPING)
        return;
    struct conf *a = load_good(place, key, sample_of(key)->values[0]);
    struct conf *b = load_good(place, key, sample_of(key)->values[1]);
    bool of_agent = place == CONF_PLACE_AGENT, differs = conf_key_compared(key);
    bool same_cluster = conf_same_cluster(&a->clusters[0], &b->clusters[0]);
    bool same_agent = conf_same_agent(a, b);
    if (same_cluster == (differs && !of_agent) || same_agent == (differs && of_agent))
        fail_msg("%s: clusters are called %s, agents %s", key->name,
                 same_cluster ? "the same" : "different", same_agent ? "the same" : "different");
    conf_free(a);
    conf_free(b);
}

static void a_key_changed_alone_is_seen_by_a_reload_as_its_row_says(void **state)
{
    (void)state;
    for_each_key(check_difference);
}

/* By one of these a reload knows what it compares, or it has no effect: any other key is seen. */
static void only_names_and_what_has_no_effect_go_unseen(void **state)
{
    (void)state;
    for (const struct conf_key *key = conf_keys; key->name; key++)
        if (key->unseen)
            assert_string_equal(key->name, "name");
}

/* ---- the manual ---- */

static char *read_manual(void)
{
    char path[4096];
    static char *text;
    size_t size = 0;
    const char *top = getenv("HOMING_SRCDIR");
    snprintf(path, sizeof(path), "%s/packaging/man/homing.yaml.5", top ? top : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    return text;
}

/* Whether a line that names keys or values has this word. */
static bool has_word(const char *manual, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(manual, word); at; at = strstr(at + 1, word)) {
        const char *line = at;
        while (line > manual && line[-1] != '\n')
            line--;
        if (strchr(" ", at[-1]) && strchr(" \n", at[len]) &&
            (strncmp(line, ".Cm ", 4) == 0 || strncmp(line, ".It Cm ", 7) == 0))
            return true;
    }
    return false;
}

static void each_key_is_in_the_manual_and_a_duration_with_its_bounds(void **state)
{
    char *manual = read_manual();
    (void)state;
    for (const struct conf_key *key = conf_keys; key->name; key++) {
        char least[CONF_VALUE_SIZE], most[CONF_VALUE_SIZE], bounds[100];
        if (!has_word(manual, key->name))
            fail_msg("homing.yaml.5 does not name %s", key->name);
        conf_value_print(key->type, key->min, least, sizeof(least));
        conf_value_print(key->type, key->max, most, sizeof(most));
        snprintf(bounds, sizeof(bounds), "%s to %s", least, most);
        if (key->type == CONF_TYPE_DURATION && !strstr(manual, bounds))
            fail_msg("homing.yaml.5 does not say of %s: %s", key->name, bounds);
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_accepted_where_its_row_says_and_refused_elsewhere),
        TEST(a_key_without_effect_is_warned_of_and_no_other),
        TEST(what_is_not_given_is_the_standard_of_its_row_or_refused),
        TEST(bounds_are_those_of_the_row),
        TEST(a_value_is_dumped_and_read_back),
        TEST(a_key_changed_alone_is_seen_by_a_reload_as_its_row_says),
        TEST(only_names_and_what_has_no_effect_go_unseen),
        TEST(each_key_is_in_the_manual_and_a_duration_with_its_bounds),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
