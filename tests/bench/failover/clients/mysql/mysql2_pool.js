// SPDX-License-Identifier: Apache-2.0
// node `mysql2`, a pool as it comes. pool.query() gives up a connection whose server says that it is read-only; with the
// argument `transaction` each INSERT is in a transaction on a connection of the pool, as mysql2's manual shows one.
'use strict';
const { DBHOST, DBPORT, DBUSER, DBPASSWORD, DBNAME } = process.env;
const pool = require('mysql2/promise').createPool(
    { host: DBHOST, port: Number(DBPORT), user: DBUSER, password: DBPASSWORD, database: DBNAME });

async function transaction(sql) {
    const connection = await pool.getConnection();
    try {
        await connection.beginTransaction();
        await connection.query(sql);
        await connection.commit();
    } catch (error) {
        await connection.rollback();
        throw error;
    } finally {
        connection.release();
    }
}

require('../pace').run(process.argv[2] === 'transaction' ? transaction : (sql) => pool.query(sql));
