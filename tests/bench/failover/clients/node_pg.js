// SPDX-License-Identifier: Apache-2.0
// node `pg`, a Pool as it comes. With the argument `unheard` nobody listens to its 'error' events,
// and then node ends the process when an idle connection breaks.
'use strict';
const { Pool } = require('pg');

const pool = new Pool();
if (process.argv[2] !== 'unheard')
    pool.on('error', () => {});
require('./pace').run((sql) => pool.query(sql));
