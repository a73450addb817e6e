/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c - see options.h.
 */
#include "config.h"

#include <string.h>

#include "agent/ctl/options.h"
#include "agent/ctl/rpc.h"

const struct option options_table[OPTION_COUNT] = {
    [OPTION_JSON] = {"-o", "--output", "json", "the agent's whole answer, for programs"},
    [OPTION_SOCKET] = {"--socket", NULL, "PATH",
                       "the agent's agent.sock (or HOMING_SOCKET; default\n"
                       "                 " RPC_SOCKET_DEFAULT
                       "); admin.sock is in \"<its directory>-admin\""},
    [OPTION_HELP] = {"--help", "-h", NULL, NULL},
    [OPTION_VERSION] = {"--version", NULL, NULL, NULL},
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

/* Its value: behind '=', or the next word. "" if there is none. */
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
    return argv[*at + 1] ? argv[++*at] : "";
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
