import { expect, test } from '@jest/globals';
import { RequestCounter } from './metrics.ts';
import { ALPHA_SHARE, combine, type Slowness, slowScrape } from './slowness.ts';
import { judge, observe, startTrial, type Trial } from './trial.ts';

const HEAD = '# TYPE http_requests_total counter\n# TYPE http_request_duration_seconds histogram\n';
const bucket = (le: string, labels: string, count: number) =>
  `http_request_duration_seconds_bucket{le="${le}",${labels}} ${count}\n`;

function series(route: string, status: number, within: number, all: number): string {
  const labels = `route="${route}",status="${status}"`;
  const buckets = bucket('0.1', labels, within) + bucket('0.5', labels, within) + bucket('+Inf', labels, all);
  return `${buckets}http_request_duration_seconds_count{${labels}} ${all}\n`;
}

function slownessOf(text: string, after = 0.5): Slowness {
  const counter = new RequestCounter(after);
  counter.add(Buffer.from(HEAD + text));
  expect(counter.counts().known).toBe(true);
  return counter.slowness();
}

test('slow is what users asked and came later than the threshold; 5xx, probes and scrapes are left out', () => {
  const text =
    series('/a', 200, 7, 10) + series('/b', 404, 4, 5) + series('/a', 500, 0, 9) + series('/ready', 200, 0, 9);
  expect(slownessOf(text)).toEqual({ known: true, requests: 15, slow: 4 });
});

test.each([
  ['nobody asked yet', '', 0.5, { known: true, requests: 0, slow: 0 }],
  ['no edge', series('/a', 200, 7, 10), 0.3, { known: false, why: expect.stringContaining('these are: 0.1, 0.5') }],
  ['more within than all', series('/a', 200, 11, 10), 0.5, { known: false, why: expect.stringContaining('counted') }],
  ['no number', series('/a', 200, Number.NaN, 10), 0.5, { known: false, why: expect.stringContaining('counted') }],
])('%s', (_case, text, after, slowness) => {
  expect(slownessOf(text, after)).toEqual(slowness);
});

test('without the histogram it is not known', () => {
  const counter = new RequestCounter(0.5);
  counter.add(Buffer.from('# TYPE http_requests_total counter\n'));
  counter.counts();
  expect(counter.slowness()).toMatchObject({ known: false });
});

const POLICY = { minimumSeconds: 0, minimumRequests: 20, timeoutSeconds: 600, blindAfterSeconds: 15 };
const LATENCY = { thresholdSeconds: '0.5', maxSlowRatio: '0.05', policy: 'Rollback' } as const;

/** Twenty seconds of 5 requests a second to the candidate and 15 to the pods beside it; the shares are slow. */
function tried(candidate: number, baseline: number): Trial {
  let trial = startTrial({ startedAt: 0, maxServerErrorRatio: 0.05, alphaShare: ALPHA_SHARE.slowness });
  for (let second = 0; second <= 20; second += 1) {
    const counts = (perSecond: number, share: number): Slowness => ({
      known: true,
      requests: perSecond * second,
      slow: Math.floor(perSecond * second * share),
    });
    const pod = (group: 'candidate' | 'baseline') =>
      ({ name: group, uid: group, group, restarts: 0, reading: { known: true, requests: 0, errors: 0 } }) as const;
    const scrape = { at: second * 1_000, pods: [pod('candidate'), pod('baseline')] };
    const slowness = new Map([
      ['candidate', counts(5, candidate)],
      ['baseline', counts(15, baseline)],
    ]);
    trial = observe(trial, slowScrape(scrape, slowness));
  }
  return trial;
}
const GOOD = { verdict: 'Good', message: 'no errors' } as const;
const isSuspect = false;
const whyUnknown = undefined;

test.each([
  ['half of the answers are slow, the others’ are not', 0.5, 0, 'Rollback', 'Bad'],
  ['the same, only watched', 0.5, 0, 'Observe', 'Good'],
  ['a database that is slow for everybody', 0.5, 0.5, 'Rollback', 'DependencyDegraded'],
  ['a quick release', 0, 0, 'Rollback', 'Good'],
  ['slow at the limit', 0.05, 0, 'Rollback', 'Good'],
] as const)('%s', (_case, candidate, baseline, policy, verdict) => {
  const slow = judge(tried(candidate, baseline), POLICY, 20_000);
  const found = combine(GOOD, slow, { ...LATENCY, policy }, { isSuspect, whyUnknown });
  expect(found.verdict).toBe(verdict);
  expect(found.message).toMatch(
    /\d+ of 100 requests took longer than 0.5 s \(limit 5 %\), the pods beside it \d+ of 300/,
  );
  expect(found.fault).toBe(verdict === 'Bad' ? 'SlowRegression' : undefined);
});

test('what errors decide stays; suspicion holds Good back; what cannot be known holds nobody', () => {
  const slow = judge(tried(0.5, 0), POLICY, 20_000);
  const bad = { verdict: 'Bad', message: 'half are 5xx' } as const;
  expect(combine(bad, slow, LATENCY, { isSuspect, whyUnknown })).toEqual(bad);
  const quick = judge(tried(0, 0), POLICY, 20_000);
  expect(combine(GOOD, quick, LATENCY, { isSuspect: true, whyUnknown }).verdict).toBe('Pending');
  const blind = { ...quick, verdict: 'Blind' } as const;
  const found = combine(GOOD, blind, LATENCY, { isSuspect, whyUnknown: 'no such edge' });
  expect(found).toMatchObject({ verdict: 'Good', message: expect.stringContaining('not known: no such edge') });
});
