/* SPDX-License-Identifier: Apache-2.0
 *
 * work.c - as work.h says. Neither bound can be set in libpq, so two functions of OpenSSL stand here
 * in their place: the dynamic linker finds those of the program first, for libpq too. Each goes on to
 * the real one.
 */
#include "config.h"

#include <dlfcn.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/tls/work.h"

/* Enough for all ciphers that OpenSSL has. */
#define CIPHERS_SIZE 8192

/* The first list that this OpenSSL knows; the last one is for FIPS. From 3.5 on, a * says for which
 * groups a key is sent ahead. */
static const char *const GROUPS[] = {
    "*X25519MLKEM768/*X25519:P-256:X448:P-384:P-521",
    "X25519:P-256:X448:P-384:P-521",
    "P-256:P-384:P-521",
};

static bool bounded;
static uint32_t rounds;

/* False: this system has no such function. */
static bool find_real(const char *name, void *ret_function)
{
    void *found = dlsym(RTLD_NEXT, name);

    memcpy(ret_function, &found, sizeof(found));
    return !!found;
}

/* ---- the handshake ---- */

/* Those of the system's settings, but for the ones with which the server chooses a prime. */
static void bound_ciphers(SSL_CTX *ctx)
{
    const STACK_OF(SSL_CIPHER) *known = SSL_CTX_get_ciphers(ctx);
    char list[CIPHERS_SIZE] = "";
    size_t used = 0;

    for (int i = 0; i < sk_SSL_CIPHER_num(known); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(known, i);
        const char *name = SSL_CIPHER_get_name(cipher);
        int exchange = SSL_CIPHER_get_kx_nid(cipher);
        if (exchange == NID_kx_dhe || exchange == NID_kx_dhe_psk || exchange == NID_kx_any ||
            used + strlen(name) + 2 > sizeof(list))
            continue;
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ":" : "", name);
    }
    SSL_CTX_set_cipher_list(ctx, list);
}

static void bound_groups(SSL_CTX *ctx)
{
    for (size_t i = 0; i < sizeof(GROUPS) / sizeof(GROUPS[0]); i++)
        if (SSL_CTX_set1_groups_list(ctx, GROUPS[i]) == 1)
            return;
}

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
    SSL_CTX *(*real)(const SSL_METHOD *);
    SSL_CTX *ctx = find_real("SSL_CTX_new", &real) ? real(method) : NULL;

    if (!ctx)
        return NULL;
    bound_ciphers(ctx);
    bound_groups(ctx);
    return ctx;
}

/* ---- passwords ---- */

/* libpq begins one for each round. */
int HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const EVP_MD *digest, ENGINE *engine)
{
    static int (*real)(HMAC_CTX *, const void *, int, const EVP_MD *, ENGINE *);

    if (bounded && ++rounds > TLS_WORK_ROUNDS)
        return 0;
    if (!real && !find_real("HMAC_Init_ex", &real))
        return 0;
    return real(ctx, key, len, digest, engine);
}

void tls_work_begin(void)
{
    bounded = true;
    rounds = 0;
}

bool tls_work_end(void)
{
    bounded = false;
    return rounds > TLS_WORK_ROUNDS;
}
