import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { query } from './postgres.ts';
import { freePort, stopProcess, temporaryFolder, unprivileged, until } from './processes.ts';

const PGBOUNCER = '/usr/sbin/pgbouncer';

/** A real PgBouncer in front of one database, without passwords, in the given pool mode; `settings` are more lines. */
export async function startPgBouncer(databaseUrl: string, mode: string, settings = '') {
  if (!existsSync(PGBOUNCER)) throw new Error('PgBouncer is not here: apt-get install pgbouncer');
  const { hostname, port: databasePort, pathname } = new URL(databaseUrl);
  const user = unprivileged('postgres');
  const folder = temporaryFolder('devshelf-pgbouncer-', user);
  const port = await freePort();
  const config = join(folder.path, 'pgbouncer.ini');
  writeFileSync(
    config,
    `[databases]
* = host=${hostname} port=${databasePort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
${settings}
`,
  );
  const url = `postgresql://postgres@127.0.0.1:${port}${pathname}`;
  const child = spawn(PGBOUNCER, [config], { ...user, cwd: folder.path, stdio: 'ignore' });
  await until('PgBouncer answers', () =>
    query(url, 'SELECT 1').then(
      () => true,
      () => false,
    ),
  );
  return {
    url,
    remove: async () => {
      await stopProcess(child, 'SIGKILL');
      folder.remove();
    },
  };
}
