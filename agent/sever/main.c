/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - homing-sever: arguments, privilege, start.
 *
 * 1. Whatever privilege it was started with, it keeps CAP_NET_ADMIN alone, if it had that.
 * 2. The shim has nothing to do in it: homingd starts it with the shim switched off
 *    (HOMING_DISABLE), and the only connection that it makes is one to itself (ability.h).
 */
#include "config.h"

#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/privilege.h"
#include "agent/sever/supervise.h"

#define DEFAULT_RUN_DIR "/run/homing"

/* A socket in it must fit into a sockaddr_un; that is checked when it is bound. */
#define DIR_MAX 256

static const char help[] =
    "Usage: homing-sever [--run-dir DIR] [--admin-dir DIR] [--idle-exit SECONDS]\n"
    "                    [--log-format json|text]\n"
    "       homing-sever --version | --help\n"
    "\n"
    "Holds the permits of programs that run with libhoming.so, and aborts their connections to a\n"
    "demoted database member when homingd orders it. Needs CAP_NET_ADMIN and nothing else.\n"
    "\n"
    "  --run-dir DIR        where permit.sock is (default " DEFAULT_RUN_DIR ")\n"
    "  --admin-dir DIR      where sever.sock is (default: run-dir with -admin behind it)\n"
    "  --idle-exit SECONDS  end when no homingd has been there for so long (default 0: never)\n"
    "  --log-format FORMAT  json, or text (the default on a terminal)\n"
    "\n"
    "homingd starts one itself where it may. See homing-sever(8).\n";

struct arguments {
    struct holder_config config;
    char run_dir[DIR_MAX];
    char admin_dir[DIR_MAX + sizeof("-admin")];
    bool json;
};

static int usage(const char *what)
{
    fprintf(stderr, "homing-sever: %s\nTry 'homing-sever --help'.\n", what);
    return 2;
}

/* Copies it without the slashes at its end, so that "-admin" can stand behind it. It is absolute as in
 * the configuration, because it stands in commands that are told. */
static bool keep_dir(char to[DIR_MAX], const char *dir)
{
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (dir[0] != '/' || len == 1 || len >= DIR_MAX - sizeof("-admin"))
        return false;
    memcpy(to, dir, len);
    to[len] = '\0';
    return true;
}

static bool parse_seconds(const char *text, uint64_t *ret_ms)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    if (end == text || *end || text[0] == '-' || seconds > 31536000)
        return false;
    *ret_ms = (uint64_t)seconds * 1000;
    return true;
}

/* The code to exit with; -1: go on. */
static int take_option(struct arguments *a, int option)
{
    switch (option) {
    case 'r':
        return keep_dir(a->run_dir, optarg)
                   ? -1
                   : usage("--run-dir is no absolute path of a directory, or too long");
    case 'a':
        return keep_dir(a->admin_dir, optarg)
                   ? -1
                   : usage("--admin-dir is no absolute path of a directory, or too long");
    case 'i':
        return parse_seconds(optarg, &a->config.idle_ms)
                   ? -1
                   : usage("--idle-exit is a number of seconds, up to 31536000");
    case 'l':
        if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
            return usage("--log-format is json or text");
        a->json = optarg[0] == 'j';
        return -1;
    case 'V':
        puts("homing-sever " PACKAGE_VERSION);
        return 0;
    case 'h':
        fputs(help, stdout);
        return 0;
    default: /* getopt has named the option */
        fputs("Try 'homing-sever --help'.\n", stderr);
        return 2;
    }
}

static int parse(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        {"run-dir", required_argument, NULL, 'r'},
        {"admin-dir", required_argument, NULL, 'a'},
        {"idle-exit", required_argument, NULL, 'i'},
        {"log-format", required_argument, NULL, 'l'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, code = -1;

    while (code < 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        code = take_option(a, option);
    if (code < 0 && optind != argc)
        code = usage("it takes no arguments");
    if (!a->admin_dir[0])
        snprintf(a->admin_dir, sizeof(a->admin_dir), "%s-admin", a->run_dir);
    a->config.run_dir = a->run_dir;
    a->config.admin_dir = a->admin_dir;
    return code;
}

static int prepare_process(void)
{
    struct rlimit files, none = {0, 0};

    umask(022);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return privilege_keep(UINT64_C(1) << CAP_NET_ADMIN);
}

int main(int argc, char **argv)
{
    struct kept kept = {0};
    struct arguments arguments = {.run_dir = DEFAULT_RUN_DIR, .json = !isatty(STDERR_FILENO)};
    int code = parse(argc, argv, &arguments);

    if (code >= 0)
        return code;
    log_init(arguments.json, LOG_INFO);
    kept_take_back(&kept);
    int rv = prepare_process();
    if (rv) {
        fprintf(stderr, "homing-sever: cannot give up privileges: %s\n", strerror(-rv));
        return 1;
    }
    return supervise(arguments.config, kept);
}
