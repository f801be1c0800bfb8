import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { stopProcess, until } from './testing/processes.ts';

const LOGGING = new URL('logging.ts', import.meta.url).href;

/** A process that logs; `output` is what came out of it so far. */
function logs(script: string): { readonly child: ChildProcess; readonly output: () => string } {
  const text = `import { createLogger } from ${JSON.stringify(LOGGING)}; const logger = createLogger('t', 'info'); ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', chunk => chunks.push(chunk));
  return { child, output: () => Buffer.concat(chunks).toString() };
}

const FOREVER = 'setInterval(() => undefined, 1_000);';
const ended = ({ exitCode, stdout }: ChildProcess) => exitCode !== null && stdout?.readableEnded === true;

test.each([
  ['ends', ''],
  ['exits', 'process.exit(0);'],
  ['fails', 'throw new Error("unexpected");'],
])('a process that %s has said everything before', async (_how, end) => {
  const { child, output } = logs(`for (let n = 0; n < 1_000; n += 1) logger.info({ n }, 'line'); ${end}`);
  await until('the process ends', () => ended(child));
  const lines = output().trim().split('\n');
  expect(lines).toHaveLength(1_000);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ n: 999 });
});

test('what is longer than the room for it comes out whole, and what is not ASCII unharmed', async () => {
  const { child, output } = logs(`logger.info('€'.repeat(100_000)); logger.info('ñandú 😀');`);
  await until('the process ends', () => ended(child));
  const [long, short] = output().split('\n');
  expect(JSON.parse(long ?? '').msg).toBe('€'.repeat(100_000));
  expect(JSON.parse(short ?? '').msg).toBe('ñandú 😀');
});

test('a line leaves soon although nothing follows it', async () => {
  const { child, output } = logs(`logger.info('alone'); ${FOREVER}`);
  await until('the line is here', () => output().includes('alone'));
  await stopProcess(child, 'SIGKILL');
});

test('a warning leaves at once, with what was said before it', async () => {
  const { child, output } = logs(
    `logger.info('before'); logger.warn('trouble'); process.kill(process.pid, 'SIGKILL');`,
  );
  await until('the process is gone', () => child.signalCode !== null && child.stdout?.readableEnded === true);
  expect(output()).toMatch(/before.*\n.*trouble.*\n$/);
});

test('a reader that does not read holds up nothing, and has every line once it reads again', async () => {
  const text = `import { writeSync } from 'node:fs';
    import { createLogger } from ${JSON.stringify(LOGGING)};
    void process.stdout; // makes the pipe non-blocking
    const logger = createLogger('t', 'info');
    const begun = performance.now();
    for (let n = 0; n < 5_000; n += 1) { logger.info({ n }, 'line'); if (n % 100 === 0) await new Promise(setImmediate); }
    writeSync(2, String(performance.now() - begun));
    setTimeout(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [elapsed] = await once(child.stderr, 'data');
  // a thousand lines fill the pipe
  expect(Number(elapsed)).toBeLessThan(2_000);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().trim().split('\n');
  expect(lines.map(line => JSON.parse(line).n)).toEqual([...Array(5_000).keys()]);
});
