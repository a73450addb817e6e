/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.c - as tls.h says, on OpenSSL's memory BIOs: what is received goes into one, what is to be sent
 * comes out of the other. OpenSSL's list of errors is empty after each call, because libraries beside
 * us use the same one.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/base/tls/tls.h"

/* Waiting to be sent: a peer that makes us answer, and reads none of it, is cut off here. */
#define UNSENT_MAX 65536

enum {
    FILE_CA,
    FILE_CERT,
    FILE_KEY,
    FILE_COUNT
};

static const char *const FILE_KEYWORDS[FILE_COUNT] = {"tls_ca", "tls_cert", "tls_key"};

/* A file of the settings, as it was when it was read. */
struct file {
    char *name; /* NULL: none */
    struct stat was;
};

struct tls_context {
    struct tls_context *next;
    uint32_t refs;
    enum tls_mode mode;
    struct file files[FILE_COUNT];
    SSL_CTX *ctx;
};

struct tls {
    struct tls_context *context;
    SSL *ssl;
    BIO *received, *unsent; /* the SSL's own */
    enum tls_state state;
    uint8_t heard; /* of the first record, as far as it shows that the peer speaks TLS */
    char host[256];
    char error[TLS_ERROR_SIZE];
};

/* Those that somebody holds. */
static struct tls_context *contexts;

/* Settings. */

static const char *const MODES[TLS_MODE_COUNT] = {"off", "require", "verify-full"};

const char *tls_mode_name(enum tls_mode mode)
{
    return mode < TLS_MODE_COUNT ? MODES[mode] : "?";
}

bool tls_mode_find(const char *name, size_t len, enum tls_mode *ret)
{
    for (int i = 0; i < TLS_MODE_COUNT; i++)
        if (strlen(MODES[i]) == len && memcmp(MODES[i], name, len) == 0) {
            *ret = (enum tls_mode)i;
            return true;
        }
    return false;
}

const char *tls_mode_check(const char *value, size_t len)
{
    enum tls_mode mode;
    return tls_mode_find(value, len, &mode) ? NULL : "tls is one of off, require, verify-full";
}

const char *tls_settings_check(const struct tls_settings *settings)
{
    if (settings->mode == TLS_OFF && (settings->ca || settings->cert || settings->key))
        return "tls_ca, tls_cert and tls_key are for TLS; add tls=verify-full";
    if (settings->mode == TLS_REQUIRE && settings->ca)
        return "tls=require checks no certificate; write tls=verify-full, or leave tls_ca out";
    if (settings->key && !settings->cert)
        return "tls_key belongs to a certificate; name that in tls_cert";
    return NULL;
}

/* Why a certificate is refused. */

static void add_name(char *text, size_t size, const ASN1_STRING *name)
{
    size_t used = strlen(text);
    int length = ASN1_STRING_length(name);
    const unsigned char *bytes = ASN1_STRING_get0_data(name);

    if (used + (size_t)length + 3 > size)
        return;
    used += (size_t)snprintf(text + used, size - used, "%s", used > 0 ? ", " : "");
    for (int i = 0; i < length; i++)
        text[used++] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '?';
    text[used] = '\0';
}

/* The names that the certificate bears, as many as there is room for. */
static void certificate_names(const X509 *certificate, char *ret, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName, -1);

    ret[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            add_name(ret, size, name->d.dNSName);
    }
    if (!names && at >= 0)
        add_name(ret, size, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (ret[0] == '\0')
        snprintf(ret, size, "no name");
    GENERAL_NAMES_free(names);
}

static void fail_name(struct tls *t, const X509 *certificate)
{
    char names[64];
    certificate_names(certificate, names, sizeof(names));
    snprintf(t->error, sizeof(t->error),
             "the server's certificate is for %s, not for %.60s: call the member by a name in it",
             names, t->host);
}

static void fail_certificate(struct tls *t, int wrong, const X509 *certificate)
{
    const char *ca = t->context->files[FILE_CA].name;

    switch (wrong) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        fail_name(t, certificate);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(t->error, sizeof(t->error),
                 "the server's certificate, or one above it, has expired: renew it");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(t->error, sizeof(t->error),
                 "the server's certificate is not valid yet: compare the clocks");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(t->error, sizeof(t->error),
                 "the CA of the server's certificate is not in %.60s: name its file in tls_ca",
                 ca ? ca : "the system's list");
        break;
    default:
        snprintf(t->error, sizeof(t->error), "the server's certificate is not good: %s",
                 X509_verify_cert_error_string(wrong));
    }
}

/* OpenSSL calls this for each certificate, and for what is wrong with it; later it has neither. */
static int judge_certificate(int good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    if (!good)
        fail_certificate(SSL_get_app_data(ssl), X509_STORE_CTX_get_error(store),
                         X509_STORE_CTX_get_current_cert(store));
    return good;
}

/* Contexts. */

static void context_free(struct tls_context *c)
{
    for (int i = 0; i < FILE_COUNT; i++)
        free(c->files[i].name);
    SSL_CTX_free(c->ctx);
    ERR_clear_error();
    free(c);
}

static bool is_same_file(const struct file *a, const struct file *b)
{
    if (!a->name || !b->name)
        return !a->name && !b->name;
    return strcmp(a->name, b->name) == 0 && a->was.st_dev == b->was.st_dev &&
           a->was.st_ino == b->was.st_ino && a->was.st_size == b->was.st_size &&
           a->was.st_mtim.tv_sec == b->was.st_mtim.tv_sec &&
           a->was.st_mtim.tv_nsec == b->was.st_mtim.tv_nsec;
}

static struct tls_context *context_find(const struct tls_context *like)
{
    for (struct tls_context *c = contexts; c; c = c->next) {
        bool same = c->mode == like->mode;
        for (int i = 0; i < FILE_COUNT; i++)
            same = same && is_same_file(&c->files[i], &like->files[i]);
        if (same)
            return c;
    }
    return NULL;
}

/* A passphrase would be asked for at a terminal, and waited for. */
static int refuse_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

/* Which of the files cannot be used, and what it should be; NULL: all can. */
static const char *load_files(const struct tls_context *c, int *ret_file)
{
    const char *ca = c->files[FILE_CA].name, *cert = c->files[FILE_CERT].name;
    const char *key = c->files[FILE_KEY].name ? c->files[FILE_KEY].name : cert;

    *ret_file = FILE_CA;
    if (ca && SSL_CTX_load_verify_file(c->ctx, ca) != 1)
        return "holds no CA certificate; it has to be a PEM file of them";
    *ret_file = FILE_CERT;
    if (cert && SSL_CTX_use_certificate_chain_file(c->ctx, cert) != 1)
        return "holds no certificate; it has to be a PEM file, our own certificate first";
    *ret_file = c->files[FILE_KEY].name ? FILE_KEY : FILE_CERT;
    if (key && SSL_CTX_use_PrivateKey_file(c->ctx, key, SSL_FILETYPE_PEM) != 1)
        return "holds no key that fits tls_cert and has no passphrase";
    return NULL;
}

static bool context_open(struct tls_context *c, char *ret_error)
{
    int which;

    c->ctx = SSL_CTX_new(TLS_client_method());
    if (!c->ctx || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1 ||
        (!c->files[FILE_CA].name && SSL_CTX_set_default_verify_paths(c->ctx) != 1)) {
        snprintf(ret_error, TLS_ERROR_SIZE, "OpenSSL cannot start");
        return false;
    }
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(c->ctx, refuse_passphrase);
    if (c->mode == TLS_VERIFY_FULL)
        SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, judge_certificate);
    const char *wrong = load_files(c, &which);
    if (wrong)
        snprintf(ret_error, TLS_ERROR_SIZE, "%s %s %s", FILE_KEYWORDS[which], c->files[which].name,
                 wrong);
    return !wrong;
}

/* Everything but the SSL_CTX. NULL: as tls_context_ref(). */
static struct tls_context *context_new(const struct tls_settings *settings, char *ret_error)
{
    const char *const names[FILE_COUNT] = {settings->ca, settings->cert, settings->key};
    struct tls_context *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->mode = settings->mode;
    for (int i = 0; i < FILE_COUNT; i++) {
        if (!names[i])
            continue;
        c->files[i].name = strdup(names[i]);
        if (!c->files[i].name)
            goto fail;
        if (stat(names[i], &c->files[i].was) < 0) {
            snprintf(ret_error, TLS_ERROR_SIZE, "%s %s cannot be read: %s", FILE_KEYWORDS[i],
                     names[i], strerror(errno));
            goto fail;
        }
    }
    return c;
fail:
    context_free(c);
    return NULL;
}

struct tls_context *tls_context_ref(const struct tls_settings *settings,
                                    char ret_error[TLS_ERROR_SIZE])
{
    snprintf(ret_error, TLS_ERROR_SIZE, "out of memory");
    struct tls_context *c = context_new(settings, ret_error);
    if (!c)
        return NULL;
    struct tls_context *known = context_find(c);
    if (known || !context_open(c, ret_error)) {
        context_free(c);
        if (known)
            known->refs++;
        return known;
    }
    ERR_clear_error();
    c->refs = 1;
    c->next = contexts;
    contexts = c;
    return c;
}

void tls_context_unref(struct tls_context *context)
{
    if (!context || --context->refs > 0)
        return;
    struct tls_context **at = &contexts;
    while (*at != context)
        at = &(*at)->next;
    *at = context->next;
    context_free(context);
}

/* Why a connection failed. */

/* The two sides do not agree; what OpenSSL says of it is for programmers. */
static const char *reason_text(int reason)
{
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "the server has no TLS of version 1.2 or later: enable that there";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
        return "the server shares no cipher with this system, or wants a certificate of ours "
               "(tls_cert)";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "the server wants a certificate of ours: name it in tls_cert";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "the server does not take our certificate (tls_cert): renew it, or have its CA "
               "known "
               "there";
    default:
        return NULL;
    }
}

/* judge_certificate() may have said it already. */
static void fail(struct tls *t)
{
    unsigned long error = ERR_peek_error();
    const char *text = reason_text(ERR_GET_REASON(error));
    const char *reason = ERR_reason_error_string(error);

    t->state = TLS_FAILED;
    if (t->error[0] == '\0')
        snprintf(t->error, sizeof(t->error), "%s%s", text ? "" : "TLS with the server failed: ",
                 text     ? text
                 : reason ? reason
                          : "it broke off");
}

static void fail_with(struct tls *t, const char *text)
{
    t->state = TLS_FAILED;
    snprintf(t->error, sizeof(t->error), "%s", text);
}

/* Connections. */

/* What a call of OpenSSL's gave, if it gave nothing. */
static void judge(struct tls *t, int rv)
{
    switch (SSL_get_error(t->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    case SSL_ERROR_ZERO_RETURN:
        t->state = TLS_CLOSED;
        break;
    default:
        fail(t);
    }
    ERR_clear_error();
}

static void shake_hands(struct tls *t)
{
    int rv = SSL_do_handshake(t->ssl);
    if (rv == 1)
        t->state = TLS_OPEN;
    else
        judge(t, rv);
}

/* The name is the one in the configuration; one with a dot at its end is the same without. */
static bool set_host(struct tls *t, const char *host)
{
    struct in6_addr address;
    size_t length = strlen(host);

    length -= length > 0 && host[length - 1] == '.';
    if (length == 0 || length >= sizeof(t->host))
        return false;
    memcpy(t->host, host, length);
    if (inet_pton(AF_INET, t->host, &address) == 1 || inet_pton(AF_INET6, t->host, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), t->host) == 1;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(t->ssl, t->host) == 1 && SSL_set_tlsext_host_name(t->ssl, t->host) == 1;
}

struct tls *tls_new(struct tls_context *context, const char *host)
{
    struct tls *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->context = context;
    context->refs++;
    t->ssl = SSL_new(context->ctx);
    t->received = BIO_new(BIO_s_mem());
    t->unsent = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->received || !t->unsent) {
        BIO_free(t->received);
        BIO_free(t->unsent);
        t->received = t->unsent = NULL;
        goto fail;
    }
    BIO_set_mem_eof_return(t->received, -1);
    BIO_set_mem_eof_return(t->unsent, -1);
    SSL_set_bio(t->ssl, t->received, t->unsent);
    if (!set_host(t, host))
        goto fail;
    SSL_set_app_data(t->ssl, t);
    SSL_set_connect_state(t->ssl);
    shake_hands(t);
    return t;
fail:
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    ERR_clear_error();
    tls_context_unref(tls->context);
    free(tls);
}

enum tls_state tls_state(const struct tls *tls)
{
    return tls->state;
}

const char *tls_error(const struct tls *tls)
{
    return tls->error;
}

/* A record begins with its kind, at first a handshake or an alert, and with a 3. OpenSSL says in each
 * version differently that it does not. */
static bool is_no_tls(struct tls *t, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count && t->heard < 2; i++, t->heard++)
        if (t->heard == 0 ? bytes[i] != 21 && bytes[i] != 22 : bytes[i] != 3)
            return true;
    return false;
}

int tls_feed(struct tls *tls, const void *bytes, size_t count)
{
    if (tls->state == TLS_FAILED || tls->state == TLS_CLOSED)
        return 0;
    if (count > TLS_FEED_MAX - BIO_ctrl_pending(tls->received))
        return -ENOBUFS;
    if (is_no_tls(tls, bytes, count))
        fail_with(tls, "the server answers in clear where TLS begins: look who is at this port");
    else if (BIO_write(tls->received, bytes, (int)count) != (int)count)
        fail_with(tls, "out of memory");
    else if (tls->state == TLS_HANDSHAKE)
        shake_hands(tls);
    if (BIO_ctrl_pending(tls->unsent) > UNSENT_MAX)
        fail_with(tls, "the server asks for answers and reads none");
    return 0;
}

size_t tls_take(struct tls *tls, void *ret_bytes, size_t size)
{
    int n = BIO_read(tls->unsent, ret_bytes, (int)size);
    return n > 0 ? (size_t)n : 0;
}

bool tls_has_more(const struct tls *tls)
{
    return BIO_ctrl_pending(tls->unsent) > 0;
}

size_t tls_read(struct tls *tls, void *ret_bytes, size_t size)
{
    size_t n = 0;

    if (tls->state != TLS_OPEN)
        return 0;
    int rv = SSL_read_ex(tls->ssl, ret_bytes, size, &n);
    if (rv == 1)
        return n;
    judge(tls, rv);
    return 0;
}

bool tls_write(struct tls *tls, const void *bytes, size_t count)
{
    size_t n = 0;

    if (tls->state != TLS_OPEN || count == 0 || count > TLS_WRITE_MAX)
        return tls->state == TLS_OPEN && count == 0;
    int rv = SSL_write_ex(tls->ssl, bytes, count, &n);
    if (rv != 1)
        fail(tls);
    ERR_clear_error();
    return rv == 1;
}

int64_t tls_peer_expires(const struct tls *tls)
{
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    struct tm tm;

    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return 0;
    return timegm(&tm);
}
