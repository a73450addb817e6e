/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_peer.h - the other end of TLS, for tests: certificates that are made on the spot, and a server in
 * memory. Link with $(OPENSSL_LIBS), as all tests are.
 */
#ifndef HOMING_TESTS_SUPPORT_TLS_PEER_H
#define HOMING_TESTS_SUPPORT_TLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_peer_certificate {
    const char *name;     /* of its files: NAME.pem and NAME.key */
    const char *issuer;   /* of the same folder; NULL: it is a CA, and its own issuer */
    const char *names;    /* as openssl has them: "DNS:a.example.com,IP:10.0.0.1"; NULL: none */
    const char *common;   /* its common name; NULL: `name` */
    long from_s, until_s; /* from now on; until 0: an hour */
};

/* Makes both files below `folder`. */
void tls_peer_certify(const char *folder, const struct tls_peer_certificate *made);

struct tls_peer {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *received, *unsent;
    bool open; /* the handshake is done */
};

/* Certificate and key are NAME's. `wanted_ca`: NAME of the CA of which a client has to have a
 * certificate; NULL: it needs none. `version`: the highest, as TLS1_2_VERSION; 0: any. */
void tls_peer_init(struct tls_peer *peer, const char *folder, const char *name,
                   const char *wanted_ca, int version);
void tls_peer_done(struct tls_peer *peer);

/* Goes on with the handshake. */
void tls_peer_feed(struct tls_peer *peer, const void *bytes, size_t count);
size_t tls_peer_take(struct tls_peer *peer, void *ret_bytes, size_t size);

#endif
