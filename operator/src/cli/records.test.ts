// What is written down, as the two commands show it: whole pictures, as they are seen.
import { expect, test } from '@jest/globals';
import { drawHistory } from './draw/history.ts';
import { drawWhy } from './draw/why.ts';
import { safe } from './safe.ts';
import { historyView, type SeenRecord } from './views/history.ts';
import type { SeenResource } from './views/status.ts';
import { whyView } from './views/why.ts';

const NOW = Date.parse('2026-11-29T08:00:00Z');
const IMAGE = 'registry.example/mini-market/dashboard';
const wide = { width: 100, colour: false, unicode: true };

const release = (number: number, hash: string, version: string, annotations: object): SeenRecord => ({
  metadata: {
    name: `dashboard-${hash}`,
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`devshelf.dev/${name}`, JSON.stringify(value)]),
    ),
  },
  revision: number,
  data: { release: { hash, image: `${IMAGE}:${version}` } },
});
const incident: SeenRecord = {
  metadata: { name: 'dashboard-incident-c0-1', labels: { 'devshelf.dev/record': 'incident' } },
  revision: 3,
  data: {
    incident: {
      reason: 'Regression',
      at: '2026-11-29T07:56:00Z',
      phase: 'Candidate',
      failed: { hash: 'c0', image: `${IMAGE}:1.3.1`, attempt: 2 },
      requestedBy: { who: 'spec', generation: 7, by: 'kustomize-controller', at: '2026-11-29T07:50:00Z' },
      restored: { hash: 'b0', image: `${IMAGE}:1.1.0` },
      cause: {
        message: '1.3.1: 6 of 12 requests answered 5xx (limit 5 %), the pods beside it 0 of 105',
        routes: [{ route: '/api/summary', requests: 6, errors: 6 }],
      },
      figures: { limit: 0.05, candidate: { requests: 12, errors: 6 }, baseline: { requests: 105, errors: 0 } },
    },
  },
};
const records: SeenRecord[] = [
  release(1, 'b0', '1.1.0', {
    verdict: { verdict: 'released', message: '853 requests while baking, 0 of them 5xx', at: '2026-11-28T20:00:00Z' },
    served: { from: '2026-11-28T19:00:00Z' },
    'first-metrics': { requests_total: 853, errors: 0, p95_ms: 41.25 },
  }),
  release(2, 'c0', '1.3.1', {
    verdict: { verdict: 'rejected', message: 'told by its incident', at: '2026-11-29T07:56:00Z' },
  }),
  incident,
];
const rejected: SeenResource = {
  kind: 'DashboardDeployment',
  metadata: { name: 'dashboard', namespace: 'shop', generation: 7 },
  status: {
    observedGeneration: 7,
    currentImage: `${IMAGE}:1.1.0`,
    incidents: [{ at: '2026-11-29T07:56:00Z', runbookURL: 'https://docs.example/runbook#regression' }],
    conditions: [
      { type: 'Ready', status: 'True', reason: 'AsExpected', message: '' },
      { type: 'Stalled', status: 'True', reason: 'ReleaseRejected', message: '1.3.1 was rejected; 1.1.0 serves' },
    ],
  },
};

test('the history, the newest first: a rejection is told by its incident', () => {
  const terminal = { ...wide, width: 79 };
  expect(drawHistory(historyView(records), terminal, NOW)).toEqual([
    'WHEN            VERSION  WHAT                FIGURES',
    '4 min 0 s ago   1.3.1    Regression (try 2)  6 of 12 5xx, 50.0 %',
    '12 h 0 min ago  1.1.0    released            0 of 853 5xx, 0.0 %, p95 41 ms',
  ]);
  expect(drawHistory([], terminal, NOW)).toEqual(['nothing is written down yet']);
});

test('why it was taken back: figures beside the limit, what serves, what can be done', () => {
  const model = whyView(rejected, { entries: historyView(records) });
  expect(drawWhy(model, wide, NOW)).toEqual([
    '✖ DashboardDeployment/dashboard  shop  ReleaseRejected',
    '1.3.1 was rejected; 1.1.0 serves',
    expect.stringMatching(/^\(ReleaseRejected: .+\)$/),
    `serves ${IMAGE}:1.1.0`,
    '',
    'last incident: 1.3.1, try 2, Regression in Candidate, 4 min 0 s ago (2026-11-29T07:56:00Z)',
    '  1.3.1: 6 of 12 requests answered 5xx (limit 5 %), the pods beside it 0 of 105',
    expect.stringMatching(/^ {2}\(Regression: .+/),
    '                      5xx    share  limit 5 %',
    '  candidate       6 of 12   50.0 %  ██████████████████████████████',
    '  beside it      0 of 105    0.0 %  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░',
    '  /api/summary: 6 of 6',
    '  asked for by: kustomize-controller',
    `  served on: ${IMAGE}:1.1.0`,
    '  what to do: https://docs.example/runbook#regression',
    '',
    'ways forward:',
    '- release another image: the spec decides',
    '- try this one again: kubectl devshelf retry dbd/dashboard -n shop',
  ]);
});

test('what a person decided is told as such, with who and in which words', () => {
  const decidedBy = { who: 'person', by: 'kubectl-devshelf', text: 'reject 1.3.1: wrong prices' };
  const refused = { ...incident, data: { incident: { ...incident.data?.incident, decidedBy } } } as SeenRecord;
  const byHand = { at: '2026-11-28T19:00:00Z', phase: 'Candidate', by: 'ada', text: 'b0', despite: '3 of 9' };
  const letOn = release(1, 'b0', '1.1.0', {
    verdict: { verdict: 'released', at: '2026-11-28T20:00:00Z' },
    trial: { verdict: 'Bad', byHand },
  });
  const entries = historyView([letOn, refused]);
  expect(entries.map(entry => entry.byHand)).toEqual([
    { by: 'kubectl-devshelf', text: 'reject 1.3.1: wrong prices' },
    { by: 'ada', text: 'b0', despite: '3 of 9' },
  ]);
  expect(drawHistory(entries, { ...wide, width: 79 }, NOW)).toEqual([
    'WHEN            VERSION  WHAT                        FIGURES',
    '4 min 0 s ago   1.3.1    Regression (try 2) by hand  6 of 12 5xx, 50.0 %',
    '12 h 0 min ago  1.1.0    released by hand',
  ]);
  expect(drawWhy(whyView(rejected, { entries }), wide, NOW)).toContain(
    '  decided by kubectl-devshelf: reject 1.3.1: wrong prices',
  );
  const spoilt = release(1, 'b0', '1.1.0', { trial: { byHand: { by: 7, text: ['x'] } } });
  expect(historyView([spoilt])[0]?.byHand).toEqual({});
});

test('what the pods turned away is told beside what failed', () => {
  const figures = {
    limit: 0.05,
    candidate: { requests: 40, errors: 30, shed: 28 },
    baseline: { requests: 120, errors: 0 },
  };
  const shed = { ...incident, data: { incident: { ...incident.data?.incident, figures } } } as SeenRecord;
  const lines = drawWhy(whyView(rejected, { entries: historyView([shed]) }), wide, NOW);
  const at = lines.findIndex(line => line.startsWith('  beside it '));
  expect(lines[at + 1]).toBe('  of these for overload: 28, beside it 0');
});

test.each([60, 80, 120])('at %i columns no line is wider', width => {
  const terminal = { width, colour: false, unicode: width !== 80 };
  const long = [
    ...records,
    release(9, 'f0', 'x'.repeat(300), { verdict: { verdict: 'released', message: 'y '.repeat(300) } }),
  ];
  const model = whyView(rejected, { entries: historyView(long) });
  const lines = [...drawHistory(historyView(long), terminal, NOW), ...drawWhy(model, terminal, NOW)];
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width);
});

test.each([
  ['MigrationPending', 'agree to the migration: kubectl devshelf migrate dbd/dashboard -n shop'],
  ['RotationHeld', 'who still uses the old key: kubectl devshelf keys dbd/dashboard -n shop'],
  ['PodCannotStart', 'mend what is said above; it goes on by itself then'],
])('%s: a way forward', (reason, way) => {
  const conditions = [
    { type: 'Ready', status: 'False' },
    { type: 'Stalled', status: 'True', reason, message: '' },
  ];
  const seen = { ...rejected, status: { observedGeneration: 7, conditions } };
  expect(whyView(seen, { entries: [] }).ways).toEqual([way]);
});

test('what may not be read is one line, and the rest is told', () => {
  const model = whyView(rejected, {
    entries: [],
    unread: 'not shown, needs list controllerrevisions in shop: forbidden',
  });
  const lines = drawWhy(model, wide, NOW);
  expect(lines).toContain('incidents: not shown, needs list controllerrevisions in shop: forbidden');
  expect(lines).toContain('1.3.1 was rejected; 1.1.0 serves');
});

test('records of another version, or of nobody, are left out or shown as far as they go', () => {
  const strange: SeenRecord[] = [
    { metadata: { name: 'a' } },
    { metadata: { name: 'b', labels: { 'devshelf.dev/record': 'incident' } }, data: { incident: {} } },
    {
      metadata: { name: 'c', annotations: { 'devshelf.dev/verdict': 'no json' } },
      data: { release: { image: 'i:1' } },
    },
  ];
  expect(historyView(strange)).toEqual([{ at: '', number: 0, image: 'i:1', what: 'pending', isIncident: false }]);
});

test('nothing of the cluster moves the cursor, colours, hides or turns text; no secret is repeated', () => {
  const evil = {
    a: ['\u001b[2J\u001b]0;title\u0007x', '\u202eabc', 'a\u200bb\r\nc'],
    'k\u001b': 'postgresql://u:canary-4711@db/x',
  };
  const text = JSON.stringify(safe(evil));
  expect(text).not.toContain('canary-4711');
  // what JSON escapes, and what it does not
  for (const unsafe of ['\\u00', '\\r', '\\n', '\u200b', '\u202e']) expect(text).not.toContain(unsafe);
  expect(text).toContain('postgresql://…@db/x');
});

test('a rotation that is held is told beside the releases, and blames none', () => {
  const message = 'API key: key 2 is to replace key 1: pod dashboard-b does not accept the new key';
  const serving = { hash: 'b0', image: `${IMAGE}:1.1.0` };
  const rotation = { key: 'api', state: 'Accepting', from: '1', to: '2', since: '2026-11-29T07:57:00Z' } as const;
  const keys: SeenRecord = {
    metadata: { name: 'dashboard-keys-api-2', labels: { 'devshelf.dev/record': 'incident' } },
    revision: 4,
    data: {
      incident: {
        ...{ kind: 'keys', reason: 'RotationHeld', at: '2026-11-29T07:58:00Z', phase: 'Settled', rotation },
        ...{ failed: { ...serving, attempt: 1 }, restored: serving, cause: { message }, actions: [] },
      },
    },
  };
  const entries = historyView([...records, keys]);
  expect(entries.map(({ what }) => what)).toEqual(['RotationHeld', 'Regression', 'released']);
  expect(drawHistory(entries, wide, NOW)[1]).toMatch(
    /^2 min 0 s ago +1\.1\.0 +RotationHeld .*pod dashboard-b does not accept the new key$/,
  );
  const conditions = [
    { type: 'Ready', status: 'True', reason: 'Released', message: '1.1.0 serves' },
    { type: 'KeysCurrent', status: 'False', reason: 'RotationHeld', message },
  ];
  const seen = { ...rejected, status: { ...rejected.status, conditions } } as SeenResource;
  const model = whyView(seen, { entries });
  expect(model.ways).toEqual(['who still uses the old key: kubectl devshelf keys dbd/dashboard -n shop']);
  const told = drawWhy(model, wide, NOW).join('\n');
  expect(told).toContain('last incident: 1.1.0, RotationHeld in Settled, 2 min 0 s ago');
  expect(told).toContain(message);
  // who asks why a release was refused is not told of a key
  expect(whyView(rejected, { entries }).incident).toMatchObject({ what: 'Regression' });
});
