import { expect, test } from '@jest/globals';
import { byName, nameFor } from './public-name.ts';

const HEALTH = '/health';

test.each<[string, readonly string[], readonly string[], string | undefined]>([
  [
    'the first that both know',
    ['new.example', 'shop.example', 'www.example'],
    ['www.example', 'shop.example'],
    'shop.example',
  ],
  ['its own where the stable pod knows none', ['shop.example', 'www.example'], [], 'shop.example'],
  ['none where it knows none', [], ['shop.example'], undefined],
])('the name is %s', (_case, candidate, stable, name) => {
  expect(nameFor(candidate, stable)).toBe(name);
});

test.each<[string, string | undefined]>([
  ['/', 'shop.example'],
  ['/api/summary?days=7', 'shop.example'],
  ['/metrics-of-mine', 'shop.example'],
  ['/metrics', undefined],
  ['/metrics?a=1', undefined],
  ['/live', undefined],
  ['/ready/', undefined],
  ['/ready?verbose', undefined],
  [HEALTH, undefined],
])('GET %s names the host %s', async (path, host) => {
  const asked: unknown[] = [];
  const ask = byName(
    async ({ headers }) => {
      asked.push(headers?.['host']);
      return { status: 200, text: '' };
    },
    'shop.example',
    [HEALTH],
  );
  await ask({ path, timeoutMs: 1 });
  expect(asked).toEqual([host]);
});

test('other headers stay', async () => {
  const asked: unknown[] = [];
  const ask = byName(
    async ({ headers }) => {
      asked.push(headers);
      return { status: 200, text: '' };
    },
    'shop.example',
    [],
  );
  await ask({ path: '/', timeoutMs: 1, headers: { 'x-rehearsal': '1' } });
  expect(asked).toEqual([{ host: 'shop.example', 'x-rehearsal': '1' }]);
});
