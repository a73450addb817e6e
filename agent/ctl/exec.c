/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.c - see exec.h.
 *
 * 1. The program runs in any case: without an agent, or without the library, there is one line of
 *    warning and it behaves as it always did (I2).
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/ctl/exec.h"
#include "agent/ctl/rpc.h"
#include "proto/name.h"
#include "shim/view/process.h"

#define EXEC_SHIM "libhoming.so"

/* Where the library may be, from the directory of this program: installed, moved or staged; in a
 * build tree. LIBDIR is configure's, for distributions whose libraries are elsewhere. */
static const char *const places[] = {"../lib/homing/" EXEC_SHIM, "shim/" EXEC_SHIM};

static bool own_directory(char ret[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    char *slash;

    if (len <= 0)
        return false;
    ret[len] = '\0';
    slash = strrchr(ret, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

static bool find_library(char ret_path[PATH_MAX])
{
    char directory[PATH_MAX], path[PATH_MAX + 64];

    if (own_directory(directory))
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            snprintf(path, sizeof(path), "%s/%s", directory, places[i]);
            if (realpath(path, ret_path))
                return true;
        }
    return realpath(LIBDIR "/homing/" EXEC_SHIM, ret_path);
}

/* The next entry of a list for ld.so, which splits at colons and spaces; NULL: there is none. */
static const char *next_entry(const char **at, size_t *ret_len)
{
    const char *entry = *at + strspn(*at, ": ");

    *ret_len = strcspn(entry, ": ");
    *at = entry + *ret_len;
    return *ret_len ? entry : NULL;
}

static bool is_preloaded(const char *preload, const char *library)
{
    const char *entry;
    size_t len;

    while ((entry = next_entry(&preload, &len)))
        if (len == strlen(library) && memcmp(entry, library, len) == 0)
            return true;
    return false;
}

/* Whether the entry is a libhoming.so. What has "$LIB" or the like in it is ld.so's to find, and so
 * is a name without a folder; any other file has to be there. */
static bool is_shim(const char *entry, size_t len)
{
    char path[PATH_MAX];
    const char *slash;

    if (len >= sizeof(path))
        return false;
    memcpy(path, entry, len);
    path[len] = '\0';
    slash = strrchr(path, '/');
    if (strcmp(slash ? slash + 1 : path, EXEC_SHIM) != 0)
        return false;
    return !slash || strchr(path, '$') || access(path, R_OK) == 0;
}

static bool has_shim(const char *preload)
{
    const char *entry;
    size_t len;

    while ((entry = next_entry(&preload, &len)))
        if (is_shim(entry, len))
            return true;
    return false;
}

static void put(FILE *out, const char *entry, size_t len)
{
    fprintf(out, "%s%.*s", ftell(out) > 0 ? ":" : "", (int)len, entry);
}

static void put_with(FILE *out, const char *old, const char *const *with)
{
    for (int i = 0; with[i]; i++)
        if (!is_preloaded(old, with[i]))
            put(out, with[i], strlen(with[i]));
}

static void put_all(FILE *out, const char *old, const char *library, const char *const *with)
{
    const char *at = old, *entry;
    bool waits = !library;
    size_t len;

    if (library) {
        put(out, library, strlen(library));
        put_with(out, old, with);
    }
    while ((entry = next_entry(&at, &len))) {
        put(out, entry, len);
        if (waits && is_shim(entry, len)) {
            put_with(out, old, with);
            waits = false;
        }
    }
}

char *exec_preload(const char *old, const char *library, const char *const *with)
{
    bool there = has_shim(old);
    char *value = NULL;
    size_t size;
    FILE *out;

    if (!there && (!library || strpbrk(library, ": ")))
        return NULL;
    out = open_memstream(&value, &size);
    if (!out)
        return NULL;
    put_all(out, old, there ? NULL : library, with);
    if (fclose(out) == 0)
        return value;
    free(value);
    return NULL;
}

/* A name without a folder is ld.so's to find, and so is a path with "$LIB" or the like in it. */
static enum exit_code check_library(const char *path)
{
    if (strpbrk(path, ": "))
        return options_refuse("--with: no library can be preloaded from", path);
    if (!strchr(path, '/') || strchr(path, '$') || access(path, R_OK) == 0)
        return EXIT_OK;
    return options_refuse(errno == EACCES ? "--with: this user cannot read" : "--with: no file",
                          path);
}

enum exit_code exec_library(const char *given, char **ret_path)
{
    bool relative = strchr(given, '/') && given[0] != '/';
    char directory[PATH_MAX] = "", *path;
    enum exit_code code;

    if (relative && !getcwd(directory, sizeof(directory)))
        return options_refuse(
            "--with: the present directory has no path, but this is relative to it:", given);
    if (asprintf(&path, "%s%s%s", directory, relative ? "/" : "", given) < 0)
        return options_refuse("--with: out of memory", NULL);
    code = check_library(path);
    if (code == EXIT_OK)
        *ret_path = path;
    else
        free(path);
    return code;
}

static bool set_preload(const char *library, const char *const *with)
{
    const char *old = getenv("LD_PRELOAD");
    char *value = exec_preload(old ? old : "", library, with);
    bool done = value && setenv("LD_PRELOAD", value, 1) == 0;

    free(value);
    return done;
}

static enum exit_code find_with(const char *const *with, const char **ret_with)
{
    enum exit_code code = EXIT_OK;
    char *path;

    for (int i = 0; with[i] && code == EXIT_OK; i++) {
        code = exec_library(with[i], &path);
        if (code == EXIT_OK)
            ret_with[i] = path;
    }
    return code;
}

/* 0: it can be reached. A negative errno. */
static int try_agent(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rv = 0;

    if (fd < 0)
        return 0;
    if (strlen(path) < sizeof(addr.sun_path)) {
        strcpy(addr.sun_path, path);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EAGAIN)
            rv = -errno;
    }
    close(fd);
    return rv;
}

static void warn_without_agent(const char *path)
{
    int rv = try_agent(path);

    if (rv == -EACCES || rv == -EPERM) {
        fprintf(stderr,
                "homingctl: the agent at %s is closed to this user (%s): until it is open, names "
                "are resolved as without homing\n",
                path, strerror(-rv));
        rpc_advise(path, -rv);
    } else if (rv < 0) {
        fprintf(stderr,
                "homingctl: no agent at %s (%s): until there is one, names are resolved as "
                "without homing\n",
                path, strerror(-rv));
    }
}

/* Says what is wrong with the name, if something is. */
static bool judge(const char *source, const char *name, const char *endpoint)
{
    struct name asked, first;
    bool is = endpoint && name_canonical(name, &asked) && name_canonical(endpoint, &first) &&
              name_same(&asked, &first);

    if (!endpoint)
        fprintf(stderr,
                "homingctl: %s: the agent has no endpoint whose first name is %s: until it has "
                "one, nothing is assumed (see homingctl status)\n",
                source, name);
    else if (!is)
        fprintf(stderr, "homingctl: %s: %s is a name of the endpoint %s: write that one\n", source,
                name, endpoint);
    return is || !endpoint;
}

/* Asks for each name. False: one is another name of an endpoint. Without an agent true. */
static bool ask_for_names(const char *path, const char *source, const char *names)
{
    char word[OPTIONS_NAME_SIZE];
    const char *param = word;
    struct rpc_reply reply;
    bool good = true;

    for (const char *at = names; at;) {
        at = options_take_name(at, word);
        if (!name_valid(word))
            continue;
        if (rpc_call(path, "resolve", &param, 1, &reply) < 0)
            return good;
        good &=
            judge(source, word, reply.msg.error ? NULL : msg_get_str(reply.msg.result, "endpoint"));
        rpc_reply_done(&reply);
    }
    return good;
}

/* What the environment has wrong is told, and the program runs (1). */
static void warn_of_faults(const char *names)
{
    char fault[512];

    options_name_fault(names, 0, fault, sizeof(fault));
    if (fault[0])
        fprintf(stderr, "homingctl: HOMING_ASSUME: %s: nothing is assumed for it\n", fault);
}

/* False: an argument is wrong. */
static bool check_assumed(const struct options *options)
{
    const char *path = rpc_agent_path(options->socket), *set = getenv("HOMING_ASSUME");

    if (options->assume[0])
        return ask_for_names(path, "--assume", options->assume);
    if (set && set[0]) {
        warn_of_faults(set);
        (void)ask_for_names(path, "HOMING_ASSUME", set);
    }
    return true;
}

/* One line of warning, or nothing. */
static void warn(bool preloads, const char *path)
{
    if (!preloads)
        fputs("homingctl: there is no " LIBDIR "/homing/" EXEC_SHIM
              ", nor one beside this program: "
              "install it; running without homing\n",
              stderr);
    else if (process_disabled())
        fprintf(stderr, "homingctl: HOMING_DISABLE=%s: running without homing\n",
                getenv("HOMING_DISABLE"));
    else
        warn_without_agent(path);
}

int exec_run(char **argv, const struct options *options)
{
    const char *found[OPTIONS_WITH_MAX + 1] = {NULL};
    char library[PATH_MAX];
    enum exit_code code;

    if (!argv[0]) {
        fputs("homingctl: run: which command? homingctl run -- CMD [ARG...]\n", stderr);
        return EXIT_USAGE;
    }
    code = find_with(options->with, found);
    if (code != EXIT_OK)
        return code;
    if (!process_disabled() && !check_assumed(options))
        return EXIT_USAGE;
    if (options->socket)
        setenv("HOMING_SOCKET", options->socket, 1);
    if (options->assume[0])
        setenv("HOMING_ASSUME", options->assume, 1);
    warn(set_preload(find_library(library) ? library : NULL, found),
         rpc_agent_path(options->socket));
    execvp(argv[0], argv);
    fprintf(stderr, "homingctl: %s: %s\n", argv[0], strerror(errno));
    return errno == ENOENT ? EXEC_NOT_FOUND : EXEC_CANNOT_RUN;
}
