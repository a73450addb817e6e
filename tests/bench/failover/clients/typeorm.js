// SPDX-License-Identifier: Apache-2.0
// TypeORM with the pool that it brings.
'use strict';
require('reflect-metadata');
const { DataSource } = require('typeorm');

const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = process.env;
const db = new DataSource({ type: 'postgres', host: PGHOST, port: Number(PGPORT), username: PGUSER,
                            password: PGPASSWORD, database: PGDATABASE, logging: false });
db.initialize().then(() => require('./pace').run((sql) => db.query(sql)));
