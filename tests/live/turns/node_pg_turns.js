// SPDX-License-Identifier: Apache-2.0
// Per line of input: a query through a Pool, a new Client, a lookup of OTHER; prints where they led.
//
// usage: node_pg_turns.js HOST PORT OTHER
'use strict';
const { Client, Pool } = require('pg');
const { lookup } = require('dns').promises;

const [host, port, other] = process.argv.slice(2);
const there = { host, port, user: 'postgres', database: 'postgres' };
const SQL = 'SELECT host(inet_server_addr())';
const pool = new Pool({ ...there, max: 1, idleTimeoutMillis: 0 });
pool.on('error', () => {});

async function turn() {
    const client = new Client(there);
    client.on('error', () => {});
    try {
        await client.connect();
        const answers = [await pool.query(SQL), await client.query(SQL)].map((got) => got.rows[0].host);
        console.log(...answers, (await lookup(other)).address);
    } catch (error) {
        console.log('failed:', error.message);
    }
    await client.end().catch(() => {});
}

let last = Promise.resolve();
const input = require('readline').createInterface({ input: process.stdin });
input.on('line', () => { last = last.then(turn); });
input.on('close', () => last.then(() => pool.end()));
