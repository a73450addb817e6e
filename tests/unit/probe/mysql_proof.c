/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_proof.c - proofs of a password: Ed25519 against libsodium's own, which takes passwords of 32
 * bytes; the others with numbers that real servers took (mysql_wire.c has more).
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "agent/probe/mysql/proof.h"
#include "tests/support/test.h"

static void ed25519_of_32_bytes_is_what_everybody_makes(void **state)
{
    const struct proof *proof = proof_find("client_ed25519");
    uint8_t challenge[32], ret[PROOF_MAX], expected[crypto_sign_BYTES];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
    char password[48]; /* 32 and more, as compilers count */
    (void)state;
    assert_true(sodium_init() >= 0);
    for (int i = 0; i < 64; i++) {
        snprintf(password, sizeof(password), "a password of 32 bytes, number%02d", i);
        memset(challenge, i * 5, sizeof(challenge));
        crypto_sign_seed_keypair(public_key, secret_key, (const uint8_t *)password);
        crypto_sign_detached(expected, NULL, challenge, sizeof(challenge), secret_key);
        assert_int_equal(proof_make(proof, password, challenge, ret), sizeof(expected));
        assert_memory_equal(ret, expected, sizeof(expected));
    }
}

/* Digests of "secret", for a challenge of twenty times "a"; computed with Python's hashlib. */
static void the_others_are_as_their_formulas_say(void **state)
{
    static const uint8_t native[] = {0x51, 0x2a, 0xe2, 0xa4, 0xd1, 0x57, 0x2c, 0x01, 0x11, 0x40,
                                     0xa7, 0x36, 0x21, 0x90, 0xe0, 0x7e, 0x79, 0xeb, 0x03, 0xd2};
    static const uint8_t sha2[] = {0x79, 0x9c, 0x49, 0xed, 0xa5, 0xc0, 0x06, 0x4a, 0x85, 0xe6, 0xd9,
                                   0x90, 0x89, 0x46, 0x53, 0xbd, 0xdc, 0x20, 0x22, 0x36, 0xfe, 0x5b,
                                   0xcb, 0x6f, 0x76, 0xe3, 0xea, 0xe1, 0xbc, 0x73, 0xf4, 0x98};
    uint8_t ret[PROOF_MAX];
    (void)state;
    assert_int_equal(proof_make(proof_find("mysql_native_password"), "secret",
                                (const uint8_t *)"aaaaaaaaaaaaaaaaaaaa", ret),
                     sizeof(native));
    assert_memory_equal(ret, native, sizeof(native));
    assert_int_equal(proof_make(proof_find("caching_sha2_password"), "secret",
                                (const uint8_t *)"aaaaaaaaaaaaaaaaaaaa", ret),
                     sizeof(sha2));
    assert_memory_equal(ret, sha2, sizeof(sha2));
}

static void an_empty_password_is_proved_by_nothing_but_with_ed25519(void **state)
{
    uint8_t challenge[32] = {0}, ret[PROOF_MAX];
    (void)state;
    assert_int_equal(proof_make(proof_find("mysql_native_password"), "", challenge, ret), 0);
    assert_int_equal(proof_make(proof_find("caching_sha2_password"), "", challenge, ret), 0);
    assert_int_equal(proof_make(proof_find("client_ed25519"), "", challenge, ret), 64);
    assert_null(proof_find("mysql_clear_password"));
    assert_null(proof_find("sha256_password"));
    assert_null(proof_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ed25519_of_32_bytes_is_what_everybody_makes),
        TEST(the_others_are_as_their_formulas_say),
        TEST(an_empty_password_is_proved_by_nothing_but_with_ed25519),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
