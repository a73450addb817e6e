/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - homingd: arguments, environment, configuration, start.
 *
 * 1. The agent never runs under its own shim: it would resolve names by its own view.
 * 2. No capability is kept: homing-sever, which needs one, is started before they are given up.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <link.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/admin/methods.h"
#include "agent/base/log.h"
#include "agent/base/privilege.h"
#include "agent/daemon/daemon.h"
#include "agent/doctor/doctor.h"
#include "agent/probe/engines/engines.h"
#include "agent/sever/client/sever_child.h"

#define DEFAULT_CONFIG "/etc/homing/homing.yaml"
/* Ten times the share of a busy program; we take a thousandth of it. With -20 we would also come
 * before what keeps the machine itself going. */
#define NICE (-10)

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2
};

enum task {
    TASK_RUN,
    TASK_CHECK,
    TASK_DUMP,
    TASK_DOCTOR
};

struct arguments {
    enum task task;
    const char *config;
    bool takeover;
    bool json;
};

static const char help[] =
    "Usage: homingd [--config FILE] [--takeover] [--log-format json|text]\n"
    "       homingd --check-config FILE | --dump-config FILE | --doctor FILE\n"
    "       homingd --version | --help\n"
    "\n"
    "Knows the current writer of every configured database cluster, and publishes it to\n"
    "the programs on this node that run with libhoming.so.\n"
    "\n"
    "  --config FILE        configuration (default " DEFAULT_CONFIG ")\n"
    "  --takeover           replace a running agent without a gap, as in a rollout\n"
    "  --log-format FORMAT  json, or text (the default on a terminal)\n"
    "  --check-config FILE  check the configuration and exit: 0 good, 2 not\n"
    "  --dump-config FILE   print it with all defaults, secrets hidden\n"
    "  --doctor FILE        log in to each server that it names, and say what is to be mended:\n"
    "                       0 nothing, 1 problems, 2 the configuration itself\n"
    "\n"
    "SIGHUP reads the configuration again; SIGTERM ends. See homingd(8), homingctl(1).\n";

/* ---- arguments ---- */

static int usage(const char *format, const char *what)
{
    fputs("homingd: ", stderr);
    fprintf(stderr, format, what); /* NOLINT: the formats are those below */
    fputs("\nTry 'homingd --help'.\n", stderr);
    return EXIT_USAGE;
}

static bool parse_format(const char *text, bool *ret_json)
{
    if (strcmp(text, "json") != 0 && strcmp(text, "text") != 0)
        return false;
    *ret_json = text[0] == 'j';
    return true;
}

/* -1: go on with *ret. Otherwise: exit with this code. */
static int parse(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", required_argument, NULL, 'k'},
        {"dump-config", required_argument, NULL, 'd'},
        {"doctor", required_argument, NULL, 'D'},
        {"takeover", no_argument, NULL, 't'},
        {"log-format", required_argument, NULL, 'l'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *ret = (struct arguments){.config = DEFAULT_CONFIG, .json = !isatty(STDERR_FILENO)};
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            ret->config = optarg;
            break;
        case 'k':
        case 'd':
        case 'D':
            ret->config = optarg;
            ret->task = c == 'k' ? TASK_CHECK : c == 'd' ? TASK_DUMP : TASK_DOCTOR;
            break;
        case 't':
            ret->takeover = true;
            break;
        case 'l':
            if (!parse_format(optarg, &ret->json))
                return usage("--log-format is json or text, not '%s'", optarg);
            break;
        case 'V':
            puts("homingd " PACKAGE_VERSION);
            return EXIT_OK;
        case 'h':
            fputs(help, stdout);
            return EXIT_OK;
        default: /* getopt has named the option */
            fputs("Try 'homingd --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    return optind == argc ? -1 : usage("unexpected argument '%s'", argv[optind]);
}

/* ---- the configuration alone ---- */

/* Root can read what the agent's own user cannot, and who that will be is not known here. */
static void say_who_can_read(const struct conf *conf)
{
    struct stat status;

    for (uint32_t i = 0; i < conf->cluster_count && geteuid() == 0; i++) {
        const char *secret = conf->clusters[i].password_file;
        if (secret && stat(secret, &status) == 0 && status.st_uid == 0 &&
            (status.st_gid == 0 || !(status.st_mode & S_IRGRP)))
            printf(
                "%s: password_file %s was checked as root, and only root can read it: if homingd "
                "runs as another user, as User= of its unit says, give it to that one\n",
                conf->file, secret);
    }
}

static void print_ok(const struct conf *conf, uint32_t members, uint32_t seeds, uint32_t endpoints)
{
    printf("%s: ok, %u cluster%s, %u member%s", conf->file, conf->cluster_count,
           conf->cluster_count == 1 ? "" : "s", members, members == 1 ? "" : "s");
    if (seeds > 0)
        printf(", %u seed%s", seeds, seeds == 1 ? "" : "s");
    printf(", %u endpoint%s\n", endpoints, endpoints == 1 ? "" : "s");
}

static int check_config(const struct arguments *arguments)
{
    struct conf *conf;
    uint32_t members = 0, seeds = 0, endpoints = 0;
    const char *file = arguments->config;

    if (conf_load(file, engine_kinds, stderr, &conf) < 0)
        return EXIT_USAGE;
    for (uint32_t i = 0; i < conf->cluster_count; i++) {
        members += conf->clusters[i].member_count;
        seeds += conf->clusters[i].seed_count;
        endpoints += conf->clusters[i].endpoint_count;
    }
    if (arguments->task == TASK_DUMP)
        conf_dump(conf, stdout);
    else
        print_ok(conf, members, seeds, endpoints);
    if (arguments->task != TASK_DUMP)
        say_who_can_read(conf);
    conf_free(conf);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- the process ---- */

static int is_shim(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    return info->dlpi_name && strstr(info->dlpi_name, "libhoming.so");
}

/* Removes every libhoming.so from LD_PRELOAD. */
static void strip_preload(void)
{
    const char *preload = getenv("LD_PRELOAD");
    char *copy = preload ? strdup(preload) : NULL, *rest = copy, *part;
    char kept[4096] = "";
    size_t len = 0;

    while ((part = strsep(&rest, ": ")))
        if (part[0] && !strstr(part, "libhoming.so") && len < sizeof(kept))
            len += (size_t)snprintf(kept + len, sizeof(kept) - len, "%s%s", len ? ":" : "", part);
    if (len && len < sizeof(kept))
        setenv("LD_PRELOAD", kept, 1);
    else
        unsetenv("LD_PRELOAD");
    free(copy);
}

/* Invariant 1. If /etc/ld.so.preload names the shim, it cannot be kept out, but it can be switched
 * off. */
static void leave_shim(char **argv)
{
    const char *disabled = getenv("HOMING_DISABLE");

    if (!dl_iterate_phdr(is_shim, NULL) || (disabled && strcmp(disabled, "1") == 0))
        return;
    strip_preload();
    setenv("HOMING_DISABLE", "1", 1);
    execv("/proc/self/exe", argv);
    fprintf(stderr, "homingd: runs under its own libhoming.so and cannot start without it: %s\n",
            strerror(errno));
    exit(EXIT_FAILED);
}

/* A new program waits 20 ms for us (V3), however busy the machine is. If we start homing-sever, it
 * inherits this. Without the privilege nothing changes. Nor does it if a priority was chosen
 * already. */
static void ask_for_precedence(void)
{
    if (getpriority(PRIO_PROCESS, 0) == 0)
        (void)setpriority(PRIO_PROCESS, 0, NICE);
}

/* For each process that asks servers. */
static void prepare_to_ask(void)
{
    struct rlimit none = {0, 0};

    for (const struct engine *const *engine = engines; *engine; engine++)
        if ((*engine)->prepare)
            (*engine)->prepare();
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none); /* passwords are in memory while members connect */
}

static void prepare_process(void)
{
    struct rlimit files;

    prepare_to_ask();
    ask_for_precedence();
    umask(022);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Invariant 2. Without homing-sever the other layers work; status says so. */
static bool give_up_privileges(const char *run_dir, bool json)
{
    int rv;

    (void)sever_child_start(run_dir, json);
    rv = privilege_keep(0);
    if (rv < 0)
        log_event(LOG_ERROR, "start_failed", "cannot give up capabilities",
                  LOG_STR("error", strerror(-rv)));
    return rv == 0;
}

/* Before homing-sever is started, which would outlive this process. */
static bool is_running(const char *run_dir)
{
    char error[512];

    if (daemon_look(run_dir, error, sizeof(error)) != -EADDRINUSE)
        return false;
    log_event(LOG_ERROR, "start_failed", error);
    return true;
}

static int run(const struct arguments *arguments)
{
    const struct daemon_options options = {
        .takeover = arguments->takeover, .serve = methods_serve, .engines = engines};
    struct daemon *daemon = NULL;
    struct conf *conf = NULL;
    struct loop *loop;
    char error[512];
    int rv;

    if (conf_load(arguments->config, engine_kinds, stderr, &conf) < 0)
        return EXIT_USAGE;
    if (!arguments->takeover && is_running(conf->run_dir)) {
        conf_free(conf);
        return EXIT_FAILED;
    }
    if (!give_up_privileges(conf->run_dir, arguments->json)) {
        conf_free(conf);
        return EXIT_FAILED;
    }
    loop = loop_new();
    if (!loop) {
        fprintf(stderr, "homingd: no event loop: %s\n", strerror(errno));
        conf_free(conf);
        return EXIT_FAILED;
    }
    if (daemon_new(loop, conf, &options, error, sizeof(error), &daemon) < 0) {
        log_event(LOG_ERROR, "start_failed", error);
        loop_free(loop);
        conf_free(conf);
        return EXIT_FAILED;
    }
    loop_run(loop);
    rv = daemon_result(daemon);
    daemon_free(daemon);
    loop_free(loop);
    return rv < 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- the doctor ---- */

/* Whoever runs it may be root, who can read every file: so it can be, but no more. */
static bool keep_reading(void)
{
    int rv = privilege_keep(UINT64_C(1) << CAP_DAC_READ_SEARCH);

    if (rv < 0)
        fprintf(stderr, "homingd: cannot give up capabilities: %s\n", strerror(-rv));
    return rv == 0;
}

static int doctor(const struct arguments *arguments)
{
    struct conf *conf;
    int64_t problems;

    if (conf_load(arguments->config, engine_kinds, stderr, &conf) < 0)
        return EXIT_USAGE;
    if (!keep_reading()) {
        conf_free(conf);
        return EXIT_FAILED;
    }
    say_who_can_read(conf);
    problems = doctor_run(conf, engines, stdout);
    if (problems < 0)
        fprintf(stderr, "homingd: %s\n", strerror((int)-problems));
    conf_free(conf);
    return problems == 0 && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    int code = parse(argc, argv, &arguments);

    if (code >= 0)
        return code;
    if (arguments.task == TASK_CHECK || arguments.task == TASK_DUMP)
        return check_config(&arguments);
    leave_shim(argv);
    if (arguments.task == TASK_DOCTOR) {
        prepare_to_ask();
        return doctor(&arguments);
    }
    prepare_process();
    log_init(arguments.json, LOG_INFO);
    return run(&arguments);
}
