import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { scrapeAll, scrapeEveryMs, type Target } from './scrape.ts';

const target = (name: string, group: Target['group']): Target => ({ name, uid: name, group, restarts: 0 });
const PODS = [target('old1', 'baseline'), target('new', 'candidate'), target('old2', 'baseline')];
const counted = (requests: number) => `http_requests_total{route="/",status="200"} ${requests}\n`;

test('the baseline is read only when the candidate has been: a fault of both is never seen on one alone', async () => {
  const log: string[] = [];
  await scrapeAll(PODS, async ({ name }) => {
    log.push(`ask ${name}`);
    await delay(name === 'new' ? 5 : 0);
    log.push(`got ${name}`);
    return counted(1);
  });
  expect(log.slice(0, 2)).toEqual(['ask new', 'got new']);
  expect(log).toHaveLength(6);
});

test('a pod that hangs or refuses is unread and says why; the others are read', async () => {
  const stopped: boolean[] = [];
  const { pods } = await scrapeAll(
    PODS,
    async ({ name }, signal) => {
      if (name === 'new') await delay(60_000, undefined, { signal }).catch(() => stopped.push(signal.aborted));
      if (name === 'old1') throw new Error('connect ECONNREFUSED');
      return counted(7);
    },
    { timeoutMs: 20 },
  );
  expect(pods.map(({ name, reading }) => [name, reading])).toEqual([
    ['new', { known: false, why: 'no answer within 20 ms' }],
    ['old1', { known: false, why: 'connect ECONNREFUSED' }],
    ['old2', { known: true, requests: 7, errors: 0 }],
  ]);
  await delay(0);
  expect(stopped).toEqual([true]);
});

test('no pods are a scrape, too', async () => {
  expect(await scrapeAll([], async () => '', { now: () => 5 })).toEqual({ at: 5, pods: [] });
});

test.each([
  [0, 250],
  [4, 250],
  [10, 250],
  [20, 500],
  [400, 1_000],
])('%s pods are read every %s ms', (pods, everyMs) => {
  expect(scrapeEveryMs(pods)).toBe(everyMs);
});
