// The dashboard's key 1 is to be replaced by key 2; two pods serve. A row changes one fact.
import { describe, expect, test } from '@jest/globals';
import type { RotationRecord } from '../api/rotation.ts';
import type { Action } from './decision.ts';
import { firstRecord } from './key-requests.ts';
import { decide } from './plan.ts';
import { rotation } from './rotation.ts';
import type { KeyProof, KeyringContent, KeyView, Snapshot } from './snapshot.ts';
import { app, at, held, pod, snapshot, stablePods, T0, wanted } from './testing.ts';

const SYNCED = 'shop-api-keyring 1+2 current 1';
const idle: RotationRecord = { state: 'Idle', current: '1', since: at(-9_999) };
const under = (state: RotationRecord['state'], change: Partial<RotationRecord> = {}): RotationRecord => ({
  state,
  current: state === 'Accepting' ? '1' : '2',
  from: '1',
  to: '2',
  mode: 'graceful',
  request: 'a',
  since: at(-1),
  ...((state === 'Draining' || state === 'Revoking') && { previousUntil: at(3600) }),
  ...change,
});

const both: KeyringContent = { current: '1', ids: ['1', '2'], clientId: '1' };
const switched: KeyringContent = { current: '2', ids: ['1', '2'], clientId: '2' };
const left: KeyringContent = { current: '2', ids: ['2'], clientId: '2' };

const answers = (change: Partial<KeyProof> = {}): KeyProof[] =>
  ['shop-a', 'shop-b'].map((name, index) => ({
    ...{ uid: `uid-of-${name}`, fresh: 'accepted', old: 'accepted', bogus: 'refused', none: 'refused' },
    ...(index === 1 && change),
  }));

const key = (record: RotationRecord | undefined, content?: KeyringContent, proofs?: readonly KeyProof[]): KeyView => ({
  name: 'api',
  keyring: 'shop-api-keyring',
  client: 'shop-api-key',
  keyringPresent: true,
  clientPresent: true,
  createdAt: T0 - 86_400_000,
  ...(record && { record }),
  ...(content && { content: { known: true, value: content, readAt: T0 } }),
  ...(proofs && { proofs }),
});

const asking = (annotations: Record<string, string>, spec: object = {}) => app({ ...spec }, { annotations });
const seen = (view: KeyView, change: Partial<Snapshot> = {}): Snapshot =>
  snapshot({ wanted: wanted('v1'), keys: [view], pods: stablePods({ keys: SYNCED }), ...change });

const actionOf = (snap: Snapshot): Action | undefined => {
  const decision = rotation(snap);
  return decision?.kind === 'act' ? decision.action : undefined;
};
const wordOf = (snap: Snapshot) => rotation(snap)?.condition;

describe('Idle', () => {
  const one: KeyringContent = { current: '1', ids: ['1'], clientId: '1' };
  const asked = { app: asking({ 'devshelf.dev/rotate': 'a' }) };

  test('a request puts key 2 beside key 1 and is written down in the same patch', () => {
    expect(actionOf(seen(key(idle, one), asked))).toEqual({
      do: 'rotateKey',
      keyring: 'shop-api-keyring',
      change: 'add',
      record: { state: 'Accepting', current: '1', from: '1', to: '2', mode: 'graceful', request: 'a', since: at(0) },
    });
  });

  test.each<[string, Snapshot]>([
    ['nobody asked', seen(key(idle, one))],
    ['what was asked is done', seen(key({ ...idle, request: 'a' }, one), asked)],
    ['a rollout is under way', held({ ...asked, keys: [key(idle, one)] })],
    ['a release is about to begin', seen(key(idle, one), { ...asked, wanted: wanted('v2') })],
    ['it is paused', seen(key(idle, one), { app: asking({ 'devshelf.dev/rotate': 'a' }, { paused: true }) })],
    [
      'the other token was asked for',
      seen(key(idle, one), { app: asking({ 'devshelf.dev/rotate-scrape-token': 'a' }) }),
    ],
  ])('nothing begins: %s', (_case, snap) => {
    expect(actionOf(snap)).toBeUndefined();
  });

  test('a request that has to wait is acknowledged', () => {
    expect(wordOf(held({ ...asked, keys: [key(idle, one)] }))?.message).toContain(
      'begins when no release is on its way',
    );
  });

  test('a leaked key does not wait for a rollout', () => {
    const app = asking({ 'devshelf.dev/rotate': 'a', 'devshelf.dev/rotate-mode': 'immediate' }, { paused: true });
    expect(actionOf(held({ app, keys: [key(idle, one)] }))).toMatchObject({
      change: 'add',
      record: { mode: 'immediate' },
    });
  });

  test.each([
    ['before its time', 100_000, undefined],
    ['at its time', 3_600, 'add'],
  ])('by the clock, %s', (_case, intervalSeconds, change) => {
    const spec = { apiKey: { rotation: { intervalSeconds } } };
    const opened = Array.from({ length: 60 }, (_, minute) =>
      actionOf(seen(key(idle, one), { app: app(spec), now: T0 + minute * 60_000 })),
    );
    expect(opened.find(action => action !== undefined)).toEqual(change && expect.objectContaining({ change }));
  });

  test('suspended: not by the clock, but when somebody asks', () => {
    const spec = { apiKey: { rotation: { intervalSeconds: 3_600, suspend: true } } };
    expect(rotation(seen(key(idle, one), { app: app(spec) }))).toBeUndefined();
    expect(actionOf(seen(key(idle, one), { app: asking({ 'devshelf.dev/rotate': 'b' }, spec) }))).toBeDefined();
  });

  test('a schedule of no use is said', () => {
    const spec = { apiKey: { rotation: { schedule: '0 25 * * *' } } };
    expect(wordOf(seen(key(idle, one), { app: app(spec) }))).toMatchObject({ status: 'False', reason: 'RotationHeld' });
  });

  test('somebody took out what clients hold: it is put back', () => {
    expect(actionOf(seen(key({ ...idle, request: 'a' }, { ...one, ids: ['9'] })))).toEqual({
      do: 'rotateKey',
      keyring: 'shop-api-keyring',
      change: 'restore',
      record: { ...idle, request: 'a' },
    });
  });

  test('what clients hold is not a key of ours: left alone', () => {
    const { clientId: _none, ...content } = one;
    expect(rotation(seen(key(idle, content)))).toBeUndefined();
  });

  test('ids count on from whatever is there', () => {
    const content = { current: 'mine', ids: ['mine', '7'] };
    expect(actionOf(seen(key(idle, content), asked))).toMatchObject({ record: { from: 'mine', to: '8' } });
  });
});

describe('the first record', () => {
  const keys = (change: object) => [{ name: 'api', secret: 'shop-api-keyring', state: 'Idle', ...change }];
  const asked = (status: object) => {
    const resource = asking({ 'devshelf.dev/rotate': 'b' });
    return seen(key(undefined), { app: { ...resource, status: { ...resource.status, ...status } } as typeof resource });
  };
  test.each<[string, boolean, object, Partial<RotationRecord>]>([
    ['asked for together with the first key', false, {}, { request: 'b' }],
    [
      'it comes back, and knows what was done',
      true,
      { request: 'b', lastRotationTime: at(-5) },
      { request: 'b', lastRotationTime: at(-5) },
    ],
    ['it was lost in the middle: the request stands', true, { request: 'b', state: 'Accepting' }, {}],
  ])('%s', (_case, comesBack, change, expected) => {
    expect(firstRecord(asked({ keys: keys(change) }), 'api', '1', comesBack)).toEqual({
      ...{ state: 'Idle', current: '1', since: at(0) },
      ...expected,
    });
  });
});

describe('Accepting', () => {
  const accepting = (
    proofs: readonly KeyProof[],
    change: Partial<Snapshot> = {},
    record: Partial<RotationRecord> = {},
  ) => seen(key(under('Accepting', record), both, proofs), change);

  test('pods are told first', () => {
    expect(actionOf(accepting(answers(), { pods: stablePods() }))).toEqual({
      do: 'syncPods',
      pods: ['shop-a', 'shop-b'],
      keys: SYNCED,
    });
  });

  test('every pod accepts both: the new one becomes the current one', () => {
    expect(actionOf(accepting(answers()))).toMatchObject({
      change: 'switch',
      record: { state: 'Switching', current: '2' },
    });
  });

  test.each<[string, Partial<KeyProof>, string]>([
    ['one does not accept the new key yet', { fresh: 'refused' }, 'pod shop-b does not accept the new key'],
    ['one does not accept the old key', { old: 'refused' }, 'pod shop-b does not accept the old key'],
    ['one does not answer', { fresh: 'unclear', why: 'connect ECONNREFUSED' }, 'no clear answer: connect ECONNREFUSED'],
  ])('waits, and after a while says so: %s', (_case, change, words) => {
    expect(rotation(accepting(answers(change)))).toMatchObject({ kind: 'wait', condition: { status: 'Unknown' } });
    const late = wordOf(accepting(answers(change), {}, { since: at(-200) }));
    expect(late).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    expect(late?.message).toContain(words);
    expect(late?.message).toContain('no caller is cut off');
  });

  test.each<[string, Partial<KeyProof>]>([
    ['a made-up key', { bogus: 'accepted' }],
    ['no key at all', { none: 'accepted' }],
  ])('a pod that accepts %s stops it at once', (_case, change) => {
    expect(wordOf(accepting(answers(change)))).toMatchObject({ reason: 'RotationHeld' });
    expect(wordOf(accepting(answers(change)))?.message).toContain('authentication is off');
  });

  const third = (change: object) => ({
    pods: [...stablePods({ keys: SYNCED }), pod('v1', 'shop-c', { keys: SYNCED, ...change })],
  });
  test.each<[string, object, string | undefined]>([
    ['a pod that is not ready may become so', { ready: false }, undefined],
    ['a pod on its way out may still get requests', { deleting: true }, undefined],
    ['a pod that no node takes has nothing mounted', { ready: false, unschedulable: 'no node' }, 'switch'],
    ['a pod that is out gets none', { deleting: true, ready: false }, 'switch'],
  ])('%s', (_sentence, change, expected) => {
    expect(actionOf(accepting(answers(), third(change)))).toEqual(
      expected && expect.objectContaining({ change: expected }),
    );
  });

  test('the new key was taken out: another one is made, and the proof begins anew', () => {
    const content = { ...both, ids: ['1'] };
    expect(actionOf(seen(key(under('Accepting'), content, answers())))).toMatchObject({
      change: 'restore',
      record: { state: 'Accepting', since: at(0) },
    });
  });

  test('a release that begins meanwhile comes first', () => {
    const waits = held({ keys: [key(under('Accepting'), both, answers())] });
    expect(rotation(waits)).toMatchObject({ kind: 'wait' });
  });

  test('with no pod at all there is nobody to ask', () => {
    expect(actionOf(seen(key(under('Accepting'), both, []), { pods: [] }))).toMatchObject({ change: 'switch' });
  });
});

describe('Switching', () => {
  test('clients are given the new key, with the end of the overlap', () => {
    const spec = { apiKey: { rotation: { overlapSeconds: 120 } } };
    const content = { ...switched, clientId: '1' };
    expect(actionOf(seen(key(under('Switching'), content), { app: app(spec) }))).toEqual({
      do: 'handOverKey',
      keyring: 'shop-api-keyring',
      client: 'shop-api-key',
      keyId: '2',
      previousUntil: at(120),
    });
  });

  test('the overlap is counted from when they have it, not from when it was decided', () => {
    const later = seen(key(under('Switching', { since: at(-50_000) }), switched));
    expect(actionOf(later)).toMatchObject({ record: { state: 'Draining', previousUntil: at(86_400) } });
  });

  test('immediate: there is no overlap', () => {
    const record = under('Switching', { mode: 'immediate' });
    expect(actionOf(seen(key(record, switched)))).toMatchObject({ record: { previousUntil: at(0) } });
  });

  describe('of a signing key', () => {
    const signing = (proofs: readonly KeyProof[]): Snapshot => {
      const { client: _none, ...view } = key(under('Switching'), switched, proofs);
      const pods = stablePods({ keys: 'shop-signing-keyring 1+2 current 2' });
      return seen({ ...view, name: 'signing', keyring: 'shop-signing-keyring' }, { pods });
    };
    test('waits until every pod signs with it', () => {
      expect(rotation(signing(answers({ current: '1' })))).toMatchObject({ kind: 'wait' });
      const all = answers().map(answer => ({ ...answer, current: '2' }));
      expect(actionOf(signing(all))).toMatchObject({ record: { state: 'Draining' } });
    });
  });
});

describe('Draining', () => {
  const pods = { pods: stablePods({ keys: SYNCED }) };
  test('both are accepted until the overlap is over', () => {
    const drains = rotation(seen(key(under('Draining'), switched), pods));
    expect(drains).toMatchObject({ kind: 'wait', recheckMs: 3_600_000, condition: { reason: 'KeysRotating' } });
    expect(drains?.condition.message).toContain(at(3600));
  });

  test('somebody gave clients the old key again: they get the new one', () => {
    expect(actionOf(seen(key(under('Draining'), { ...switched, clientId: '1' })))).toMatchObject({ do: 'handOverKey' });
  });

  test.each<[string, Partial<KeyProof>, string | undefined]>([
    ['every pod accepts the new key', {}, 'revoke'],
    ['one does not', { fresh: 'refused' }, undefined],
    ['one does not answer', { fresh: 'unclear' }, undefined],
    ['one lets everybody in', { none: 'accepted' }, undefined],
  ])('it is over, and %s', (_case, change, expected) => {
    const over = seen(key(under('Draining', { previousUntil: at(0) }), switched, answers(change)));
    expect(actionOf(over)).toEqual(expected && expect.objectContaining({ change: expected }));
  });

  test('a pod that starts when it is over is waited for, as at every other step', () => {
    const over = seen(
      key(under('Draining', { since: at(-90_000), previousUntil: at(-5) }), switched, answers({ fresh: 'unclear' })),
    );
    expect(wordOf(over)).toMatchObject({ status: 'Unknown', reason: 'KeysRotating' });
  });

  test('a request for an immediate one does not wait for the end of it', () => {
    const app = asking({ 'devshelf.dev/rotate': 'b', 'devshelf.dev/rotate-mode': 'immediate' });
    expect(actionOf(seen(key(under('Draining'), switched, answers()), { app }))).toMatchObject({
      change: 'revoke',
      record: { request: 'a' },
    });
  });
});

describe('Revoking', () => {
  const pods = { pods: stablePods({ keys: 'shop-api-keyring 2 current 2' }) };
  const refused = answers().map(answer => ({ ...answer, old: 'refused' as const }));
  const revoking = (proofs: readonly KeyProof[], content = left) => seen(key(under('Revoking'), content, proofs), pods);

  test('every pod refuses the old key: done, with the time and the request', () => {
    expect(actionOf(revoking(refused))).toEqual({
      do: 'rotateKey',
      keyring: 'shop-api-keyring',
      change: 'finish',
      record: {
        ...{ state: 'Idle', current: '2', since: at(0), lastRotationTime: at(0) },
        ...{ request: 'a', previousUntil: at(3600) },
      },
    });
  });

  test('a pod that still accepts it is waited for', () => {
    expect(wordOf(revoking(answers()))?.message).toContain('pod shop-a still accepts the old key');
  });

  test('somebody put the old key back: it leaves again', () => {
    expect(actionOf(revoking(refused, switched))).toMatchObject({ change: 'revoke' });
  });
});

describe('beside a release', () => {
  test('the release acts first', () => {
    const snap = snapshot({ keys: [key(under('Draining', { previousUntil: at(0) }), switched, answers())] });
    expect(decide(snap).action?.do).not.toBe('rotateKey');
  });

  test('a rotation never makes a resource unready, and its trouble is announced', () => {
    const plan = decide(seen(key(under('Accepting', { since: at(-200) }), both, answers({ fresh: 'refused' }))));
    const conditions = new Map(plan.conditions.map(condition => [condition.type, condition]));
    expect(conditions.get('Ready')?.status).toBe('True');
    expect(conditions.get('KeysCurrent')).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    expect(plan).toMatchObject({ announce: { type: 'Warning', reason: 'RotationHeld' }, recheckMs: 15_000 });
  });

  test.each([
    ['a leaked key is replaced while a release is paused', 'immediate', 'rotateKey'],
    ['otherwise a pause is waited for', 'graceful', undefined],
  ])('%s', (_sentence, mode, expected) => {
    const annotations = { 'devshelf.dev/rotate': 'a', 'devshelf.dev/rotate-mode': mode };
    const one: KeyringContent = { current: '1', ids: ['1'], clientId: '1' };
    const app = asking(annotations, { paused: true });
    expect(decide(seen(key(idle, one), { app, wanted: wanted('v2') })).action?.do).toBe(expected);
  });

  test('a keyring that holds nothing readable holds the rotation', () => {
    const view: KeyView = { ...key(under('Accepting')), content: { known: true, value: undefined, readAt: T0 } };
    expect(wordOf(seen(view))).toMatchObject({ reason: 'RotationHeld' });
  });
});
