/* SPDX-License-Identifier: Apache-2.0
 *
 * socket_lb.c - runs a command in a control group of its own, where BPF programs put other addresses in the
 * place of those that a connect() asks for, as Cilium's do in the place of kube-proxy ("socket LB").
 *
 * usage: socket_lb FROM=TO... -- COMMAND...     each is ADDRESS:PORT, of IPv4; v4-mapped ones count, too
 *
 * getpeername() gives FROM all the same, as Cilium sees to. What the kernel lists is TO. Ends as the command does,
 * or with 77 and the reason if this kernel, or whoever called, does not allow such programs.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NOT_HERE = 77,
    RULES_MAX = 16,
    INSTRUCTIONS_MAX = 16 + RULES_MAX * 6,
    /* Of 10 ms: until processes that the command has left have ended. */
    TRIES = 1000
};

struct end {
    uint32_t address; /* both in network order, as programs see them */
    uint32_t port;
};

struct rule {
    struct end from, to;
};

static struct rule rules[RULES_MAX];
static int rule_count;

static void not_here(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(NOT_HERE);
}

/* ---- a program ---- */

struct program {
    struct bpf_insn at[INSTRUCTIONS_MAX];
    int count;
};

static void put(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
                uint32_t imm)
{
    p->at[p->count++] = (struct bpf_insn){
        .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = (int32_t)imm};
}

static void put_load(struct program *p, uint8_t to, size_t field)
{
    put(p, BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_6, (int16_t)field, 0);
}

static void put_store(struct program *p, size_t field, uint32_t value)
{
    put(p, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, value);
    put(p, BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_4, (int16_t)field, 0);
}

/* If the register is another value, `skip` instructions are passed over. */
static void put_unless(struct program *p, uint8_t reg, uint32_t value, int skip)
{
    put(p, BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, (int16_t)skip, value);
}

/* The address asked for is in register 2, the port in 3: at most one rule is about it. */
static void put_rule(struct program *p, size_t address, const struct end *from,
                     const struct end *to)
{
    put_unless(p, BPF_REG_2, from->address, 5);
    put_unless(p, BPF_REG_3, from->port, 4);
    put_store(p, address, to->address);
    put_store(p, offsetof(struct bpf_sock_addr, user_port), to->port);
}

/* Register 5 becomes 0 where the address is v4-mapped. */
static void put_is_mapped(struct program *p)
{
    put_load(p, BPF_REG_5, offsetof(struct bpf_sock_addr, user_ip6[0]));
    put_load(p, BPF_REG_4, offsetof(struct bpf_sock_addr, user_ip6[1]));
    put(p, BPF_ALU | BPF_OR | BPF_X, BPF_REG_5, BPF_REG_4, 0, 0);
    put_load(p, BPF_REG_4, offsetof(struct bpf_sock_addr, user_ip6[2]));
    put(p, BPF_ALU | BPF_XOR | BPF_K, BPF_REG_4, 0, 0, htonl(0xffff));
    put(p, BPF_ALU | BPF_OR | BPF_X, BPF_REG_5, BPF_REG_4, 0, 0);
}

/* `back`: for getpeername(), which is to give what was asked for. */
static void make(struct program *p, bool six, bool back)
{
    size_t address = six ? offsetof(struct bpf_sock_addr, user_ip6[3])
                         : offsetof(struct bpf_sock_addr, user_ip4);

    put(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
    if (six)
        put_is_mapped(p);
    put_load(p, BPF_REG_2, address);
    put_load(p, BPF_REG_3, offsetof(struct bpf_sock_addr, user_port));
    if (six) {
        put(p, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_5, 0, 1, 0);
        put(p, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, UINT32_MAX); /* which no port is */
    }
    for (int i = 0; i < rule_count; i++)
        put_rule(p, address, back ? &rules[i].to : &rules[i].from,
                 back ? &rules[i].from : &rules[i].to);
    put(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
    put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* ---- loading it ---- */

static int bpf(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void attach(int group, enum bpf_attach_type type, bool six, bool back)
{
    static const char license[] = "Apache-2.0";
    struct program p = {.count = 0};
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR}, at = {.attach_type = type};
    char log[4096] = "";

    make(&p, six, back);
    load.expected_attach_type = type;
    load.insns = (uintptr_t)p.at;
    load.insn_cnt = (uint32_t)p.count;
    load.license = (uintptr_t)license;
    load.log_buf = (uintptr_t)log;
    load.log_size = sizeof(log);
    load.log_level = 1;
    at.attach_bpf_fd = (uint32_t)bpf(BPF_PROG_LOAD, &load);
    if ((int)at.attach_bpf_fd < 0) {
        fprintf(stderr, "%s", log);
        not_here("no BPF program for connect() can be loaded");
    }
    at.target_fd = (uint32_t)group;
    if (bpf(BPF_PROG_ATTACH, &at))
        not_here("no BPF program can be attached to a control group");
    close((int)at.attach_bpf_fd); /* it lives as long as the group */
}

static void attach_all(int group)
{
    attach(group, BPF_CGROUP_INET4_CONNECT, false, false);
    attach(group, BPF_CGROUP_INET6_CONNECT, true, false);
    attach(group, BPF_CGROUP_INET4_GETPEERNAME, false, true);
    attach(group, BPF_CGROUP_INET6_GETPEERNAME, true, true);
}

/* ---- the control group ---- */

/* The whole hierarchy, mounted nowhere. */
static int open_groups(void)
{
    int fs = (int)syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC);

    if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
        not_here("there are no control groups of version 2");
    int groups = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
    if (groups < 0)
        not_here("control groups of version 2 cannot be mounted");
    close(fs);
    return groups;
}

static void write_to(int group, const char *file, const char *text)
{
    int fd = openat(group, file, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (n < 0)
        not_here(file);
    close(fd);
}

static int run(int group, char **command)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        write_to(group, "cgroup.procs", "0");
        execvp(command[0], command);
        not_here(command[0]);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void remove_group(int groups, int group, const char *name)
{
    static const struct timespec pause = {.tv_nsec = 10000000};

    write_to(group, "cgroup.kill", "1");
    for (int i = 0; i < TRIES && unlinkat(groups, name, AT_REMOVEDIR) && errno == EBUSY; i++)
        nanosleep(&pause, NULL);
}

/* ---- rules ---- */

static struct end parse_end(char *text)
{
    char *port = strchr(text, ':');
    struct in_addr address;

    if (port)
        *port++ = '\0';
    if (!port || inet_pton(AF_INET, text, &address) != 1) {
        fprintf(stderr, "socket_lb: %s is no ADDRESS:PORT\n", text);
        exit(2);
    }
    return (struct end){address.s_addr, htons((uint16_t)atoi(port))};
}

static void parse_rule(char *text)
{
    char *to = strchr(text, '=');

    if (!to || rule_count == RULES_MAX) {
        fprintf(stderr, "socket_lb: %s is no FROM=TO, or one too many\n", text);
        exit(2);
    }
    *to++ = '\0';
    rules[rule_count++] = (struct rule){parse_end(text), parse_end(to)};
}

/* A group of its own, with the programs in it. Loading may end in the middle: then the group still has to go. */
static int begin_group(int groups, const char *name)
{
    int group, status = 0;

    if (mkdirat(groups, name, 0755))
        not_here("no control group can be made");
    group = openat(groups, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        attach_all(group);
        exit(0);
    }
    if (group >= 0 && waitpid(pid, &status, 0) == pid && status == 0)
        return group;
    unlinkat(groups, name, AT_REMOVEDIR);
    exit(NOT_HERE);
}

int main(int argc, char **argv)
{
    char name[64];
    uint64_t number = 0;
    int i = 1, groups, group, rv;

    while (i < argc && strcmp(argv[i], "--") != 0)
        parse_rule(argv[i++]);
    if (i + 1 >= argc)
        return 2;
    (void)!getrandom(&number, sizeof(number), 0);
    snprintf(name, sizeof(name), "homing-test-%016" PRIx64, number);
    groups = open_groups();
    group = begin_group(groups, name);
    rv = run(group, argv + i + 1);
    remove_group(groups, group, name);
    return rv;
}
