// The loop: a key comes out of the queue, one pass is made over its resource, and nothing is remembered that the
// cluster does not hold.
import { once } from 'node:events';
import type { Logger } from 'pino';
import type { Condition } from '../api/conditions.ts';
import { OPTIONAL_APIS } from '../api/optional-apis.ts';
import type { AppResource } from '../api/resource.ts';
import { scrub } from '../api/words.ts';
import { ApiError, isOfEndingNamespace } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { Fence } from '../kube/fence.ts';
import { ENDLESS_TERM, type Term } from '../kube/lease.ts';
import type { Failure, State } from '../kube/reflection.ts';
import type { Transport } from '../kube/transport.ts';
import { isToldAlready, recordOf } from '../lifecycle/announced.ts';
import { decisionIn, heldIn } from '../lifecycle/decided.ts';
import type { Action, Announcement } from '../lifecycle/decision.ts';
import { decide } from '../lifecycle/plan.ts';
import { podsOf, type Snapshot } from '../lifecycle/snapshot.ts';
import { statusOf } from '../lifecycle/status.ts';
import { spansLeft } from '../lifecycle/traces.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { backupsOf } from './backups.ts';
import { Behind } from './behind.ts';
import { carryOut, reportInvalid, type Tools, withDenied, writeStatus } from './carry-out.ts';
import { Claims } from './claims.ts';
import { Contested } from './contested.ts';
import { Digests } from './digests.ts';
import { gather } from './gather.ts';
import { type ChargeTiming, InCharge } from './in-charge.ts';
import { Inquiries } from './inquiries.ts';
import { Keys } from './keys.ts';
import { type Messages, Messenger } from './messenger.ts';
import type { OperatorMetrics } from './metrics.ts';
import { heldUp, type Outcome, withObstacles } from './obstacles.ts';
import { OwnWrites } from './own-writes.ts';
import { type EffectivePlan, rehearsed } from './rehearsing.ts';
import type { Traces } from './traces.ts';
import { type Evidence, trialOf } from './trials.ts';
import { hashOfStatus } from './views.ts';
import { WorkQueue, work } from './workqueue.ts';
import { type AppKey, keyOfApp, type Stores, splitKey, World } from './world.ts';

export interface ControllerOptions {
  readonly transport: Transport;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly workers: number;
  /** `namespace/name` of the leader election's Lease: tells this installation from others. Absent: there are none. */
  readonly installation?: string;
  readonly chargeTiming?: Partial<ChargeTiming>;
  readonly evidence: (world: World, wake: (key: AppKey) => void) => Evidence;
  readonly recorder: Pick<EventRecorder, 'record'>;
  readonly metrics: OperatorMetrics;
  /** Where the pages of docs/ are, for alerts; without it they name the page. */
  readonly docsUrl?: string | undefined;
  /** Called with each resource that comes; may ask how many are known. */
  readonly onResources?: ((count: () => number) => void) | undefined;
  /** Namespace of the operator's pods; absent: it asks pods through the API server. */
  readonly podsAskedFrom?: string | undefined;
  /** Where KEDA asks Prometheus; without it nothing scales by requests or jobs. */
  readonly prometheusUrl?: string | undefined;
  /** Where messages about records go; absent: nowhere. */
  readonly messages?: Messages | undefined;
  /** Where spans of releases go; absent: nowhere. */
  readonly traces?: Pick<Traces, 'send'> | undefined;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** What the stores do not show yet wakes the key by itself; this is the net below. */
const UNSEEN_RECHECK_MS = 1_000;
/** Where we may not see everything nothing is done; a person gives the right, and nobody tells us. */
const UNFILLED_RECHECK_MS = 5_000;
const AFTER_ACTION_RECHECK_MS = 1_000;
/** Asking whether a foreign object is still there costs one read; no watch tells when it goes. */
const NOT_OWNED_RECHECK_MS = 3_000;
/** What is refused is asked again after as long as it has been refused so far, within these. */
const REFUSED_RECHECK_MS = { least: 1_000, most: 30_000 };

const withoutAction = ({ action: _refused, ...rest }: EffectivePlan): EffectivePlan => rest;

/** What appears or goes of these changes what is wanted. */
const OPTIONAL_PLURALS = new Set<string>(Object.values(OPTIONAL_APIS).map(({ plural }) => plural));

/** A rollback that is refused harms users until it is not. */
const URGENT_RETRY_MS = 2_000;
/** No pass takes so long, whatever the API server does: it waits for something that does not come. */
const STUCK_MS = 15 * 60_000;
/** On the way out, passes under way are waited for this long. */
const STOP_MS = 5_000;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #world: World;
  readonly #evidence: Evidence;
  readonly #inquiries = new Inquiries(key => this.#queue.add(key));
  readonly #contested = new Contested();
  readonly #ownWrites = new OwnWrites();
  readonly #behind = new Behind();
  readonly #claims = new Claims();
  readonly #digests = new Map<Stores, Digests>();
  readonly #keys = new Map<Stores, Keys>();
  /** Rollbacks whose end has not been seen yet, for the metric only. */
  readonly #rollbacks = new Map<AppKey, number>();
  readonly #verdicts = new Map<AppKey, string>();
  readonly #heldRotations = new Set<AppKey>();
  /** Of the pass before: who refused to let the keys be changed. */
  readonly #refusedRotations = new Map<AppKey, string>();
  /** Uids of resources whose namespace is being removed, which nothing takes back. */
  readonly #ending = new Map<AppKey, string>();
  /** Keys whose last plan takes a release back. */
  readonly #urgent = new Set<AppKey>();
  /** Since when what a spec asks for meets an obstacle. */
  readonly #refused = new Map<AppKey, { readonly generation: number; readonly sinceMs: number }>();
  readonly #fence: Fence;
  /** Within the term, whoever works in the namespace. */
  readonly #asLeader: Fence;
  readonly #inCharge: InCharge | undefined;
  readonly #messenger: Messenger | undefined;
  #working: Promise<void> = Promise.resolve();
  #synced = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { metrics, transport, namespaces } = options;
    this.#asLeader = new Fence(transport);
    this.#inCharge = this.#chargeOf(options);
    this.#fence = new Fence(transport, async ({ path }) => this.#inCharge?.guard(namespaceIn(path)));
    this.#queue = new WorkQueue({
      hooks: {
        depth: waiting => metrics.queueDepth.set(waiting),
        waited: ms => metrics.queueSeconds.observe(ms / 1000),
      },
    });
    this.#world = new World({
      transport,
      namespaces,
      onChange: (key, isBegun) => this.#queue.add(key, isBegun),
      ...(this.#inCharge && { onCharge: (namespace, charge) => this.#inCharge?.saw(namespace, charge) }),
      onResources: options.onResources,
      onWatchState: (resource, namespace, state, failure) => this.#logWatch(resource, namespace, state, failure),
    });
    this.#evidence = options.evidence(this.#world, key => this.#queue.add(key));
    this.#messenger = this.#messengerOf(options);
  }

  get world(): World {
    return this.#world;
  }

  get hasSynced(): boolean {
    return this.#synced;
  }

  /** A pass that does not end, which only a new process can mend; undefined while there is none. */
  get stuck(): string | undefined {
    const oldest = this.#queue.oldest;
    if (!oldest || oldest.ms < STUCK_MS) return undefined;
    return `the pass over ${oldest.key} has been under way for ${Math.round(oldest.ms / 1000)} s`;
  }

  /**
   * Resolves when the stores tell the truth of a moment within the term and the workers run, or when the term is over
   * before that. When it is over no other pass begins, those under way are broken off (`idle`), and none of them writes;
   * stores and evidence are kept for the next term.
   */
  async start(term: Term = ENDLESS_TERM): Promise<void> {
    if (term.succeeds) this.#untell();
    const over = abortOf(term.signal);
    const isWarm = this.#world.isAnswered;
    await Promise.race([this.#world.answered(), over]);
    // what one who did not lead has been told may be old: with a hanging watch nobody notices that
    if (isWarm && term.succeeds) await Promise.race([this.#world.refreshed(), over]);
    else if (isWarm) this.#world.reopen();
    if (term.isOver()) return;
    this.#synced = true;
    this.#asLeader.open(term);
    this.#fence.open(term);
    this.#inCharge?.begin();
    this.#working = work(this.#queue, {
      workers: this.#options.workers,
      handle: key => this.#timed(key as AppKey),
      onError: (key, error) => this.#failed(key as AppKey, error),
      signal: term.signal,
    });
    this.#messenger?.begin(term);
  }

  /** Resolves when no pass is under way any more, and no message. */
  get idle(): Promise<void> {
    return Promise.all([this.#working, this.#messenger?.idle]).then(() => {});
  }

  /** Another process looks after the pods now. */
  standBy(): void {
    this.#inquiries.stop();
    for (const key of this.#world.appKeys()) this.#evidence.forget(key);
  }

  /** What is under way ends, within seconds; nothing new begins. */
  async stop(): Promise<void> {
    const late = setTimeout(() => {
      for (const fence of [this.#fence, this.#asLeader]) void fence.close();
    }, STOP_MS);
    this.#inquiries.stop();
    await Promise.all([this.#queue.shutDown(), this.#evidence.stop(), this.#messenger?.stop()]);
    await this.#working;
    clearTimeout(late);
    await this.#world.stop();
  }

  async #timed(key: AppKey): Promise<void> {
    const { kind } = splitKey(key);
    const end = this.#options.metrics.passSeconds.startTimer({ kind });
    try {
      await this.#pass(key);
      end({ outcome: 'done' });
    } catch (error) {
      end({ outcome: 'failed' });
      throw error;
    }
  }

  #failed(key: AppKey, error: unknown): number | undefined {
    const { message: why = String(error), stack } = error as Partial<Error>;
    // where it comes from is of use where nobody but us is at fault
    const place = error instanceof ApiError || stack === undefined ? {} : { stack: scrub(stack) };
    this.#options.log.warn({ key, why: scrub(why), ...place }, 'the pass failed; it is tried again');
    return this.#urgent.has(key) ? URGENT_RETRY_MS : undefined;
  }

  async #pass(key: AppKey): Promise<void> {
    const { kind, namespace, name } = splitKey(key);
    const stores = this.#world.of(namespace);
    const kept = stores.apps[kind].get(namespace, name);
    if (!kept) return this.#forget(key);
    if (this.#ending.get(key) === kept.metadata.uid) return;
    if (this.#inCharge?.other(namespace) !== undefined) return this.#standBack(key, this.#inCharge);
    const { read } = kept;
    if (!read.ok) {
      this.#options.log.error({ key, why: read.why }, 'the stored resource does not fit the schema of this version');
      await reportInvalid(read.raw, kind, read.why, this.#options.now(), this.#fence);
      return;
    }
    if (!this.#world.isFilled(namespace)) {
      this.#queue.addAfter(key, UNFILLED_RECHECK_MS);
      return;
    }
    if (this.#ownWrites.unseen(key) !== undefined) {
      this.#queue.addAfter(key, UNSEEN_RECHECK_MS);
      return;
    }
    try {
      await this.#decided(key, read.resource, stores);
    } catch (error) {
      if (!isOfEndingNamespace(error)) throw error;
      this.#leave(key, kept.metadata.uid);
    }
  }

  /** With its namespace goes everything that is known of it, in any order: what is decided on the rest would be untrue. */
  #leave(key: AppKey, uid: string): void {
    this.#evidence.forget(key);
    this.#inquiries.forget(key);
    this.#ending.set(key, uid);
    this.#options.log.info({ key }, 'its namespace is being removed: nothing is done for it any more');
  }

  #chargeOf({ installation, chargeTiming, namespaces, log, metrics }: ControllerOptions): InCharge | undefined {
    if (installation === undefined) return undefined;
    return new InCharge({
      transport: this.#asLeader,
      installation,
      everywhere: namespaces.length === 0,
      log,
      onChange: (namespace, other) => {
        if (other === undefined) metrics.standsBack.delete(namespace);
        else metrics.standsBack.add(namespace);
        this.#wakeAll(namespace);
      },
      onAsked: namespace => this.#wakeAll(namespace),
      refresh: () => this.#world.refreshed(),
      ...(chargeTiming && { timing: chargeTiming }),
    });
  }

  #messengerOf({ messages, recorder, metrics, docsUrl, log, now }: ControllerOptions): Messenger | undefined {
    if (!messages) return undefined;
    return new Messenger({
      ...messages,
      ...{ transport: this.#fence, recorder, metrics, docsUrl, log, now },
      stores: () => this.#world.everything,
      isOurs: namespace => this.#inCharge?.other(namespace) === undefined,
      guard: async namespace => this.#inCharge?.guard(namespace),
    });
  }

  /** Another installation works in this namespace: nothing is written there, not even that. */
  #standBack(key: AppKey, inCharge: InCharge): void {
    this.#forget(key);
    this.#queue.addAfter(key, inCharge.lookMs);
    // no worker waits for that: it wakes the key when it is our turn
    inCharge.look(splitKey(key).namespace).catch(error => {
      this.#options.log.debug({ key, why: String(error) }, 'who works in the namespace could not be asked');
    });
  }

  #forget(key: AppKey): void {
    this.#queue.gone(key);
    this.#evidence.forget(key);
    this.#options.metrics.resources.forget(key);
    this.#inquiries.forget(key);
    this.#ownWrites.forget(key);
    this.#behind.forget(key);
    this.#contested.forget(key);
    this.#urgent.delete(key);
    this.#refused.delete(key);
    this.#rollbacks.delete(key);
    this.#verdicts.delete(key);
    this.#ending.delete(key);
    this.#refusedRotations.delete(key);
    this.#observeKeys(key, undefined);
  }

  async #decided(key: AppKey, app: AppResource, stores: Stores): Promise<void> {
    const { now } = this.#options;
    const judgement = this.#evidence.judgement(key);
    const apis = this.#world.apis(app.metadata.namespace);
    const keys = this.#keysOf(stores);
    const digests = this.#digestsOf(stores);
    const asking = this.#inquiries.of(key);
    const migrationsOf = this.#world.migrationsOf.bind(this.#world);
    const servingFrom = this.#world.servingFrom.bind(this.#world);
    const otherOperator = this.#inCharge?.asker(app.metadata.namespace);
    const { prometheusUrl } = this.#options;
    const isContested = this.#isContested(key, stores);
    const refusedRotation = this.#refusedRotations.get(key);
    const gathered = await gather(app, {
      stores,
      digests,
      now: now(),
      judgement,
      apis,
      keys,
      asking,
      migrationsOf,
      servingFrom,
      backupsOf: of => backupsOf(this.#fence, of, now()),
      ...(otherOperator !== undefined && { otherOperator }),
      ...(prometheusUrl !== undefined && { prometheusUrl }),
      isTraced: this.#options.traces !== undefined,
      ...(isContested && { isContested }),
      refusedRotation,
    });
    const seen = await this.#behind.decidable(key, gathered, now(), this.#fence);
    if (!seen) {
      this.#queue.addAfter(key, UNSEEN_RECHECK_MS);
      return;
    }
    this.#evidence.follow(app, trialOf(app, seen.deployment?.record));
    const rehearse = this.#evidence.rehearse.bind(this.#evidence);
    const plan = rehearsed(seen, decide(seen), asking, rehearse);
    asking.end();
    if (takesBack(plan)) this.#urgent.add(key);
    else this.#urgent.delete(key);
    const tools = this.#tools(stores);
    this.#refusedRotations.delete(key);
    const outcome = await carryOut(seen, plan, tools);
    const refused = heldUp('rotation', outcome);
    if (refused) this.#refusedRotations.set(key, refused.message);
    const isDone = plan.action !== undefined && outcome.acted;
    const deed = isDone || !plan.action ? plan : withoutAction(plan);
    this.#log(key, deed);
    this.#observe(key, seen, deed);
    const conditions = withObstacles(plan.conditions, outcome);
    this.#observeKeys(key, seen, { ...deed, conditions });
    this.#options.metrics.resources.set(key, seen, statusOf(seen, { ...plan, conditions }, this.#options.docsUrl));
    if (isDone && plan.announce) this.#announce(app, plan.announce, plan.action);
    // what was not done is not said to be; a child that fails says so
    if (!isDone && !(plan.action && outcome.failure)) await this.#report(seen, plan, conditions, outcome, tools);
    if (outcome.failure) throw outcome.failure;
    this.#next(key, seen.app, plan, outcome);
    if (otherOperator !== undefined) this.#queue.addAfter(key, (this.#inCharge?.saidMs ?? 0) + 100);
    if (isContested) this.#queue.addAfter(key, this.#contested.forgetsMs);
  }

  /** Whether something else is left, again and again, of the status that we wrote. */
  #isContested(key: AppKey, stores: Stores): boolean {
    const { kind, namespace, name } = splitKey(key);
    const now = this.#options.now();
    const before = this.#contested.is(key, now);
    this.#contested.saw(key, stores.apps[kind].get(namespace, name)?.ownStatus ?? '', now);
    const is = this.#contested.is(key, now);
    if (is && !before)
      this.#options.log.warn(
        { key },
        'somebody else writes this status, too: does an operator of an earlier version run?',
      );
    return is;
  }

  async #report(
    seen: Snapshot,
    plan: EffectivePlan,
    found: readonly Condition[],
    outcome: Outcome,
    tools: Tools,
  ): Promise<void> {
    const { kind, metadata } = seen.app;
    const kept = tools.stores.apps[kind].get(metadata.namespace, metadata.name);
    const conditions = withDenied(found, kept?.sharedConditions ?? []);
    const key = keyOfApp(seen.app);
    const { now, docsUrl } = this.#options;
    const waitMs = this.#contested.waitMs(key, now());
    if (waitMs > 0) {
      this.#queue.addAfter(key, waitMs);
      return;
    }
    const status = statusOf(seen, { conditions }, docsUrl);
    const isNews = await writeStatus(seen.app, status, tools);
    const held = isNews ? heldIn(seen.app.status, conditions) : undefined;
    if (held) this.#options.metrics.decisions.inc({ kind, ...held });
    if (isNews) this.#contested.wrote(key, hashOfStatus(status), now());
    const [obstacle] = outcome.obstacles;
    const announcement: Announcement | undefined = obstacle ? { type: 'Warning', ...obstacle } : plan.announce;
    if (isNews && announcement && !isToldAlready(seen.app, announcement)) this.#announce(seen.app, announcement);
  }

  #next(key: AppKey, app: AppResource, { action, recheckMs }: EffectivePlan, outcome: Outcome): void {
    const { acted } = outcome;
    const [obstacle] = outcome.obstacles;
    const refusedMs = this.#refusedForMs(key, app, obstacle !== undefined);
    const again = Math.min(Math.max(refusedMs, REFUSED_RECHECK_MS.least), REFUSED_RECHECK_MS.most);
    const isUrgent = this.#urgent.has(key) && !acted;
    const waits = [
      ...(obstacle?.reason === 'NotOwned' ? [NOT_OWNED_RECHECK_MS] : []),
      ...(obstacle ? [isUrgent ? URGENT_RETRY_MS : (obstacle.recheckMs ?? again)] : []),
      ...(action && acted ? [AFTER_ACTION_RECHECK_MS] : []),
      ...(action || recheckMs === undefined ? [] : [recheckMs]),
    ];
    if (waits.length > 0) this.#queue.addAfter(key, Math.min(...waits));
  }

  /** Of a spec, and in a row: a changed one is tried as soon as the first. */
  #refusedForMs(key: AppKey, { metadata: { generation } }: AppResource, isRefused: boolean): number {
    const nowMs = performance.now();
    const before = this.#refused.get(key);
    const known = before?.generation === generation ? before : { generation, sinceMs: nowMs };
    if (isRefused) this.#refused.set(key, known);
    else this.#refused.delete(key);
    return nowMs - known.sinceMs;
  }

  #announce(app: AppResource, { type, reason, message }: Announcement, action?: Action): void {
    const record = recordOf(app, action);
    const annotations = record === undefined ? undefined : { [ANNOTATIONS.record]: record };
    const observation = { regarding: app, type, reason, action: reason, note: message };
    this.#options.recorder.record({ ...observation, ...(annotations && { annotations }) });
  }

  /** What it means for each resource that a kind has appeared, or another operator, is found out in a pass over it. */
  #wakeAll(namespace?: string): void {
    if (!this.#synced) return;
    for (const key of this.#world.appKeys())
      if (namespace === undefined || splitKey(key).namespace === namespace) this.#queue.add(key);
  }

  /** A kind that the API server does not serve is said once, not at every look whether it is there now. */
  #logWatch(resource: string, namespace: string, state: State<unknown>, failure: Failure | undefined): void {
    const { log } = this.#options;
    if (!failure) {
      if (OPTIONAL_PLURALS.has(resource)) this.#wakeAll();
      return;
    }
    const about = { resource, namespace: namespace || '*', phase: state.phase, why: failure.message };
    if (state.phase === 'absent' && state.reason === 'NotServed') {
      if (state.asked <= 1) log.info(about, 'the API server does not serve this kind');
      return;
    }
    log.warn(about, 'watch failed');
  }

  #log(key: AppKey, { action, said }: EffectivePlan): void {
    if (!action) return;
    const what = action.do === 'setRecord' ? { phase: action.record.phase, release: action.record.release } : {};
    this.#options.log.info({ key, action: action.do, ...what, ...said }, 'acts');
    if (action.do === 'createIncident') this.#options.log.info({ key, record: action.record }, 'record');
  }

  /** Figures about verdicts and rollbacks, and what is left by them; nothing is decided here. */
  #observe(key: AppKey, seen: Snapshot, { action }: EffectivePlan): void {
    const { metrics, traces } = this.#options;
    if (action) traces?.send(spansLeft(seen, action));
    const { kind } = seen.app;
    const verdict = seen.judgement?.verdict;
    if (verdict !== undefined && verdict !== this.#verdicts.get(key)) {
      this.#verdicts.set(key, verdict);
      metrics.verdicts.inc({ kind, verdict });
    }
    const made = action && decisionIn(seen, action);
    if (made) metrics.decisions.inc({ kind, ...made });
    const record = seen.deployment?.record;
    if (action?.do === 'setRecord' && action.record.phase.startsWith('RollingBack')) {
      this.#rollbacks.set(key, seen.now);
      metrics.rollbacks.inc({ kind, reason: action.record.withdrawn?.reason ?? '' });
      if (seen.judgement?.firstErrorAt !== undefined)
        metrics.detectionSeconds.observe((seen.now - seen.judgement.firstErrorAt) / 1000);
    }
    const since = this.#rollbacks.get(key);
    const out = record?.withdrawn !== undefined && podsOf(seen, record.withdrawn.release).length === 0;
    if (since === undefined || !out) return;
    this.#rollbacks.delete(key);
    metrics.actuationSeconds.observe((seen.now - since) / 1000);
  }

  /** Nothing is said of what another process has looked after since, until it is looked at again. */
  #untell(): void {
    const { metrics } = this.#options;
    metrics.resources.forgetAll();
    this.#heldRotations.clear();
    this.#refusedRotations.clear();
    metrics.rotationsHeld.set(0);
  }

  #observeKeys(key: AppKey, seen: Snapshot | undefined, plan?: EffectivePlan): void {
    const { metrics } = this.#options;
    const held = plan?.conditions.some(({ reason }) => reason === 'RotationHeld') ?? false;
    if (held) this.#heldRotations.add(key);
    else this.#heldRotations.delete(key);
    metrics.rotationsHeld.set(this.#heldRotations.size);
    const action = plan?.action;
    if (!seen || action?.do !== 'rotateKey' || action.change !== 'finish') return;
    const { name = '' } = seen.keys.find(({ keyring }) => keyring === action.keyring) ?? {};
    metrics.rotations.inc({ kind: seen.app.kind, key: name });
  }

  #digestsOf(stores: Stores): Digests {
    const known = this.#digests.get(stores);
    if (known) return known;
    const digests = new Digests(this.#fence, { Secret: stores.secrets, ConfigMap: stores.configMaps });
    this.#digests.set(stores, digests);
    return digests;
  }

  #keysOf(stores: Stores): Keys {
    const { randomBytes } = this.#options;
    const transport = this.#fence;
    const ask = this.#evidence.ask.bind(this.#evidence);
    const ownWrites = this.#ownWrites;
    const keys = this.#keys.get(stores) ?? new Keys({ transport, stores, ownWrites, ask, randomBytes });
    this.#keys.set(stores, keys);
    return keys;
  }

  #tools(stores: Stores): Tools {
    const { randomBytes, docsUrl, podsAskedFrom } = this.#options;
    return {
      transport: this.#fence,
      stores,
      ownWrites: this.#ownWrites,
      claims: this.#claims,
      keys: this.#keysOf(stores),
      digests: this.#digestsOf(stores),
      randomBytes,
      ...(docsUrl !== undefined && { docsUrl }),
      ...(podsAskedFrom !== undefined && { podsAskedFrom }),
    };
  }
}

/** All that is written is in a namespace. */
const namespaceIn = (path: string): string => /\/namespaces\/([^/]+)\//.exec(path)?.[1] ?? '';

const takesBack = ({ action }: EffectivePlan): boolean =>
  action?.do === 'setRecord' && action.record.phase.startsWith('RollingBack');

/** Resolves when the signal is aborted. */
const abortOf = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await once(signal, 'abort');
};
