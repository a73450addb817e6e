/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c - see process.h.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/base/process.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
/* The file system of pidfds. Before it all pidfds had one inode. */
#define PIDFS 0x50494446

/* Reads a file of its folder as text. False: it is not shown. */
static bool read_text(pid_t pid, const char *file, char *ret_text, size_t size)
{
    char path[48];

    if (pid <= 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, ret_text, size - 1);
    close(fd);
    ret_text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Field 22 of its stat. The second one is its name, in which anything may stand. */
uint64_t process_started(pid_t pid)
{
    char text[512];
    unsigned long long started = 0;

    if (!read_text(pid, "stat", text, sizeof(text)))
        return 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%llu", &started) == 1 ? started : 0;
}

char process_state(pid_t pid)
{
    char text[512];

    if (!read_text(pid, "stat", text, sizeof(text)))
        return 0;
    const char *at = strrchr(text, ')');
    return at && at[1] == ' ' ? at[2] : 0;
}

bool process_is_over(pid_t pid, uint64_t started)
{
    uint64_t now = process_started(pid);

    return now ? now != started : kill(pid, 0) && errno == ESRCH;
}

void process_name(pid_t pid, char ret_name[PROCESS_NAME_SIZE])
{
    ret_name[0] = '\0';
    (void)read_text(pid, "comm", ret_name, PROCESS_NAME_SIZE);
    ret_name[strcspn(ret_name, "\n")] = '\0';
}

bool process_each(process_fn *fn, void *arg)
{
    const struct dirent *entry;
    DIR *dir = opendir("/proc");

    while (dir && (entry = readdir(dir))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0)
            fn(arg, pid);
    }
    if (dir)
        closedir(dir);
    return dir;
}

uint64_t process_netns(pid_t pid)
{
    char path[48];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    return stat(path, &st) ? 0 : st.st_ino;
}

/* ---- the connections of a network namespace ---- */

/* As the kernel prints them: 32 bits each, in the order of the machine. */
static bool parse_words(const char *text, uint8_t *ret, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        uint32_t word;
        if (sscanf(text + i * 8, "%8" SCNx32, &word) != 1)
            return false;
        memcpy(ret + i * sizeof(word), &word, sizeof(word));
    }
    return true;
}

/* False: it is no such connection, or nobody's. */
static bool parse_connection(const char *line, struct process_connection *ret)
{
    unsigned port, state;
    uint8_t bytes[16];
    char peer[33];

    if (sscanf(line,
               " %*u: %*[0-9A-F]:%*x %32[0-9A-F]:%x %x %*x:%*x %*x:%*x %*x %" SCNu32
               " %*d %" SCNu32,
               peer, &port, &state, &ret->uid, &ret->inode) != 5)
        return false;
    bool four = strlen(peer) == 8;
    bool connected = state == TCP_ESTABLISHED || state == TCP_SYN_SENT || state == TCP_FIN_WAIT1 ||
                     state == TCP_FIN_WAIT2 || state == TCP_CLOSE_WAIT;
    if (!connected || !ret->inode || (!four && strlen(peer) != 32) ||
        !parse_words(peer, bytes, four ? 1 : 4))
        return false;
    ret->peer = inet_address_make(four ? 4 : 6, bytes, (uint16_t)port);
    return true;
}

static void each_of_family(pid_t pid, const char *file, process_connection_fn *fn, void *arg)
{
    struct process_connection connection;
    char path[48], line[512];
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, file);
    in = fopen(path, "re");
    while (in && fgets(line, sizeof(line), in))
        if (parse_connection(line, &connection))
            fn(arg, &connection);
    if (in)
        fclose(in);
}

void process_each_connection(pid_t pid, process_connection_fn *fn, void *arg)
{
    each_of_family(pid, "tcp", fn, arg);
    each_of_family(pid, "tcp6", fn, arg);
}

/* ---- who has a socket ---- */

static int by_inode(const void *a, const void *b)
{
    const struct process_socket *x = a, *y = b;

    return (x->inode > y->inode) - (x->inode < y->inode);
}

static void note_descriptor(int folder, const char *name, pid_t pid, struct process_socket *sockets,
                            uint32_t count)
{
    struct process_socket want = {0}, *found;
    char text[64];
    ssize_t len = readlinkat(folder, name, text, sizeof(text) - 1);

    text[len > 0 ? len : 0] = '\0';
    if (sscanf(text, "socket:[%u]", &want.inode) != 1)
        return;
    found = bsearch(&want, sockets, count, sizeof(*sockets), by_inode);
    if (found && !found->pid)
        found->pid = pid;
}

/* False: its descriptors are not shown. */
static bool note_descriptors(pid_t pid, struct process_socket *sockets, uint32_t count)
{
    const struct dirent *entry;
    char path[48];
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir)
        return errno == ENOENT; /* it has ended */
    while ((entry = readdir(dir)))
        note_descriptor(dirfd(dir), entry->d_name, pid, sockets, count);
    closedir(dir);
    return true;
}

struct finding_sockets {
    struct process_socket *sockets;
    uint32_t count, hidden;
};

static void find_in_process(void *arg, pid_t pid)
{
    struct finding_sockets *f = arg;

    f->hidden += !note_descriptors(pid, f->sockets, f->count);
}

uint32_t process_find_sockets(struct process_socket *sockets, uint32_t count)
{
    struct finding_sockets f = {sockets, count, 0};

    qsort(sockets, count, sizeof(*sockets), by_inode);
    return process_each(find_in_process, &f) ? f.hidden : 1;
}

/* Whether a line of one of its files says so. */
static bool has_line(pid_t pid, const char *file, bool (*is)(const char *line, const char *what),
                     const char *what)
{
    char path[48], *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    in = fopen(path, "re");
    while (in && !found && getline(&line, &size, in) >= 0)
        found = is(line, what);
    free(line);
    if (in)
        fclose(in);
    return found;
}

static bool ends_with_file(const char *line, const char *name)
{
    const char *slash = strrchr(line, '/');
    size_t len = strlen(name);

    return slash && strncmp(slash + 1, name, len) == 0 &&
           (slash[1 + len] == '\n' || strcmp(slash + 1 + len, " (deleted)\n") == 0);
}

static bool is_line(const char *line, const char *what)
{
    return strcmp(line, what) == 0;
}

bool process_has_mapped(pid_t pid, const char *name)
{
    return has_line(pid, "maps", ends_with_file, name);
}

bool process_is_filtered(pid_t pid)
{
    return has_line(pid, "status", is_line, "Seccomp:\t2\n");
}

/* The root of another mount namespace, as of a container, is "/" as well. */
bool process_is_chrooted(pid_t pid)
{
    char path[48], root[2] = "";
    ssize_t len;

    snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
    len = readlink(path, root, sizeof(root));
    return len > 0 && !(len == 1 && root[0] == '/');
}

int process_open_peer(int socket, pid_t pid)
{
    socklen_t len = sizeof(int);
    int fd;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) == 0)
        return fd;
    if (errno != ENOPROTOOPT) /* it has ended, and the number may be another one's by now */
        return -errno;
    return pid > 0 ? process_open_child(pid) : -ESRCH;
}

int process_open_child(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : fd;
}

/* Signal 0 asks whether it is a pidfd: of one that we may signal, may not, or in whose pid namespace we have no
 * number. A pidfd can be read when the process has ended. */
bool process_is_alive(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    bool is_pidfd =
        syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0 || errno == EPERM || errno == EINVAL;

    return is_pidfd && poll(&at, 1, 0) == 0;
}

bool process_may_run(int opened)
{
    return opened < 0 ? opened == -ENOSYS : process_is_alive(opened);
}

uint64_t process_id(int fd)
{
    struct statfs fs;
    struct stat st;

    return fstatfs(fd, &fs) == 0 && fs.f_type == PIDFS && fstat(fd, &st) == 0 ? st.st_ino : 0;
}
