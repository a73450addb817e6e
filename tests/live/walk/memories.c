/* SPDX-License-Identifier: Apache-2.0
 *
 * memories.c - see notes.h: where the tag of a connection that was missed is, in this process' memories and in those
 * that homing-sever has. Part of the walkers: a program of strangers, built for each libc.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/walk/notes.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

enum {
    HEAD_WORDS = 32, /* as in proto/permit.h, which is not for strangers */
    TAG_WORDS = 4
};

/* The slot; -1: there is none. */
static int slot_in(const uint64_t *words, size_t count, uint64_t cookie)
{
    for (size_t i = HEAD_WORDS; i + TAG_WORDS <= count; i += TAG_WORDS)
        if (words[i] == cookie)
            return (int)((i - HEAD_WORDS) / TAG_WORDS);
    return -1;
}

static void tell_own(uint64_t cookie)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long from, to;

    while (maps && fgets(line, sizeof(line), maps))
        if (strstr(line, "homing-tags") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            dprintf(2, "  our memory at %lx has its tag in slot %d\n", from,
                    slot_in((const uint64_t *)from, (to - from) / sizeof(uint64_t), cookie));
    if (maps)
        fclose(maps);
}

static void tell_one(const char *pid, const char *fd, uint64_t cookie)
{
    uint64_t words[4096];
    char path[600], what[64] = "";
    int memory;

    snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
    if (readlink(path, what, sizeof(what) - 1) < 0 || !strstr(what, "homing-tags") ||
        (memory = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return;
    ssize_t n = pread(memory, words, sizeof(words), 0);
    int slot = n > 0 ? slot_in(words, (size_t)n / sizeof(words[0]), cookie) : -1;
    if (slot >= 0)
        dprintf(2, "  process %s of homing-sever has it as descriptor %s, in slot %d\n", pid, fd,
                slot);
    close(memory);
}

static void tell_all_of(const char *pid, uint64_t cookie)
{
    const struct dirent *entry;
    char path[300];

    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *fds = opendir(path);
    while (fds && (entry = readdir(fds)))
        tell_one(pid, entry->d_name, cookie);
    if (fds)
        closedir(fds);
}

static bool is_sever(const char *pid)
{
    char path[300], name[16] = "";
    FILE *comm;

    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    if (!(comm = fopen(path, "r")))
        return false;
    bool is = fgets(name, sizeof(name), comm) && strncmp(name, "homing-sever", 12) == 0;
    fclose(comm);
    return is;
}

void notes_tell_memories(const struct held *h)
{
    const struct dirent *entry;
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    DIR *proc;

    if (getsockopt(h->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) || !(proc = opendir("/proc")))
        return;
    tell_own(cookie);
    while ((entry = readdir(proc)))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && is_sever(entry->d_name))
            tell_all_of(entry->d_name, cookie);
    closedir(proc);
}
