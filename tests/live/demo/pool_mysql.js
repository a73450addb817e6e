// SPDX-License-Identifier: Apache-2.0
//
// The programs of the demonstration that have a pool, with MariaDB: node `mysql2`, in a transaction as its manual
// shows one, and Sequelize, both with all settings as they come. A row every half second; what becomes of a
// connection after an error is the pool's business.
//
// usage: pool_mysql.js mysql2|sequelize OUT HOST PORT     appends a line "time good|failed error" to OUT for each write
'use strict';
const fs = require('fs');

const PERIOD = 500;
const SQL = 'INSERT INTO demo VALUES (NULL)';
const [kind, out, host, port] = process.argv.slice(2);
const user = 'app', password = process.env.APP_PASSWORD, database = 'app';

function mysql2() {
    const pool = require('mysql2/promise').createPool({ host, port, user, password, database });
    // Not pool.query(), which gives up a connection whose server is read-only: in a transaction nobody does.
    return async () => {
        const connection = await pool.getConnection();
        try {
            await connection.beginTransaction();
            await connection.query(SQL);
            await connection.commit();
        } catch (error) {
            await connection.rollback();
            throw error;
        } finally {
            connection.release();
        }
    };
}

function sequelize() {
    const { Sequelize } = require('sequelize');
    const db = new Sequelize(database, user, password, { host, port, dialect: 'mysql', logging: false });
    return () => db.query(SQL);
}

const write = { mysql2, sequelize }[kind]();
let busy = false;

function note(result) {
    fs.appendFileSync(out, `${(Date.now() / 1000).toFixed(3)} ${result.replace(/\s+/g, ' ')}\n`);
    busy = false;
}

setInterval(() => {
    if (busy)
        return;
    busy = true;
    write().then(() => note('good'), (error) => note(`failed ${error.message}`));
}, PERIOD);
