import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort, stopProcess, temporaryFolder, unprivileged, until } from './processes.ts';

/** A real PostgreSQL of the test's own: a free port of the loopback interface, its own folder, gone after `remove`. */
export type TestPostgres = {
  readonly url: string;
  /** of its own authority; with `tls` only */
  readonly certificate: string;
  /** a new empty database; its URL */
  createDatabase(name: string): Promise<string>;
  start(): Promise<void>;
  /** as on a node's shutdown: connections are cut */
  stop(): Promise<void>;
  /** stands still without closing anything, as a paused virtual machine does */
  pause(): void;
  resume(): void;
  remove(): Promise<void>;
};

const DEBIAN = '/usr/lib/postgresql';

/** @throws Error that says what to install */
function binaries(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((left, right) => Number(right) - Number(left)) : [];
  if (versions[0] === undefined) throw new Error('PostgreSQL is not here: apt-get install postgresql');
  return join(DEBIAN, versions[0], 'bin');
}

type Options = {
  /** lines of pg_hba.conf before the ones that trust everybody */
  readonly access?: string;
  /** takes TLS, too, with a certificate that it signed itself */
  readonly tls?: boolean;
};

export async function startPostgres({ access, tls = false }: Options = {}): Promise<TestPostgres> {
  const bin = binaries();
  const user = unprivileged('postgres');
  const folder = temporaryFolder('devshelf-postgres-', user);
  const data = join(folder.path, 'data');
  const options = { ...user, cwd: folder.path, stdio: 'ignore' as const };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], options);
  if (access !== undefined) {
    const rules = join(data, 'pg_hba.conf');
    writeFileSync(rules, `${access}\n${readFileSync(rules, 'utf8')}`);
  }
  const [certificate, key] = [join(folder.path, 'server.crt'), join(folder.path, 'server.key')];
  if (tls) execFileSync('openssl', [...SELF_SIGNED, '-out', certificate, '-keyout', key], options);
  const port = await freePort();
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  let server: ChildProcess;

  const start = async () => {
    const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder.path}`];
    if (tls) settings.push('ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`);
    const args = ['-D', data, '-p', String(port), ...settings.flatMap(setting => ['-c', setting])];
    server = spawn(join(bin, 'postgres'), args, options);
    await until('PostgreSQL answers', () => query(url, 'SELECT 1').then(...YES_OR_NO));
  };
  const signalAll = (signal: NodeJS.Signals) => {
    for (const pid of [server.pid, ...childrenOf(server.pid)]) if (pid !== undefined) process.kill(pid, signal);
  };
  await start();

  return {
    url,
    certificate,
    createDatabase: async name => {
      await query(url, `CREATE DATABASE "${name}"`);
      return url.replace(/postgres$/, name);
    },
    start,
    stop: () => stopProcess(server, 'SIGINT'),
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    remove: async () => {
      await stopProcess(server, 'SIGQUIT');
      folder.remove();
    },
  };
}

const SELF_SIGNED = [
  ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'],
  ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
];

const YES_OR_NO = [() => true, () => false] as const;

function childrenOf(pid: number | undefined): readonly number[] {
  if (pid === undefined) return [];
  return execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
    .map(Number);
}

/** Rows of one statement over a connection of its own. */
export async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
