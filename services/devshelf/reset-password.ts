// Gives the owner of a lost password a new one: for who runs the service, in a pod of it.
//   kubectl exec deploy/NAME -- reset-password ana
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import * as z from 'zod';
import { databaseUrl, readConfig } from '../common/config.ts';
import { runMain } from '../common/serve.ts';
import { usernameKey } from './identities.ts';
import { hashPassword } from './passwords.ts';

const USAGE = 'usage: reset-password USERNAME\n\nPrints a new password of the user, once, and ends all its sessions.\n';
const UNKNOWN_USER = 1;
const TIMEOUT_MS = 5_000;
const PASSWORD_BYTES = 15;

/** One statement, so that either both happen or neither; by the exact name, else by one that looks the same. */
const RESET = `WITH found AS (
    SELECT id FROM users WHERE username = $1 OR username_key = $2 ORDER BY username = $1 DESC LIMIT 1
  ), ended AS (
    UPDATE sessions SET revoked_at = now(), revoked_by = 'password'
    FROM found WHERE sessions.user_id = found.id AND revoked_at IS NULL
  )
  UPDATE users SET hashed_password = $3 FROM found WHERE users.id = found.id RETURNING username`;

async function main(): Promise<void> {
  const [name] = process.argv.slice(2);
  if (name === undefined || name === '--help') {
    process.stdout.write(USAGE);
    process.exitCode = name === undefined ? 2 : 0;
    return;
  }
  const { DATABASE_URL } = readConfig(z.object({ DATABASE_URL: databaseUrl }), process.env);
  const client = new Client({
    connectionString: DATABASE_URL,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  await client.connect();
  try {
    const password = randomBytes(PASSWORD_BYTES).toString('base64url');
    const { rowCount } = await client.query(RESET, [name, usernameKey(name), await hashPassword(password)]);
    if (rowCount === 1) process.stdout.write(`${password}\n`);
    else process.stderr.write(`nobody is called ${JSON.stringify(name)}\n`);
    process.exitCode = rowCount === 1 ? 0 : UNKNOWN_USER;
  } finally {
    await client.end();
  }
}

await runMain(main);
