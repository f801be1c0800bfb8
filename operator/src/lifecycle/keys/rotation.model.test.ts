// Kills, lost answers, two operators at once, clocks that jump, pods that come, go and lag behind, and somebody who
// edits the Secrets: who reads the key that clients are given is refused by no pod. SEED=… repeats a run.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AppResource } from '../../api/resource.ts';
import type { RotationRecord, RotationState } from '../../api/rotation.ts';
import {
  changedKeyring,
  digestOfKey as digestAnew,
  type Keyring,
  type KeyringFiles,
  newKey,
} from '../../objects/keyring.ts';
import type { Action } from '../decision.ts';
import type { KeyAnswer, KeyProof, KeyringContent, KeyView, PodView, Snapshot } from '../snapshot.ts';
import { app, pod, snapshot, T0, wanted } from '../testing.ts';
import { isReadAgain } from '../testing-notes.ts';
import { needsProofs } from './draining.ts';
import { rotation } from './rotation.ts';

const RUNS = Number(process.env['RUNS'] ?? 300);
const OVERLAP_MS = 120_000;
/** Of passes: enough for the longest story to end. */
const REST = 300;

interface Mounted {
  readonly keyring: Keyring;
  /** Somebody's edit: what pods do with it is not the operator's promise. */
  readonly meddled: boolean;
}
type ModelPod = { -readonly [Key in keyof PodView]: PodView[Key] } & { mounted: Mounted };
interface Decided {
  readonly action: Action;
  /** Of the keyring that was looked at. */
  readonly version: number;
}

/** Parsing is most of the work of a pass. */
const parsed = new Map<string, AppResource>();
const SPEC = { apiKey: { rotation: { overlapSeconds: OVERLAP_MS / 1000, intervalSeconds: 90 * 86_400 } } };

function resourceWith(annotations: Record<string, string>): AppResource {
  const text = JSON.stringify(annotations);
  const resource = parsed.get(text) ?? app(SPEC, { annotations });
  parsed.set(text, resource);
  return resource;
}

/** Hashing would be most of the work of this test. */
const digests = new Map<string, string>();
function digestOfKey(key: string): string {
  const digest = digests.get(key) ?? digestAnew(key);
  digests.set(key, digest);
  return digest;
}
const digestsOf = ({ keys }: Keyring): Record<string, string> =>
  Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, digestOfKey(key)]));

class KeyCluster {
  now = T0;
  files: KeyringFiles;
  record: RotationRecord = { state: 'Idle', current: '1', since: new Date(T0).toISOString() };
  version = 0;
  client: { key: string; meddled: boolean };
  pods: ModelPod[] = [];
  annotations: Record<string, string> = {};
  meddled = false;
  minted = 0;
  begun = 0;
  /** What clients were told: how long the key before lives. */
  promise: { key: string; until: number } | undefined;
  earlier: Decided | undefined;
  refused = false;
  /** What pods answer in this state is not looked at: as if that proof were not there. */
  blindIn: RotationState | undefined;
  #meddledRing = false;
  #names = 0;

  constructor(blindIn?: RotationState) {
    this.blindIn = blindIn;
    const key = this.mint('1');
    this.files = { keyring: { current: '1', keys: { '1': key } }, revoked: {} };
    this.record = { ...this.record, digests: digestsOf(this.files.keyring) };
    this.client = { key, meddled: false };
    this.minted = 0;
    this.addPod();
    this.addPod();
  }

  mint = (id: string): string => {
    this.minted += 1;
    this.#names += 1;
    return newKey(id, new Uint8Array(32).fill(this.#names % 256).fill(this.#names >> 8, 16));
  };

  addPod(ready = true): void {
    this.#names += 1;
    const mounted = { keyring: this.files.keyring, meddled: this.#meddledRing };
    this.pods.push({ ...pod('v1', `shop-${this.#names}`, { ready }), mounted });
  }

  /** The kubelet of one pod brings the Secret. */
  sync(at: number): void {
    const one = this.pods[at % Math.max(1, this.pods.length)];
    if (one) one.mounted = { keyring: this.files.keyring, meddled: this.#meddledRing };
  }

  syncAll(): void {
    for (const index of this.pods.keys()) this.sync(index);
  }

  meddle(edit: (files: KeyringFiles) => KeyringFiles): void {
    this.files = edit(this.files);
    this.version += 1;
    this.meddled = this.#meddledRing = true;
  }

  snapshot(): Snapshot {
    const resource = resourceWith(this.annotations);
    const view = this.#view();
    const isBlind = this.blindIn === this.record.state;
    const proofs = needsProofs(resource, view, this.now) && { proofs: this.#proofs().map(isBlind ? asDemanded : asIs) };
    const keys = [{ ...view, content: this.#content(), ...proofs }];
    const refusal = this.refused && { refusedRotation: 'a policy refuses it' };
    return snapshot({ now: this.now, app: resource, wanted: wanted('v1'), keys, pods: this.pods, ...refusal });
  }

  decide(): Decided | undefined {
    const decision = rotation(this.snapshot());
    this.refused = false;
    return decision?.kind === 'act' ? { action: decision.action, version: this.version } : undefined;
  }

  carryOut({ action, version }: Decided): void {
    if (action.do === 'syncPods') {
      for (const one of this.pods) if (action.pods.includes(one.name)) one.keys = action.keys;
      return;
    }
    // the API server refuses a patch of an older version
    if (version !== this.version) return;
    if (action.do === 'handOverKey') this.#handOver(action);
    isReadAgain(action);
    if (action.do === 'rotateKey') this.#rotate(action);
  }

  #handOver({ keyId, previousUntil }: Extract<Action, { do: 'handOverKey' }>): void {
    const key = this.files.keyring.keys[keyId];
    if (key === undefined) return;
    const until = Date.parse(previousUntil);
    // one that is told after somebody has said that the key is known to others is none
    const isLeaked = this.annotations['devshelf.dev/rotate-mode'] === 'immediate';
    if (this.client.key !== key && !this.client.meddled && !isLeaked) this.promise = { key: this.client.key, until };
    this.client = { key, meddled: false };
  }

  #rotate({ change, record }: Extract<Action, { do: 'rotateKey' }>): void {
    const { current, from = current, to = current } = record;
    if (change === 'add') this.begun += 1;
    if (change !== 'add' && change !== 'restore' && this.files.keyring.keys[to] === undefined) return;
    const before = this.files.keyring;
    const isWritten = Object.values(this.record.digests ?? {}).includes(digestOfKey(this.client.key));
    const held = isWritten ? this.client.key : undefined;
    if (change) this.files = changedKeyring(change, this.files, { from, to, current }, held, () => this.mint(to));
    this.record = { ...record, digests: digestsOf(this.files.keyring) };
    this.version += 1;
    const isWhole = [this.client.key, ...Object.values(before.keys)].every(key =>
      Object.values(this.files.keyring.keys).includes(key),
    );
    if (change === 'revoke' || (change === 'restore' && isWhole)) this.#meddledRing = false;
  }

  #view(): KeyView {
    return {
      ...{ name: 'api', keyring: 'shop-api-keyring', client: 'shop-api-key' },
      ...{ keyringPresent: true, clientPresent: true, createdAt: T0, record: this.record },
      uses: { total: 0, usedAt: 0, perMinute: 0, readAt: this.now, unread: [], uncounted: false, sum: 0 },
    };
  }

  #content(): NonNullable<KeyView['content']> {
    const { current, keys } = this.files.keyring;
    const clientId = Object.keys(keys).find(id => keys[id] === this.client.key);
    const value: KeyringContent = {
      ...{ current, ids: Object.keys(keys), digests: digestsOf(this.files.keyring) },
      clientDigest: digestOfKey(this.client.key),
      ...(clientId !== undefined && { clientId }),
    };
    return { known: true, readAt: this.now, value };
  }

  #proofs(): KeyProof[] {
    const { from = '', to = '', state } = this.record;
    const { keyring, revoked } = this.files;
    const old = keyring.keys[from] ?? (state === 'Revoking' ? revoked[from] : undefined);
    return this.pods.map(({ uid, ready, mounted }) => {
      const put = (key: string | undefined): KeyAnswer => {
        if (!ready) return 'unclear';
        return key !== undefined && Object.values(mounted.keyring.keys).includes(key) ? 'accepted' : 'refused';
      };
      const answers = { fresh: put(keyring.keys[to]), bogus: put('bogus'), none: put(undefined) };
      return { uid, ...answers, ...(old !== undefined && { old: put(old) }) };
    });
  }
}

const asIs = (proof: KeyProof): KeyProof => proof;
const asDemanded = ({ uid }: KeyProof): KeyProof => ({ uid, fresh: 'accepted', bogus: 'refused', none: 'refused' });

type Event =
  | { what: 'pass' | 'refusedWrite' | 'killedBeforeWrite' | 'keepDecision' | 'carryOutEarlier' | 'addPod' | 'unready' }
  | { what: 'sync' | 'removePod' | 'leave'; at: number }
  | { what: 'work'; passes: number }
  | { what: 'wait' | 'jump'; seconds: number }
  | { what: 'ask'; request: string; mode: string }
  | { what: 'meddle'; how: (typeof MEDDLING)[number] };

const MEDDLING = ['dropCurrent', 'dropOther', 'addUnknown', 'swapCurrent', 'clientGarbage'] as const;

const at = fc.nat(20);
const constant = (...whats: string[]) => fc.constantFrom(...whats.map(what => ({ what }) as Event));
const calm: fc.Arbitrary<Event>[] = [
  constant(
    'pass',
    'pass',
    'pass',
    'refusedWrite',
    'killedBeforeWrite',
    'keepDecision',
    'carryOutEarlier',
    'addPod',
    'unready',
  ),
  fc.record({ what: fc.constantFrom('sync' as const, 'sync' as const, 'removePod' as const, 'leave' as const), at }),
  fc.record({ what: fc.constant('work' as const), passes: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ what: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 200 }) }),
  fc.record({
    what: fc.constant('ask' as const),
    request: fc.constantFrom('a', 'b', 'c'),
    mode: fc.constantFrom('graceful', 'graceful', 'immediate'),
  }),
];
const rough: fc.Arbitrary<Event>[] = [
  ...calm,
  fc.record({ what: fc.constant('jump' as const), seconds: fc.integer({ min: -9_000_000, max: 9_000_000 }) }),
  fc.record({ what: fc.constant('meddle' as const), how: fc.constantFrom(...MEDDLING) }),
];

function pass(cluster: KeyCluster): boolean {
  const decided = cluster.decide();
  if (decided) cluster.carryOut(decided);
  return decided !== undefined;
}

const drop = ({ keyring, revoked }: KeyringFiles, id: string | undefined): KeyringFiles => {
  const keys = Object.fromEntries(Object.entries(keyring.keys).filter(([known]) => known !== id));
  const [first] = Object.keys(keys);
  if (first === undefined) return { keyring, revoked };
  return { keyring: { current: keyring.current === id ? first : keyring.current, keys }, revoked };
};

function meddle(cluster: KeyCluster, how: (typeof MEDDLING)[number]): void {
  if (how === 'clientGarbage') {
    cluster.meddled = true;
    cluster.client = { key: 'garbage', meddled: true };
    return;
  }
  cluster.meddle(EDITS[how]);
}

const otherId = ({ keyring }: KeyringFiles) => Object.keys(keyring.keys).find(id => id !== keyring.current);

const EDITS: Readonly<
  Record<Exclude<(typeof MEDDLING)[number], 'clientGarbage'>, (files: KeyringFiles) => KeyringFiles>
> = {
  dropCurrent: files => drop(files, files.keyring.current),
  dropOther: files => drop(files, otherId(files)),
  swapCurrent: files => ({ ...files, keyring: { ...files.keyring, current: otherId(files) ?? files.keyring.current } }),
  addUnknown: ({ keyring, revoked }) => ({
    keyring: { ...keyring, keys: { ...keyring.keys, x: 'by hand' } },
    revoked,
  }),
};

function happen(cluster: KeyCluster, event: Event): void {
  switch (event.what) {
    case 'pass':
      pass(cluster);
      return;
    case 'killedBeforeWrite':
      cluster.decide();
      return;
    case 'refusedWrite':
      cluster.refused = cluster.decide() !== undefined;
      return;
    case 'keepDecision':
      cluster.earlier = cluster.decide();
      return;
    case 'carryOutEarlier':
      if (cluster.earlier) cluster.carryOut(cluster.earlier);
      return;
    case 'addPod':
      if (cluster.pods.length < 5) cluster.addPod();
      return;
    case 'unready':
      cluster.addPod(false);
      return;
    case 'sync':
      cluster.sync(event.at);
      return;
    case 'removePod':
      cluster.pods.splice(event.at % Math.max(1, cluster.pods.length), 1);
      return;
    case 'leave': {
      const leaving = cluster.pods[event.at % Math.max(1, cluster.pods.length)];
      if (leaving) Object.assign(leaving, { deleting: true, goneBy: leaving.goneBy ?? cluster.now + 30_000 });
      return;
    }
    case 'work':
      for (let turn = 0; turn < event.passes; turn += 1) {
        pass(cluster);
        held(cluster);
        if (turn % 2 === 0) cluster.syncAll();
        cluster.now += 500;
      }
      return;
    case 'jump':
    case 'wait':
      // a clock that goes back brings nobody back whose time was up
      cluster.pods = cluster.pods.filter(({ goneBy = Number.POSITIVE_INFINITY }) => cluster.now < goneBy);
      cluster.now += event.seconds * 1000;
      if (event.what === 'jump') cluster.promise = undefined; // told by a clock that was wrong
      return;
    case 'ask':
      cluster.annotations = { 'devshelf.dev/rotate': event.request, 'devshelf.dev/rotate-mode': event.mode };
      if (event.mode === 'immediate') cluster.promise = undefined; // a leaked key does not live as long as was told
      return;
    case 'meddle':
      meddle(cluster, event.how);
  }
}

/** What must hold at every moment. No expect(): it is asked a million times. */
function held({ client, pods, promise, now, meddled, minted, begun, record }: KeyCluster): void {
  const revoked = (record.revoked ?? []).map(({ digest }) => digest);
  for (const { name, ready, mounted, goneBy = Number.POSITIVE_INFINITY } of pods) {
    if (!ready || now >= goneBy || mounted.meddled || client.meddled) continue;
    const accepted = Object.values(mounted.keyring.keys);
    if (!accepted.includes(client.key)) throw new Error(`${name} refuses what clients are given`);
    const isPromised = promise !== undefined && now < promise.until && !meddled;
    if (isPromised && !accepted.includes(promise.key)) throw new Error(`${name} refuses the old key before its time`);
  }
  const isOver = record.state === 'Idle' && record.lastRotationTime !== undefined && !meddled;
  for (const { name, ready, deleting, mounted } of isOver ? pods : []) {
    const left = Object.values(mounted.keyring.keys).find(key => revoked.includes(digestOfKey(key)));
    if (ready && !deleting && left !== undefined) throw new Error(`${name} accepts a key that was revoked`);
  }
  if (!meddled && minted !== begun) throw new Error(`${minted} keys for ${begun} rotations`);
}

const ended = new Set<string>();

/** Nothing more happens: kubelets bring what there is, pods that are not ready or on their way out go. */
function rest(cluster: KeyCluster): void {
  cluster.pods = cluster.pods.filter(({ ready, deleting }) => ready && !deleting);
  let still = 0;
  for (let turn = 0; turn < REST && still < 5; turn += 1) {
    const acted = pass(cluster);
    held(cluster);
    cluster.syncAll();
    const isIdle = cluster.record.state === 'Idle';
    still = acted || !isIdle ? 0 : still + 1;
    const until = Date.parse(cluster.record.previousUntil ?? '') || 0;
    // not into the next rotation by the clock
    if (!isIdle) cluster.now = Math.max(cluster.now + 1_000, cluster.record.state === 'Draining' ? until : 0);
  }
  expect({ still, state: cluster.record.state }).toEqual({ still: 5, state: 'Idle' });
  ended.add(cluster.begun > 0 ? 'rotated' : 'nothing was asked');
  if (cluster.record.lastRotationTime === undefined || cluster.meddled) return;
  expect(cluster.files.keyring.keys).toEqual({ [cluster.record.current]: cluster.client.key });
  expect(cluster.files.revoked).toEqual({});
}

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const stories = (events: fc.Arbitrary<Event>[], blindIn?: RotationState) =>
  fc.property(fc.array(fc.oneof(...events), { maxLength: 60, size: 'max' }), happenings => {
    const cluster = new KeyCluster(blindIn);
    for (const event of happenings) {
      happen(cluster, event);
      held(cluster);
    }
    rest(cluster);
  });

function story(events: fc.Arbitrary<Event>[], name: string): void {
  console.log(`rotation model (${name}): SEED=${SEED}`);
  fc.assert(stories(events), { seed: SEED, numRuns: RUNS });
  expect(ended).toContain('rotated');
}

test('who reads the key that clients are given is refused by no pod, and each rotation mints one key', () => {
  story(calm, 'calm');
});

test('nor when clocks jump and somebody edits the Secrets', () => {
  story(rough, 'rough');
});

test.each<RotationState>(['Accepting', 'Revoking'])('without the proof of %s this very test would fail', state => {
  expect(fc.check(stories(calm, state), { seed: SEED, numRuns: 10 * RUNS, endOnFailure: true }).failed).toBe(true);
});
