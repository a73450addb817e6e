/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - homingctl: commands and options.
 *
 * Exit codes: 0 ok; 1 degraded, refused, or no answer; 2 usage; 3 agent unreachable. `run` ends
 * with its program's.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/exec.h"
#include "agent/ctl/rpc.h"
#include "agent/ctl/show.h"
#include "proto/msg_print.h"

enum exit_code {
    EXIT_OK,
    EXIT_DEGRADED,
    EXIT_USAGE,
    EXIT_UNREACHABLE
};

struct options {
    const char *socket; /* --socket; NULL: not given */
    bool json;
    bool help;
};

/* What is to be done with a reply's result. */
typedef int result_fn(const struct show *show, const struct msg_value *result, char **args);

struct command {
    const char *name;
    const char *method;
    enum rpc_socket socket;
    int least, most; /* arguments */
    result_fn *result;
    const char *usage; /* of its arguments */
    const char *text;
};

/* ---- results ---- */

static int on_status(const struct show *show, const struct msg_value *result, char **args)
{
    bool found, good = show_status(show, result, args[0], &found);

    if (!found)
        fprintf(stderr, "homingctl: no cluster %s\n", args[0]);
    return found && good ? EXIT_OK : EXIT_DEGRADED;
}

static int on_explain(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    return show_explain(show, result) ? EXIT_OK : EXIT_DEGRADED;
}

static int on_resolve(const struct show *show, const struct msg_value *result, char **args)
{
    (void)args;
    return show_resolve(show, result) ? EXIT_OK : EXIT_DEGRADED;
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
    if (msg_get_str(result, "mode")) {
        fputs(", mode ", show->out);
        show_str(show, result, "mode", "");
    }
    fputc('\n', show->out);
    if (!saved)
        fputs("homingctl: it holds, but could not be saved: a restart of the agent forgets it\n",
              stderr);
    return saved ? EXIT_OK : EXIT_DEGRADED;
}

static int on_reload(const struct show *show, const struct msg_value *result, char **args)
{
    const char *warnings = msg_get_str(result, "warnings");

    (void)args;
    if (warnings && warnings[0])
        fputs(warnings, stderr);
    fprintf(show->out, "reloaded: %llu clusters\n",
            (unsigned long long)msg_get_uint(result, "clusters", 0));
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

/* ---- commands ---- */

static const struct command commands[] = {
    {"status", "status", RPC_ADMIN, 0, 1, on_status, "[CLUSTER]",
     "Clusters, their members and alarms. Exits 1 unless all is well."},
    {"resolve", "resolve", RPC_AGENT, 1, 1, on_resolve, "NAME",
     "The address that programs get for a name. Exits 1 without an answer from the view."},
    {"explain", "explain", RPC_ADMIN, 1, 1, on_explain, "NAME|CLUSTER",
     "Why this writer: rule, evidence, what each layer does, what would change it."},
    {"history", "history", RPC_ADMIN, 0, 1, on_history, "[CLUSTER]",
     "The last switches, changes of state, alarms and orders since the agent's start."},
    {"connections", "connections", RPC_ADMIN, 0, 1, on_connections, "[CLUSTER]",
     "Connections of attached programs: process, endpoint, member, age, outdated or not."},
    {"accept", "accept", RPC_ADMIN, 2, 2, on_order, "CLUSTER MEMBER",
     "Ends `ambiguous`: this member's present claim is the right one."},
    {"mode", "mode", RPC_ADMIN, 2, 2, on_order, "CLUSTER off|observe|names|connect|sever|default",
     "Overrides the configuration's mode until `default`, across restarts too."},
    {"freeze", "freeze", RPC_ADMIN, 1, 1, on_order, "CLUSTER",
     "Pins the present writer, whatever happens."},
    {"unfreeze", "unfreeze", RPC_ADMIN, 1, 1, on_order, "CLUSTER",
     "Ends freeze, and the brake after too many switches."},
    {"reload", "reload", RPC_ADMIN, 0, 0, on_reload, "",
     "Reads the configuration again: all or nothing."},
    {"version", "version", RPC_ADMIN, 0, 0, on_version, "", "Versions of both programs."},
    {"run", NULL, RPC_AGENT, 1, INT_MAX, NULL, "-- CMD [ARG...]",
     "Starts a program under libhoming.so, with or without an agent."},
    {"help", NULL, RPC_AGENT, 0, 1, NULL, "[COMMAND]", "This, or a command's usage."},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "Usage: homingctl [-o json] [--socket PATH] %s %s\n%s\n", command->name,
            command->usage, command->text);
}

static void help_all(FILE *out)
{
    fputs("Usage: homingctl [-o json] [--socket PATH] COMMAND [ARG...]\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %s %s\n           %s\n", commands[i].name, commands[i].usage,
                commands[i].text);
    fputs("\n"
          "  -o json        the agent's whole answer, for programs\n"
          "  --socket PATH  the agent's agent.sock (or HOMING_SOCKET; default\n"
          "                 " RPC_SOCKET_DEFAULT "); admin.sock is in \"<its directory>-admin\"\n"
          "\n"
          "Exit codes: 0 ok, 1 degraded or no answer, 2 usage, 3 agent unreachable.\n",
          out);
}

static int usage(const char *what, const char *about)
{
    fprintf(stderr, "homingctl: %s%s%s\nTry 'homingctl --help'.\n", what, about ? " " : "",
            about ? about : "");
    return EXIT_USAGE;
}

/* ---- options: before or after the command, up to "--" ---- */

static bool takes_value(char **argv, int *at, const char *option, const char **ret_value)
{
    size_t len = strlen(option);

    if (strncmp(argv[*at], option, len) != 0)
        return false;
    if (argv[*at][len] == '=') {
        *ret_value = argv[*at] + len + 1;
        return true;
    }
    if (argv[*at][len])
        return false;
    *ret_value = argv[*at + 1] ? argv[++*at] : "";
    return true;
}

/* -1: taken, or no option; else exit with this. */
static int parse_option(char **argv, int *at, struct options *options)
{
    const char *value = NULL;

    if (strcmp(argv[*at], "--help") == 0 || strcmp(argv[*at], "-h") == 0) {
        options->help = true;
    } else if (takes_value(argv, at, "--socket", &value)) {
        options->socket = value;
        return value[0] ? -1 : usage("--socket needs a path", NULL);
    } else if (takes_value(argv, at, "--output", &value) || takes_value(argv, at, "-o", &value)) {
        options->json = strcmp(value, "json") == 0;
        return options->json ? -1 : usage("-o: the one format is json, not", value);
    } else {
        return usage("unknown option", argv[*at]);
    }
    return -1;
}

/* Moves what is no option to the front of argv. Of `run` everything after CMD is the program's. */
static int parse(char **argv, struct options *options)
{
    int kept = 0, code;

    for (int i = 1; argv[i]; i++) {
        if (strcmp(argv[i], "--") == 0 ||
            (kept == 1 && strcmp(argv[0], "run") == 0 && argv[i][0] != '-')) {
            for (i += strcmp(argv[i], "--") == 0; argv[i]; i++)
                argv[kept++] = argv[i];
            break;
        }
        if (strcmp(argv[i], "--version") == 0) {
            argv[kept++] = "version";
        } else if (argv[i][0] != '-' || !argv[i][1]) {
            argv[kept++] = argv[i];
        } else {
            code = parse_option(argv, &i, options);
            if (code >= 0)
                return code;
        }
    }
    argv[kept] = NULL;
    return -1;
}

/* ---- asking ---- */

static int print_error(const struct options *options, const struct msg_value *error)
{
    fputs("homingctl: ", stderr);
    if (msg_get_str(error, "message"))
        msg_print_text(stderr, msg_get(error, "message"));
    else
        msg_print_json(stderr, error);
    fputc('\n', stderr);
    if (options->json) {
        fputs("{\"error\":", stdout);
        msg_print_json(stdout, error);
        fputs("}\n", stdout);
    }
    return EXIT_DEGRADED;
}

static bool has_colour(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

/* With -o json the same exit code without the words. */
static int print_result(const struct options *options, const struct command *command,
                        const struct msg_value *result, char **args)
{
    struct show show = {.out = stdout, .colour = has_colour()};
    int code;

    if (!options->json)
        return command->result(&show, result, args);
    msg_print_json(stdout, result);
    fputc('\n', stdout);
    show = (struct show){.out = fopen("/dev/null", "w")};
    if (!show.out)
        return EXIT_DEGRADED;
    code = command->result(&show, result, args);
    fclose(show.out);
    return code;
}

static int ask(const struct options *options, const struct command *command, char **args, int count)
{
    const char *given = options->socket ? options->socket : getenv("HOMING_SOCKET");
    char path[PATH_MAX];
    struct rpc_reply reply;
    int code, rv;

    rv = rpc_path(given && given[0] ? given : RPC_SOCKET_DEFAULT, command->socket, path,
                  sizeof(path));
    if (rv == 0)
        rv = rpc_call(path, command->method, (const char *const *)args, (uint32_t)count, &reply);
    if (rv < 0) {
        rpc_explain(path, -rv);
        return EXIT_UNREACHABLE;
    }
    if (reply.msg.error)
        code = print_error(options, reply.msg.error);
    else
        code = print_result(options, command, reply.msg.result, args);
    rpc_reply_done(&reply);
    return code;
}

static int help(char **args)
{
    const struct command *command = args[0] ? command_find(args[0]) : NULL;

    if (args[0] && !command)
        return usage("no such command:", args[0]);
    if (command)
        help_command(stdout, command);
    else
        help_all(stdout);
    return EXIT_OK;
}

static int run_command(const struct options *options, const struct command *command, char **args)
{
    int count = 0;

    while (args[count])
        count++;
    if (options->help) {
        help_command(stdout, command);
        return EXIT_OK;
    }
    if (strcmp(command->name, "run") == 0)
        return exec_run(args, options->socket);
    if (count < command->least || count > command->most) {
        help_command(stderr, command);
        return EXIT_USAGE;
    }
    if (strcmp(command->name, "help") == 0)
        return help(args);
    if (strcmp(command->name, "version") == 0 && !options->json)
        puts("homingctl " PACKAGE_VERSION);
    return ask(options, command, args, count);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const struct command *command;
    int code;

    if (argc < 1)
        return EXIT_USAGE;
    code = parse(argv, &options);
    if (code >= 0)
        return code;
    if (!argv[0]) {
        help_all(options.help ? stdout : stderr);
        return options.help ? EXIT_OK : EXIT_USAGE;
    }
    command = command_find(argv[0]);
    if (!command)
        return usage("no such command:", argv[0]);
    code = run_command(&options, command, argv + 1);
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_DEGRADED;
    return code;
}
