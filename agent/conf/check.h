/* SPDX-License-Identifier: Apache-2.0
 *
 * check.h - from what stands in the file to struct conf: what values may be.
 *
 * All functions go on after an error, so that one run reports them all; what they build is complete
 * only if errors->failures stayed 0, but can always be given to conf_free(). -ENOMEM ends them.
 */
#ifndef HOMING_AGENT_CONF_CHECK_H
#define HOMING_AGENT_CONF_CHECK_H

#include "agent/conf/file/schema.h"

/* 0 or -ENOMEM; fills `conf`, whose file and engines are set. */
int conf_check(const struct conf_raw *raw, const struct conf_node *root, struct conf_errors *errors,
               struct conf *conf);

#endif
