/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.h - the client's half of TLS, in memory: who calls it moves the bytes. tls.c is the only file
 * that includes OpenSSL's TLS.
 *
 * One pass: tls_context_ref() reads the files that the settings name. tls_new() begins a connection.
 * Until its state is TLS_OPEN or TLS_FAILED, the caller sends what tls_take() gives and hands what it
 * receives to tls_feed(). Then tls_write() and tls_read() are for what is said, and tls_take() and
 * tls_feed() go on as before.
 *
 * 1. No call waits: there is no socket here. Certificate files are read in tls_context_ref(); of the
 *    system's list, OpenSSL reads the one that a server's certificate needs, when it sees that.
 * 2. A certificate is checked against the name in the configuration, never against what was dialled.
 * 3. What one connection keeps is bounded, whatever the peer sends.
 */
#ifndef HOMING_AGENT_BASE_TLS_TLS_H
#define HOMING_AGENT_BASE_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_mode {
    TLS_OFF,
    TLS_REQUIRE,     /* encrypted, and nobody knows to whom */
    TLS_VERIFY_FULL, /* the certificate is signed by a known CA, and bears the host's name */
    TLS_MODE_COUNT
};

/* What all engines call these in `connection`: tls, tls_ca, tls_cert, tls_key. */
struct tls_settings {
    enum tls_mode mode;
    const char *ca;   /* file of CA certificates; NULL: the system's. Only with TLS_VERIFY_FULL. */
    const char *cert; /* file of our own certificate and those above it; NULL: none */
    const char *key;  /* its key; NULL: it stands in the same file */
};

/* "off", "require", "verify-full". */
const char *tls_mode_name(enum tls_mode mode);
/* False: no mode is called that; *ret is untouched. `len` bytes, without a NUL. */
bool tls_mode_find(const char *name, size_t len, enum tls_mode *ret);
/* As engine_keyword.check for `tls`: NULL, or what is wrong and what to do. */
const char *tls_mode_check(const char *value, size_t len);
/* NULL, or what is wrong with these settings together and what to do, as a sentence. No file is
 * read. */
const char *tls_settings_check(const struct tls_settings *settings);

/* Bytes of an error's text with its final NUL; one line. */
#define TLS_ERROR_SIZE 200

struct tls_context;

/* The context of these settings, whose mode is not TLS_OFF: connections with equal settings share
 * one, as long as their files are the same on disk. A file that was replaced counts from the next
 * call on. Settings are copied. NULL: ret_error has one line that says which file, and what to do. */
struct tls_context *tls_context_ref(const struct tls_settings *settings,
                                    char ret_error[TLS_ERROR_SIZE]);
void tls_context_unref(struct tls_context *context); /* NULL is allowed */

enum tls_state {
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_CLOSED, /* the peer said that it sends no more */
    TLS_FAILED, /* tls_error() says why. What is left to take may still be sent: an alert. */
};

struct tls;

/* `host` is the configured name or address literal, which the certificate must bear if the mode is
 * TLS_VERIFY_FULL; a name is sent as SNI, too. The connection keeps the context alive. NULL: out of
 * memory. */
struct tls *tls_new(struct tls_context *context, const char *host);
void tls_free(struct tls *tls); /* NULL is allowed */

enum tls_state tls_state(const struct tls *tls);
/* One line, "" unless TLS_FAILED. It lives as long as the connection. */
const char *tls_error(const struct tls *tls);

/* Ciphertext that was received, all of it or none: 0 or -ENOBUFS (more than TLS_FEED_MAX is waiting
 * for tls_read()). Goes on with the handshake. */
int tls_feed(struct tls *tls, const void *bytes, size_t count);
/* Most of what tls_feed() takes without tls_read() between. */
#define TLS_FEED_MAX 65536

/* Ciphertext that is to be sent; returns how much was copied, 0 if there is none. */
size_t tls_take(struct tls *tls, void *ret_bytes, size_t size);
bool tls_has_more(const struct tls *tls); /* whether tls_take() would give something */

/* What the peer said; 0: nothing more as yet, or the state is another one now. */
size_t tls_read(struct tls *tls, void *ret_bytes, size_t size);
/* Only when TLS_OPEN. False: the connection has failed. At most TLS_WRITE_MAX bytes a call. */
bool tls_write(struct tls *tls, const void *bytes, size_t count);
#define TLS_WRITE_MAX 16384

/* When the peer's certificate expires, in seconds since 1970; 0: none has been seen. */
int64_t tls_peer_expires(const struct tls *tls);

#endif
