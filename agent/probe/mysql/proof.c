/* SPDX-License-Identifier: Apache-2.0
 *
 * proof.c - as proof.h says. The only file that includes libsodium, and OpenSSL's digests.
 */
#include "config.h"

#include <openssl/sha.h>
#include <sodium.h>
#include <string.h>

#include "agent/probe/mysql/proof.h"

enum {
    NATIVE_CHALLENGE = 20,
    ED25519_CHALLENGE = 32,
    KEY = crypto_core_ed25519_SCALARBYTES,
};

static void exclusive_or(const uint8_t *a, const uint8_t *b, size_t count, uint8_t *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = a[i] ^ b[i];
}

static bool make_native(const char *password, const uint8_t *challenge, uint8_t *ret)
{
    uint8_t once[SHA_DIGEST_LENGTH], mask[SHA_DIGEST_LENGTH];
    uint8_t seed[NATIVE_CHALLENGE + SHA_DIGEST_LENGTH];

    memcpy(seed, challenge, NATIVE_CHALLENGE);
    bool made = SHA1((const uint8_t *)password, strlen(password), once) &&
                SHA1(once, sizeof(once), seed + NATIVE_CHALLENGE) && SHA1(seed, sizeof(seed), mask);
    if (made)
        exclusive_or(once, mask, sizeof(once), ret);
    explicit_bzero(once, sizeof(once));
    return made;
}

static bool make_sha2(const char *password, const uint8_t *challenge, uint8_t *ret)
{
    uint8_t once[SHA256_DIGEST_LENGTH], mask[SHA256_DIGEST_LENGTH];
    uint8_t seed[SHA256_DIGEST_LENGTH + NATIVE_CHALLENGE];

    memcpy(seed + SHA256_DIGEST_LENGTH, challenge, NATIVE_CHALLENGE);
    bool made = SHA256((const uint8_t *)password, strlen(password), once) &&
                SHA256(once, sizeof(once), seed) && SHA256(seed, sizeof(seed), mask);
    if (made)
        exclusive_or(once, mask, sizeof(once), ret);
    explicit_bzero(once, sizeof(once));
    return made;
}

/* A digest of 64 bytes as a number below the group's order. */
static void reduce(const uint8_t *bytes, size_t count, uint8_t ret[KEY])
{
    uint8_t digest[crypto_hash_sha512_BYTES];
    crypto_hash_sha512(digest, bytes, count);
    crypto_core_ed25519_scalar_reduce(ret, digest);
}

/* RFC 8032, but for the seed: MariaDB hashes a password of any length where Ed25519 has 32 bytes, so
 * that crypto_sign() cannot be used. */
static bool make_ed25519(const char *password, const uint8_t *challenge, uint8_t *ret)
{
    uint8_t secret[crypto_hash_sha512_BYTES]; /* the key; then what makes the nonce */
    uint8_t seed[2 * KEY + ED25519_CHALLENGE];
    uint8_t nonce[KEY], hash[KEY], key[KEY];

    if (sodium_init() < 0)
        return false;
    crypto_hash_sha512(secret, (const uint8_t *)password, strlen(password));
    secret[0] &= 248;
    secret[31] = (uint8_t)((secret[31] & 127) | 64);
    memcpy(seed + KEY, secret + KEY, KEY);
    memcpy(seed + 2 * KEY, challenge, ED25519_CHALLENGE);
    reduce(seed + KEY, KEY + ED25519_CHALLENGE, nonce);
    bool made = crypto_scalarmult_ed25519_base_noclamp(seed, nonce) == 0 &&
                crypto_scalarmult_ed25519_base_noclamp(seed + KEY, secret) == 0;
    if (made) {
        reduce(seed, sizeof(seed), hash);
        memcpy(ret, seed, KEY);
        /* The key as a number below the order, which scalar_mul() wants in both. */
        memset(seed, 0, crypto_hash_sha512_BYTES);
        memcpy(seed, secret, KEY);
        crypto_core_ed25519_scalar_reduce(key, seed);
        crypto_core_ed25519_scalar_mul(key, hash, key);
        crypto_core_ed25519_scalar_add(ret + KEY, key, nonce);
    }
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(seed, sizeof(seed));
    explicit_bzero(nonce, sizeof(nonce));
    explicit_bzero(key, sizeof(key));
    return made;
}

static const struct proof proofs[] = {
    {"mysql_native_password", NATIVE_CHALLENGE, SHA_DIGEST_LENGTH, true, make_native},
    {"caching_sha2_password", NATIVE_CHALLENGE, SHA256_DIGEST_LENGTH, true, make_sha2},
    {"client_ed25519", ED25519_CHALLENGE, crypto_sign_BYTES, false, make_ed25519},
};

const struct proof *proof_find(const char *plugin)
{
    for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++)
        if (strcmp(proofs[i].plugin, plugin) == 0)
            return &proofs[i];
    return NULL;
}

int proof_make(const struct proof *proof, const char *password, const uint8_t *challenge,
               uint8_t ret[PROOF_MAX])
{
    if (proof->empty && password[0] == '\0')
        return 0;
    return proof->make(password, challenge, ret) ? (int)proof->size : -1;
}
