/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c - see options.h.
 */
#include "config.h"

#include <string.h>

#include "agent/ctl/options.h"
#include "agent/ctl/rpc.h"
#include "proto/name.h"

const struct option options_table[OPTION_COUNT] = {
    [OPTION_JSON] = {"-o", "--output", "json", "the agent's whole answer, for programs", false},
    [OPTION_SOCKET] = {"--socket", NULL, "PATH",
                       "the agent's agent.sock (or HOMING_SOCKET; default\n"
                       "                 " RPC_SOCKET_DEFAULT
                       "); admin.sock is in \"<its directory>-admin\"",
                       false},
    [OPTION_WITH] =
        {"--with", NULL, "LIBRARY",
         "run: preloads this client library, too, for a program that\n"
         "                 opens it past libhoming.so (RTLD_DEEPBIND, as PHP up to 8.4)",
         true},
    [OPTION_ASSUME] = {"--assume", NULL, "NAME[,NAME...]",
                       "run: members' addresses that the program has from elsewhere\n"
                       "                 mean these endpoints, each by its first name",
                       true},
    [OPTION_HELP] = {"--help", "-h", NULL, NULL, false},
    [OPTION_VERSION] = {"--version", NULL, NULL, NULL, false},
};

enum exit_code options_refuse(const char *what, const char *about)
{
    fprintf(stderr, "homingctl: %s%s%s\nTry 'homingctl --help'.\n", what, about ? " " : "",
            about ? about : "");
    return EXIT_USAGE;
}

/* `word` is `name`, or begins with it and goes on with '='. */
static bool is_spelled(const char *word, const char *name, char behind)
{
    size_t len = name ? strlen(name) : 0;

    return name && strncmp(word, name, len) == 0 && word[len] == behind;
}

static enum option_kind find(const char *word, char behind)
{
    int kind = 0;

    while (kind < OPTION_COUNT && !is_spelled(word, options_table[kind].name, behind) &&
           !is_spelled(word, options_table[kind].other, behind))
        kind++;
    return (enum option_kind)kind;
}

enum option_kind options_find(const char *word)
{
    return find(word, '\0');
}

/* Its value: behind '=', or the next word, but for one that is an option or "--". "" if there is
 * none. */
static const char *take_value(char **argv, int *at, enum option_kind *ret_kind)
{
    enum option_kind kind = find(argv[*at], '=');

    if (kind < OPTION_COUNT && options_table[kind].value) {
        *ret_kind = kind;
        return strchr(argv[*at], '=') + 1;
    }
    kind = options_find(argv[*at]);
    *ret_kind = kind;
    if (kind == OPTION_COUNT || !options_table[kind].value)
        return NULL;
    return argv[*at + 1] && argv[*at + 1][0] != '-' ? argv[++*at] : "";
}

/* ld.so splits LD_PRELOAD at colons and spaces. */
static enum exit_code add_library(struct options *options, const char *library)
{
    int count = 0;

    if (!library[0])
        return options_refuse("--with needs a library", NULL);
    if (strpbrk(library, ": "))
        return options_refuse("--with: no library can be preloaded from", library);
    while (options->with[count])
        count++;
    if (count == OPTIONS_WITH_MAX)
        return options_refuse("--with: too many libraries; the first too many is", library);
    options->with[count] = library;
    return EXIT_OK;
}

const char *options_take_name(const char *at, char ret_word[OPTIONS_NAME_SIZE])
{
    size_t len = strcspn(at, ",");

    snprintf(ret_word, OPTIONS_NAME_SIZE, "%.*s",
             len < OPTIONS_NAME_SIZE ? (int)len : OPTIONS_NAME_SIZE - 1, at);
    return at[len] ? at + len + 1 : NULL;
}

/* NULL: nothing is wrong with the word, the `count`th. */
static const char *fault_of(const char *word, int count)
{
    if (!word[0])
        return "a name is empty";
    if (strpbrk(word, " \t\r\n"))
        return "between names is a comma and no blank";
    if (!name_valid(word))
        return "this can be no endpoint's name";
    return count > HOMING_ASSUME_MAX ? "too many names; this is the first too many" : NULL;
}

void options_name_fault(const char *names, int already, char *ret_text, size_t size)
{
    const char *fault = NULL;
    char word[OPTIONS_NAME_SIZE];

    for (const char *at = names; at && !fault;) {
        at = options_take_name(at, word);
        fault = fault_of(word, ++already);
    }
    ret_text[0] = '\0';
    if (fault)
        snprintf(ret_text, size, "%s: '%.*s'", fault, (int)size / 2, word[0] ? word : names);
}

static int count_of(const char *list)
{
    int count = list[0] != '\0';

    for (; *list; list++)
        count += *list == ',';
    return count;
}

static enum exit_code add_assumed(const char *names, char list[OPTIONS_ASSUME_SIZE])
{
    size_t len = strlen(list);
    char fault[512];

    options_name_fault(names, count_of(list), fault, sizeof(fault));
    if (fault[0])
        return options_refuse("--assume:", fault);
    snprintf(list + len, OPTIONS_ASSUME_SIZE - len, "%s%s", len ? "," : "", names);
    return EXIT_OK;
}

static enum exit_code parse_option(char **argv, int *at, struct options *options)
{
    const char *word = argv[*at], *value;
    enum option_kind kind;

    value = take_value(argv, at, &kind);
    switch (kind) {
    case OPTION_JSON:
        if (!value[0])
            return options_refuse("-o needs a format: json", NULL);
        options->json = strcmp(value, "json") == 0;
        return options->json ? EXIT_OK : options_refuse("-o: the one format is json, not", value);
    case OPTION_SOCKET:
        options->socket = value;
        return value[0] ? EXIT_OK : options_refuse("--socket needs a path", NULL);
    case OPTION_WITH:
        return add_library(options, value);
    case OPTION_ASSUME:
        return add_assumed(value, options->assume);
    case OPTION_HELP:
        options->help = true;
        return EXIT_OK;
    case OPTION_VERSION:
    case OPTION_COUNT:
        break;
    }
    return options_refuse("unknown option", word);
}

enum exit_code options_parse(char **argv, bool (*starts_program)(const char *command),
                             struct options *ret_options)
{
    struct options options = {0};
    enum exit_code code;
    int kept = 0;

    for (int i = 1; argv[i]; i++) {
        bool ends = strcmp(argv[i], "--") == 0;
        if (ends || (kept == 1 && argv[i][0] != '-' && starts_program(argv[0]))) {
            for (i += ends; argv[i]; i++)
                argv[kept++] = argv[i];
            break;
        }
        if (options_find(argv[i]) == OPTION_VERSION) {
            argv[kept++] = "version"; /* the command */
        } else if (argv[i][0] != '-' || !argv[i][1]) {
            argv[kept++] = argv[i];
        } else {
            code = parse_option(argv, &i, &options);
            if (code != EXIT_OK)
                return code;
        }
    }
    argv[kept] = NULL;
    *ret_options = options;
    return EXIT_OK;
}
