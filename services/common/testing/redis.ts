import { type ChildProcess, spawn } from 'node:child_process';
import { accepts, freePort, stopProcess, temporaryFolder, until } from './processes.ts';

/** A real Redis of the test's own, without persistence. */
export type TestRedis = {
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** stands still without closing anything */
  pause(): void;
  resume(): void;
  remove(): Promise<void>;
};

export async function startRedis(): Promise<TestRedis> {
  const folder = temporaryFolder('devshelf-redis-');
  const port = await freePort();
  let server: ChildProcess;
  let missing = false;

  const start = async () => {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    server = spawn('redis-server', settings, { cwd: folder.path, stdio: 'ignore' });
    server.on('error', () => {
      missing = true;
    });
    await until('Redis answers', () => {
      if (missing) throw new Error('Redis is not here: apt-get install redis-server');
      return accepts(port);
    });
  };
  await start();

  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    stop: () => stopProcess(server, 'SIGTERM'),
    pause: () => server.kill('SIGSTOP'),
    resume: () => server.kill('SIGCONT'),
    remove: async () => {
      await stopProcess(server, 'SIGKILL');
      folder.remove();
    },
  };
}
