/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_mysql_kind.c - what an Aurora Global Database with MySQL is: see conf/engine_kind.h. Its
 * positions are numbers of its log, which count bytes.
 */
#include "config.h"

#include "agent/probe/engines/mysql/aurora_global_mysql_kind.h"
#include "agent/probe/engines/mysql/family/advice.h"
#include "agent/probe/engines/mysql/family/connection.h"

const struct engine_kind engine_kind_aurora_global_mysql = {
    .name = "aurora-global-mysql",
    .default_port = 3306,
    .tells = ENGINE_TELLS_IDS,
    .spans_regions = true,
    .client = "mysql",
    .keywords = mysql_keywords,
    .check_connection = mysql_connection_refuse,
    .check_together = mysql_connection_check,
    .alias = alias_amazon,
    .region = alias_amazon_region,
    .proof_keyword = "tls",
    .proof_value = "verify-full",
    .advice = mysql_advice,
    .grants = mysql_grants,
    .lag_unit = "bytes",
    .branch = "position when it took over",
};
