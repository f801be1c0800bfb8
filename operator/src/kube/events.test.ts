import { expect, test } from '@jest/globals';
import { EventRecorder, type RecorderOptions } from './events.ts';
import type { Request, Transport } from './transport.ts';

const STARTED_MS = Date.parse('2026-11-29T10:00:00.250Z');

function recorderWith(options: Partial<RecorderOptions> = {}) {
  const written: string[] = [];
  const requests: Request[] = [];
  const transport = {
    request: async (request: Request) => {
      requests.push(request);
      written.push((request.body as { involvedObject: { name: string } }).involvedObject?.name);
    },
  } as unknown as Transport;
  // a clock that stands: what a busy machine takes its time for gives nobody more to say
  const recorder = new EventRecorder({
    transport,
    controller: 'c',
    instance: 'i',
    nowMs: () => STARTED_MS,
    ...options,
  });
  const say = (name: string, note = 'taken back') =>
    recorder.record({
      regarding: { apiVersion: 'v1', kind: 'Shop', metadata: { namespace: 'prod', name } },
      type: 'Warning',
      reason: 'RolledBack',
      note,
    });
  return { recorder, written, requests, say };
}

test('one that has much to say costs the others nothing', async () => {
  const { recorder, written, say } = recorderWith();
  for (let count = 0; count < 1_000; count++) say('noisy', `note ${count}`);
  for (let count = 0; count < 50; count++) say(`quiet ${count}`);
  expect(written.filter(name => name === 'noisy')).toHaveLength(25);
  expect(written.filter(name => name.startsWith('quiet'))).toHaveLength(50);
  await recorder.stop();
});

test('it says when it was seen first and last, and a repetition how often', async () => {
  let nowMs = Date.parse('2026-11-29T10:00:00.250Z');
  const { recorder, requests, say } = recorderWith({ nowMs: () => nowMs });
  say('shop');
  nowMs += 61_500;
  say('shop');
  await recorder.stop();
  const first = '2026-11-29T10:00:00Z';
  expect(requests).toMatchObject([
    {
      path: '/api/v1/namespaces/prod/events',
      body: { eventTime: '2026-11-29T10:00:00.250000Z', firstTimestamp: first, lastTimestamp: first, count: 1 },
    },
    {
      path: expect.stringMatching(/^\/api\/v1\/namespaces\/prod\/events\/shop\.[0-9a-f]{16}$/),
      body: { count: 2, lastTimestamp: '2026-11-29T10:01:01Z' },
    },
  ]);
});

test('what is said beside it stands on the Event, and makes no other one of it', async () => {
  const { recorder, requests } = recorderWith();
  const regarding = { apiVersion: 'v1', kind: 'Shop', metadata: { namespace: 'prod', name: 'shop' } };
  const observed = { regarding, type: 'Warning', reason: 'RolledBack', note: 'taken back' } as const;
  recorder.record({ ...observed, annotations: { 'example.com/record': 'a' } });
  recorder.record(observed);
  await recorder.stop();
  expect(requests.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
  expect(requests[0]?.body).toMatchObject({ metadata: { annotations: { 'example.com/record': 'a' } } });
});

test('all together have a bound as well', async () => {
  const { recorder, written, say } = recorderWith({ burstOfAll: 10 });
  for (let count = 0; count < 50; count++) say(`shop ${count}`);
  expect([written.length, recorder.dropped]).toEqual([10, 40]);
  await recorder.stop();
});

test.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])('a clock that is set %s by an hour costs no event', async (_direction, ms) => {
  let nowMs = 1_800_000_000_000;
  const { recorder, written, say } = recorderWith({ nowMs: () => nowMs });
  say('shop', 'before');
  nowMs += ms;
  for (let count = 0; count < 3_000; count++) {
    nowMs += 1_000;
    say('shop', `note ${count}`);
  }
  expect([written.length, recorder.dropped]).toEqual([3_001, 0]);
  await recorder.stop();
});
