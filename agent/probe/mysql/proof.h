/* SPDX-License-Identifier: Apache-2.0
 *
 * proof.h - how a client proves that it knows a password without telling it: one function for each
 * way ("plugin") that we know. Pure; called by login.c.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_PROOF_H
#define HOMING_AGENT_PROBE_MYSQL_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that the longest proof has. */
#define PROOF_MAX 64

/* A way to log in. Each row is fixed by its protocol:
 * mysql_native_password  SHA1(p) ^ SHA1(challenge SHA1(SHA1(p)))
 * caching_sha2_password  SHA256(p) ^ SHA256(SHA256(SHA256(p)) challenge)
 * client_ed25519         an Ed25519 signature of the challenge, whose seed is the whole password */
struct proof {
    const char *plugin;
    size_t challenge; /* bytes of the server's challenge */
    size_t size;      /* bytes of the proof */
    bool empty;       /* an empty password has an empty proof */
    bool (*make)(const char *password, const uint8_t *challenge, uint8_t *ret);
};

/* NULL: a way that is not known. */
const struct proof *proof_find(const char *plugin);

/* The proof's bytes in `ret`; returns how many, -1: a library has failed. */
int proof_make(const struct proof *proof, const char *password, const uint8_t *challenge,
               uint8_t ret[PROOF_MAX]);

#endif
