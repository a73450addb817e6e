// SPDX-License-Identifier: Apache-2.0
// Sequelize with the pool that it brings.
'use strict';
const { Sequelize } = require('sequelize');

const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = process.env;
const db = new Sequelize(PGDATABASE, PGUSER, PGPASSWORD,
                         { host: PGHOST, port: PGPORT, dialect: 'postgres', logging: false });
require('./pace').run((sql) => db.query(sql));
