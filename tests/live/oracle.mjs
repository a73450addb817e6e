// SPDX-License-Identifier: Apache-2.0
// A program for oracle.py: for each line of its input it asks where it is, and prints the instance and its role, or the kind
// of the error. With a pattern it is AWS's wrapper, which is told nothing but how instances are named; else a pool of the
// driver below that.
//
// usage: node oracle.mjs mysql|pg MODULES HOST PORT USER PASSWORD DATABASE [PATTERN]
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [engine, modules, host, port, user, password, database, pattern] = process.argv.slice(2);
const config = { host, port: Number(port), user, password, database };
const QUERIES = {
    mysql: "SELECT @@aurora_server_id AS id, @@innodb_read_only AS closed",
    pg: "SELECT aurora_db_instance_identifier() AS id, pg_is_in_recovery()::int AS closed",
};

async function wrapped() {
    const lib = await import(pathToFileURL(`${modules}/aws-advanced-nodejs-wrapper/dist/${engine}.js`));
    const Client = engine === "mysql" ? lib.AwsMySQLClient : lib.AwsPGClient;
    const client = new Client({ ...config, plugins: "failover", clusterInstanceHostPattern: pattern });
    await client.connect();
    return client;
}

function plain() {
    const require = createRequire(`${modules}/`);
    const pool = engine === "mysql" ? require("mysql2/promise").createPool(config) : new (require("pg").Pool)(config);
    pool.on("error", () => {});
    return pool;
}

async function where(client) {
    const text = QUERIES[engine];
    const done = await client.query(engine === "mysql" && pattern ? { sql: text } : text);
    const [row] = done.rows ?? done[0];
    return `${row.id} ${row.closed ? "reader" : "writer"}`;
}

// What the wrapper has made out by itself.
function found(client) {
    const hosts = client.pluginService.getAllHosts().map((it) => `${it.host}:${it.port} ${it.role}`);
    return [client.pluginService.getDialect().getDialectName(), ...hosts.sort()].join(", ");
}

const client = pattern ? await wrapped() : plain();
for await (const line of createInterface({ input: process.stdin })) {
    try {
        console.log(line === "found" ? found(client) : await where(client));
    } catch (error) {
        console.log(`${error.constructor.name}: ${error.message}`);
    }
}
process.exit(0);
