/* SPDX-License-Identifier: Apache-2.0
 *
 * work.h - how much a server may make us reckon, or wait. Its answers to OpenSSL and to an engine's client
 * library choose numbers of which the work depends, and both reckon on the loop: a single login could hold
 * up all clusters.
 *
 * 1. No TLS connection of this process, a client library's neither, offers Diffie-Hellman over finite fields:
 *    there the server chooses the prime, and 10,000 bits cost seconds. Elliptic curves are left, and RSA.
 * 2. A password is hashed at most TLS_WORK_ROUNDS times for one login. SCRAM lets the server say how
 *    often, up to 2^31 times, which is an hour, and client libraries have no bound.
 * 3. No server makes a client library ask a KDC, for whose answer it waits, unless the operator wants Kerberos.
 */
#ifndef HOMING_AGENT_BASE_TLS_WORK_H
#define HOMING_AGENT_BASE_TLS_WORK_H

#include <stdbool.h>

/* Some 100 ms. Servers have 4,096 unless told otherwise. Less: who asks for more on purpose cannot be followed. */
#define TLS_WORK_ROUNDS 50000

/* Around each call into a client library that logs in. tls_work_end(): NULL, or what the server wanted, for which the
 * login has failed, and what to do. */
void tls_work_begin(bool kerberos);
const char *tls_work_end(void);

#endif
