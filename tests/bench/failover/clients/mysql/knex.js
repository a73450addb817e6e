// SPDX-License-Identifier: Apache-2.0
// Knex with the pool that it brings (tarn), over mysql2.
'use strict';
const { DBHOST, DBPORT, DBUSER, DBPASSWORD, DBNAME } = process.env;
const db = require('knex')({ client: 'mysql2', connection: { host: DBHOST, port: Number(DBPORT), user: DBUSER,
                                                             password: DBPASSWORD, database: DBNAME } });
require('../pace').run((sql) => db.raw(sql));
