import { expect, test } from '@jest/globals';
import { JOB_NAMES, job, optionsOf, SWEEP_MS } from './jobs.ts';

const ID = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
const check = optionsOf({ name: 'link.check', id: ID });

test('a check is tried four times, longer apart each time', () => {
  expect(check).toMatchObject({ attempts: 4, backoff: { type: 'exponential', delay: 5_000 } });
});

test('what is done is forgotten, what has failed is kept within bounds', () => {
  for (const options of [check, optionsOf({ name: 'links.sweep' })]) {
    expect(options).toMatchObject({ removeOnComplete: true, removeOnFail: { count: 500, age: 604_800 } });
  }
});

test('checks of one resource are one job, those of two are two', () => {
  expect(optionsOf({ name: 'link.check', id: ID }).deduplication).toEqual(check.deduplication);
  const other = optionsOf({ name: 'link.check', id: ID.replace('3', '4') });
  expect(other.deduplication?.id).not.toBe(check.deduplication?.id);
});

test('one sweep at a time, and the next one is not kept out', () => {
  expect(optionsOf({ name: 'links.sweep' }).deduplication?.ttl).toBeLessThan(SWEEP_MS);
});

test.each([
  ['a check', { name: 'link.check', id: ID }, true],
  ['a sweep', { name: 'links.sweep' }, true],
  ['a check of nothing', { name: 'link.check' }, false],
  ['a check of what is no id', { name: 'link.check', id: '1; DROP' }, false],
  ['something else', { name: 'resource.created', id: ID }, false],
])('%s', (_case, value, known) => {
  expect(job.safeParse(value).success).toBe(known);
});

test('each job has a name for the metrics', () => {
  expect(JOB_NAMES).toEqual(['link.check', 'links.sweep']);
});
