/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_mysql_kind.c - what Aurora MySQL is: see conf/engine_kind.h. Its servers tell no position.
 */
#include "config.h"

#include "agent/probe/engines/mysql/aurora_mysql_kind.h"
#include "agent/probe/engines/mysql/family/advice.h"
#include "agent/probe/engines/mysql/family/connection.h"

const struct engine_kind engine_kind_aurora_mysql = {
    .name = "aurora-mysql",
    .default_port = 3306,
    .tells = ENGINE_TELLS_IDS,
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
    .lag_unit = "transactions",
    .lag_in_transactions = true,
    .branch = "position when it took over",
};
