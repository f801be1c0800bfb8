// The dashboard's key 1 is to be replaced by key 2; two pods serve. A row changes one fact.
import { describe, expect, test } from '@jest/globals';
import type { AppResource } from '../../api/resource.ts';
import type { RotationRecord } from '../../api/rotation.ts';
import type { KeyStatus } from '../../api/status.ts';
import type { Action } from '../decision.ts';
import { decide } from '../plan.ts';
import type { KeyProof, KeyringContent, KeyUses, KeyView, Snapshot } from '../snapshot.ts';
import { statusOf } from '../status.ts';
import { app, at, held, pod, revision, snapshot, stablePods, T0, wanted } from '../testing.ts';
import { firstRecord } from './key-requests.ts';
import { rotation } from './rotation.ts';

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

/** The digest of key 1 is `of 1`. */
const digestsOf = (ids: readonly string[]) => Object.fromEntries(ids.map(id => [id, `of ${id}`]));
const holding = (current: string, ids: readonly string[], clientId?: string): KeyringContent => ({
  ...{ current, ids, digests: digestsOf(ids) },
  ...(clientId !== undefined && { clientDigest: `of ${clientId}` }),
  ...(clientId !== undefined && ids.includes(clientId) && { clientId }),
});
const both = holding('1', ['1', '2'], '1');
const switched = holding('2', ['1', '2'], '2');
const left = holding('2', ['2'], '2');

const answers = (change: Partial<KeyProof> = {}): KeyProof[] =>
  ['shop-a', 'shop-b'].map((name, index) => ({
    ...{ uid: `uid-of-${name}`, fresh: 'accepted', old: 'accepted', bogus: 'refused', none: 'refused' },
    ...(index === 1 && change),
  }));

const refusedBy = (all: readonly KeyProof[]) => all.map(answer => ({ ...answer, old: 'refused' as const }));

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

const QUIET: KeyUses = {
  ...{ total: 0, usedAt: T0 - 86_400_000, perMinute: 0, readAt: T0, unread: [], uncounted: false, sum: 9 },
};

const asking = (annotations: Record<string, string>, spec: object = {}) => app({ ...spec }, { annotations });
const seen = (view: KeyView, change: Partial<Snapshot> = {}): Snapshot =>
  snapshot({ wanted: wanted('v1'), keys: [view], pods: stablePods({ keys: SYNCED }), ...change });

const actionOf = (snap: Snapshot): Action | undefined => {
  const decision = rotation(snap);
  return decision?.kind === 'act' ? decision.action : undefined;
};
const wordOf = (snap: Snapshot) => rotation(snap)?.condition;

describe('Idle', () => {
  const one = holding('1', ['1'], '1');
  const asked = { app: asking({ 'devshelf.dev/rotate': 'a' }) };

  test('a request puts key 2 beside key 1 and is written down in the same patch', () => {
    expect(actionOf(seen(key(idle, one), asked))).toEqual({
      do: 'rotateKey',
      keyring: 'shop-api-keyring',
      change: 'add',
      record: {
        ...{ state: 'Accepting', current: '1', from: '1', to: '2', mode: 'graceful', request: 'a' },
        ...{ since: at(0), begunAt: at(0) },
      },
    });
  });

  test('it is said who asked', () => {
    const writers = { requests: { 'devshelf.dev/rotate': 'kubectl-annotate' } };
    expect(wordOf(seen(key(idle, one), { ...asked, writers }))?.message).toBe(
      'API key: key 2 is to replace key 1 (graceful, asked for by kubectl-annotate)',
    );
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

  const monthly = { apiKey: { rotation: { intervalSeconds: 2_592_000, overlapSeconds: 86_400 } } };
  test('the period counts from the beginning of a rotation, not from its end', () => {
    const record = { ...idle, begunAt: at(-2_592_000 - 4_000), lastRotationTime: at(-2_500_000) };
    const minutes = Array.from({ length: 60 }, (_, minute) => T0 + minute * 60_000);
    const acts = minutes.map(now => actionOf(seen(key(record, one), { app: app(monthly), now })));
    expect(acts.find(action => action)).toMatchObject({ change: 'add', record: { begunAt: expect.any(String) } });
  });

  test('a clock that was a year ahead, and is right again: it counts from now', () => {
    const record = { ...idle, begunAt: at(31_536_000), lastRotationTime: at(31_536_100) };
    expect(actionOf(seen(key(record, one), { app: app(monthly) }))).toEqual({
      do: 'rotateKey',
      keyring: 'shop-api-keyring',
      record: { ...idle, begunAt: at(0), lastRotationTime: at(0) },
    });
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

  test.each<[string, RotationRecord, KeyringContent, string, Partial<RotationRecord>]>([
    [
      'the current key was taken out, and callers still hold it: it comes back',
      { ...idle, digests: digestsOf(['1']) },
      holding('9', ['9'], '1'),
      'restore',
      { state: 'Idle', current: '1' },
    ],
    [
      'another text stands under its id: the same',
      { ...idle, digests: digestsOf(['1']) },
      { ...one, digests: { '1': 'of another' }, clientDigest: 'of 1' },
      'restore',
      { state: 'Idle', current: '1' },
    ],
    [
      'callers hold a made-up one: another key is made, and nothing else stays',
      { ...idle, digests: digestsOf(['1']) },
      { ...holding('9', ['9']), clientDigest: 'of a made-up key' },
      'add',
      { state: 'Accepting', mode: 'immediate', from: '9', to: '10' },
    ],
    [
      'nobody knows what was written: another key is made',
      idle,
      holding('9', ['9'], '1'),
      'add',
      { state: 'Accepting', mode: 'immediate' },
    ],
    [
      'a revoked key is back: it leaves again',
      { ...idle, current: '2', revoked: [{ id: '1', digest: 'of 1' }] },
      holding('2', ['1', '2'], '2'),
      'revoke',
      { state: 'Revoking', from: '1', to: '2' },
    ],
  ])('of the keyring: %s', (_case, record, content, change, expected) => {
    expect(actionOf(seen(key(record, content)))).toMatchObject({ change, record: expected });
  });

  test.each<[string, RotationRecord, KeyringContent, string]>([
    ['a made-up key', idle, { ...one, clientDigest: 'of a made-up key' }, 'another text'],
    [
      'a key that was revoked',
      { ...idle, current: '2', revoked: [{ id: '1', digest: 'of 1' }] },
      holding('2', ['2'], '1'),
      'key 1, which was revoked,',
    ],
  ])('somebody gave callers %s: they get the current one again, and it is said', (_case, record, content, words) => {
    const view = { ...key(record, content), clientWriter: 'a-tool' };
    const decision = rotation(seen(view));
    expect(decision).toMatchObject({
      action: {
        do: 'handOverKey',
        keyId: record.current,
        putBack: { count: 1, at: at(0), keyId: record.current, by: 'a-tool' },
      },
      announce: { type: 'Warning' },
    });
    expect(decision?.condition.message).toContain(`"a-tool" wrote ${words} into Secret shop-api-key`);
  });

  test('three times in a row is a fight: held, with the name of the other writer', () => {
    const note = { count: 2, at: at(-5), by: 'a-tool' };
    const again = key(idle, { ...one, clientDigest: 'of another' });
    expect(actionOf(seen({ ...again, clientWriter: 'a-tool', putBack: note }))).toMatchObject({
      putBack: { count: 3 },
    });
    const third = { ...key(idle, one), putBack: { ...note, count: 3 } };
    expect(wordOf(seen(third))).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    expect(wordOf(seen(third))?.message).toContain('"a-tool" writes into Secret shop-api-key');
    expect(rotation(seen(third, { now: T0 + 700_000 }))).toBeUndefined();
    const leaked = asking({ 'devshelf.dev/rotate': 'b', 'devshelf.dev/rotate-mode': 'immediate' });
    expect(actionOf(seen(third, { app: leaked }))).toMatchObject({ change: 'add' });
  });

  test('then it is put right once a minute and no more often, but a leaked key leaves meanwhile', () => {
    const note = { count: 3, at: at(-5), by: 'a-tool' };
    const wrong = { ...key(idle, { ...one, clientDigest: 'of another' }), putBack: note };
    expect(wordOf(seen(wrong))).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    expect(actionOf(seen(wrong))).toBeUndefined();
    // a key that callers were never given does not wait
    expect(actionOf(seen({ ...wrong, putBack: { ...note, keyId: '1' } }))).toBeUndefined();
    expect(actionOf(seen({ ...wrong, putBack: { ...note, keyId: '0' } }))).toMatchObject({ keyId: '1' });
    expect(actionOf(seen(wrong, { now: T0 + 60_000 }))).toMatchObject({ do: 'handOverKey', putBack: { count: 4 } });
  });

  test.each<[string, KeyringContent, string, Partial<RotationRecord>]>([
    ['callers still hold the current key', holding('1', ['1'], '2'), 'restore', { state: 'Idle', current: '2' }],
    ['so does their Secret', holding('1', ['1'], '1'), 'add', { mode: 'immediate', from: '1', to: '3' }],
  ])('a keyring with a revoked key comes back from a backup; %s', (_case, content, change, expected) => {
    const record = { ...idle, digests: digestsOf(['1']), lastRotationTime: at(-9_000) };
    const status = { lastRotationTime: at(-100), currentKeyId: '2', currentKeyDigest: 'of 2' };
    const keys = [{ name: 'api' as const, secret: 'shop-api-keyring', state: 'Idle' as const, ...status }];
    const resource = app();
    const restored = { ...resource, status: { ...resource.status, keys } } as typeof resource;
    expect(actionOf(seen(key(record, content), { app: restored }))).toMatchObject({
      ...{ change, record: { ...expected, revoked: [{ id: '1', digest: 'of 1' }] } },
    });
    const since = { ...record, lastRotationTime: at(-100) };
    expect(actionOf(seen(key(since, holding('1', ['1'], '1')), { app: restored }))).toBeUndefined();
  });

  test('a keyring from a backup whose record is lost, too: what the status knows to be revoked leaves again', () => {
    const revoked = [{ id: '1', digest: 'of 1' }];
    const keys = [{ name: 'api' as const, secret: 'shop-api-keyring', state: 'Idle' as const, revoked }];
    const resource = app();
    const known = { ...resource, status: { ...resource.status, keys } } as typeof resource;
    const bare = key(undefined, holding('2', ['1', '2'], '2'));
    expect(actionOf(seen(bare, { app: known }))).toMatchObject({ change: 'revoke', record: { from: '1', to: '2' } });
    expect(actionOf(seen(bare))).toBeUndefined();
  });

  const ASKED = 'API key: key 2 is to replace key 1: the pods are being asked';
  const SILENT = 'API key: key 2 is to replace key 1: pod shop-a gives no clear answer: connect ECONNREFUSED';
  test.each([
    ['False', 'RotationHeld', 'pod shop-a is silent', 'pod shop-a is silent'],
    ['Unknown', 'KeysRotating', SILENT, SILENT],
    ['Unknown', 'KeysRotating', SILENT.replace('API key', 'signing key'), ASKED],
    ['Unknown', 'KeysRotating', 'API key: key 2 is to replace key 1: it goes on when the rollout has ended', ASKED],
    ['True', 'KeysMinted', '2 keyrings are there', ASKED],
  ])('while the pods are asked once more, what they said before stands: %s %s %s', (status, reason, message, words) => {
    const resource = app();
    const said = { type: 'KeysCurrent', status, reason, message };
    const conditions = [{ ...said, lastTransitionTime: at(-500) }];
    const before = { ...resource, status: { ...resource.status, conditions } } as typeof resource;
    const synced = [pod('shop-a', 'v1', { keys: SYNCED }), pod('shop-b', 'v1', { keys: SYNCED })];
    const asks = key(under('Accepting', { since: at(-500) }), both);
    expect(wordOf(seen(asks, { app: before, pods: synced }))?.message).toBe(words);
  });

  test('ids count on from whatever is there', () => {
    const content = holding('mine', ['mine', '7'], 'mine');
    expect(actionOf(seen(key({ ...idle, current: 'mine' }, content), asked))).toMatchObject({
      record: { from: 'mine', to: '8' },
    });
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
    const content = holding('1', ['1'], '1');
    expect(actionOf(seen(key(under('Accepting'), content, answers())))).toMatchObject({
      change: 'restore',
      record: { state: 'Accepting', since: at(0) },
    });
  });

  test('a release that begins meanwhile comes first', () => {
    const waits = held({ keys: [key(under('Accepting'), both, answers())] });
    expect(rotation(waits)).toMatchObject({ kind: 'wait' });
  });

  test.each<[string, object]>([
    ['crashes again and again', { ready: false, waiting: { reason: 'CrashLoopBackOff', message: '' } }],
    ['is on its way out', { deleting: true }],
    ['is not in the endpoints', { ready: false }],
  ])('a leaked key does not wait for a pod that %s: it serves nobody', (_case, change) => {
    const leaked = accepting(answers(), third(change), { mode: 'immediate' });
    expect(actionOf(leaked)).toMatchObject({ change: 'switch' });
    const revoking = key(under('Revoking', { mode: 'immediate' }), left, refusedBy(answers()));
    const pods = third(change).pods.map(one => ({ ...one, keys: 'shop-api-keyring 2 current 2' }));
    expect(actionOf(seen(revoking, { pods }))).toMatchObject({ change: 'finish' });
  });

  test('… but it is told, so that it finds the changed key when it comes back', () => {
    const behind = { ready: false, waiting: { reason: 'CrashLoopBackOff', message: '' }, keys: 'old' };
    expect(actionOf(accepting(answers(), third(behind), { mode: 'immediate' }))).toMatchObject({
      do: 'syncPods',
      pods: ['shop-c'],
    });
  });

  test('with no pod at all there is nobody to ask', () => {
    expect(actionOf(seen(key(under('Accepting'), both, []), { pods: [] }))).toMatchObject({ change: 'switch' });
  });
});

describe('Switching', () => {
  test('clients are given the new key, with the end of the overlap', () => {
    const spec = { apiKey: { rotation: { overlapSeconds: 120 } } };
    const content = holding('2', ['1', '2'], '1');
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
    // the uses are counted meanwhile
    expect(drains).toMatchObject({ kind: 'wait', recheckMs: 60_000, condition: { reason: 'KeysRotating' } });
    expect(drains?.condition.message).toContain(at(3600));
  });

  test.each<[string, KeyringContent, object, boolean]>([
    ['which callers hold: the overlap goes on', holding('1', ['1'], '2'), digestsOf(['1', '2']), true],
    [
      'which nobody has any more: another one, for which callers have all of the time',
      holding('1', ['1'], '1'),
      digestsOf(['1', '2']),
      false,
    ],
    ['which nobody knows: the same', holding('1', ['1'], '2'), {}, false],
  ])('somebody took the new key out, %s', (_case, content, digests, isKept) => {
    const record = under('Draining', { digests, previousUntil: at(5) } as Partial<RotationRecord>);
    const action = actionOf(seen(key(record, content)));
    expect(action).toMatchObject({ change: 'restore', record: { state: 'Accepting' } });
    const until = action?.do === 'rotateKey' ? action.record.previousUntil : 'none';
    expect(until).toBe(isKept ? at(5) : undefined);
  });

  test('somebody gave clients the old key again: they get the new one', () => {
    expect(actionOf(seen(key(under('Draining'), holding('2', ['1', '2'], '1'))))).toMatchObject({ do: 'handOverKey' });
  });

  test.each<[string, Partial<KeyProof>, string | undefined]>([
    ['every pod accepts the new key', {}, 'revoke'],
    ['one does not', { fresh: 'refused' }, undefined],
    ['one does not answer', { fresh: 'unclear' }, undefined],
    ['one lets everybody in', { none: 'accepted' }, undefined],
  ])('it is over, and %s', (_case, change, expected) => {
    const view = { ...key(under('Draining', { previousUntil: at(0) }), switched, answers(change)), uses: QUIET };
    const over = seen(view);
    expect(actionOf(over)).toEqual(expected && expect.objectContaining({ change: expected }));
  });

  test('a pod that starts when it is over is waited for, as at every other step', () => {
    const record = under('Draining', { since: at(-90_000), previousUntil: at(-5) });
    const over = seen({ ...key(record, switched, answers({ fresh: 'unclear' })), uses: QUIET });
    expect(wordOf(over)).toMatchObject({ status: 'Unknown', reason: 'KeysRotating' });
  });

  const ended = under('Draining', { since: at(-86_400), previousUntil: at(0) });
  const drains = (uses: Partial<KeyUses> | undefined, change: Partial<Snapshot> = {}, view: Partial<KeyView> = {}) =>
    seen({ ...key(ended, switched, answers()), ...(uses && { uses: { ...QUIET, ...uses } }), ...view }, change);
  const used = { total: 1234, usedAt: T0 - 1_000 };

  describe('an operator that has not asked the pods yet', () => {
    const counted = {
      ...{ previousUses: 7, previousUsePerMinute: 2, previousUsedAt: at(-60), previousCounters: 16 },
    };
    const drained = {
      name: 'api',
      secret: 'shop-api-keyring',
      state: 'Draining',
      currentKeyId: '2',
      ...counted,
    } as const;
    const toldAs = (told: Partial<KeyStatus>, uses?: KeyUses, resource = app()) => {
      const { status, ...rest } = resource;
      const keys = [{ ...drained, ...told }];
      const over = drains(uses, { app: { ...rest, status: { ...status, keys } } as AppResource });
      return statusOf(over, decide(over)).keys?.[0];
    };

    test('leaves told what an earlier one has counted', () => {
      expect(toldAs({})).toMatchObject(counted);
    });

    test.each<[string, Partial<KeyStatus>, KeyUses | undefined]>([
      ['of another rotation', { currentKeyId: '1' }, undefined],
      ['of a state before', { state: 'Switching' }, undefined],
      ['half of it', { previousCounters: undefined }, undefined],
      ['of pods that count nothing', {}, { ...QUIET, uncounted: true }],
    ])('but not %s', (_what, told, uses) => {
      expect(toldAs(told, uses)).not.toHaveProperty('previousUses');
    });

    test('nor where nobody counts any more, since somebody is in a hurry', () => {
      const leaked = asking({ 'devshelf.dev/rotate': 'b', 'devshelf.dev/rotate-mode': 'immediate' });
      expect(toldAs({}, undefined, leaked)).not.toHaveProperty('previousUses');
    });
  });

  test('somebody still uses the old key: held, with how many and since when, and nobody is cut off', () => {
    const callers = { callers: ['pod cart (has it in its environment: restart it)'] };
    const word = wordOf(drains(used, {}, callers));
    expect(word).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    expect(word?.message).toContain(`key 1 is still used, by at least 1,000 requests since ${at(-86_400)}`);
    expect(word?.message).toContain('pod cart (has it in its environment: restart it)');
    expect(word?.message).toContain('annotate dashboarddeployment shop devshelf.dev/rotate-force=api/1');
    expect(actionOf(drains(used))).toBeUndefined();
  });

  test.each<[string, Snapshot, string | undefined]>([
    ['nobody has used it for half of the overlap', drains({ total: 9, usedAt: T0 - 43_200_000 }), 'revoke'],
    ['somebody has, within that', drains({ total: 9, usedAt: T0 - 43_199_000 }), undefined],
    ['what was read is from before the end', drains({ readAt: T0 - 1 }), undefined],
    ['what was read is so old that nobody knows', drains({}, { now: T0 + 211_000 }), undefined],
    ['what was read is a few readings old', drains({}, { now: T0 + 209_000 }), 'revoke'],
    ['nothing was read yet', drains(undefined), undefined],
    ['the image does not count: by the clock', drains({ ...used, uncounted: true }), 'revoke'],
    ['a pod that serves cannot be read', drains({ unread: ['uid-of-shop-b'] }), undefined],
    ['a pod that is gone cannot be read', drains({ unread: ['uid-of-another'] }), 'revoke'],
    [
      'a person forces it, by the name of that key',
      drains(used, { app: asking({ 'devshelf.dev/rotate-force': 'api/1' }) }),
      'revoke',
    ],
    ['a person forced another one', drains(used, { app: asking({ 'devshelf.dev/rotate-force': 'api/7' }) }), undefined],
    [
      'the spec says by the clock alone',
      drains(used, { app: app({ apiKey: { rotation: { forceAfterOverlaps: 1 } } }) }),
      'revoke',
    ],
    [
      'the spec says after two overlaps',
      drains(used, { app: app({ apiKey: { rotation: { forceAfterOverlaps: 2 } } }) }),
      undefined,
    ],
    [
      '… and they are over',
      drains(
        { ...used, usedAt: T0 + 86_400_000, readAt: T0 + 86_400_000 },
        {
          app: app({ apiKey: { rotation: { forceAfterOverlaps: 2 } } }),
          now: T0 + 86_400_000,
        },
      ),
      'revoke',
    ],
    [
      'somebody writes the old key back again and again',
      drains({}, {}, { putBack: { count: 3, at: at(-5), by: 'a-tool' } }),
      undefined,
    ],
  ])('the overlap is over: %s', (_case, snap, expected) => {
    expect(actionOf(snap)).toEqual(expected && expect.objectContaining({ change: expected }));
  });

  test('a clock that was ahead does not keep the old key for as long', () => {
    const record = under('Draining', { since: at(31_536_000), previousUntil: at(31_622_400) });
    expect(actionOf(seen(key(record, switched)))).toMatchObject({
      record: { state: 'Draining', since: at(0), previousUntil: at(86_400) },
    });
  });

  test('what leaves is remembered', () => {
    expect(actionOf(drains({}))).toMatchObject({ record: { revoked: [{ id: '1', digest: 'of 1' }] } });
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

  test('a write that was refused is said, and asked for again in the pass after the next', () => {
    const due = seen(key(idle, holding('1', ['1'], '1')), { app: asking({ 'devshelf.dev/rotate': 'a' }) });
    expect(decide(due).action?.do).toBe('rotateKey');
    const plan = decide({ ...due, refusedRotation: 'the keys cannot be changed: no' });
    expect(plan.action?.do).not.toBe('rotateKey');
    expect(plan.recheckMs).toBe(15_000);
    const said = { status: 'False', reason: 'RotationHeld', message: 'the keys cannot be changed: no' };
    expect(plan.conditions).toContainEqual({ type: 'KeysCurrent', ...said });
    expect(plan.conditions.find(({ type }) => type === 'Ready')?.status).toBe('True');
  });

  test('nothing is to be written any more: who refused it before is forgotten', () => {
    expect(rotation(seen(key(idle, holding('1', ['1'], '1')), { refusedRotation: 'no' }))).toBeUndefined();
  });

  test.each([
    ['a leaked key is replaced while a release is paused', 'immediate', 'rotateKey'],
    ['otherwise a pause is waited for', 'graceful', undefined],
  ])('%s', (_sentence, mode, expected) => {
    const annotations = { 'devshelf.dev/rotate': 'a', 'devshelf.dev/rotate-mode': mode };
    const one = holding('1', ['1'], '1');
    const app = asking(annotations, { paused: true });
    expect(decide(seen(key(idle, one), { app, wanted: wanted('v2') })).action?.do).toBe(expected);
  });

  test.each<[string, Partial<Snapshot>]>([
    [
      'a release was rejected',
      { wanted: wanted('v2'), revisions: [revision('v1', 'released'), revision('v2', 'rejected')] },
    ],
    [
      'something that the spec names is missing',
      {
        wanted: { known: false, why: 'a reference is missing' },
        missing: [{ reason: 'SecretMissing', message: 'Secret mail does not exist' }],
      },
    ],
  ])('a key that is due is replaced although %s', (_case, change) => {
    const app = asking({ 'devshelf.dev/rotate': 'a' });
    const plan = decide(seen(key(idle, holding('1', ['1'], '1')), { app, ...change }));
    expect(plan.action).toMatchObject({ do: 'rotateKey', change: 'add' });
  });

  test('a keyring that holds nothing readable holds the rotation', () => {
    const view: KeyView = { ...key(under('Accepting')), content: { known: true, value: undefined, readAt: T0 } };
    expect(wordOf(seen(view))).toMatchObject({ reason: 'RotationHeld' });
  });
});
