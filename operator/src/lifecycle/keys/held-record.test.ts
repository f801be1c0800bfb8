// The dashboard's key 1 is to be replaced by key 2, and a pod does not accept it. A row changes one fact.
import { expect, test } from '@jest/globals';
import { type IncidentSummary, rotationId } from '../../api/incident.ts';
import type { RotationRecord } from '../../api/rotation.ts';
import { canonicalJson } from '../../objects/hash.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { decide } from '../plan.ts';
import type { KeyProof, KeyringContent, KeyView, Snapshot } from '../snapshot.ts';
import { app, at, held, snapshot, stablePods, T0, wanted } from '../testing.ts';

const ACCEPTING: RotationRecord = {
  ...{ state: 'Accepting', current: '1', from: '1', to: '2', mode: 'graceful', request: 'a', since: at(-600) },
  digests: { '1': 'sha256-of-key-1', '2': 'sha256-of-key-2' },
};
const CONTENT: KeyringContent = {
  ...{ current: '1', ids: ['1', '2'], clientId: '1', clientDigest: 'sha256-of-key-1' },
  digests: { '1': 'sha256-of-key-1', '2': 'sha256-of-key-2' },
};
const ANSWERS: readonly KeyProof[] = ['shop-a', 'shop-b'].map(name => ({
  ...{ uid: `uid-of-${name}`, fresh: name === 'shop-b' ? 'refused' : 'accepted', old: 'accepted' },
  ...{ bogus: 'refused', none: 'refused' },
}));

const ACCEPTED = ANSWERS.map(answer => ({ ...answer, fresh: 'accepted' }) as const);

const key = (record: RotationRecord, content: KeyringContent | undefined = CONTENT, change = {}): KeyView => ({
  ...{ name: 'api', keyring: 'shop-api-keyring', client: 'shop-api-key', keyringPresent: true, clientPresent: true },
  ...{ createdAt: T0 - 86_400_000, record, content: { known: true, value: content, readAt: T0 }, proofs: ANSWERS },
  ...change,
});

const told = (seconds: number, spec: Parameters<typeof app>[0] = {}, reason = 'RotationHeld') => {
  const base = app(spec);
  const conditions = [
    {
      ...{ type: 'KeysCurrent', status: 'False', reason, message: 'held' },
      ...{ observedGeneration: 1, lastTransitionTime: at(-seconds) },
    },
  ];
  return { ...base, status: { ...base.status, conditions } } as unknown as ReturnType<typeof app>;
};

const lasting = (seconds: number, change: Partial<Snapshot> = {}, view: KeyView = key(ACCEPTING)): Snapshot =>
  snapshot({
    ...{ app: told(seconds), wanted: wanted('v1'), keys: [view] },
    pods: stablePods({ keys: 'shop-api-keyring 1+2 current 1' }),
    ...change,
  });

const written = (rotation: string, change: Partial<IncidentSummary> = {}): IncidentSummary => ({
  ...{ name: `shop-keys-${rotation}`, kind: 'keys', rotation, number: 9, release: 'v1', attempt: 1, at: at(-1) },
  ...{ reason: 'RotationHeld', failedImage: 'shop:1', message: '' },
  ...change,
});

const asked = (seconds: number) => {
  const { metadata, ...rest } = told(seconds);
  return { ...rest, metadata: { ...metadata, annotations: { [ANNOTATIONS.rotate]: 'b' } } } as ReturnType<typeof app>;
};

const recordOf = (seen: Snapshot) => {
  const { action } = decide(seen);
  return action?.do === 'createIncident' ? action.record : undefined;
};

const IDLE: RotationRecord = { state: 'Idle', current: '1', since: at(-9_999) };
const UNREADABLE = key(IDLE, undefined, { content: { known: true, value: undefined, readAt: T0 } });

test.each<[string, Snapshot, object | undefined]>([
  [
    'held for over a minute: it is written down, and what serves is not to blame',
    lasting(61),
    {
      ...{ kind: 'keys', reason: 'RotationHeld', at: at(0), phase: 'Settled', decidedBy: { who: 'operator' } },
      rotation: { key: 'api', state: 'Accepting', from: '1', to: '2', since: at(-61) },
      failed: { hash: 'v1', image: 'example/dashboard:1', attempt: 1 },
      restored: { hash: 'v1' },
      cause: { message: expect.stringContaining('pod shop-b does not accept the new key') },
    },
  ],
  ['a hiccup is none', lasting(60), undefined],
  ['it is told first', lasting(61, { app: app() }), undefined],
  [
    'what the status says of something else counts for nothing',
    lasting(61, { app: told(61, {}, 'KeysRotating') }),
    undefined,
  ],
  ['once for each rotation', lasting(600, { standing: [written('api-2')] }), undefined],
  ['the rotation before is another', lasting(61, { standing: [written('api-1')] }), { kind: 'keys' }],
  ['that of another key is another', lasting(61, { standing: [written('scrape-2')] }), { kind: 'keys' }],
  [
    'what was written of a release is another',
    lasting(61, { standing: [written('api-2', { kind: 'held' })] }),
    { kind: 'keys' },
  ],
  [
    'a clock was ahead, and what is kept is all of then: it would be the first to leave',
    lasting(61, {
      app: told(61, { rollout: { incidents: { limit: 1, days: 90 } } }),
      standing: [written('api-1', { at: at(3_600) })],
    }),
    undefined,
  ],
  [
    'the history is full: the oldest leaves for it',
    lasting(61, { app: told(61, { rollout: { incidents: { limit: 1, days: 90 } } }), standing: [written('api-1')] }),
    { kind: 'keys' },
  ],
  ['a clock that was set back by less than it may be wrong', lasting(-200), undefined],
  ['a clock that was set back by more: it is held, and nobody knows since when', lasting(-301), { kind: 'keys' }],
  ['all pods accept it: nothing is held', lasting(61, {}, key(ACCEPTING, CONTENT, { proofs: ACCEPTED })), undefined],
  [
    'a rollout is under way: the rotation waits for its end',
    held({ app: told(61), keys: [key(ACCEPTING)] }),
    undefined,
  ],
  [
    'nothing is under way, and the keyring cannot be read',
    lasting(61, {}, UNREADABLE),
    {
      rotation: { key: 'api', state: 'Idle', from: '1', since: at(-61) },
      cause: { message: expect.stringContaining('no keyring') },
    },
  ],
  ['once for the key that is in use', lasting(61, { standing: [written('api-1-idle')] }, UNREADABLE), undefined],
  [
    'its write was refused when it was to begin',
    lasting(61, { app: asked(61), refusedRotation: 'a policy says no' }, key(IDLE, { ...CONTENT, ids: ['1'] })),
    { rotation: { key: 'api', state: 'Idle', from: '1' }, cause: { message: 'a policy says no' } },
  ],
  [
    'its write was refused when it was under way',
    lasting(61, { refusedRotation: 'a policy says no' }, key(ACCEPTING, CONTENT, { proofs: ACCEPTED })),
    { rotation: { state: 'Accepting', to: '2' }, cause: { message: 'a policy says no' } },
  ],
  [
    'a schedule that is of no use',
    lasting(
      61,
      { app: told(61, { apiKey: { rotation: { schedule: 'every now and then' } } }) },
      key(IDLE, { ...CONTENT, ids: ['1'] }),
    ),
    { rotation: { key: 'api', state: 'Idle', from: '1' }, cause: { message: expect.stringContaining('of no use') } },
  ],
])('%s', (_case, seen, expected) => {
  const record = recordOf(seen);
  if (expected === undefined) expect(record).toBeUndefined();
  else expect(record).toMatchObject(expected);
});

test('refused before it has begun, and held when it has: that is one rotation, and one record', () => {
  const idle = key(IDLE, { ...CONTENT, ids: ['1'] });
  const refused = recordOf(lasting(61, { app: asked(61), refusedRotation: 'a policy says no' }, idle))?.rotation;
  expect(refused).toMatchObject({ key: 'api', state: 'Idle', from: '1', to: '2' });
  const standing = refused ? [written(rotationId(refused))] : [];
  expect(recordOf(lasting(600, { standing }))).toBeUndefined();
});

test('of keys only ids are in it: no text, and no digest', () => {
  expect(canonicalJson(recordOf(lasting(61)) ?? {})).not.toContain('sha256-of-key');
});

test('it is counted with the releases, and foreseen as it is written', () => {
  const seen = lasting(61, { standing: [written('api-1')] });
  const { action } = decide(seen);
  expect(action).toMatchObject({ do: 'createIncident', revision: 10 });
  expect(decide(seen).conditions).toContainEqual(
    expect.objectContaining({ type: 'KeysCurrent', reason: 'RotationHeld' }),
  );
});
