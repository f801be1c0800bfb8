// A server that answers and says no: real TLS, real passwords.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { query, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { type TemporaryFolder, temporaryFolder } from '../testing/processes.ts';
import type { Verdict } from './verdict.ts';

let postgres: TestPostgres;
let folder: TemporaryFolder;
let socketFolder = '';
const GENERATED = `p@ss/w:rd%#?&=+ ñ'"{}[]|^~$!,;<>`;
/** What a URL takes as it is. */
const RAW = 'p@s:s %w[ord';
beforeAll(async () => {
  folder = temporaryFolder('devshelf-refusals-');
  mkdirSync(join(folder.path, '20260101000000_a'));
  writeFileSync(join(folder.path, '20260101000000_a', 'migration.sql'), 'CREATE TABLE a (id INT);');
  postgres = await startPostgres({
    access:
      'host all locked,generated,raw 127.0.0.1/32 scram-sha-256\nhostssl all careful 127.0.0.1/32 trust\nhost all careful all reject',
    tls: true,
  });
  const roles = ["locked LOGIN PASSWORD 's3cret'", 'careful LOGIN', 'mute NOLOGIN'];
  const passwords = [
    ['generated', GENERATED],
    ['raw', RAW],
  ].map(([name, password]) => `${name} LOGIN PASSWORD '${password?.replaceAll("'", "''")}'`);
  for (const role of [...roles, ...passwords]) await query(postgres.url, `CREATE ROLE ${role}`);
  const [found] = await query(postgres.url, 'SHOW unix_socket_directories');
  socketFolder = String(found?.['unix_socket_directories']);
}, 60_000);
afterAll(async () => {
  await postgres?.remove();
  folder?.remove();
});

const MIGRATE = new URL('../../devshelf/migrate.ts', import.meta.url).pathname;

function status(change: (url: string) => string): Verdict {
  const env = { DATABASE_URL: change(postgres.url), MIGRATIONS_DIR: folder.path, TERMINATION_LOG: '/nowhere' };
  const { stdout } = spawnSync(process.execPath, [MIGRATE, 'status'], { env, encoding: 'utf8' });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Verdict;
}

const as = (user: string) => (url: string) => url.replace('postgres@', `${user}@`);

const given = (parameters: string) => (url: string) => `${url}?${parameters}`;
/** By the socket in its folder. */
const bySocket = (where: (folder: string, port: string, database: string) => string) => (url: string) => {
  const { port, pathname } = new URL(url);
  return where(socketFolder, port, pathname.slice(1));
};

test.each([
  ['a wrong password', as('locked:wr0ng'), 'password authentication failed for user "locked"'],
  ['no password', as('locked'), 'client password must be a string'],
  ['a role that may not log in', as('mute'), 'role "mute" is not permitted to log in'],
  ['a server that demands TLS', as('careful'), 'sslmode=verify-full or sslmode=no-verify'],
  ['a certificate of nobody known', given('sslmode=require'), 'sslmode=no-verify to accept any'],
  ['the same where TLS is preferred', given('sslmode=prefer'), 'sslmode=no-verify to accept any'],
  ['the same in full', given('sslmode=verify-full'), 'sslmode=no-verify to accept any'],
])('%s is a refusal, in the words of who refuses', (_case, change, words) => {
  const verdict = status(change);
  expect(verdict).toMatchObject({ result: 'refused', message: expect.stringContaining(words) });
  expect(verdict.message).not.toMatch(/wr0ng|s3cret/);
});

test.each([
  ['the right password', as('locked:s3cret')],
  ['a generated password, encoded', as(`generated:${encodeURIComponent(GENERATED)}`)],
  ['a password as it is, where a URL takes it', as(`raw:${RAW}`)],
  ['a URL with a line end, as a Secret made from a file has', (url: string) => `${url}\n`],
  ['SQLAlchemy’s name of the driver', (url: string) => url.replace('postgresql:', 'postgresql+psycopg2:')],
  ['TLS without a look at the certificate', (url: string) => `${as('careful')(url)}?sslmode=no-verify`],
  ['no TLS where it may be', given('sslmode=disable')],
  ['what libpq means by require', given('uselibpqcompat=true&sslmode=require')],
  [
    'the certificate of its authority',
    (url: string) => `${url}?sslmode=verify-full&sslrootcert=${postgres.certificate}`,
  ],
  ['a socket', bySocket((at, port, name) => `postgresql://postgres@/${name}?host=${at}&port=${port}`)],
  [
    'a socket as a host',
    bySocket((at, port, name) => `postgresql://postgres@${encodeURIComponent(at)}:${port}/${name}`),
  ],
])('%s is let in', (_case, change) => {
  expect(status(change)).toMatchObject({ result: 'pending' });
});
