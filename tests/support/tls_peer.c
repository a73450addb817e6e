/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_peer.c - as tls_peer.h says.
 */
#include "config.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/tls_peer.h"

static void must(bool good)
{
    if (!good) {
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static FILE *open_file(const char *folder, const char *name, const char *kind, const char *mode)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s.%s", folder, name, kind);
    FILE *file = fopen(path, mode);
    must(!!file);
    return file;
}

static void extend(X509 *certificate, int what, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);

    must(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *describe(const struct tls_peer_certificate *made, EVP_PKEY *key)
{
    const char *common = made->common ? made->common : made->name;
    static long serial;
    X509 *c = X509_new();

    must(c && X509_set_version(c, 2) == 1 && X509_set_pubkey(c, key) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c), made->from_s);
    X509_gmtime_adj(X509_getm_notAfter(c), made->until_s ? made->until_s : 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                               (const unsigned char *)common, -1, -1, 0);
    if (!made->issuer)
        extend(c, NID_basic_constraints, "critical,CA:TRUE");
    if (made->names)
        extend(c, NID_subject_alt_name, made->names);
    return c;
}

static void sign(X509 *certificate, const char *folder, const char *issuer, EVP_PKEY *own_key)
{
    X509 *ca = certificate;
    EVP_PKEY *key = own_key;

    if (issuer) {
        FILE *file = open_file(folder, issuer, "pem", "r"), *key_file;
        ca = PEM_read_X509(file, NULL, NULL, NULL);
        fclose(file);
        key_file = open_file(folder, issuer, "key", "r");
        key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
        fclose(key_file);
        must(ca && key);
    }
    must(X509_set_issuer_name(certificate, X509_get_subject_name(ca)) == 1 &&
         X509_sign(certificate, key, EVP_sha256()) > 0);
    if (issuer) {
        X509_free(ca);
        EVP_PKEY_free(key);
    }
}

void tls_peer_certify(const char *folder, const struct tls_peer_certificate *made)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = describe(made, key);

    sign(certificate, folder, made->issuer, key);
    FILE *file = open_file(folder, made->name, "pem", "w");
    must(PEM_write_X509(file, certificate) == 1);
    fclose(file);
    file = open_file(folder, made->name, "key", "w");
    must(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void tls_peer_init(struct tls_peer *peer, const char *folder, const char *name,
                   const char *wanted_ca, int version)
{
    char path[256];

    *peer = (struct tls_peer){.ctx = SSL_CTX_new(TLS_server_method())};
    /* An old version has no signature that this system would make. */
    SSL_CTX_set_security_level(peer->ctx, 0);
    must(SSL_CTX_set_min_proto_version(peer->ctx, TLS1_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(peer->ctx, version) == 1);
    snprintf(path, sizeof(path), "%s/%s.pem", folder, name);
    must(SSL_CTX_use_certificate_chain_file(peer->ctx, path) == 1);
    snprintf(path, sizeof(path), "%s/%s.key", folder, name);
    must(SSL_CTX_use_PrivateKey_file(peer->ctx, path, SSL_FILETYPE_PEM) == 1);
    if (wanted_ca) {
        snprintf(path, sizeof(path), "%s/%s.pem", folder, wanted_ca);
        must(SSL_CTX_load_verify_file(peer->ctx, path) == 1);
        SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    peer->ssl = SSL_new(peer->ctx);
    peer->received = BIO_new(BIO_s_mem());
    peer->unsent = BIO_new(BIO_s_mem());
    must(peer->ssl && peer->received && peer->unsent);
    SSL_set_bio(peer->ssl, peer->received, peer->unsent);
    SSL_set_accept_state(peer->ssl);
}

void tls_peer_done(struct tls_peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->ctx);
    ERR_clear_error();
}

void tls_peer_feed(struct tls_peer *peer, const void *bytes, size_t count)
{
    must(BIO_write(peer->received, bytes, (int)count) == (int)count);
    if (!peer->open)
        peer->open = SSL_do_handshake(peer->ssl) == 1;
    ERR_clear_error();
}

size_t tls_peer_take(struct tls_peer *peer, void *ret_bytes, size_t size)
{
    int n = BIO_read(peer->unsent, ret_bytes, (int)size);
    return n > 0 ? (size_t)n : 0;
}
