import { expect, test } from '@jest/globals';
import { createDashboardLogger, createLogger } from './logging.ts';

test.each([
  ['DevShelf', createLogger],
  ['the dashboard', createDashboardLogger],
])('a line of %s says what went wrong, and nothing that hangs on the error', (_service, create) => {
  const lines: string[] = [];
  const logger = create('test', 'info', { write: (line: string) => lines.push(line) });
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  const error = Object.assign(new Error('no answer', { cause }), {
    code: 'X1',
    client: { secretKey: 4711, user: 'root' },
  });
  logger.warn({ err: error }, 'lost');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    msg: 'lost',
    err: { type: 'Error', message: 'no answer', code: 'X1', cause: { message: 'refused', code: 'ECONNREFUSED' } },
  });
  expect(lines[0]).toContain('logging.test.ts'); // its stack
  expect(lines[0]).not.toMatch(/4711|client|root/);
});

test.each([
  ['DevShelf', createLogger, 'time'],
  ['the dashboard', createDashboardLogger, 'ts'],
] as const)('a line of %s says when, in UTC, and stays one line', (_service, create, field) => {
  const lines: string[] = [];
  const logger = create('test', 'info', { write: (line: string) => lines.push(line) });
  logger.info({ path: 'a\n{"level":"error"}' }, 'one\r\ntwo');
  expect(lines.join('').split('\n')).toEqual([expect.any(String), '']);
  const { [field]: when } = JSON.parse(lines[0] ?? '');
  expect(Math.abs(Date.parse(when) - Date.now())).toBeLessThan(60_000);
  expect(when).toMatch(/(Z|\+00:00)$/);
});

test('an error that is its own cause is said, too', () => {
  const lines: string[] = [];
  const error: Error = new Error('round');
  error.cause = error;
  createLogger('test', 'info', { write: (line: string) => lines.push(line) }).error({ err: error });
  expect(lines).toHaveLength(1);
});
