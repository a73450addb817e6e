/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.c - see commands.h: the rows, in the order of `--help` and of homingctl(1).
 */
#include "config.h"

#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/spelling.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/options.h"
#include "agent/ctl/show/text.h"
#include "proto/view_names.h"
#include "shim/view/route.h"

/* ---- results ---- */

/* In the agent's words, who is not asked for one cluster alone. */
static void say_no_cluster(const struct msg_value *result, const char *name)
{
    const struct msg_value *clusters = msg_get(result, "clusters");
    const char *near = NULL;

    for (uint32_t i = 0; i < msg_array_len(clusters) && !near; i++) {
        near = msg_get_str(msg_array_at(clusters, i), "cluster");
        if (near && !spelling_is_near(near, name))
            near = NULL;
    }
    fprintf(stderr, "homingctl: no cluster %s%s%s%s\n", name, near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "");
}

static int on_status(const struct show *show, const struct msg_value *result, char **args)
{
    bool found, good = show_status(show, result, args[0], &found);

    if (!found)
        say_no_cluster(result, args[0]);
    return found && good ? EXIT_OK : EXIT_DEGRADED;
}

static int on_explain(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    return show_explain(show, result) ? EXIT_OK : EXIT_DEGRADED;
}

static struct addrinfo *numeric(const char *text)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;

    return getaddrinfo(text, "1", &hints, &list) == 0 ? list : NULL;
}

/* As the library in each program finds out. It wants texts that end in a whole word of zeros. */
static bool other_first(const char *text, const char *other)
{
    _Alignas(uint64_t) char one[64] = "", two[64] = "";
    struct addrinfo *list = numeric(text), *other_list = numeric(other);
    const char *first = one, *second;
    struct route route;

    snprintf(one, sizeof(one) - 8, "%s", text);
    snprintf(two, sizeof(two) - 8, "%s", other);
    if (list && other_list && list->ai_family != other_list->ai_family) {
        route_learn(one, two, list, other_list, false, 0, &route);
        route_sort(&route, one, two, true, false, &first, &second);
    }
    if (list)
        freeaddrinfo(list);
    if (other_list)
        freeaddrinfo(other_list);
    return first == two;
}

static int on_resolve(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    return show_resolve(show, result, other_first) ? EXIT_OK : EXIT_DEGRADED;
}

static int on_history(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    show_history(show, result);
    return EXIT_OK;
}

static int on_connections(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    return show_connections(show, result) ? EXIT_OK : EXIT_DEGRADED;
}

static int on_order(const struct show *show, const struct msg_value *result, char **args)
{
    bool saved = msg_get_bool(result, "saved", false);

    fprintf(show->out, "%s: ", args[0]);
    show_str(show, result, "state", "?");
    fputs(", mode ", show->out);
    show_str(show, result, "mode", "as configured");
    fputc('\n', show->out);
    if (!saved)
        fputs("homingctl: it holds, but could not be saved: a restart of the agent forgets it\n",
              stderr);
    return saved ? EXIT_OK : EXIT_DEGRADED;
}

static int on_reload(const struct show *show, const struct msg_value *result, char **args)
{
    const char *warnings = msg_get_str(result, "warnings");
    uint64_t clusters = msg_get_uint(result, "clusters", 0);

    (void)args;
    if (warnings)
        text_put_lines(stderr, warnings);
    fprintf(show->out, "reloaded: %llu cluster%s\n", (unsigned long long)clusters,
            clusters == 1 ? "" : "s");
    return EXIT_OK;
}

static int on_version(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    fputs("homingd ", show->out);
    show_str(show, result, "version", "?");
    fputc('\n', show->out);
    return EXIT_OK;
}

/* ---- rows ---- */

const struct command commands[] = {
    {"status", "status", on_status, RIGHTS_LOOK, OWN_NOTHING, 0, ARG_CLUSTER, ARG_NONE,
     "Clusters, their members and alarms. Exits 1 unless all is well."},
    {"resolve", "resolve", on_resolve, RIGHTS_ANY, OWN_NOTHING, 1, ARG_NAME, ARG_NONE,
     "The address that programs get for a name. Exits 1 without an answer from the view."},
    {"explain", "explain", on_explain, RIGHTS_LOOK, OWN_NOTHING, 1, ARG_NAME_OR_CLUSTER, ARG_NONE,
     "Why this writer: rule, evidence, what each layer does, what would change it."},
    {"history", "history", on_history, RIGHTS_LOOK, OWN_NOTHING, 0, ARG_CLUSTER, ARG_NONE,
     "The last switches, changes of state, alarms and orders since the agent's start."},
    {"connections", "connections", on_connections, RIGHTS_LOOK, OWN_NOTHING, 0, ARG_CLUSTER,
     ARG_NONE,
     "Connections of attached programs: process, endpoint, member, age, outdated or not."},
    {"accept", "accept", on_order, RIGHTS_CHANGE, OWN_NOTHING, 2, ARG_CLUSTER, ARG_MEMBER,
     "Ends `ambiguous`: this member's present claim is the right one."},
    {"mode", "mode", on_order, RIGHTS_CHANGE, OWN_NOTHING, 2, ARG_CLUSTER, ARG_MODE,
     "Overrides the configuration's mode until `default`, across restarts too."},
    {"freeze", "freeze", on_order, RIGHTS_CHANGE, OWN_NOTHING, 1, ARG_CLUSTER, ARG_NONE,
     "Pins the present writer, whatever happens."},
    {"unfreeze", "unfreeze", on_order, RIGHTS_CHANGE, OWN_NOTHING, 1, ARG_CLUSTER, ARG_NONE,
     "Ends freeze, and the brake after too many switches."},
    {"reload", "reload", on_reload, RIGHTS_CHANGE, OWN_NOTHING, 0, ARG_NONE, ARG_NONE,
     "Reads the configuration again: all or nothing."},
    {"version", "version", on_version, RIGHTS_LOOK, OWN_VERSION, 0, ARG_NONE, ARG_NONE,
     "Versions of both programs."},
    {"run", NULL, NULL, RIGHTS_ANY, OWN_RUN, 1, ARG_PROGRAM, ARG_NONE,
     "Starts a program under libhoming.so, with or without an agent."},
    {"help", NULL, NULL, RIGHTS_ANY, OWN_HELP, 0, ARG_COMMAND, ARG_NONE,
     "This, or a command's usage."},
};

const size_t commands_count = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const struct command *command_near(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (spelling_is_near(commands[i].name, name))
            return &commands[i];
    return NULL;
}

enum argument command_argument(const struct command *command, int i)
{
    return i == 0 ? command->first : i == 1 ? command->second : ARG_NONE;
}

int command_most(const struct command *command)
{
    if (command->first == ARG_PROGRAM)
        return INT_MAX;
    return (command->first != ARG_NONE) + (command->second != ARG_NONE);
}

const char *command_mode(unsigned i)
{
    unsigned mode = VIEW_MODE_OFF + i;

    if (mode < VIEW_MODE_COUNT)
        return view_mode_name((enum view_mode)mode);
    return mode == VIEW_MODE_COUNT ? "default" : NULL;
}

bool command_starts_program(const char *name)
{
    const struct command *command = command_find(name);

    return command && command->first == ARG_PROGRAM;
}
