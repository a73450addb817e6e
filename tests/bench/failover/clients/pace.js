// SPDX-License-Identifier: Apache-2.0
// The beat of the JavaScript clients: a request every 20 ms, at most 20 at once, as a web server would.
'use strict';

const LIMIT = 20;
const SQL = `INSERT INTO writes (client) VALUES ('${process.env.CLIENT}')`;
let number = 0, running = 0;

function say(n, what) {
    process.stdout.write(`${Date.now()} ${n} ${what.replace(/\s+/g, ' ')}\n`);
}

async function request(insert) {
    const n = ++number;
    running++;
    say(n, 'begin');
    try {
        await insert(SQL);
        say(n, 'ok');
    } catch (error) {
        const cause = error.original || error.driverError || error;
        // MySQL's errors have a number; its code is a word.
        say(n, `error ${(cause.sqlState ? cause.errno : cause.code) || '-'} ${error.message}`);
    }
    running--;
}

exports.run = (insert) => setInterval(() => running < LIMIT && request(insert), 20);
