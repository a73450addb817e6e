/* SPDX-License-Identifier: Apache-2.0
 *
 * thousand_servers.c - many stand-ins for MySQL servers in one process, for thousand.py, which says who
 * they are and what happens to them. They take any login, and answer what homing asks.
 *
 * usage: thousand_servers FOLDER NAME CLUSTERS NET PORT
 *
 * Clusters of four: member i of cluster c is at NET.c.i+1:PORT (NET: two numbers), and member 0 is the
 * writer. Those of even clusters want TLS, with the certificate NAME that is made in FOLDER, and its CA.
 * Prints "ready". Then lines come: "switch C" makes the next member of a cluster the writer; "mute C M"
 * ends a member's connections, and from then on it accepts and says nothing; "halt C M": it stops in the
 * middle of TLS, or of the login; "heal C M". Each is answered by "done".
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "tests/support/mysql_server.h"
#include "tests/support/tls_peer.h"

enum {
    MEMBERS = 4,
    HEAD = 4,
    SSL_REQUEST = 32, /* bytes of a login that asks for TLS first */
    OUT_MAX = 16384,
    TEXT_MAX = 128,
};

/* LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH */
#define CAPABILITIES     (0x1u | 0x8u | 0x200u | 0x2000u | 0x8000u | 0x80000u)
#define CAPABILITY_TLS   0x800u
#define COMMAND_QUIT     1
#define COMMAND_QUESTION 3

enum manner {
    ANSWERS,
    MUTE,
    HALTS,
};

struct member {
    unsigned cluster, number;
    enum manner manner;
    struct session *sessions;
};

struct session {
    struct member *of;
    struct session *next;
    struct loop_io *io;
    struct tls_peer tls;
    int fd;
    bool encrypted, logged_in;
    uint8_t in[OUT_MAX];
    size_t count;
    uint8_t sequence;
};

static struct loop *loop;
static const char *folder, *certificate;
static unsigned clusters;
static unsigned *writers; /* of each cluster */
static struct member *members;

static void must(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static bool wants_tls(const struct member *m)
{
    return m->cluster % 2 == 0;
}

/* --- What is sent ------------------------------------------------------------------------------- */

struct out {
    uint8_t data[OUT_MAX];
    size_t count, packet; /* where the packet that is made begins */
};

static void put(struct out *out, const void *bytes, size_t count)
{
    must(out->count + count <= sizeof(out->data), "an answer is too long");
    memcpy(out->data + out->count, bytes, count);
    out->count += count;
}

static void put_number(struct out *out, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        put(out, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void put_text(struct out *out, const char *text, size_t length)
{
    if (length < 251)
        put_number(out, (uint32_t)length, 1);
    else {
        put_number(out, 0xfc, 1);
        put_number(out, (uint32_t)length, 2);
    }
    put(out, text, length);
}

static void begin_packet(struct out *out)
{
    out->packet = out->count;
    put(out, "\0\0\0", HEAD);
}

static void end_packet(struct out *out, struct session *s)
{
    size_t size = out->count - out->packet - HEAD;
    uint8_t *head = out->data + out->packet;

    head[0] = (uint8_t)size;
    head[1] = (uint8_t)(size >> 8);
    head[2] = (uint8_t)(size >> 16);
    head[3] = s->sequence++;
}

static void put_packet(struct out *out, struct session *s, const void *bytes, size_t count)
{
    begin_packet(out);
    put(out, bytes, count);
    end_packet(out, s);
}

/* What TLS has to say, too. Nobody here has so much to say that the kernel would not take it. */
static void flush_tls(struct session *s)
{
    uint8_t bytes[OUT_MAX];

    for (size_t n; (n = tls_peer_take(&s->tls, bytes, sizeof(bytes))) > 0;)
        (void)!send(s->fd, bytes, n, MSG_NOSIGNAL);
}

static void send_out(struct session *s, const struct out *out)
{
    if (!s->encrypted)
        (void)!send(s->fd, out->data, out->count, MSG_NOSIGNAL);
    else if (SSL_write(s->tls.ssl, out->data, (int)out->count) > 0)
        flush_tls(s);
}

static void greet(struct session *s)
{
    uint32_t can = CAPABILITIES | (wants_tls(s->of) ? CAPABILITY_TLS : 0);
    struct out out = {.count = 0};

    s->sequence = 0;
    begin_packet(&out);
    put(&out,
        "\x0a"
        "8.0.39\0",
        8);
    put_number(&out, 1, 4);
    put(&out, "12345678", 9);
    put_number(&out, can & 0xffff, 2);
    put(&out, "\x2d\2\0", 3);
    put_number(&out, can >> 16, 2);
    put(&out, "\x15\0\0\0\0\0\0\0\0\0\0", 11);
    put(&out, "123456789012", 13);
    put(&out, "mysql_native_password", 22);
    end_packet(&out, s);
    send_out(s, &out);
}

static void say_done(struct session *s)
{
    struct out out = {.count = 0};

    put_packet(&out, s, "\0\0\0\2\0\0\0", 7);
    send_out(s, &out);
}

/* --- What is answered --------------------------------------------------------------------------- */

static void name_member(char ret_text[TEXT_MAX], unsigned cluster, unsigned number)
{
    snprintf(ret_text, TEXT_MAX, "%08x-0000-0000-0000-%012x", cluster + 1, number + 1);
}

static const struct mysql_answer *answer_step(const struct member *m, enum mysql_step step)
{
    static char self[TEXT_MAX], source[TEXT_MAX], channel[2 * TEXT_MAX];
    unsigned writer = writers[m->cluster];

    name_member(self, m->cluster, m->number);
    name_member(source, m->cluster, writer);
    snprintf(channel, sizeof(channel), "|writer|ON|0|0|ON|%s", source);
    const struct server server = {.uuid = self,
                                  .gtids = "aaaaaaaa-0000-0000-0000-000000000001:1-100",
                                  .origin = "DYNAMIC",
                                  .read_only = m->number == writer ? "0" : "1",
                                  .super_read_only = m->number == writer ? "0" : "1",
                                  .channels = m->number == writer ? NULL : channel};
    return answer_of(&server, step);
}

static const struct mysql_answer *answer_question(const struct member *m, const char *question)
{
    for (int step = 0; step < MYSQL_STEP_COUNT; step++)
        if (strcmp(question, mysql_question(false, (enum mysql_step)step)) == 0)
            return answer_step(m, (enum mysql_step)step);
    fprintf(stderr, "an unknown question: %s\n", question);
    exit(1);
}

static void put_column(struct out *out, struct session *s, const char *name)
{
    begin_packet(out);
    put_text(out, "def", 3);
    for (int i = 0; i < 3; i++)
        put_text(out, "", 0);
    put_text(out, name, strlen(name));
    put_text(out, name, strlen(name));
    put(out, "\x0c\x2d\0\0\4\0\0\xfd\0\0\0\0\0", 13);
    end_packet(out, s);
}

static void put_row(struct out *out, struct session *s, const struct mysql_answer *a, uint32_t row)
{
    begin_packet(out);
    for (uint32_t i = 0; i < a->columns; i++) {
        const struct mysql_value *v = mysql_answer_at(a, row, i);
        if (v->text)
            put_text(out, v->text, v->length);
        else
            put_number(out, 0xfb, 1);
    }
    end_packet(out, s);
}

static void answer(struct session *s, const char *question)
{
    static const char END[] = "\xfe\0\0\2";
    const struct mysql_answer *a = answer_question(s->of, question);
    struct out out = {.count = 0};

    put_packet(&out, s, &(uint8_t){(uint8_t)a->columns}, 1);
    for (uint32_t i = 0; i < a->columns; i++)
        put_column(&out, s, a->names[i]);
    put_packet(&out, s, END, sizeof(END));
    for (uint32_t i = 0; i < a->rows; i++)
        put_row(&out, s, a, i);
    put_packet(&out, s, END, sizeof(END));
    send_out(s, &out);
}

/* --- A session ---------------------------------------------------------------------------------- */

static void session_end(struct session *s)
{
    for (struct session **at = &s->of->sessions; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    loop_io_free(s->io);
    close(s->fd);
    if (s->tls.ssl)
        tls_peer_done(&s->tls);
    free(s);
}

/* Appends what was read; in TLS what was inside. */
static void take_bytes(struct session *s, const uint8_t *bytes, size_t count)
{
    int n;

    if (s->encrypted && s->of->manner == HALTS)
        return;
    if (!s->encrypted) {
        must(s->count + count <= sizeof(s->in), "a question is too long");
        memcpy(s->in + s->count, bytes, count);
        s->count += count;
        return;
    }
    tls_peer_feed(&s->tls, bytes, count);
    while ((n = SSL_read(s->tls.ssl, s->in + s->count, (int)(sizeof(s->in) - s->count))) > 0)
        s->count += (size_t)n;
    flush_tls(s);
}

/* The client may have begun already: that was read with its wish. */
static void begin_tls(struct session *s)
{
    uint8_t bytes[sizeof(s->in)];
    size_t count = s->count;

    tls_peer_init(&s->tls, folder, certificate, NULL, 0);
    s->encrypted = true;
    memcpy(bytes, s->in, count);
    s->count = 0;
    if (count > 0)
        take_bytes(s, bytes, count);
}

/* False: it has ended. */
static bool take_packet(struct session *s, char *body, size_t size)
{
    s->sequence++;
    if (!s->logged_in && !s->encrypted && size == SSL_REQUEST) {
        begin_tls(s);
        return true;
    }
    if (!s->logged_in) {
        s->logged_in = true;
        if (s->of->manner == ANSWERS)
            say_done(s);
        return true;
    }
    s->sequence = 1;
    if (size > 0 && body[0] == COMMAND_QUESTION) {
        body[size] = '\0'; /* there is room: see session_read() */
        answer(s, body + 1);
        return true;
    }
    return false;
}

static bool take_packets(struct session *s)
{
    char body[OUT_MAX + 1];

    while (s->count >= HEAD) {
        size_t size = s->in[0] | (size_t)s->in[1] << 8 | (size_t)s->in[2] << 16;
        if (s->count < HEAD + size)
            return size < sizeof(s->in) - HEAD;
        s->sequence = s->in[3];
        memcpy(body, s->in + HEAD, size);
        s->count -= HEAD + size;
        memmove(s->in, s->in + HEAD + size, s->count);
        if (!take_packet(s, body, size))
            return false;
    }
    return true;
}

static void session_read(void *arg, int events)
{
    struct session *s = arg;
    uint8_t bytes[OUT_MAX / 2];
    ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    (void)events;

    if (n > 0 && s->of->manner != MUTE)
        take_bytes(s, bytes, (size_t)n);
    if (n <= 0 || !take_packets(s))
        session_end(s);
}

static void member_accept(void *arg, int fd)
{
    struct member *m = arg;
    struct session *s = calloc(1, sizeof(*s));

    must(!!s, "a session");
    s->fd = fd;
    s->of = m;
    s->next = m->sessions;
    m->sessions = s;
    s->io = loop_io_new(loop, fd, session_read, s);
    must(!!s->io, "a session");
    loop_io_set(s->io, LOOP_READ);
    if (m->manner != MUTE)
        greet(s);
}

/* --- All of them -------------------------------------------------------------------------------- */

struct listener {
    struct member *member;
    int fd;
};

static void listener_accept(void *arg, int events)
{
    struct listener *l = arg;
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    (void)events;

    if (fd >= 0)
        member_accept(l->member, fd);
}

static void member_listen(struct member *m, const char *net, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct listener *l = calloc(1, sizeof(*l));
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), "%s.%u.%u", net, m->cluster, m->number + 1);
    must(l && inet_pton(AF_INET, text, &at.sin_addr) == 1, text);
    l->member = m;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(l->fd >= 0 && bind(l->fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
             listen(l->fd, 16) == 0,
         text);
    struct loop_io *io = loop_io_new(loop, l->fd, listener_accept, l);
    must(!!io, text);
    loop_io_set(io, LOOP_READ);
}

static void change_manner(struct member *m, enum manner manner)
{
    m->manner = manner;
    while (m->sessions)
        session_end(m->sessions);
}

static void obey(const char *line)
{
    static const char *const MANNERS[] = {"heal", "mute", "halt"};
    char word[16];
    unsigned c = 0, i = 0;
    int read = sscanf(line, "%15s %u %u", word, &c, &i);

    must(read >= 2 && c < clusters && i < MEMBERS, "a line that is not understood");
    if (strcmp(word, "switch") == 0)
        writers[c] = (writers[c] + 1) % MEMBERS;
    for (int manner = 0; manner < 3 && read == 3; manner++)
        if (strcmp(word, MANNERS[manner]) == 0)
            change_manner(&members[c * MEMBERS + i], (enum manner)manner);
    puts("done");
    fflush(stdout);
}

static void orders_read(void *arg, int events)
{
    char line[TEXT_MAX];
    ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);
    (void)arg, (void)events;

    if (n <= 0)
        exit(0);
    line[n] = '\0';
    obey(line);
}

static void certify(void)
{
    static const struct tls_peer_certificate ca = {.name = "ca", .until_s = 86400};
    const struct tls_peer_certificate own = {
        .name = certificate, .issuer = "ca", .names = "DNS:*.thousand.test", .until_s = 86400};

    tls_peer_certify(folder, &ca);
    tls_peer_certify(folder, &own);
}

int main(int argc, char **argv)
{
    must(argc == 6, "usage: thousand_servers FOLDER NAME CLUSTERS NET PORT");
    folder = argv[1];
    certificate = argv[2];
    clusters = (unsigned)strtoul(argv[3], NULL, 10);
    members = calloc((size_t)clusters * MEMBERS, sizeof(*members));
    writers = calloc(clusters, sizeof(*writers));
    loop = loop_new();
    must(members && writers && loop, "memory");
    certify();
    for (unsigned i = 0; i < clusters * MEMBERS; i++) {
        members[i] = (struct member){.cluster = i / MEMBERS, .number = i % MEMBERS};
        member_listen(&members[i], argv[4], (uint16_t)strtoul(argv[5], NULL, 10));
    }
    struct loop_io *orders = loop_io_new(loop, STDIN_FILENO, orders_read, NULL);
    must(!!orders, "orders");
    loop_io_set(orders, LOOP_READ);
    puts("ready");
    fflush(stdout);
    loop_run(loop);
    return 0;
}
