// The loop: a key comes out of the queue, one pass is made over its resource, and nothing is remembered that the
// cluster does not hold.
import type { Logger } from 'pino';
import { type AppKind, type AppResource, parseResource } from '../api/resource.ts';
import { ApiError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Failure, State } from '../kube/reflection.ts';
import type { Transport } from '../kube/transport.ts';
import type { Announcement } from '../lifecycle/decision.ts';
import { decide, type Plan } from '../lifecycle/plan.ts';
import { podsOf, type Snapshot } from '../lifecycle/snapshot.ts';
import { statusOf } from '../lifecycle/status.ts';
import { carryOut, type Obstacle, reportInvalid, type Tools, withObstacle, writeStatus } from './carry-out.ts';
import { Claims } from './claims.ts';
import { Digests } from './digests.ts';
import { gather } from './gather.ts';
import { Keys } from './keys.ts';
import type { OperatorMetrics } from './metrics.ts';
import { OwnWrites } from './own-writes.ts';
import { type Evidence, trialOf } from './trials.ts';
import { WorkQueue, work } from './workqueue.ts';
import { type AppKey, appKey, type Stores, splitKey, World } from './world.ts';

export interface ControllerOptions {
  readonly transport: Transport;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly workers: number;
  readonly evidence: (world: World, wake: (key: AppKey) => void) => Evidence;
  readonly recorder: Pick<EventRecorder, 'record'>;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** What the stores do not show yet wakes the key by itself; this is the net below. */
const UNSEEN_RECHECK_MS = 1_000;
const AFTER_ACTION_RECHECK_MS = 1_000;
/** Asking whether a foreign object is still there costs one read; no watch tells when it goes. */
const NOT_OWNED_RECHECK_MS = 3_000;
const REFUSED_RECHECK_MS = 30_000;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #world: World;
  readonly #evidence: Evidence;
  readonly #ownWrites = new OwnWrites();
  readonly #claims = new Claims();
  readonly #digests = new Map<Stores, Digests>();
  readonly #keys = new Map<Stores, Keys>();
  /** Rollbacks whose end has not been seen yet, for the metric only. */
  readonly #rollbacks = new Map<AppKey, number>();
  readonly #verdicts = new Map<AppKey, string>();
  readonly #heldRotations = new Set<AppKey>();
  #working: Promise<void> | undefined;
  #synced = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { metrics, transport, namespaces } = options;
    this.#queue = new WorkQueue({
      hooks: {
        depth: waiting => metrics.queueDepth.set(waiting),
        waited: ms => metrics.queueSeconds.observe(ms / 1000),
      },
    });
    this.#world = new World({
      transport,
      namespaces,
      onChange: key => this.#queue.add(key),
      onWatchState: (resource, namespace, state, failure) => this.#logWatch(resource, namespace, state, failure),
    });
    this.#evidence = options.evidence(this.#world, key => this.#queue.add(key));
  }

  get world(): World {
    return this.#world;
  }

  get hasSynced(): boolean {
    return this.#synced;
  }

  /** Resolves when the stores are filled and the workers run. */
  async start(): Promise<void> {
    await this.#world.synced();
    this.#synced = true;
    this.#working = work(
      this.#queue,
      this.#options.workers,
      key => this.#timed(key as AppKey),
      (key, error) => this.#failed(key, error),
    );
  }

  /** What is under way ends, nothing new begins. */
  async stop(): Promise<void> {
    await Promise.all([this.#queue.shutDown(), this.#evidence.stop()]);
    await this.#working;
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

  #failed(key: string, error: unknown): void {
    const why = error instanceof ApiError ? error.message : error;
    this.#options.log.warn({ key, why }, 'the pass failed; it is tried again');
  }

  async #pass(key: AppKey): Promise<void> {
    const { kind, namespace, name } = splitKey(key);
    const stores = this.#world.of(namespace);
    const kept = stores.apps[kind].get(namespace, name);
    if (!kept) return this.#forget(key);
    const parsed = parseResource(kept.raw);
    if (!parsed.ok) {
      this.#options.log.error({ key, why: parsed.why }, 'the stored resource does not fit the schema of this version');
      await reportInvalid(kept.raw, kind, parsed.why, this.#options.now(), this.#options.transport);
      return;
    }
    if (this.#ownWrites.unseen(key) !== undefined) {
      this.#queue.addAfter(key, UNSEEN_RECHECK_MS);
      return;
    }
    await this.#decided(key, parsed.resource, stores);
  }

  #forget(key: AppKey): void {
    this.#evidence.forget(key);
    this.#ownWrites.forget(key);
    this.#rollbacks.delete(key);
    this.#verdicts.delete(key);
    this.#observeKeys(key, undefined);
  }

  async #decided(key: AppKey, app: AppResource, stores: Stores): Promise<void> {
    const { now } = this.#options;
    const judgement = this.#evidence.judgement(key);
    const serviceMonitorAvailable = !this.#world.absent('servicemonitors');
    const keys = this.#keysOf(stores);
    const sources = { stores, digests: this.#digestsOf(stores), now: now(), judgement, serviceMonitorAvailable, keys };
    const seen = await gather(app, sources);
    this.#evidence.follow(app, trialOf(app, seen.deployment?.record));
    const plan = decide(seen);
    const tools = this.#tools(stores);
    this.#log(key, plan);
    const obstacle = await carryOut(seen, plan, tools);
    this.#observe(key, seen, plan);
    this.#observeKeys(key, seen, plan);
    if (obstacle || !plan.action) await this.#report(seen, plan, obstacle, tools);
    else if (plan.announce) this.#announce(app, plan.announce);
    this.#next(key, plan, obstacle);
  }

  async #report(seen: Snapshot, plan: Plan, obstacle: Obstacle | undefined, tools: Tools): Promise<void> {
    const conditions = obstacle ? withObstacle(plan.conditions, obstacle) : plan.conditions;
    const isNews = await writeStatus(seen.app, statusOf(seen, { conditions }), tools);
    const announcement: Announcement | undefined = obstacle ? { type: 'Warning', ...obstacle } : plan.announce;
    if (isNews && announcement) this.#announce(seen.app, announcement);
  }

  #next(key: AppKey, plan: Plan, obstacle: Obstacle | undefined): void {
    if (obstacle?.reason === 'NotOwned') this.#queue.addAfter(key, NOT_OWNED_RECHECK_MS);
    else if (obstacle) this.#queue.addAfter(key, REFUSED_RECHECK_MS);
    else if (plan.action) this.#queue.addAfter(key, AFTER_ACTION_RECHECK_MS);
    else if (plan.recheckMs !== undefined) this.#queue.addAfter(key, plan.recheckMs);
  }

  #announce(app: AppResource, { type, reason, message }: Announcement): void {
    this.#options.recorder.record({ regarding: app, type, reason, action: reason, note: message });
  }

  /** A kind has appeared or gone: what it means for each resource is found out in a pass over it. */
  #wakeAll(): void {
    if (!this.#synced) return;
    for (const { apps } of this.#world.all) {
      for (const [kind, store] of Object.entries(apps)) {
        for (const { metadata } of store.list())
          this.#queue.add(appKey(kind as AppKind, metadata.namespace, metadata.name));
      }
    }
  }

  /** A kind that the API server does not serve is said once, not at every look whether it is there now. */
  #logWatch(resource: string, namespace: string, state: State<unknown>, failure: Failure | undefined): void {
    const { log } = this.#options;
    if (!failure) {
      if (resource === 'servicemonitors') this.#wakeAll();
      return;
    }
    const about = { resource, namespace: namespace || '*', phase: state.phase, why: failure.message };
    if (state.phase === 'absent' && state.reason === 'NotServed') {
      if (state.asked <= 1) log.info(about, 'the API server does not serve this kind');
      return;
    }
    log.warn(about, 'watch failed');
  }

  #log(key: AppKey, { action, conditions }: Plan): void {
    if (!action) return;
    const what = action.do === 'setRecord' ? { phase: action.record.phase, release: action.record.release } : {};
    const message = conditions.find(({ type }) => type === 'Ready')?.message;
    this.#options.log.info({ key, action: action.do, ...what, message }, 'acts');
  }

  /** Figures about verdicts and rollbacks; nothing is decided here. */
  #observe(key: AppKey, seen: Snapshot, { action }: Plan): void {
    const { metrics } = this.#options;
    const { kind } = seen.app;
    const verdict = seen.judgement?.verdict;
    if (verdict !== undefined && verdict !== this.#verdicts.get(key)) {
      this.#verdicts.set(key, verdict);
      metrics.verdicts.inc({ kind, verdict });
    }
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

  #observeKeys(key: AppKey, seen: Snapshot | undefined, plan?: Plan): void {
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
    const digests = new Digests(this.#options.transport, { Secret: stores.secrets, ConfigMap: stores.configMaps });
    this.#digests.set(stores, digests);
    return digests;
  }

  #keysOf(stores: Stores): Keys {
    const { transport, randomBytes } = this.#options;
    const ask = this.#evidence.ask.bind(this.#evidence);
    const ownWrites = this.#ownWrites;
    const keys = this.#keys.get(stores) ?? new Keys({ transport, stores, ownWrites, ask, randomBytes });
    this.#keys.set(stores, keys);
    return keys;
  }

  #tools(stores: Stores): Tools {
    const { transport, randomBytes, now } = this.#options;
    return {
      transport,
      stores,
      ownWrites: this.#ownWrites,
      claims: this.#claims,
      keys: this.#keysOf(stores),
      randomBytes,
      now,
      rehearse: (app, pod) => this.#evidence.rehearse(app, pod),
    };
  }
}
