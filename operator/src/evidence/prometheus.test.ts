import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  besideOf,
  type Gathered,
  gather,
  NOTHING_GATHERED,
  nextScrape,
  parseAnswer,
  queryOf,
  type Sample,
  spacingOf,
  type Watched,
  whyNot,
} from './prometheus.ts';
import { isAboveLimit, type Judgement, judge, observe, startTrial } from './trial.ts';

const T0 = 1_700_000_000_000;
type Labels = Readonly<Record<string, string>>;
type Series = readonly [labels: Labels, values: readonly (readonly [seconds: number, value: number | string])[]];

const answer = (series: readonly Series[], more: object = {}): string =>
  JSON.stringify({
    status: 'success',
    ...more,
    data: {
      resultType: 'matrix',
      result: series.map(([metric, values]) => ({
        metric: { __name__: 'http_requests_total', namespace: 'shop', pod: 'a', ...metric },
        values: values.map(([at, value]) => [at, String(value)]),
      })),
    },
  });
const OK = { route: '/api/summary', status: '200' };
const FAILED = { route: '/api/summary', status: '500' };
const PROBE = { route: '/live', status: '200' };

const told = (text: string): string | readonly Sample[] => {
  const read = parseAnswer(text);
  return read.known ? (read.samples.get('a') ?? read.whys.get('a') ?? 'nothing') : read.why;
};

test('asks for raw samples of these pods, and nothing that a name could smuggle in', () => {
  expect(queryOf('shop', ['a-1', 'b.c'], 90)).toBe(
    '{__name__=~"http_requests_total|dashboard_requests_total|dashboard_errors_total|http_requests_in_flight|http_requests_shed_total",namespace="shop",pod=~"a-1|b\\\\.c"}[90s]',
  );
  expect(queryOf('shop"} or up{a="', ['x|.*"'], 1)).not.toMatch(/or up|\.\*"/);
});

test.each<[string, string, string | readonly Partial<Sample>[]]>([
  [
    'all of one scrape are added up by its time, without the probes; an error is born later',
    answer([
      [
        OK,
        [
          [100, 5],
          [115, 9],
        ],
      ],
      [FAILED, [[115, 2]]],
      [
        PROBE,
        [
          [100, 50],
          [115, 60],
        ],
      ],
    ]),
    [
      { at: 100_000, requests: 5, errors: 0 },
      { at: 115_000, requests: 11, errors: 2 },
    ],
  ],
  [
    'two Prometheus read the pod: one of them is believed, the one that tells more',
    answer([
      [
        { ...OK, prometheus_replica: '0' },
        [
          [100, 5],
          [115, 9],
        ],
      ],
      [{ ...FAILED, prometheus_replica: '0' }, [[115, 2]]],
      [
        { ...OK, prometheus_replica: '1' },
        [
          [103, 6],
          [118, 10],
          [133, 20],
        ],
      ],
      [
        { ...FAILED, prometheus_replica: '1' },
        [
          [118, 2],
          [133, 3],
        ],
      ],
    ]),
    [
      { at: 103_000, requests: 6, errors: 0 },
      { at: 118_000, requests: 12, errors: 2 },
      { at: 133_000, requests: 23, errors: 3 },
    ],
  ],
  [
    'the same counter twice at the same moment is counted by nobody',
    answer([
      [
        { ...OK, job: 'a' },
        [
          [100, 5],
          [115, 9],
        ],
      ],
      [
        { ...OK, job: 'b' },
        [
          [100, 5],
          [130, 12],
        ],
      ],
    ]),
    [
      { at: 115_000, requests: 9, errors: 0 },
      { at: 130_000, requests: 12, errors: 0 },
    ],
  ],
  [
    'requests by method are others',
    answer([
      [{ ...OK, method: 'GET' }, [[100, 5]]],
      [{ ...OK, method: 'POST' }, [[100, 5]]],
    ]),
    [{ requests: 10, errors: 0 }],
  ],
  [
    'the Python original’s counters have no labels of their own',
    answer([
      [{ __name__: 'dashboard_requests_total', job: 'x' }, [[100, 7]]],
      [{ __name__: 'dashboard_errors_total', job: 'x' }, [[100, 1]]],
    ]),
    [{ requests: 7, errors: 1 }],
  ],
  ['nothing of these pods', answer([]), 'nothing'],
  ['a pod that is called otherwise', answer([[{ ...OK, pod: 'b' }, [[100, 5]]]]), 'nothing'],
  [
    'no route: probes cannot be told from users',
    answer([[{ status: '200' }, [[100, 5]]]]),
    'its http_requests_total has no label route: it was taken away on the way',
  ],
  [
    'no status: errors cannot be told',
    answer([[{ route: '/a' }, [[100, 5]]]]),
    'a sample of http_requests_total has no status that can be read',
  ],
  ['what is no count', answer([[OK, [[100, 'NaN']]]]), 'a sample of http_requests_total has no count that can be read'],
  ['a negative one', answer([[OK, [[100, -1]]]]), 'a sample of http_requests_total has no count that can be read'],
  ['an answer in part', answer([[OK, [[100, 5]]]], { warnings: ['store 2 is away'] }), 'it could answer only in part'],
  ['an error', '{"status":"error","error":"secret words"}', 'its answer is none of a Prometheus'],
  ['a login page', '<html>', 'its answer is none of a Prometheus'],
  ['null', 'null', 'its answer is none of a Prometheus'],
  ['a vector', '{"status":"success","data":{"resultType":"vector","result":[]}}', 'its answer is none of a Prometheus'],
  [
    'numbers where text belongs',
    '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"pod":"a"},"values":[[1,2]]}]}}',
    'its answer is none of a Prometheus',
  ],
])('%s', (_what, text, expected) => {
  const found = told(text);
  if (typeof expected === 'string') expect(found).toBe(expected);
  else expect(found).toMatchObject(expected as object[]);
});

test('no answer, however broken, throws', () => {
  fc.assert(fc.property(fc.json(), text => void parseAnswer(text)));
  fc.assert(
    fc.property(fc.anything(), result => {
      const text = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: [result] } });
      return parseAnswer(text) !== undefined;
    }),
  );
});

// --- gathering ---

const watched = (name: string, group: Watched['group'], restarts = 0): Watched => ({
  name,
  uid: `uid-${name}`,
  group,
  restarts,
  readySince: T0,
});
const answered = (samples: Readonly<Record<string, readonly Sample[]>>) => ({
  samples: new Map(Object.entries(samples)),
  whys: new Map<string, string>(),
});

test('counters that go back are believed only where a container began anew', () => {
  const first = gather(NOTHING_GATHERED, answered({ a: [{ at: 1, requests: 9, errors: 1 }] }), [
    watched('a', 'candidate'),
  ]);
  const less = answered({ a: [{ at: 2, requests: 3, errors: 0 }] });
  const lied = gather(first, less, [watched('a', 'candidate')]);
  expect(lied.pods.get('uid-a')?.samples).toHaveLength(1);
  expect(whyNot(lied, less, [watched('a', 'candidate')])).toBe(
    'a: its counters went back, and no container of the pod began anew',
  );
  const anew = gather(first, less, [watched('a', 'candidate', 1)]);
  expect(anew.pods.get('uid-a')?.samples).toHaveLength(2);
});

test('what it does not know is said', () => {
  expect(whyNot(NOTHING_GATHERED, answered({}), [watched('a', 'candidate')])).toBe(
    'a: it has no http_requests_total of it, by its labels namespace and pod',
  );
});

test('the pod that is read most seldom says how often; another pod’s samples are in no window before its own', () => {
  const every = (seconds: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ at: T0 + i * seconds * 1000, requests: i, errors: 0 }));
  const targets = [watched('a', 'candidate'), watched('b', 'baseline')];
  const seen = gather(NOTHING_GATHERED, answered({ a: every(15, 5), b: every(30, 2) }), targets);
  expect(spacingOf(seen)).toBe(30_000);
  const first = nextScrape(seen, targets);
  expect(first?.scrape.at).toBe(T0);
  // the next would end after 60 s, and of the stable pod nothing is known after 30 s
  expect(first && nextScrape(first.gathered, targets)).toBeUndefined();
});

// --- what it proves ---

type Event = { readonly at: number; readonly failed: boolean };
const counted = (events: readonly Event[], at: number): Sample => ({
  at,
  requests: events.filter(event => event.at <= at).length,
  errors: events.filter(event => event.at <= at && event.failed).length,
});

test('whatever happened when: never more successes than a stable pod had in the window, never fewer errors', () => {
  const times = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 2, maxLength: 30 });
  const events = fc.array(fc.record({ at: fc.integer({ min: 0, max: 1_000 }), failed: fc.boolean() }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(
      times,
      events,
      fc.integer({ min: 0, max: 1_000 }),
      fc.integer({ min: 0, max: 1_000 }),
      (at, all, a, b) => {
        const samples = [...new Set(at)].toSorted((x, y) => x - y).map(time => counted(all, time));
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const isCovered = (samples[0]?.at ?? 0) <= from && (samples.at(-1)?.at ?? 0) >= to;
        const { requests, errors } = besideOf(samples, [{ from, to }]);
        const within = all.filter(event => event.at > from && event.at <= to);
        const truly = { failed: within.filter(({ failed }) => failed).length, all: within.length };
        if (!isCovered) return true;
        return errors >= truly.failed && requests - errors <= truly.all - truly.failed;
      },
    ),
    { numRuns: 2_000 },
  );
});

/** sfc32, seeded: the same releases each time. */
function randomOf(seed: number): () => number {
  let [a, b, c, count] = [seed | 0, 7, 0x9e3779b9, 1];
  return () => {
    const t = (((a + b) | 0) + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 4294967296;
  };
}

interface Release {
  /** Chance that a request fails, by seconds, of the candidate and of the stable pods. */
  readonly candidate: (seconds: number) => number;
  readonly baseline: (seconds: number) => number;
  readonly everySeconds: number;
  readonly pods?: readonly [candidates: number, baseline: number];
  readonly bake?: boolean;
}

const SECONDS = 300;
const POLICY = { minimumSeconds: 30, minimumRequests: 50, timeoutSeconds: 600, blindAfterSeconds: 3_600 };

/** 5 requests a second and pod; each is read at its own moment. Alpha as it is where the pods' own counters have the rest. */
function watchedBy({ candidate, baseline, everySeconds, pods = [1, 3], bake = false }: Release, seed: number) {
  const random = randomOf(seed);
  for (let i = 0; i < 20; i++) random();
  const targets = [
    ...Array.from({ length: pods[0] }, (_, i) => watched(`new-${i}`, 'candidate')),
    ...Array.from({ length: pods[1] }, (_, i) => watched(`old-${i}`, 'baseline')),
  ];
  const samples = targets.map(({ name, group }) => {
    const of = group === 'candidate' ? candidate : baseline;
    const list: Sample[] = [];
    let [requests, errors] = group === 'candidate' ? [0, 0] : [20_000, 20];
    let next = random() * everySeconds;
    for (let at = -Math.log(1 - random()) / 5; at < SECONDS; at += -Math.log(1 - random()) / 5) {
      for (; next <= at; next += everySeconds) list.push({ at: T0 + Math.round(next * 1000), requests, errors });
      requests += 1;
      if (random() < of(at)) errors += 1;
    }
    return [name, list] as const;
  });
  const mode = bake ? ('bake' as const) : ('canary' as const);
  let trial = startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, alphaShare: 0.1, isWitness: true, mode });
  let gathered: Gathered = NOTHING_GATHERED;
  const verdicts: Judgement[] = [];
  let degraded = false;
  for (let now = 5; now <= SECONDS; now += 5) {
    const at = T0 + now * 1000;
    const known = samples.map(([name, list]) => [name, list.filter(sample => sample.at <= at)] as const);
    gathered = gather(gathered, { samples: new Map(known), whys: new Map() }, targets);
    for (let next = nextScrape(gathered, targets); next; next = nextScrape(gathered, targets)) {
      gathered = next.gathered;
      trial = observe(trial, next.scrape);
      verdicts.push(judge(trial, POLICY, at));
      degraded ||= verdicts.at(-1)?.verdict === 'DependencyDegraded';
      if (trial.badAt !== undefined) return { verdict: 'Bad' as const, seconds: now, degraded, trial };
    }
  }
  return { verdict: verdicts.at(-1)?.verdict, seconds: SECONDS, degraded, trial };
}

/** `RUNS=2000` is what docs/statistics.md tells. */
const RUNS = Number(process.env['RUNS'] ?? 50);
const all = (release: Release) => Array.from({ length: RUNS }, (_, seed) => watchedBy(release, seed + 1));
const share = (runs: readonly { verdict: string | undefined }[], verdict: string) =>
  runs.filter(run => run.verdict === verdict).length / runs.length;
const few = () => 0.001;
const between = (from: number, to: number, ratio: number) => (seconds: number) =>
  seconds >= from && seconds < to ? ratio : 0.001;

test.each([
  ['every 15 s', 15, 150],
  ['every 5 s', 5, 60],
])('half of the candidate’s requests fail, read %s: found', (_every, everySeconds, within) => {
  const runs = all({ candidate: () => 0.5, baseline: few, everySeconds });
  const seconds = runs.map(run => run.seconds).toSorted((a, b) => a - b);
  console.log(
    `50 % 5xx read every ${everySeconds} s: Bad after ${seconds[Math.floor(RUNS / 2)]} / ${seconds[Math.floor((RUNS * 95) / 100)]} s`,
  );
  expect(share(runs, 'Bad')).toBe(1);
  expect(seconds[Math.floor(RUNS / 2)]).toBeLessThanOrEqual(within);
});

test.each<[string, Release]>([
  ['a good one', { candidate: few, baseline: few, everySeconds: 15 }],
  ['one at its limit', { candidate: () => 0.05, baseline: few, everySeconds: 15 }],
  ...[2, 5, 11, 20, 40, 90].flatMap(length =>
    [0.5, 1].map((ratio): [string, Release] => {
      const outage = between(100, 100 + length, ratio);
      return [`an outage of ${length} s of all, ${ratio}`, { candidate: outage, baseline: outage, everySeconds: 15 }];
    }),
  ),
  [
    'outages of 3 s, one a minute, two pods of each',
    {
      candidate: seconds => (seconds % 60 < 3 ? 1 : 0.001),
      baseline: seconds => (seconds % 60 < 3 ? 1 : 0.001),
      everySeconds: 15,
      pods: [2, 2],
    },
  ],
  [
    'the same beside one stable pod, read every 30 s',
    {
      candidate: seconds => (seconds % 60 < 3 ? 1 : 0.001),
      baseline: seconds => (seconds % 60 < 3 ? 1 : 0.001),
      everySeconds: 30,
      pods: [1, 1],
    },
  ],
])('not blamed: %s', (_what, release) => {
  expect(share(all(release), 'Bad')).toBe(0);
});

test('a good one passes', () => {
  expect(share(all({ candidate: few, baseline: few, everySeconds: 15 }), 'Good')).toBe(1);
});

test('a fault of all that the candidate’s samples show in another window than the others’ is held against nobody', () => {
  const read = (at: number, requests: number, errors: number) => ({ at: T0 + at * 1000, requests, errors });
  const targets = [watched('a', 'candidate'), watched('b', 'baseline')];
  // all fail from 31 s to 40 s: after the candidate's second window began, before the stable pod's did
  const told = answered({
    a: [0, 15, 30, 45, 60].map(at => read(at, 10 * at, at > 40 ? 90 : 0)),
    b: [-1, 13, 28, 43, 58, 73].map(at => read(at, 10 * at + 10, at > 40 ? 90 : 0)),
  });
  let gathered = gather(NOTHING_GATHERED, told, targets);
  let trial = startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, isWitness: true });
  const compared = [];
  for (let next = nextScrape(gathered, targets); next; next = nextScrape(gathered, targets)) {
    gathered = next.gathered;
    trial = observe(trial, next.scrape);
    compared.push(...next.scrape.pods.map(({ reading }) => reading.known && reading.beside).filter(one => one));
  }
  // of its four intervals one is surely in each window; the failures may have been in either
  expect(compared.slice(1)).toEqual([
    { requests: 240, errors: 90 },
    { requests: 240, errors: 90 },
  ]);
  expect(judge(trial, POLICY, T0 + 60_000).evidence.relative).toBeLessThan(1);
});

test('in a bake nobody is blamed, and what is above the limit is known', () => {
  const run = watchedBy({ candidate: () => 0.5, baseline: few, everySeconds: 15, pods: [3, 0], bake: true }, 1);
  expect(run.verdict).not.toBe('Bad');
  expect(isAboveLimit(run.trial)).toBe(true);
});
