import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { ApiError } from '../kube/errors.ts';
import { AnswerTooLong } from '../kube/http.ts';
import { createScraper, type Target } from './scrape.ts';

const target = (name: string, group: Target['group']): Target => ({ name, uid: name, group, restarts: 0 });
const PODS = [target('old1', 'baseline'), target('new', 'candidate'), target('old2', 'baseline')];
const counted = (requests: number) => ({ known: true, requests, errors: 0 }) as const;
const known = (requests: number) => ({ known: true, requests, errors: 0, askedAt: expect.any(Number) });

test('the baseline is read only when the candidate has been: a fault of both is never seen on one alone', async () => {
  const log: string[] = [];
  const scraper = createScraper(async ({ name }) => {
    log.push(`ask ${name}`);
    await delay(name === 'new' ? 5 : 0);
    log.push(`got ${name}`);
    return counted(1);
  });
  const { at, pods } = await scraper.look(PODS);
  expect(log.slice(0, 2)).toEqual(['ask new', 'got new']);
  expect(log).toHaveLength(6);
  for (const { group, reading } of pods) {
    const askedAt = reading.known ? (reading.askedAt ?? 0) : 0;
    if (group === 'baseline') expect(askedAt).toBeGreaterThanOrEqual(at);
  }
});

test('a pod that hangs or refuses is unread and says why; the others are read', async () => {
  const stopped: boolean[] = [];
  const isStopped = Promise.withResolvers<void>();
  const scraper = createScraper(
    async ({ name }, signal) => {
      if (name === 'new') {
        await delay(60_000, undefined, { signal }).catch(() => stopped.push(signal.aborted));
        isStopped.resolve();
      }
      if (name === 'old1') throw new Error('connect ECONNREFUSED');
      return counted(7);
    },
    { promptMs: 20, timeoutMs: 20 },
  );
  await scraper.look(PODS);
  await isStopped.promise;
  expect(stopped).toEqual([true]); // the second look may ask it anew
  const { pods } = await scraper.look(PODS);
  expect(pods.map(({ name, reading }) => [name, reading])).toEqual([
    ['new', { known: false, why: 'no answer within 20 ms' }],
    ['old1', { known: false, why: 'connect ECONNREFUSED' }],
    ['old2', known(7)],
  ]);
});

test('a pod that is slow is read when its answer is there, is asked once at a time, and holds nobody up', async () => {
  const slow = Promise.withResolvers<void>();
  const asked: string[] = [];
  const scraper = createScraper(
    async ({ name }) => {
      asked.push(name);
      if (name === 'old1') await slow.promise;
      return counted(asked.length);
    },
    { promptMs: 10 },
  );
  const readings = async () => (await scraper.look(PODS)).pods.map(({ name, reading }) => `${name} ${reading.known}`);
  expect(await readings()).toEqual(['new true', 'old1 false', 'old2 true']);
  expect(await readings()).toEqual(['new true', 'old1 false', 'old2 true']);
  slow.resolve();
  await delay(0);
  expect(await readings()).toEqual(['new true', 'old1 true', 'old2 true']);
  expect(asked.filter(name => name === 'old1')).toHaveLength(1);
});

test('where the next look is far away, slow ones are waited for, those that were known to be slow, too', async () => {
  const scraper = createScraper(
    async () => {
      await delay(30);
      return counted(1);
    },
    { promptMs: 5 },
  );
  const readings = async (patienceMs?: number) =>
    (await scraper.look([target('new', 'candidate')], patienceMs)).pods.map(({ reading }) => reading.known);
  expect(await readings()).toEqual([false]);
  await delay(40);
  expect(await readings()).toEqual([true]);
  expect(await readings(10_000)).toEqual([true]);
});

test('while a pod that could not be read is asked again, it says why it could not', async () => {
  let failing = true;
  const scraper = createScraper(
    async (_pod, signal) => {
      if (failing) throw new Error('/metrics answered 401');
      return delay(60_000, counted(1), { signal });
    },
    { promptMs: 10 },
  );
  await scraper.look([target('new', 'candidate')]);
  failing = false;
  const { pods } = await scraper.look([target('new', 'candidate')]);
  expect(pods[0]?.reading).toEqual({ known: false, why: '/metrics answered 401' });
  scraper.stop();
});

test('a pod that is gone is not waited for, and what was asked of it ends', async () => {
  let ended = false;
  const scraper = createScraper(
    async (_pod, signal) => {
      await delay(60_000, undefined, { signal }).catch(() => {
        ended = true;
      });
      return counted(1);
    },
    { promptMs: 5 },
  );
  await scraper.look([target('new', 'candidate')]);
  expect((await scraper.look([])).pods).toEqual([]);
  await delay(0);
  expect(ended).toBe(true);
});

test('what the API server’s proxy answers may be the pod’s own words: of that only the status is said', async () => {
  const error = new ApiError({ code: 'GetFailed', status: 503, reason: 'hunter2', message: 'GET …: 503 hunter2' });
  const scraper = createScraper(() => Promise.reject(error));
  const { pods } = await scraper.look([target('new', 'candidate')]);
  expect(pods[0]?.reading).toEqual({ known: false, why: 'the API server’s proxy answered 503' });
});

test('an answer that was cut for its size says so', async () => {
  const scraper = createScraper(() => Promise.reject(new AnswerTooLong('the answer is longer than 262144 bytes')));
  const { pods } = await scraper.look([target('new', 'candidate')]);
  expect(pods[0]?.reading).toEqual({ known: false, why: 'MetricsTooLarge: the metrics are longer than 256 KiB' });
});

test('no pods are a scrape, too', async () => {
  expect(await createScraper(async () => counted(0), { now: () => 5 }).look([])).toEqual({ at: 5, pods: [] });
});
