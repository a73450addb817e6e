// SPDX-License-Identifier: Apache-2.0
// Sequelize with the pool that it brings, over mysql2.
'use strict';
const { Sequelize } = require('sequelize');

const { DBHOST, DBPORT, DBUSER, DBPASSWORD, DBNAME } = process.env;
const db = new Sequelize(DBNAME, DBUSER, DBPASSWORD, { host: DBHOST, port: DBPORT, dialect: 'mysql', logging: false });
require('../pace').run((sql) => db.query(sql));
