import { expect, test } from '@jest/globals';
import { Picture } from './terminal.ts';
import { answerTo } from './views/gates.ts';
import { gitOpsOf, handOf } from './views/hands.ts';
import type { SeenResource } from './views/status.ts';

const NOW = Date.parse('2026-11-29T08:00:00Z');
const how = { now: NOW, scrapeToken: false, anyway: false, despiteEvidence: false };
const rejected: SeenResource = {
  kind: 'DashboardDeployment',
  metadata: { name: 'dashboard', namespace: 'shop', resourceVersion: '42' },
  spec: { paused: false, rollout: { retryToken: 'one' } },
  status: { conditions: [{ type: 'Stalled', status: 'True', reason: 'ReleaseRejected', message: '' }] },
};
const applying = (fields: object): SeenResource => ({
  ...rejected,
  metadata: {
    ...rejected.metadata,
    managedFields: [{ manager: 'kustomize-controller', fieldsV1: { 'f:spec': fields } }],
  },
});
const flux = applying({});

test('each is one patch, for the state that was seen', () => {
  expect(handOf('retry', rejected, how)).toEqual({
    is: 'patch',
    patch: { spec: { rollout: { retryToken: '2026-11-29T08:00:00.000Z' } }, metadata: { resourceVersion: '42' } },
    what: 'spec.rollout.retryToken: "2026-11-29T08:00:00.000Z" (before: one)',
  });
  expect(handOf('pause', rejected, how)).toMatchObject({ patch: { spec: { paused: true } } });
  expect(handOf('rotate-key', flux, how)).toMatchObject({
    patch: { metadata: { resourceVersion: '42', annotations: { 'devshelf.dev/rotate': '2026-11-29T08:00:00.000Z' } } },
  });
  expect(handOf('rotate-key', rejected, { ...how, scrapeToken: true })).toMatchObject({
    patch: { metadata: { annotations: { 'devshelf.dev/rotate-scrape-token': expect.any(String) } } },
  });
});

test.each([
  ['nothing is rejected', 'retry', { ...rejected, status: {} }, 'no release is rejected'],
  ['it is not paused', 'resume', rejected, 'it is not paused already'],
  ['it is paused', 'pause', { ...rejected, spec: { paused: true } }, 'it is paused already'],
  [
    'Flux wrote the field',
    'pause',
    applying({ 'f:paused': {} }),
    'kustomize-controller applies this resource and would put it back: commit spec.paused: true instead, or say --anyway (until its next sync)',
  ],
  [
    'Flux wrote others',
    'pause',
    applying({ 'f:image': {} }),
    'kustomize-controller applies this resource and did not write this field: commit spec.paused: true instead, or say --anyway (until you take it back, where Git does not name it)',
  ],
  [
    'Flux wrote the field, below another',
    'retry',
    applying({ 'f:rollout': { 'f:retryToken': {} } }),
    'would put it back',
  ],
  [
    'Flux wrote others beside it',
    'retry',
    applying({ 'f:rollout': { 'f:bakeSeconds': {} } }),
    'did not write this field',
  ],
  [
    'only a label tells of Flux',
    'pause',
    { ...rejected, metadata: { ...rejected.metadata, labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } } },
    'Flux (Kustomization apps) applies this resource and would put it back',
  ],
] as const)('refused: %s', (_case, hand, seen, why) => {
  expect(handOf(hand, seen, how)).toMatchObject({ is: 'refused', why: expect.stringContaining(why) });
});

test('the migration that waits is agreed to by its id', () => {
  const message =
    'the policy is Manual; 1 pending: 2_add: annotate the resource with devshelf.dev/migrate=0a1b2c3d4e to let the Job run';
  const waiting: SeenResource = {
    ...flux,
    status: { conditions: [{ type: 'Stalled', status: 'True', reason: 'MigrationPending', message }] },
  };
  expect(handOf('migrate', waiting, how)).toEqual({
    is: 'patch',
    patch: { metadata: { annotations: { 'devshelf.dev/migrate': '0a1b2c3d4e' }, resourceVersion: '42' } },
    what: 'the migration 0a1b2c3d4e is agreed to (devshelf.dev/migrate=0a1b2c3d4e), and no other; the policy is Manual; 1 pending: 2_add',
  });
  expect(handOf('migrate', rejected, how)).toMatchObject({ is: 'refused', why: 'no migration waits for a person' });
});

test('who says --anyway is let through', () => {
  expect(handOf('pause', flux, { ...how, anyway: true })).toMatchObject({ is: 'patch' });
});

test.each([
  ['Flux, by its label', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }, 'Flux (Kustomization apps)'],
  ['Argo CD, by its annotation', { annotations: { 'argocd.argoproj.io/tracking-id': 'x' } }, 'Argo CD'],
  [
    'who wrote the status only',
    { managedFields: [{ manager: 'argocd-controller', fieldsV1: { 'f:status': {} } }] },
    undefined,
  ],
  ['kubectl', { managedFields: [{ manager: 'kubectl-edit', fieldsV1: { 'f:spec': {} } }] }, undefined],
])('%s', (_case, metadata, tool) => {
  expect(gitOpsOf({ ...rejected, metadata: { ...rejected.metadata, ...metadata } })).toBe(tool);
});

type Trial = { stage?: string; stalled?: string; verdict?: string; policy?: string; paused?: boolean };
const onTrial = ({
  stage = 'Analysis',
  stalled,
  verdict,
  policy = 'Rollback',
  paused = false,
}: Trial): SeenResource => ({
  ...rejected,
  metadata: flux.metadata,
  spec: { paused, rollout: { analysis: { policy } } },
  status: {
    rollout: {
      candidate: { hash: 'c0ffee0002', image: 'dashboard:2' },
      stable: { hash: 'c0ffee0001', image: 'dashboard:1' },
    },
    stage: { name: stage },
    ...(verdict !== undefined && { analysis: { verdict } }),
    conditions: stalled === undefined ? [] : [{ type: 'Stalled', status: 'True', reason: stalled, message: '' }],
  },
});
const settled: SeenResource = {
  ...onTrial({ stage: 'Settled' }),
  status: { rollout: { stable: { hash: 'c0ffee0001', image: 'dashboard:1' } }, stage: { name: 'Settled' } },
};
const STAMP = '2026-11-29T08:00:00.000Z';

test.each([
  ['promote', onTrial({ stalled: 'InsufficientTraffic' }), `c0ffee0002 ${STAMP} seen by hand`],
  ['promote', onTrial({ stalled: 'Held', verdict: 'Good' }), `c0ffee0002 ${STAMP} seen by hand`],
  ['hold', onTrial({}), `c0ffee0002 ${STAMP} seen by hand`],
  ['reject', onTrial({ stage: 'Baking' }), `c0ffee0002 ${STAMP} seen by hand`],
  ['reject', settled, `c0ffee0001 ${STAMP} seen by hand`],
  ['rollback', settled, `c0ffee0001 ${STAMP} seen by hand`],
] as const)('%s is an annotation with the hash, whoever applies the spec', (hand, seen, text) => {
  const gate = hand === 'rollback' ? 'reject' : hand;
  const deed = handOf(hand, seen, { ...how, because: 'seen  by hand ' });
  expect(deed).toMatchObject({
    patch: { metadata: { annotations: { [`devshelf.dev/${gate}`]: text }, resourceVersion: '42' } },
    what: expect.stringContaining(`devshelf.dev/${gate}="${text}"`),
  });
  if (deed.is !== 'patch' || !deed.ask) throw new Error('nothing is asked');
  const answer = { result: 'Done', message: 'it is' };
  const other = { ...seen.status, requests: [{ name: gate, request: 'c0ffee0002 before', ...answer }] };
  expect(answerTo(deed.ask, { ...seen, status: other })).toBeUndefined();
  const own = { ...seen.status, requests: [{ name: gate, request: text, ...answer }] };
  expect(answerTo(deed.ask, { ...seen, status: own })).toEqual(answer);
});

test.each([
  ['promote', onTrial({}), 'is not held'],
  ['promote', onTrial({ stalled: 'Held', verdict: 'Bad', policy: 'Hold' }), 'say --despite-evidence'],
  ['promote', onTrial({ stalled: 'Held', verdict: 'Bad' }), 'analysis.policy is Rollback'],
  ['promote', onTrial({ stalled: 'Blind', paused: true }), 'resume first'],
  ['promote', settled, 'no release is on trial'],
  ['hold', onTrial({ stage: 'Promoting' }), 'no candidate is on trial'],
  ['hold', settled, 'no candidate is on trial'],
  ['reject', onTrial({ stage: 'RollingBack' }), 'taken back already'],
  ['reject', { ...rejected, status: {} }, 'nothing was released yet'],
] as const)('%s is refused before anything is written: %#', (hand, seen, why) => {
  expect(handOf(hand, seen, how)).toMatchObject({ is: 'refused', why: expect.stringContaining(why) });
});

test('who knows the figures may promote what is held because of them', () => {
  const seen = onTrial({ stalled: 'Held', verdict: 'Bad', policy: 'Hold' });
  expect(handOf('promote', seen, { ...how, despiteEvidence: true })).toMatchObject({
    patch: { metadata: { annotations: { 'devshelf.dev/promote': `c0ffee0002 ${STAMP} despite-evidence` } } },
  });
});

test('an earlier release is another spec: its image', () => {
  const entry = (image: string, number: number, what = 'released') =>
    ({ at: STAMP, number, image, hash: `c0ffee000${number}`, what, isIncident: false }) as const;
  const entries = [
    entry('dashboard:1.2.0', 1),
    entry('other:1.2.0', 2),
    entry('dashboard:1.3.0', 3),
    entry('dashboard:9', 4, 'rejected'),
  ];
  const to = (release: string, seen = rejected) => handOf('rollback', seen, { ...how, to: { release, entries } });
  expect(to('1')).toMatchObject({ patch: { spec: { image: 'dashboard:1.2.0' } } });
  expect(to('c0ffee0003')).toMatchObject({ what: 'spec.image: dashboard:1.3.0 (before: none)' });
  expect(to('1.2.0')).toMatchObject({ is: 'refused', why: expect.stringContaining('say which') });
  expect(to('9')).toMatchObject({ is: 'refused', why: expect.stringContaining('no release of that') });
  expect(to('1', flux)).toMatchObject({
    is: 'refused',
    why: expect.stringContaining('commit spec.image: dashboard:1.2.0'),
  });
});

test('a picture is drawn over the one before, and only when it changed; without a terminal each change is a line', () => {
  const written: string[] = [];
  const onTerminal = new Picture({ isTerminal: true, write: text => written.push(text) });
  for (const lines of [['a', 'b'], ['a', 'b'], ['c']]) onTerminal.show(lines, 'x', NOW);
  expect(written).toEqual(['\u001b[?2026ha\nb\n\u001b[?2026l', '\u001b[?2026h\u001b[2A\u001b[0Jc\n\u001b[?2026l']);
  written.length = 0;
  const elsewhere = new Picture({ isTerminal: false, write: text => written.push(text) });
  for (const line of ['one', 'one', 'two']) elsewhere.show(['a'], line, NOW);
  expect(written).toEqual(['2026-11-29T08:00:00.000Z one\n', '2026-11-29T08:00:00.000Z two\n']);
});
