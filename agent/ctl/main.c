/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - homingctl: finds the command's row, asks the agent, prints what it says.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/complete.h"
#include "agent/ctl/exec.h"
#include "agent/ctl/help.h"
#include "agent/ctl/options.h"
#include "agent/ctl/rpc.h"
#include "agent/ctl/show/text.h"
#include "proto/msg_print.h"

/* ---- asking ---- */

static int print_error(const struct options *options, const struct msg_value *error)
{
    const char *message = msg_get_str(error, "message"), *code = msg_get_str(error, "code");

    fputs("homingctl: ", stderr);
    if (message && message[0]) {
        text_put_lines(stderr, message);
    } else {
        msg_print_json(stderr, error);
        fputc('\n', stderr);
    }
    if (options->json) {
        fputs("{\"error\":", stdout);
        msg_print_json(stdout, error);
        fputs("}\n", stdout);
    }
    return code && strcmp(code, msg_error_name(MSG_ERROR_BAD_REQUEST)) == 0 ? EXIT_USAGE
                                                                            : EXIT_DEGRADED;
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
    enum rpc_socket socket = command->rights == RIGHTS_ANY ? RPC_AGENT : RPC_ADMIN;
    char path[PATH_MAX];
    struct rpc_reply reply;
    int code, rv;

    rv = rpc_path(options->socket, socket, path, sizeof(path));
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

/* ---- commands ---- */

static int refuse_command(const char *name)
{
    const struct command *near = command_near(name);
    char about[256];

    snprintf(about, sizeof(about), "%.100s%s%s%s", name, near ? "; did you mean '" : "",
             near ? near->name : "", near ? "'?" : "");
    return options_refuse("no such command:", about);
}

/* What can be told without the agent. A slip in the kill switch is a mistake, not trouble. */
static bool is_mode(const char *word)
{
    for (unsigned i = 0; command_mode(i); i++)
        if (strcmp(command_mode(i), word) == 0)
            return true;
    return false;
}

static int check_arguments(const struct command *command, char **args)
{
    for (int i = 0; args[i]; i++) {
        if (command_argument(command, i) == ARG_MODE && !is_mode(args[i]))
            return options_refuse("no such mode (off, observe, names, connect, sever, default):",
                                  args[i]);
        if (!args[i][0])
            return options_refuse("an argument is empty:", command->name);
    }
    return EXIT_OK;
}

static int help(const char *name)
{
    const struct command *command = name ? command_find(name) : NULL;

    if (name && !command)
        return refuse_command(name);
    if (command)
        help_command(stdout, command);
    else
        help_all(stdout);
    return EXIT_OK;
}

static int run_command(const struct options *options, const struct command *command, char **args)
{
    int count = 0, code;

    while (args[count])
        count++;
    if (options->help) {
        help_command(stdout, command);
        return EXIT_OK;
    }
    if (command->own == OWN_RUN)
        return exec_run(args, options);
    if (options->with[0])
        return options_refuse("--with is for run, not for", command->name);
    if (options->assume[0])
        return options_refuse("--assume is for run, not for", command->name);
    if (count < command->least || count > command_most(command)) {
        help_command(stderr, command);
        return EXIT_USAGE;
    }
    code = check_arguments(command, args);
    if (code != EXIT_OK)
        return code;
    if (command->own == OWN_HELP)
        return help(args[0]);
    if (command->own == OWN_VERSION && !options->json)
        puts("homingctl " PACKAGE_VERSION);
    return ask(options, command, args, count);
}

/* What was asked may be done all the same: nobody should think that it was refused, or that all is
 * well. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "homingctl: cannot write the answer: %s\n", strerror(errno));
    return code == EXIT_OK ? EXIT_DEGRADED : code;
}

int main(int argc, char **argv)
{
    struct options options;
    const struct command *command;
    int code;

    if (argc < 1)
        return EXIT_USAGE;
    if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
        complete(stdout, argv + 2);
        return EXIT_OK;
    }
    code = options_parse(argv, command_starts_program, &options);
    if (code != EXIT_OK)
        return code;
    if (!argv[0]) {
        help_all(options.help ? stdout : stderr);
        return options.help ? EXIT_OK : EXIT_USAGE;
    }
    command = command_find(argv[0]);
    if (!command)
        return refuse_command(argv[0]);
    code = run_command(&options, command, argv + 1);
    return finish(code);
}
