/* SPDX-License-Identifier: Apache-2.0
 *
 * complete.c - see complete.h.
 *
 * 1. Words of the agent go into a command line: a word is left out if it has a character that no
 *    name and no address has.
 */
#include "config.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/complete.h"
#include "agent/ctl/options.h"
#include "agent/ctl/rpc.h"

/* Where the cursor is. */
struct cursor {
    FILE *out;
    const char *word;
    const struct command *command; /* NULL: none yet, or no such command */
    bool has_command;
    int argument;            /* of the command: 0 is its first */
    enum option_kind option; /* whose value it is; OPTION_COUNT: none's */
    const char *socket;
};

/* A word in front of the cursor. */
static void pass_word(struct cursor *at, const char *word)
{
    enum option_kind option = options_find(word), value_of = at->option;

    at->option = OPTION_COUNT;
    if (value_of == OPTION_SOCKET)
        at->socket = word;
    if (value_of != OPTION_COUNT)
        return;
    if (option != OPTION_COUNT && options_table[option].value) {
        at->option = option;
    } else if (word[0] != '-' && !at->has_command) {
        at->has_command = true;
        at->command = command_find(word);
    } else if (word[0] != '-') {
        at->argument++;
    }
}

static struct cursor find_cursor(FILE *out, char **words)
{
    struct cursor at = {.out = out, .word = "", .option = OPTION_COUNT};

    for (; words[0] && words[1]; words++)
        pass_word(&at, words[0]);
    if (words[0])
        at.word = words[0];
    return at;
}

static void offer(const struct cursor *at, const char *word)
{
    if (word && strncmp(word, at->word, strlen(at->word)) == 0)
        fprintf(at->out, "%s\n", word);
}

/* ---- of the agent ---- */

static bool is_plain(const char *word)
{
    while (*word && (isalnum((unsigned char)*word) || strchr("._-:[]%", *word)))
        word++;
    return !*word;
}

static void offer_value(const struct cursor *at, const struct msg_value *value)
{
    const char *word = msg_str(value);

    if (word && is_plain(word))
        offer(at, word);
}

static void offer_names(const struct cursor *at, const struct msg_value *cluster)
{
    const struct msg_value *endpoints = msg_get(cluster, "endpoints");

    for (uint32_t i = 0; i < msg_array_len(endpoints); i++) {
        const struct msg_value *names = msg_get(msg_array_at(endpoints, i), "names");
        for (uint32_t n = 0; n < msg_array_len(names); n++)
            offer_value(at, msg_array_at(names, n));
    }
}

static void offer_members(const struct cursor *at, const struct msg_value *cluster)
{
    const struct msg_value *members = msg_get(cluster, "members");

    for (uint32_t i = 0; i < msg_array_len(members); i++)
        offer_value(at, msg_get(msg_array_at(members, i), "member"));
}

static void offer_of_cluster(const struct cursor *at, enum argument argument,
                             const struct msg_value *cluster)
{
    if (argument == ARG_CLUSTER || argument == ARG_NAME_OR_CLUSTER)
        offer_value(at, msg_get(cluster, "cluster"));
    if (argument == ARG_NAME || argument == ARG_NAME_OR_CLUSTER)
        offer_names(at, cluster);
    if (argument == ARG_MEMBER)
        offer_members(at, cluster);
}

static void offer_of_agent(const struct cursor *at, enum argument argument)
{
    const struct msg_value *clusters;
    struct rpc_reply reply;
    char path[PATH_MAX];

    if (rpc_path(at->socket, RPC_ADMIN, path, sizeof(path)) < 0 ||
        rpc_call(path, "status", NULL, 0, &reply) < 0)
        return;
    clusters = msg_get(reply.msg.result, "clusters");
    for (uint32_t i = 0; i < msg_array_len(clusters); i++)
        offer_of_cluster(at, argument, msg_array_at(clusters, i));
    rpc_reply_done(&reply);
}

/* ---- of homingctl ---- */

static void offer_commands(const struct cursor *at)
{
    for (size_t i = 0; i < commands_count; i++)
        offer(at, commands[i].name);
}

static void offer_options(const struct cursor *at)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        offer(at, options_table[i].name);
}

static void offer_argument(const struct cursor *at, enum argument argument)
{
    switch (argument) {
    case ARG_NONE:
    case ARG_COUNT:
        break;
    case ARG_PROGRAM:
        fputs(COMPLETE_PROGRAMS "\n", at->out);
        break;
    case ARG_COMMAND:
        offer_commands(at);
        break;
    case ARG_MODE:
        for (unsigned i = 0; command_mode(i); i++)
            offer(at, command_mode(i));
        break;
    case ARG_CLUSTER:
    case ARG_MEMBER:
    case ARG_NAME:
    case ARG_NAME_OR_CLUSTER:
        offer_of_agent(at, argument);
        break;
    }
}

void complete(FILE *out, char **words)
{
    struct cursor at = find_cursor(out, words);
    bool starts_program = at.command && at.command->first == ARG_PROGRAM;

    if (at.option == OPTION_SOCKET || at.option == OPTION_WITH) {
        fputs(COMPLETE_FILES "\n", out);
    } else if (at.option == OPTION_ASSUME) {
        offer_of_agent(&at, ARG_NAME);
    } else if (at.option != OPTION_COUNT) {
        offer(&at, options_table[at.option].value);
    } else if (!at.has_command) {
        offer_commands(&at);
        offer_options(&at);
    } else if (at.command) {
        offer_argument(&at,
                       starts_program ? ARG_PROGRAM : command_argument(at.command, at.argument));
    }
}
