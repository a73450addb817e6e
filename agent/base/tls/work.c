/* SPDX-License-Identifier: Apache-2.0
 *
 * work.c - as work.h says. A client library has no setting for any of this, so functions of OpenSSL and of
 * Kerberos stand here in place of their own: the dynamic linker finds those of the program first, for
 * libraries too. Each goes on to the real one.
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

static bool bounded, kerberos_too;
static uint32_t rounds;
static bool kerberos_wanted;

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

/* One is begun for each round. */
int HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const EVP_MD *digest, ENGINE *engine)
{
    static int (*real)(HMAC_CTX *, const void *, int, const EVP_MD *, ENGINE *);

    if (bounded && ++rounds > TLS_WORK_ROUNDS)
        return 0;
    if (!real && !find_real("HMAC_Init_ex", &real))
        return 0;
    return real(ctx, key, len, digest, engine);
}

/* ---- Kerberos ---- */

#define KERBEROS_UNAVAILABLE (16u << 16) /* GSS_S_UNAVAILABLE */

/* As <gssapi/gssapi.h> has them; all but the flags and times are pointers. */
typedef uint32_t kerberos_fn(uint32_t *, void *, void *, void *, void *, uint32_t, uint32_t, void *,
                             void *, void *, void *, uint32_t *, uint32_t *);
kerberos_fn gss_init_sec_context;

struct kerberos_buffer { /* gss_buffer_desc */
    size_t length;
    void *value;
};

uint32_t gss_init_sec_context(uint32_t *ret_minor, void *credentials, void *context, void *name,
                              void *mechanism, uint32_t flags, uint32_t seconds, void *channel,
                              void *token, void *ret_mechanism, void *ret_token,
                              uint32_t *ret_flags, uint32_t *ret_seconds)
{
    kerberos_fn *real;

    kerberos_wanted = true;
    if ((bounded && !kerberos_too) || !find_real("gss_init_sec_context", &real)) {
        *ret_minor = 0;
        /* A client library may send what is there, whatever is returned. */
        *(struct kerberos_buffer *)ret_token = (struct kerberos_buffer){0};
        return KERBEROS_UNAVAILABLE;
    }
    return real(ret_minor, credentials, context, name, mechanism, flags, seconds, channel, token,
                ret_mechanism, ret_token, ret_flags, ret_seconds);
}

/* ---- for who calls a library ---- */

void tls_work_begin(bool kerberos)
{
    bounded = true;
    rounds = 0;
    kerberos_too = kerberos;
    kerberos_wanted = false;
}

const char *tls_work_end(void)
{
    bounded = false;
    if (rounds > TLS_WORK_ROUNDS)
        return "the server wants the password hashed more often than 50,000 times: set "
               "scram_iterations lower there, and then the password of homing's role again";
    if (kerberos_wanted && !kerberos_too)
        return "the server wants Kerberos, for which the agent would have to wait: let homing's "
               "role log in by a password or a certificate, or write gssencmode=prefer";
    return NULL;
}
