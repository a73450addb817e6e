/* SPDX-License-Identifier: Apache-2.0
 *
 * ability.h - whether connections can be aborted here at all, proven on one to ourselves.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_ABILITY_H
#define HOMING_AGENT_SEVER_SWEEP_ABILITY_H

/* 0: a connection over the loopback was aborted. -EPERM: no CAP_NET_ADMIN. -EOPNOTSUPP: the kernel
 * is built without CONFIG_INET_DIAG_DESTROY. -ENOENT: it is built without CONFIG_INET_DIAG. Any
 * other: it could not be tried; -ENETUNREACH: the loopback interface is down. */
int ability_prove(void);

/* What that means and what to do, for people. */
const char *ability_explain(int error);

#endif
