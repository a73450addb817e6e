// SPDX-License-Identifier: Apache-2.0
//
// The program of the demonstration that has a pool: node `pg`. It writes a row every half second, in a
// transaction as its manual shows one: after an error it rolls back, and gives the connection back to the
// pool, which replaces what is broken and keeps what is healthy.
//
// usage: pool.js OUT HOST PORT     appends a line "time good|failed error" to OUT for each write
'use strict';
const fs = require('fs');
const { Pool } = require('pg');

const PERIOD = 500;
const [out, host, port] = process.argv.slice(2);
const pool = new Pool({ host, port, user: 'postgres', database: 'postgres', connectionTimeoutMillis: 2000 });
let busy = false;

// Without these node ends when a connection breaks: one that is idle, and one that is in use.
pool.on('error', () => {});
pool.on('connect', (client) => client.on('error', () => {}));

function note(result) {
    fs.appendFileSync(out, `${(Date.now() / 1000).toFixed(3)} ${result.replace(/\s+/g, ' ')}\n`);
    busy = false;
}

async function write() {
    const client = await pool.connect();
    try {
        await client.query('BEGIN');
        await client.query('INSERT INTO demo DEFAULT VALUES');
        await client.query('COMMIT');
    } catch (error) {
        await client.query('ROLLBACK');
        throw error;
    } finally {
        client.release();
    }
}

setInterval(() => {
    if (busy)
        return;
    busy = true;
    write().then(() => note('good'), (error) => note(`failed ${error.message}`));
}, PERIOD);
