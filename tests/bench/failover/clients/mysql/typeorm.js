// SPDX-License-Identifier: Apache-2.0
// TypeORM with the pool that it brings, which is mysql2's.
'use strict';
require('reflect-metadata');
const { DataSource } = require('typeorm');

const { DBHOST, DBPORT, DBUSER, DBPASSWORD, DBNAME } = process.env;
const db = new DataSource({ type: 'mysql', host: DBHOST, port: Number(DBPORT), username: DBUSER, password: DBPASSWORD,
                            database: DBNAME, logging: false });
db.initialize().then(() => require('../pace').run((sql) => db.query(sql)));
