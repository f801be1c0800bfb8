// A rotation's hands and eyes: what the Secrets hold (as ids), what the pods answer, and the three writes. Keys are
// here for as long as one function runs; nothing of them is returned, logged, or part of an error.
import { randomBytes as bogusBytes } from 'node:crypto';
import type { AppResource } from '../api/resource.ts';
import { formatRotation, type KeyName, type RotationRecord } from '../api/rotation.ts';
import { addReadings, type Remembered, type UseMemory, type UseReading, usesOfPod } from '../evidence/key-uses.ts';
import { keysOfPod } from '../evidence/keys.ts';
import type { Answer, Ask } from '../evidence/smoke.ts';
import { whyNoAnswer } from '../evidence/smoke.ts';
import { get } from '../kube/apply.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { type KubeObject, pathOf, pods, type Resource, secrets } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import type { Action, DecidedOn } from '../lifecycle/decision.ts';
import { toldUses } from '../lifecycle/keys/draining.ts';
import { writtenDigest } from '../lifecycle/keys/key-requests.ts';
import type { KeyAnswer, KeyProof, KeyringContent, KeyUses, KeyView, Reading } from '../lifecycle/snapshot.ts';
import { componentName } from '../objects/app.ts';
import {
  changedKeyring,
  clientDigests,
  digestOfKey,
  digestsOf,
  type KeyringFiles,
  keyIdOf,
  keyringData,
  keyringOf,
  newKey,
  PREVIOUS_UNTIL,
  parseKeyring,
  parseRevoked,
} from '../objects/keyring.ts';
import { ANNOTATIONS, FIELD_MANAGER, isServing, LABELS, names } from '../objects/names.ts';
import { type CallingPod, callersOf } from './key-callers.ts';
import type { OwnWrites } from './own-writes.ts';
import type { KeptPod, KeptSecret } from './views.ts';
import { keyOfApp, labelled } from './world.ts';

export interface KeysOptions {
  readonly transport: Transport;
  readonly stores: { readonly secrets: Store<KeptSecret>; readonly pods: Store<KeptPod> };
  readonly ownWrites: OwnWrites;
  readonly ask: (app: AppResource, pod: string, request: Parameters<Ask>[0]) => Promise<Answer>;
  readonly randomBytes: (count: number) => Uint8Array;
}

type ActionOf<Do extends Action['do']> = Extract<Action, { do: Do }>;
type Content = Reading<KeyringContent | undefined>;
type Place = Pick<KeyView, 'name' | 'keyring' | 'client'>;

interface Read {
  readonly resourceVersion: string;
  readonly clientVersion: string | undefined;
  readonly files: KeyringFiles | undefined;
  /** The text that clients read. */
  readonly held: string | undefined;
}

const PROOF_TIMEOUT_MS = 2_000;
/** Pods whose counters are read at a time, of one resource. */
const USES_AT_ONCE = 16;

export class Keys {
  readonly #options: KeysOptions;

  /** By what the stores hold, which is another object after every change. */
  readonly #known = new WeakMap<KeptSecret, { given: KeptSecret | undefined; content: Content }>();

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /** Of the old keys that drain now: what the pods' counters said until now. */
  readonly #uses = new Map<string, UseMemory>();

  /**
   * From what the watch shows of the two Secrets, where nobody else wrote in them and no rotation is under way; otherwise
   * reads what changed since. Never throws for what the API server answers.
   */
  async content(app: AppResource, place: Place): Promise<Content> {
    const ring = this.#kept(app, place.keyring);
    const given = this.#kept(app, place.client);
    const shown = ring && contentShown(ring, given, keyringOf(app, place.keyring)?.client?.key);
    if (shown) return { known: true, readAt: Date.now(), value: shown };
    const known = ring && this.#known.get(ring);
    if (known && known.given === given) return known.content;
    try {
      const read = await this.#read(app, place);
      if (!read) return { known: false, why: 'it is gone' };
      const { resourceVersion, clientVersion, files, held } = read;
      const content: Content = { known: true, readAt: Date.now(), value: files && contentOf(files, held) };
      const isShown = (kept: KeptSecret | undefined, version?: string) => kept?.metadata.resourceVersion === version;
      if (ring && isShown(ring, resourceVersion) && isShown(given, clientVersion))
        this.#known.set(ring, { given, content });
      return content;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { known: false, why: error.message };
    }
  }

  #kept({ metadata }: AppResource, name: string | undefined): KeptSecret | undefined {
    return name === undefined ? undefined : this.#options.stores.secrets.get(metadata.namespace, name);
  }

  /** The uids of the pods that `proofs` asks. */
  askedPods(app: AppResource): readonly string[] {
    return this.#serving(app).map(({ view }) => view.uid);
  }

  /** Asks every serving pod. Undefined when it is not known what to ask. */
  async proofs(app: AppResource, place: KeyView, signal: AbortSignal): Promise<readonly KeyProof[] | undefined> {
    const { record } = place;
    const read = await this.#read(app, place);
    const fresh = read?.files?.keyring.keys[record?.to ?? ''];
    if (!read?.files || !record || fresh === undefined) return undefined;
    const { keyring, revoked } = read.files;
    const from = record.from ?? '';
    // while callers' uses of the old key are counted it is not shown by us
    const shown = record.state === 'Draining' ? undefined : keyring.keys[from];
    const old = shown ?? (record.state === 'Revoking' ? revoked[from] : undefined);
    const serving = this.#serving(app);
    if (place.name === 'signing')
      return this.#kidsOf(app, serving, record, {
        asksForOld: old !== undefined || record.state === 'Revoking',
        signal,
      });
    return Promise.all(serving.map(({ view }) => this.#proof(app, view, place.name, { fresh, old, signal })));
  }

  /** What was read last; undefined before the first reading by this process. */
  knownUses(app: AppResource, key: KeyView): KeyUses | undefined {
    return this.#uses.get(usesAt(app, key))?.uses;
  }

  /** The old key has left. */
  #forgetUses({ kind, metadata: { namespace, name } }: AppResource, key: KeyName | undefined): void {
    const ofKey = `${kind}/${namespace}/${name}/${key}/`;
    for (const known of this.#uses.keys()) if (known.startsWith(ofKey)) this.#uses.delete(known);
  }

  /** Reads every serving pod's counter of the old key. Epoch milliseconds. */
  async readUses(app: AppResource, key: KeyView, now: number, signal: AbortSignal): Promise<KeyUses> {
    const { namespace, name } = app.metadata;
    const token = await get(this.#options.transport, secrets, { namespace, name: names.scrapeToken(name) });
    const text = Buffer.from(token?.data?.['token'] ?? '', 'base64').toString();
    const waiting = [...this.#serving(app)];
    const readings: UseReading[] = [];
    const lane = async (): Promise<void> => {
      for (let pod = waiting.shift(); pod; pod = waiting.shift()) {
        const { name: podName, uid, createdAt } = pod.view;
        const said = await this.#metrics(app, podName, text, signal);
        const count = 'why' in said ? undefined : usesOfPod(said.text, key.name, key.record?.from ?? '');
        readings.push({ uid, createdAt, count });
      }
    };
    await Promise.all(Array.from({ length: USES_AT_ONCE }, lane));
    const at = usesAt(app, key);
    const since = Date.parse(key.record?.since ?? '');
    const memory = addReadings(this.#uses.get(at), readings, { since, now, remembered: rememberedUses(app, key) });
    this.#uses.set(at, memory);
    return memory.uses;
  }

  /** Pods of the namespace that took the old key when they started. At most 500 are looked at; none, if none can be. */
  async callers(app: AppResource, { client, record }: KeyView, signal: AbortSignal): Promise<readonly string[]> {
    const asked = this.#options.transport.request<{ items: CallingPod[] }>({
      method: 'GET',
      path: pathOf(pods, { namespace: app.metadata.namespace }),
      query: { limit: '500' },
      signal,
    });
    // who it is, is help for people: no pass fails for it
    const { items } = await asked.catch(() => ({ items: [] }));
    return callersOf(items, client ?? '', Date.parse(record?.since ?? ''));
  }

  #serving({ kind, metadata: { namespace, name } }: AppResource): readonly KeptPod[] {
    return this.#options.stores.pods
      .byIndex('instance', labelled(namespace, name))
      .filter(pod => isServing(pod.component) && pod.metadata.labels[LABELS.name] === componentName(kind));
  }

  /** One patch of keyring and record; nothing when the Secret is no longer what was decided on. */
  async rotate(app: AppResource, { keyring, change, record, decidedOn }: ActionOf<'rotateKey'>): Promise<void> {
    const read = await this.#asDecidedOn(app, keyring, decidedOn);
    if (!read) return;
    const { current, from = current, to = current } = record;
    if (change !== 'add' && change !== 'restore' && read.files.keyring.keys[to] === undefined) return;
    const mint = () => newKey(to, this.#options.randomBytes(32));
    const held = isWritten(app, this.#kept(app, keyring), keyring, read.held) ? read.held : undefined;
    const files = change && changedKeyring(change, read.files, { from, to, current }, held, mint);
    const digests = digestsOf((files ?? read.files).keyring);
    await this.#patch(app, secrets, keyring, {
      metadata: {
        resourceVersion: read.resourceVersion,
        annotations: { [ANNOTATIONS.rotation]: formatRotation({ ...record, digests }) },
      },
      ...(files && { data: keyringData(files) }),
    });
    if (change === 'finish') this.#forgetUses(app, placeOf(app, keyring)?.name);
    // nobody looks at the pods at rest: they are told here, and if that fails their kubelets come around by themselves
    if (files && change === 'restore' && record.state === 'Idle') {
      const behind = this.#serving(app).map(({ view }) => view.name);
      await this.sync(app, { do: 'syncPods', pods: behind, keys: `${keyring} put back ${record.since}` });
    }
  }

  /** The key comes from the keyring: what clients get is what pods were seen to accept. */
  async handOver(app: AppResource, action: ActionOf<'handOverKey'>): Promise<void> {
    const { keyring, client, keyId, previousUntil, putBack, decidedOn } = action;
    const read = await this.#asDecidedOn(app, keyring, decidedOn);
    const key = read?.files.keyring.keys[keyId];
    const field = keyringOf(app, keyring)?.client?.key;
    if (key === undefined || field === undefined) return;
    const encode = (text: string) => Buffer.from(text).toString('base64');
    await this.#patch(app, secrets, client, {
      metadata: {
        resourceVersion: read?.clientVersion,
        annotations: {
          [ANNOTATIONS.digests]: clientDigests({ [field]: key }),
          ...(putBack && { [ANNOTATIONS.putBack]: JSON.stringify(putBack) }),
        },
      },
      data: { [field]: encode(key), [PREVIOUS_UNTIL]: encode(previousUntil) },
    });
  }

  /** Undefined when one of the Secrets has changed since the pass looked: the next one decides on what is there then. */
  async #asDecidedOn(
    app: AppResource,
    keyring: string,
    decidedOn: DecidedOn | undefined,
  ): Promise<(Read & { files: KeyringFiles }) | undefined> {
    const place = placeOf(app, keyring);
    const read = place && (await this.#read(app, place));
    if (!read?.files || decidedOn?.keyring !== read.resourceVersion) return undefined;
    return decidedOn.client === read.clientVersion ? { ...read, files: read.files } : undefined;
  }

  async sync(app: AppResource, { pods: behind, keys }: ActionOf<'syncPods'>): Promise<void> {
    const body = { metadata: { annotations: { [ANNOTATIONS.keys]: keys } } };
    await Promise.all(behind.map(name => this.#patch(app, pods, name, body)));
  }

  async #patch(app: AppResource, resource: Resource, name: string, body: object): Promise<void> {
    const { transport, stores, ownWrites } = this.#options;
    const { namespace } = app.metadata;
    const path = pathOf(resource, { namespace, name });
    const contentType = 'application/merge-patch+json';
    const query = { fieldManager: FIELD_MANAGER };
    try {
      const written = await transport.request<KubeObject>({ method: 'PATCH', path, query, contentType, body });
      const version = written.metadata.resourceVersion ?? '';
      const store = resource === secrets ? stores.secrets : stores.pods;
      ownWrites.expect(keyOfApp(app), `${resource.kind} ${name}`, () => store.hasSeen(version));
    } catch (error) {
      if (!isNotFound(error)) throw error; // gone meanwhile: the next pass sees that
    }
  }

  async #read(app: AppResource, { keyring, client }: Pick<Place, 'keyring' | 'client'>): Promise<Read | undefined> {
    const { transport } = this.#options;
    const { namespace } = app.metadata;
    const [ring, given] = await Promise.all([
      get(transport, secrets, { namespace, name: keyring }),
      client === undefined ? undefined : get(transport, secrets, { namespace, name: client }),
    ]);
    if (!ring) return undefined;
    const field = keyringOf(app, keyring)?.client?.key ?? '';
    const held = given?.data?.[field];
    const parsed = parseKeyring(ring.data);
    return {
      resourceVersion: ring.metadata?.resourceVersion ?? '',
      clientVersion: given?.metadata?.resourceVersion,
      files: parsed && { keyring: parsed, revoked: parseRevoked(ring.data) },
      held: held === undefined ? undefined : Buffer.from(held, 'base64').toString(),
    };
  }

  async #proof(
    app: AppResource,
    { name, uid }: { name: string; uid: string },
    kind: KeyName,
    { fresh, old, signal }: { fresh: string; old: string | undefined; signal: AbortSignal },
  ): Promise<KeyProof> {
    const faults = new Set<string>();
    const put = async (key: string | undefined): Promise<KeyAnswer> => {
      try {
        const headers = key === undefined ? {} : headersWith(kind, key);
        const { status } = await this.#options.ask(app, name, {
          path: '/metrics',
          headers,
          timeoutMs: PROOF_TIMEOUT_MS,
          signal,
        });
        if (status === 200) return 'accepted';
        if (status === 401 || status === 403) return 'refused';
        faults.add(`/metrics answered ${status}`);
      } catch (error) {
        faults.add(whyNoAnswer(error));
      }
      return 'unclear';
    };
    const bogus = newKey('0', bogusBytes(32));
    const answers = {
      fresh: await put(fresh),
      ...(old !== undefined && { old: await put(old) }),
      bogus: await put(bogus),
      none: await put(undefined),
    };
    return { uid, ...answers, ...(faults.size > 0 && { why: [...faults].join('; ') }) };
  }

  /** A signing key cannot be shown to a pod: it says on /metrics which ids it verifies and which one it signs with. */
  async #kidsOf(
    app: AppResource,
    serving: readonly KeptPod[],
    { from = '', to = '' }: RotationRecord,
    { asksForOld, signal }: { asksForOld: boolean; signal: AbortSignal },
  ): Promise<readonly KeyProof[]> {
    const { namespace, name } = app.metadata;
    const token = await get(this.#options.transport, secrets, { namespace, name: names.scrapeToken(name) });
    const text = Buffer.from(token?.data?.['token'] ?? '', 'base64').toString();
    return Promise.all(
      serving.map(async ({ view: { name: pod, uid } }): Promise<KeyProof> => {
        const said = await this.#said(app, pod, text, signal);
        if ('why' in said) return { uid, fresh: 'unclear', bogus: 'refused', none: 'refused', why: said.why };
        const has = (id: string): KeyAnswer => (said.ids.includes(id) ? 'accepted' : 'refused');
        return {
          uid,
          fresh: has(to),
          ...(asksForOld && { old: has(from) }),
          bogus: 'refused',
          none: 'refused',
          ...(said.current !== undefined && { current: said.current }),
        };
      }),
    );
  }

  async #said(
    app: AppResource,
    pod: string,
    token: string,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof keysOfPod>> {
    const said = await this.#metrics(app, pod, token, signal);
    return 'why' in said ? said : keysOfPod(said.text, 'signing');
  }

  async #metrics(
    app: AppResource,
    pod: string,
    token: string,
    signal: AbortSignal,
  ): Promise<{ text: string } | { why: string }> {
    try {
      const headers = headersWith('scrape', token);
      const request = { path: '/metrics', headers, timeoutMs: PROOF_TIMEOUT_MS, signal };
      const { status, text } = await this.#options.ask(app, pod, request);
      return status === 200 ? { text } : { why: `/metrics answered ${status}` };
    } catch (error) {
      return { why: whyNoAnswer(error) };
    }
  }
}

function placeOf(app: AppResource, keyring: string): Place | undefined {
  const place = keyringOf(app, keyring);
  return place && { name: place.name, keyring, ...(place.client && { client: place.client.secret }) };
}

function contentOf({ keyring }: KeyringFiles, held: string | undefined): KeyringContent {
  const { current, keys } = keyring;
  const ids = Object.keys(keys);
  const clientId = ids.find(id => keys[id] === held);
  return {
    current,
    ids,
    digests: digestsOf(keyring),
    ...(clientId !== undefined && { clientId }),
    ...(held !== undefined && { clientDigest: digestOfKey(held) }),
  };
}

/** The same, by the digests that stand beside keys that nobody but us has written. */
function contentShown(
  { isAsRecorded, rotation }: KeptSecret,
  given: KeptSecret | undefined,
  field: string | undefined,
): KeyringContent | undefined {
  const { state, current, digests = {} } = rotation ?? {};
  if (!isAsRecorded || state !== 'Idle' || current === undefined || !Object.hasOwn(digests, current)) return undefined;
  const clientDigest = given?.held?.[field ?? ''];
  if (given && clientDigest === undefined) return undefined;
  const ids = Object.keys(digests);
  const clientId = ids.find(id => digests[id] === clientDigest);
  return {
    current,
    ids,
    digests,
    ...(clientId !== undefined && { clientId }),
    ...(clientDigest !== undefined && { clientDigest }),
  };
}

/** Whether what clients hold is a key that was written there, and not one that somebody else made or brought back. */
function isWritten(app: AppResource, ring: KeptSecret | undefined, keyring: string, held: string | undefined): boolean {
  const place = keyringOf(app, keyring);
  const id = held === undefined ? undefined : keyIdOf(held);
  if (!place || held === undefined || id === undefined) return false;
  return writtenDigest(app, place.name, ring?.rotation, id) === digestOfKey(held);
}

const usesAt = ({ kind, metadata: { namespace, name } }: AppResource, key: KeyView): string =>
  `${kind}/${namespace}/${name}/${key.name}/${key.record?.from} since ${key.record?.since}`;

/** From the status: what an earlier process has counted. */
function rememberedUses(app: AppResource, key: KeyView): Remembered | undefined {
  const told = toldUses(app, key);
  return told && { total: told.previousUses, sum: told.previousCounters, usedAt: Date.parse(told.previousUsedAt) };
}

const headersWith = (kind: KeyName, key: string): Record<string, string> =>
  kind === 'api' ? { 'x-api-key': key } : { authorization: `Bearer ${key}`, 'x-scrape-token': key };
