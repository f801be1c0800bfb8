// The one place with effects on the cluster: children that differ, one action, the status if it changed.
import { CONDITION_TYPES, type Condition } from '../api/conditions.ts';
import type { AppResource } from '../api/resource.ts';
import {
  type ConfigurationCopy,
  formatRecord,
  type PodTemplate,
  type Release,
  type RolloutRecord,
} from '../api/rollout.ts';
import { idAfter } from '../api/rotation.ts';
import type { AppStatus } from '../api/status.ts';
import { scrub } from '../api/words.ts';
import { apply, applyStatus, create, differs, get, patchStatus, remove } from '../kube/apply.ts';
import { ApiError, isAlreadyExists, isConflict, isInvalid, isNotFound } from '../kube/errors.ts';
import * as kinds from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { isServedAnew } from '../lifecycle/around/exposed.ts';
import type { Action } from '../lifecycle/decision.ts';
import { firstRecord } from '../lifecycle/keys/key-requests.ts';
import { iso, type Orphan, type SchemaTask, type Snapshot, taskText } from '../lifecycle/snapshot.ts';
import { childLabels, ownerReference } from '../objects/app.ts';
import { backupJob, cnpgBackup } from '../objects/backup-job.ts';
import { type ChildRef, desiredChildren, unwantedChildren } from '../objects/children.ts';
import { type ConfigMapContent, configMapsOf, configurationCopy } from '../objects/configuration.ts';
import { contentHash, digestOf } from '../objects/contents.ts';
import { candidateDeployment, deploymentReplicas, workerDeployment, workerReplicas } from '../objects/deployment.ts';
import { incident } from '../objects/incident.ts';
import {
  clientSecret,
  digestOfKey,
  keyIdOf,
  keyringOf,
  keyringSecret,
  newKey,
  parseKeyring,
} from '../objects/keyring.ts';
import { migrationJob, schemaJob } from '../objects/migration-job.ts';
import { ANNOTATIONS, COMPONENTS, FIELD_MANAGER, LABELS, MANAGED_BY, names } from '../objects/names.ts';
import { rehearsalPod, workerRehearsalPod } from '../objects/rehearsal-pod.ts';
import { releaseSeeds, SEED } from '../objects/release-seed.ts';
import { revision } from '../objects/revision.ts';
import type { Claims } from './claims.ts';
import type { Digests } from './digests.ts';
import type { Keys } from './keys.ts';
import {
  Blocked,
  HANGING,
  heldBy,
  type Obstacle,
  type Outcome,
  obstacleIn,
  rotating,
  WEBHOOK_RECHECK_MS,
} from './obstacles.ts';
import type { OwnWrites } from './own-writes.ts';
import { Premises } from './premises.ts';
import type { Effect, EffectivePlan } from './rehearsing.ts';
import {
  hashOfStatus,
  type Kept,
  type KeptChild,
  type KeptDeployment,
  keepDeployment,
  REPLICAS_WRITER,
  WRITER,
} from './views.ts';
import { APP_RESOURCES, keyOfApp, type Stores } from './world.ts';

export interface Tools {
  readonly transport: Transport;
  readonly stores: Stores;
  readonly ownWrites: OwnWrites;
  readonly claims: Claims;
  readonly keys: Pick<Keys, 'rotate' | 'handOver' | 'sync'>;
  readonly digests: Pick<Digests, 'learn'>;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Where the pages of docs/ are. */
  readonly docsUrl?: string;
  /** Namespace of the operator's pods; absent: pods are asked through the API server. */
  readonly podsAskedFrom?: string;
}

/** A store of any kind, as far as it is asked here. */
type Seen = Pick<Store<Kept>, 'hasSeen'>;
type Holding = Pick<Store<Kept>, 'get'>;

/** Fields that the API server refuses beside ours, by kind. */
const NEVER_BESIDE: Readonly<Record<string, object>> = { Service: { sessionAffinityConfig: null } };

const isDeployment = ({ kind }: Pick<kinds.KubeObject, 'kind'>): boolean => kind === 'Deployment';

/**
 * Children first, each on its own: one that is refused does not keep the others, or the action, from being done. In an
 * emergency the Deployments come before everything else. Nothing is begun for a resource whose first children belong to
 * somebody else.
 * @throws ApiError where the action itself failed in a way that a later try may do better, and where the namespace is being
 * removed
 */
export async function carryOut(seen: Snapshot, plan: EffectivePlan, tools: Tools): Promise<Outcome> {
  const hands = new Hands(seen, tools);
  const { action } = plan;
  // what is not ours yet cannot be put in shape
  const { isWritten, ...children } = action?.do === 'adopt' ? NOTHING_DONE : await hands.children(plan);
  if (action?.do === 'setRecord') return { ...children, acted: isWritten };
  if (children.obstacles.length > 0 && !seen.deployment) return { ...children, acted: false };
  if (!action) return { ...children, acted: true };
  try {
    await hands.act(action);
    return { ...children, acted: true };
  } catch (error) {
    const obstacle = obstacleIn(error);
    if (!obstacle) throw error;
    return { ...children, obstacles: [...children.obstacles, obstacle], acted: false };
  }
}

/** What came of the children; `isWritten`: the record is what the plan says. */
type ChildrenOutcome = Omit<Outcome, 'acted'> & { readonly isWritten: boolean };

const NOTHING_DONE: ChildrenOutcome = { obstacles: [], isWritten: true };

/** An object stored under an older schema: said in its status, and nothing else is touched. */
export async function reportInvalid(
  raw: kinds.KubeObject,
  kind: AppResource['kind'],
  why: string,
  now: number,
  transport: Transport,
): Promise<void> {
  const { name, namespace = '', generation = 0 } = raw.metadata;
  const message = `${why}; mend the fields named and apply it again`;
  const common = { reason: 'InvalidSpec', message, observedGeneration: generation, lastTransitionTime: iso(now) };
  const conditions = [
    { type: 'Ready', status: 'False', ...common },
    { type: 'Stalled', status: 'True', ...common },
  ];
  const known = (raw as { status?: AppStatus }).status?.conditions?.find(({ type }) => type === 'Stalled');
  if (known?.message === message && known.observedGeneration === generation) return;
  await patchStatus(
    transport,
    APP_RESOURCES[kind],
    { metadata: { name, namespace } },
    { observedGeneration: generation, conditions },
    { fieldManager: FIELD_MANAGER },
  );
}

/**
 * Conditions that somebody else has written: of those that are ours and not true now, it is said that they are not.
 * To leave one out would leave theirs.
 */
export function withDenied(conditions: readonly Condition[], shared: readonly string[]): readonly Condition[] {
  const types = CONDITION_TYPES.filter(type => shared.includes(type) && !conditions.some(known => known.type === type));
  return [
    ...conditions,
    ...types.map(type => {
      const status = type === 'Stalled' || type === 'Reconciling' ? 'False' : 'Unknown';
      const message = 'nothing of the kind is known; somebody else has written this condition';
      return { type, status, reason: 'AsExpected', message } as const;
    }),
  ];
}

/** Writes the status unless what we wrote last is the same and still there. Returns whether it wrote. */
export async function writeStatus(
  app: AppResource,
  status: AppStatus,
  { transport, stores, ownWrites }: Tools,
): Promise<boolean> {
  const { name, namespace } = app.metadata;
  if (stores.apps[app.kind].get(namespace, name)?.ownStatus === hashOfStatus(status)) return false;
  const { apiVersion, kind } = app;
  const object = { apiVersion, kind, metadata: { name, namespace }, status };
  const written = await applyStatus(transport, APP_RESOURCES[kind], object, { fieldManager: FIELD_MANAGER });
  expectSeen(ownWrites, app, stores.apps[kind], written);
  return true;
}

function expectSeen(ownWrites: OwnWrites, app: AppResource, store: Seen, written: kinds.KubeObject): void {
  const version = written.metadata.resourceVersion;
  if (version === undefined) return;
  const key = keyOfApp(app);
  ownWrites.expect(key, `${written.kind} ${written.metadata.name}`, () => store.hasSeen(version));
}

/** With these a release meets users that it did not have before. */
const BEGINNING: ReadonlySet<RolloutRecord['phase']> = new Set(['Installing', 'Candidate']);

/** An apply over this version makes what is not there, and is refused (409) by whatever is. */
const OLDER_THAN_ALL = '1';

/** One thing done to one child. */
interface Step {
  readonly work: () => Promise<void>;
  /** The write that decides: what follows from it waits for it. */
  readonly isRecord?: true;
  /** Asked when its turn has come; absent: always. */
  readonly mayBegin?: (before: Pick<Tally, 'isWritten' | 'failure'>) => boolean;
}

/** What came of the steps until now. */
class Tally {
  readonly obstacles: Obstacle[] = [];
  failure: unknown;
  isWritten = true;
  /** Somebody whom the API server asks does not answer: what is left is done side by side, so that it is waited for once. */
  isHeldUp = false;

  async attempt({ work, isRecord }: Step): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isRecord) this.isWritten = false;
      this.isHeldUp ||= error instanceof ApiError && HANGING.test(error.message);
      const obstacle = obstacleIn(error);
      if (obstacle) this.obstacles.push(obstacle);
      else this.failure ??= error;
    }
  }

  get result(): ChildrenOutcome {
    const { obstacles, isWritten, failure } = this;
    return { obstacles, isWritten, ...(failure !== undefined && { failure }) };
  }
}

/** How many steps depend on nothing but what was done before them. */
function untilRecord(steps: readonly Step[]): number {
  const at = steps.findIndex(({ isRecord }) => isRecord);
  return at < 0 ? steps.length : Math.max(1, at);
}

class Hands {
  readonly #seen: Snapshot;
  readonly #app: AppResource;
  readonly #tools: Tools;
  readonly #namespace: string;
  readonly #premises: Premises;

  constructor(seen: Snapshot, tools: Tools) {
    this.#seen = seen;
    this.#app = seen.app;
    this.#tools = tools;
    this.#namespace = seen.app.metadata.namespace;
    this.#premises = new Premises(seen, tools.transport);
  }

  /** Never throws for one of them: the rest is done first. */
  async children(plan: EffectivePlan): Promise<ChildrenOutcome> {
    if (this.#app.metadata.deletionTimestamp !== undefined || this.#seen.isLaterRecord) return NOTHING_DONE;
    const tally = new Tally();
    for (let left = this.#steps(plan); left.length > 0; ) {
      const count = tally.isHeldUp ? untilRecord(left) : 1;
      const next = left.slice(0, count).filter(({ mayBegin }) => mayBegin?.(tally) ?? true);
      await Promise.all(next.map(step => tally.attempt(step)));
      left = left.slice(count);
    }
    return tally.result;
  }

  /** What a pass does to children, in order: in an emergency the Deployments come before everything else. */
  #steps(plan: EffectivePlan): readonly Step[] {
    const { desired, unwanted, record } = this.#wanted(plan);
    const isUrgent = record?.phase.startsWith('RollingBack') ?? false;
    const at = desired.findIndex(child => isDeployment(child) && child.metadata.name === this.#servingName);
    const candidate = names.candidate(this.#app.metadata.name);
    const isFirst = ({ name }: ChildRef): boolean => isUrgent && name === candidate;
    const make = (child: kinds.KubeObject): Step => ({
      work: () => this.#child(child, record),
      // what is not in the record is not begun
      mayBegin: ({ isWritten }) => isWritten || !isDeployment(child),
    });
    const prune = ({ kind, name }: ChildRef, mayBegin: NonNullable<Step['mayBegin']>): Step => ({
      work: () => this.#prune(kind, name),
      mayBegin,
    });
    const serving: readonly Step[] = [
      ...this.#record(plan, record, desired[at]),
      // a bad candidate goes even where the record is refused; after a conflict nobody knows whether it is one
      ...unwanted.filter(isFirst).map(ref => prune(ref, ({ failure }) => !isConflict(failure))),
      ...(at < 0 ? [] : [this.#replicasStep()]),
    ];
    const before = [...this.#strictness(), ...desired.slice(0, Math.max(at, 0)).map(make)];
    const after = desired.slice(at + 1).map(make);
    const gone = unwanted.filter(ref => !isFirst(ref)).map(ref => prune(ref, ({ isWritten }) => isWritten));
    return isUrgent || at < 0 ? [...serving, ...before, ...after, ...gone] : [...before, ...serving, ...after, ...gone];
  }

  /** What comes from the API server has no namespace that a policy could name: the operator would see no pod any more. */
  #strictness(): readonly Step[] {
    if (this.#app.spec.networkPolicy !== 'Strict' || this.#tools.podsAskedFrom !== undefined) return [];
    const message =
      'spec.networkPolicy Strict would shut out the operator, which asks the pods through the API server (POD_ACCESS=proxy): the policy stays as with Managed; let the operator ask directly, or set Managed';
    return [
      {
        work: async () => {
          throw new Blocked({ reason: 'StrictNeedsDirect', message });
        },
      },
    ];
  }

  /** Record and template are one object; where nobody knows the template any more, the record alone is written. */
  #record(
    { action }: EffectivePlan,
    record: RolloutRecord | undefined,
    serving: kinds.KubeObject | undefined,
  ): readonly Step[] {
    const isDecided = action?.do === 'setRecord';
    if (!serving) return record && isDecided ? [{ work: () => this.#recordOnly(record), isRecord: true }] : [];
    const work = async (): Promise<void> => {
      if (isDecided && record && BEGINNING.has(record.phase)) await this.#premises.verdictStands(record.release);
      await this.#serving(serving, isDecided);
    };
    return [{ work, isRecord: true }];
  }

  #replicasStep(): Step {
    return {
      work: () => this.#replicas(),
      mayBegin: ({ isWritten }) => isWritten || this.#seen.deployment !== undefined,
    };
  }

  get #servingName(): string {
    return names.deployment(this.#app.metadata.name);
  }

  #wanted({ action }: EffectivePlan) {
    const { apis, revisions, deployment, candidate, autoscaler, scaledObject, kedaScales, prometheusUrl, keys, door } =
      this.#seen;
    const { docsUrl, podsAskedFrom } = this.#tools;
    const record = action?.do === 'setRecord' ? action.record : deployment?.record;
    const release = (hash: string): Release | undefined =>
      revisions.find(known => known.release.hash === hash)?.release;
    const facts = {
      apis,
      ...(docsUrl !== undefined && { docsUrl }),
      ...(podsAskedFrom !== undefined && { podsAskedFrom }),
      ...(prometheusUrl !== undefined && { prometheusUrl }),
      autoscalerIsThere: autoscaler !== undefined,
      scaledObjectIsThere: scaledObject !== undefined || kedaScales === true,
      candidateIsThere: candidate !== undefined,
      doorServes: isServedAnew(this.#seen),
      ...(door?.attached && { routeParents: door.attached }),
      scrapeTokenIsThere: keys.some(({ name, clientPresent }) => name === 'scrape' && clientPresent),
      ...(deployment && { servingReplicas: deployment.wantedReplicas }),
      ...this.#databaseOfServing(),
    };
    const desired = desiredChildren(this.#app, record, release, facts);
    return { record, desired, unwanted: unwantedChildren(this.#app, record, release, desired, facts) };
  }

  async act(action: Effect): Promise<void> {
    const { stores } = this.#tools;
    switch (action.do) {
      case 'setRecord':
        return; // written with the children: record and template are one object
      case 'adopt':
        for (const orphan of action.orphans) await this.#adopt(orphan);
        return;
      case 'mintKeyring':
        return this.#mint(action.keyring);
      case 'mintSeed':
        return this.#mintSeed();
      case 'publishKey':
        return this.#publish(action);
      case 'rotateKey':
        return rotating(this.#tools.keys.rotate(this.#app, action));
      case 'handOverKey':
        return rotating(this.#tools.keys.handOver(this.#app, action));
      case 'syncPods':
        return rotating(this.#tools.keys.sync(this.#app, action));
      case 'createRevision':
        await this.#tryOut(action.release);
        await this.#copyConfigMaps(action.release, true);
        await this.#create(
          kinds.controllerRevisions,
          stores.revisions,
          withAnnotations(revision(this.#app, action.release, action.revision), action.set),
        );
        return;
      case 'createIncident':
        await this.#create(
          kinds.controllerRevisions,
          stores.revisions,
          incident(this.#app, action.record, action.revision),
        );
        return;
      case 'rememberRefusals':
        return this.#patch(kinds.deployments, stores.deployments, this.#servingName, {
          metadata: {
            resourceVersion: stores.deployments.get(this.#namespace, this.#servingName)?.metadata.resourceVersion,
            annotations: { [ANNOTATIONS.refused]: JSON.stringify(action.refusals) },
          },
        });
      case 'copyConfigMaps':
        return this.#copyConfigMaps(action.release, false);
      case 'deleteConfigMap':
        return this.#remove(kinds.configMaps, stores.configMaps, action.name);
      case 'recoverRevision':
        return this.#recover(action);
      case 'annotateRevision':
        if (ANNOTATIONS.verdict in action.set) await this.#premises.recordStands();
        return this.#annotate(action.revision, action.set);
      case 'deleteRevision':
        await this.#premises.recordStands();
        return this.#remove(kinds.controllerRevisions, stores.revisions, action.revision);
      case 'createMigrationJob':
        await this.#premises.verdictStands(action.release.hash);
        return this.#migrate(action.release, action.migrationId);
      case 'createSchemaJob':
        return this.#changeSchema(action.release, action.task);
      case 'createBackup':
        return this.#backUp(action);
      case 'deleteJob':
        return action.kind === 'Backup'
          ? this.#removeBackup(action)
          : this.#remove(kinds.jobs, stores.jobs, action.job, action.uid);
      case 'createRehearsal':
        return this.#rehearsalPod(action);
      case 'deletePod':
        return this.#remove(kinds.pods, stores.pods, action.pod, action.uid);
      case 'hurryPod':
        return this.#hurry(action);
    }
  }

  async #child(child: kinds.KubeObject, record: RolloutRecord | undefined): Promise<void> {
    const { stores, ownWrites } = this.#tools;
    const kept = stores.children[child.kind];
    if (!kept) throw new TypeError(`no store for ${child.kind}`);
    const { store, resource } = kept;
    const isKnown = store.get(this.#namespace, child.metadata.name) !== undefined;
    if (!isKnown && isDeployment(child)) await this.#premises.recordStands(record);
    if (!isKnown && (await this.#isMade(resource, store, child))) return;
    const live = await this.#live(child);
    if (live?.metadata.deleting) return; // its successor is made when it is gone
    if (live && isDeployment(child)) await this.#handOverReplicas(child, live as KeptDeployment);
    if (!live || differs(child, live.applied, WRITER)) {
      expectSeen(ownWrites, this.#app, store, await this.#apply(resource, child, live));
    }
  }

  /** @throws Blocked where it belongs to somebody else */
  async #live(child: kinds.KubeObject): Promise<KeptChild | undefined> {
    const { store, resource } = this.#tools.stores.children[child.kind] ?? {};
    if (!store || !resource) throw new TypeError(`no store for ${child.kind}`);
    const live = store.get(this.#namespace, child.metadata.name) ?? (await this.#lookUp(resource, child.metadata.name));
    if (live && !this.#owns(live)) throw this.#obstacleOf(child, live);
    return live;
  }

  /**
   * Makes one that no watch shows, if there is none of its name. False where somebody has one: that is to be looked at
   * first, as ours may be in it, or nothing of ours. Where this was found out before, nothing is tried.
   */
  async #isMade(resource: kinds.Resource, store: Seen, child: kinds.KubeObject): Promise<boolean> {
    const { transport, ownWrites } = this.#tools;
    if (this.#app.status.conditions?.some(({ reason }) => reason === 'NotOwned')) return false;
    try {
      const only = { resourceVersion: OLDER_THAN_ALL };
      expectSeen(ownWrites, this.#app, store, await apply(transport, resource, child, WRITER, only));
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  /**
   * The Deployment that serves. Every write of it names the version that was decided on, so that a stale store can undo
   * nothing; where something of others is in the template, the template is written as a whole before.
   */
  async #serving(child: kinds.KubeObject, isDecided: boolean): Promise<void> {
    const { deployments } = this.#tools.stores;
    const isKnown = deployments.get(this.#namespace, child.metadata.name) !== undefined;
    if (!isKnown && (await this.#isMade(kinds.deployments, deployments, child))) return;
    const live = (await this.#live(child)) as KeptDeployment | undefined;
    if (live?.metadata.deleting) throw new Error(`Deployment ${child.metadata.name} is still being removed`);
    if (live) this.#premises.mayReplace(live, child);
    try {
      await this.#writeServing(child, live, isDecided);
    } catch (error) {
      const newer = live && isConflict(error) ? await this.#premises.newer(live) : undefined;
      if (!newer) throw error;
      // with what others have written since: a pause, or something in the template
      await this.#writeServing(child, keepDeployment(newer), isDecided);
    }
  }

  async #writeServing(child: kinds.KubeObject, live: KeptDeployment | undefined, isDecided: boolean): Promise<void> {
    const { stores, ownWrites } = this.#tools;
    const whole = live && isDecided ? await this.#whole(child, live) : undefined;
    if (whole || !live || differs(child, live.applied, WRITER)) {
      const resourceVersion = whole?.metadata.resourceVersion ?? live?.metadata.resourceVersion;
      const written = await this.#apply(kinds.deployments, child, live, { resourceVersion });
      expectSeen(ownWrites, this.#app, stores.deployments, written);
    }
  }

  /** Leaves nothing in the template but what the release says, in one write with the record. */
  async #whole(child: kinds.KubeObject, live: KeptDeployment): Promise<kinds.KubeObject | undefined> {
    const { template, paused = false } = (child as { spec?: { template: PodTemplate; paused?: boolean } }).spec ?? {};
    if (!template || live.foreign === undefined) return undefined;
    const isOther = live.templateRelease !== template.metadata.labels[LABELS.release];
    const isPaused = live.paused && !paused;
    if (live.foreign.length === 0 && !(isOther && (live.restarted || isPaused))) return undefined;
    const written = await this.#tools.transport.request<kinds.KubeObject>({
      method: 'PATCH',
      path: kinds.pathTo(kinds.deployments, child),
      query: { fieldManager: FIELD_MANAGER },
      contentType: 'application/json-patch+json',
      body: [
        { op: 'replace', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
        { op: 'replace', path: '/spec/template', value: template },
        {
          op: 'add',
          path: `/metadata/annotations/${ANNOTATIONS.rollout.replace('/', '~1')}`,
          value: child.metadata.annotations?.[ANNOTATIONS.rollout],
        },
        ...(isPaused ? [{ op: 'remove', path: '/spec/paused' }] : []),
      ],
    });
    expectSeen(this.#tools.ownWrites, this.#app, this.#tools.stores.deployments, written);
    return written;
  }

  /** The template that belongs to it is known to nobody any more, and stays as it is. */
  async #recordOnly(record: RolloutRecord): Promise<void> {
    const { deployments } = this.#tools.stores;
    const live = deployments.get(this.#namespace, this.#servingName);
    if (!live || !this.#owns(live)) return;
    const { resourceVersion } = live.metadata;
    await this.#patch(kinds.deployments, deployments, this.#servingName, {
      metadata: { resourceVersion, annotations: { [ANNOTATIONS.rollout]: formatRecord(record) } },
    });
  }

  /** A few fields of an object that is there, whoever owns the others. */
  async #patch(
    resource: kinds.Resource,
    store: Seen,
    name: string,
    body: object,
    fieldManager: string = FIELD_MANAGER,
  ): Promise<void> {
    const { transport, ownWrites } = this.#tools;
    const written = await transport.request<kinds.KubeObject>({
      method: 'PATCH',
      path: kinds.pathOf(resource, { namespace: this.#namespace, name }),
      query: { fieldManager },
      contentType: 'application/merge-patch+json',
      body,
    });
    expectSeen(ownWrites, this.#app, store, written);
  }

  /**
   * What somebody puts beside our fields stays, unless the two cannot be together (a second port of the same name):
   * then the lists are written as a whole, once, so that only ours is left in them, and what is never beside ours goes.
   */
  async #apply(
    resource: kinds.Resource,
    child: kinds.KubeObject,
    live: KeptChild | undefined,
    { resourceVersion, dryRun = false }: { resourceVersion?: string | undefined; dryRun?: boolean } = {},
  ) {
    const { transport } = this.#tools;
    const only = resourceVersion === undefined ? {} : { resourceVersion };
    try {
      return await apply(transport, resource, child, WRITER, { ...only, dryRun });
    } catch (error) {
      if (!live || !isInvalid(error)) throw error;
      const written = await transport.request<kinds.KubeObject>({
        method: 'PATCH',
        path: kinds.pathTo(resource, child),
        query: { fieldManager: FIELD_MANAGER, ...(dryRun && { dryRun: 'All' }) },
        contentType: 'application/merge-patch+json',
        body: { metadata: only, spec: { ...NEVER_BESIDE[child.kind], ...(child as { spec?: object }).spec } },
      });
      return dryRun ? written : apply(transport, resource, child, WRITER);
    }
  }

  /** A foreign object has none of our labels, so no watch shows it. */
  async #lookUp(resource: kinds.Resource, name: string): Promise<KeptChild | undefined> {
    const found = await get(this.#tools.transport, resource, { namespace: this.#namespace, name });
    if (!found) return undefined;
    const { uid = '', resourceVersion = '', ownerReferences = [], labels = {}, deletionTimestamp } = found.metadata;
    const deleting = deletionTimestamp !== undefined;
    return {
      applied: undefined,
      metadata: { name, namespace: this.#namespace, uid, resourceVersion, ownerReferences, labels, deleting },
    };
  }

  async #replicas(): Promise<void> {
    const { spec, metadata } = this.#app;
    const { autoscaler, kedaScales, workerScaledObject } = this.#seen;
    await this.#ownReplicas();
    await this.#toMinimum(this.#servingName, spec.autoscaling?.minReplicas, Boolean(autoscaler ?? kedaScales));
    if (!('worker' in spec)) return;
    const { autoscaling } = spec.worker;
    await this.#toMinimum(names.worker(metadata.name), autoscaling?.minReplicas, workerScaledObject !== undefined);
  }

  /** `spec.replicas` has an owner of its own, which stops while an autoscaler chooses. */
  async #ownReplicas(): Promise<void> {
    const { transport, stores, ownWrites } = this.#tools;
    const live = stores.deployments.get(this.#namespace, this.#servingName);
    const share = deploymentReplicas(this.#app);
    if (!share) return;
    const same = live?.replicas === share.spec.replicas && !differs(share, live.appliedReplicas, REPLICAS_WRITER);
    if (same) return;
    const written = await apply(transport, kinds.deployments, share, REPLICAS_WRITER);
    expectSeen(ownWrites, this.#app, stores.deployments, written);
  }

  /**
   * What is in an apply no more, and belongs to nobody else, goes: the number of workers would fall to 1 before an
   * autoscaler has chosen one. So the second manager, which stays silent afterwards, takes it over first.
   */
  async #handOverReplicas(child: kinds.KubeObject, live: KeptDeployment): Promise<void> {
    const { spec } = child as { spec?: { replicas?: number } };
    if (child.metadata.name !== names.worker(this.#app.metadata.name)) return;
    if (spec?.replicas !== undefined || !live.ownsReplicas) return;
    const { transport, stores, ownWrites } = this.#tools;
    const written = await apply(
      transport,
      kinds.deployments,
      workerReplicas(this.#app, live.replicas),
      REPLICAS_WRITER,
    );
    expectSeen(ownWrites, this.#app, stores.deployments, written);
  }

  /**
   * A Deployment begins with one pod, and an autoscaler raises it to its minimum; it leaves one with 0 replicas alone, as one
   * that a person has switched off. So its minimum is given to it where the zero is ours, from a spec before there was an
   * autoscaler, and where no autoscaler is there yet, or ever: KEDA may not be installed.
   */
  async #toMinimum(name: string, least: number | undefined, isScaled: boolean): Promise<void> {
    const { deployments } = this.#tools.stores;
    const live = deployments.get(this.#namespace, name);
    if (!live || least === undefined || live.replicas >= least || !this.#owns(live)) return;
    const isLeft = live.replicas === 0 ? live.appliedReplicas === undefined : isScaled;
    if (isLeft) return;
    await this.#patch(
      kinds.deployments,
      deployments,
      name,
      { spec: { replicas: least } },
      REPLICAS_WRITER.fieldManager,
    );
  }

  async #prune(kind: string, name: string): Promise<void> {
    const kept = this.#tools.stores.children[kind];
    const live = kept?.store.get(this.#namespace, name);
    if (!kept || !live || !this.#owns(live) || live.metadata.deleting) return;
    if (name === names.candidate(this.#app.metadata.name) && !(await this.#isEmptied(live as KeptDeployment))) return;
    await this.#remove(kept.resource, kept.store, name, live.metadata.uid);
  }

  /** Scaled to nothing its pods leave the Service at once; the garbage collector, which removes them too, takes seconds. */
  async #isEmptied({ metadata: { name }, replicas, observed, status }: KeptDeployment): Promise<boolean> {
    if (replicas === 0) return observed && status.replicas === 0;
    const none = { spec: { replicas: 0, paused: null } };
    await this.#patch(kinds.deployments, this.#tools.stores.deployments, name, none);
    return false;
  }

  #owns({ metadata }: KeptChild): boolean {
    return metadata.ownerReferences.some(({ uid, controller }) => controller && uid === this.#app.metadata.uid);
  }

  /** What an earlier resource of this name left is being collected: that is waited for, not complained of. */
  #obstacleOf(object: kinds.KubeObject, live: KeptChild): Error {
    const { kind, metadata } = this.#app;
    const earlier = live.metadata.ownerReferences.some(owner => owner.kind === kind && owner.name === metadata.name);
    if (earlier)
      return new Error(`${object.kind} ${object.metadata.name} of an earlier ${kind} is still being removed`);
    return notOwned(object, live);
  }

  /**
   * Made once: a second one of the same name is refused by the API server, and what is there is as good. Returns what was
   * made; undefined where there is one.
   */
  async #create(
    resource: kinds.Resource,
    store: Seen,
    object: kinds.KubeObject,
  ): Promise<kinds.KubeObject | undefined> {
    const { transport, ownWrites } = this.#tools;
    try {
      const made = await create(transport, resource, object, { fieldManager: FIELD_MANAGER });
      expectSeen(ownWrites, this.#app, store, made);
      return made;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const live = await this.#lookUp(resource, object.metadata.name);
      if (live && !this.#owns(live)) throw this.#obstacleOf(object, live);
      const { labels = {} } = object.metadata;
      // somebody took ours off it: no watch shows it, and it would be made again for ever
      const isHidden = live && Object.entries(labels).some(([name, value]) => live.metadata.labels[name] !== value);
      if (isHidden) await this.#patch(resource, store, object.metadata.name, { metadata: { labels } });
      return undefined;
    }
  }

  /** Where another resource has just begun to migrate the same database, the next pass sees its Job and queues. */
  async #migrate(release: Release, migrationId: string): Promise<void> {
    await this.#startJob(migrationJob(this.#app, release, { migrationId, databaseIdentity: this.#database }));
  }

  async #changeSchema(release: Release, { direction, ids }: SchemaTask): Promise<void> {
    if (direction === 'backup') throw new TypeError('a backup is made from a CronJob');
    const text = taskText({ direction, ids });
    await this.#startJob(schemaJob(this.#app, release, { direction, ids, text }, this.#database));
  }

  /** @throws Blocked where the CronJob that the spec names is not there, or cannot be read, or its Job is refused */
  async #backUp(action: Extract<Action, { do: 'createBackup' }>): Promise<void> {
    await heldBy(this.#beginBackup(action), words => ({
      reason: 'BackupFailed',
      message: `${words}; nothing is taken away without a backup`,
      holds: 'backup',
    }));
  }

  async #beginBackup(action: Extract<Action, { do: 'createBackup' }>): Promise<void> {
    const { release } = action;
    const about = { text: taskText(action.task), databaseIdentity: this.#database };
    if ('cnpgCluster' in action) {
      const { cnpgCluster: source } = action;
      return this.#createBackup(cnpgBackup(this.#app, release, { ...about, source }));
    }
    const { cronJob: name } = action;
    const cronJob = await get(this.#tools.transport, kinds.cronJobs, { namespace: this.#namespace, name });
    const job = backupJob(this.#app, release, cronJob, { ...about, source: name });
    if (!job) {
      throw new Blocked({
        reason: 'BackupFailed',
        message: `there is no CronJob ${name}, which spec.migrations.contract.backup names: make it, or name another one`,
      });
    }
    await this.#startJob(job);
  }

  /** Not watched: the next pass reads it. One of this name is the one that was asked for. */
  async #createBackup(backup: kinds.KubeObject): Promise<void> {
    try {
      await create(this.#tools.transport, kinds.backups, backup, { fieldManager: FIELD_MANAGER });
    } catch (error) {
      if (isAlreadyExists(error)) return;
      if (!isNotFound(error)) throw error;
      const message =
        'the API server has no Backup of postgresql.cnpg.io/v1, which spec.migrations.contract.backup.cnpgCluster needs: install CloudNativePG, or name a cronJob instead';
      throw new Blocked({ reason: 'BackupFailed', message });
    }
  }

  async #startJob(job: kinds.KubeObject): Promise<void> {
    const { stores, claims } = this.#tools;
    const { name = '' } = job.metadata;
    const holder = keyOfApp(this.#app);
    await claims.whileHolding(job.metadata.labels?.[LABELS.database] ?? '', holder, async () => {
      await this.#create(kinds.jobs, stores.jobs, job);
      return () => stores.jobs.get(this.#namespace, name) !== undefined;
    });
  }

  /** The object alone: what is in the object store stays there. */
  async #removeBackup({ job, uid }: Extract<Action, { do: 'deleteJob' }>): Promise<void> {
    await remove(this.#tools.transport, kinds.backups, { namespace: this.#namespace, name: job }, { uid });
  }

  async #remove(resource: kinds.Resource, store: Holding, name: string, uid?: string): Promise<void> {
    const { transport, ownWrites } = this.#tools;
    const target = { namespace: this.#namespace, name };
    await remove(transport, resource, target, uid === undefined ? {} : { uid });
    const key = keyOfApp(this.#app);
    ownWrites.expect(key, `removal of ${resource.kind} ${name}`, () => {
      const left = store.get(this.#namespace, name);
      return !left || left.metadata.deleting || (uid !== undefined && left.metadata.uid !== uid);
    });
  }

  async #hurry({ pod: name, uid, graceSeconds }: { pod: string; uid: string; graceSeconds: number }): Promise<void> {
    const { transport, stores, ownWrites } = this.#tools;
    const target = { namespace: this.#namespace, name };
    await remove(transport, kinds.pods, target, { uid, gracePeriodSeconds: graceSeconds });
    const key = keyOfApp(this.#app);
    ownWrites.expect(key, `a shorter end of pod ${name}`, () => {
      const left = stores.pods.get(this.#namespace, name);
      return left?.metadata.uid !== uid || (left.view.graceSeconds ?? 0) <= graceSeconds;
    });
  }

  async #adopt({ kind, name, uid }: Orphan): Promise<void> {
    const { stores } = this.#tools;
    const { store, resource } = { ...stores.children, ...stores.others }[kind] ?? {};
    if (!store || !resource) throw new TypeError(`no store for ${kind}`);
    // another object of that name by now: 409
    await this.#patch(resource, store, name, { metadata: { uid, ownerReferences: [ownerReference(this.#app)] } });
  }

  /**
   * Asks the API server, and all that looks at what it is given, whether they would take the release's pods: what is
   * refused is refused before the schema moves. Nothing is written.
   */
  async #tryOut(release: Release): Promise<void> {
    const workloads = [candidateDeployment(this.#app, release, 1), workerDeployment(this.#app, release)];
    // both at once: a webhook that hangs is waited for once
    await Promise.all(workloads.map(workload => workload && this.#tryOne(workload)));
  }

  /** @throws Blocked where nobody answers: of what was only tried nothing has happened */
  async #tryOne(workload: kinds.KubeObject): Promise<void> {
    const live = this.#tools.stores.deployments.get(this.#namespace, workload.metadata.name);
    try {
      await this.#apply(kinds.deployments, workload, live, { dryRun: true });
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'Timeout') throw error;
      const message = `${scrub(error.message)}: the API server, or an admission webhook that it asks about Deployments, did not answer; it is tried again until one does`;
      throw new Blocked({ reason: 'ApiError', message, recheckMs: WEBHOOK_RECHECK_MS });
    }
  }

  async #copyConfigMaps({ configMaps = [] }: Release, isNew: boolean): Promise<void> {
    const { stores } = this.#tools;
    for (const copy of configMaps) {
      if (stores.configMaps.get(this.#namespace, copy.name)) continue;
      const content = await this.#contentOf(copy, isNew);
      await this.#create(kinds.configMaps, stores.configMaps, configurationCopy(this.#app, copy, content));
    }
  }

  /** @throws Blocked when the source holds something else by now; of a new release the next pass sees that by itself */
  async #contentOf({ source, name, content }: ConfigurationCopy, isNew: boolean): Promise<ConfigMapContent> {
    const target = { namespace: this.#namespace, name: source };
    const found = await get(this.#tools.transport, kinds.configMaps, target);
    const keys = configMapsOf(this.#app).find(reference => reference.name === source)?.keys ?? [];
    if (found && contentHash({ keys }, digestOf(found.data ?? {}, false)) === content) return found;
    if (isNew) throw new Error(`ConfigMap ${source} has just changed`);
    throw new Blocked({
      reason: 'ConfigurationRestored',
      message: `ConfigMap ${name} is missing, and ${source}, of which it was a copy, holds something else by now: pods that start would lack it; put the earlier content back, or apply a new spec`,
    });
  }

  async #rehearsalPod({ release, worker }: Extract<Action, { do: 'createRehearsal' }>): Promise<void> {
    const pod = worker ? workerRehearsalPod(this.#app, release) : rehearsalPod(this.#app, release);
    if (pod) await this.#create(kinds.pods, this.#tools.stores.pods, pod);
  }

  /** From the ReplicaSets that the release left: they hold its pod templates as the API server completed them. */
  async #recover({ hash, revision: number, set }: Extract<Action, { do: 'recoverRevision' }>): Promise<void> {
    const { transport, stores } = this.#tools;
    const { name } = this.#app.metadata;
    if (await this.#isLabelledAgain(names.revision(name, hash))) return;
    const { items } = await transport.request<{ items: ReplicaSet[] }>({
      method: 'GET',
      path: kinds.pathOf(kinds.replicaSets, { namespace: this.#namespace }),
      query: { labelSelector: `${LABELS.instance}=${name},${LABELS.release}=${hash}` },
    });
    const ours = items.filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ uid }) =>
        [names.deployment(name), names.worker(name)].some(
          owner => stores.deployments.get(this.#namespace, owner)?.metadata.uid === uid,
        ),
      ),
    );
    const { wanted } = this.#seen;
    const asked = wanted.known && wanted.value.release.hash === hash ? wanted.value.release : undefined;
    // what the ReplicaSet does not tell, the spec does, where it asks for this very release
    const run = releaseRunBy(hash, ours);
    const release = run ? { ...asked, ...run } : asked;
    if (!release) {
      throw new Blocked({
        reason: 'ReleaseForgotten',
        message: `ControllerRevision ${names.revision(name, hash)} was removed, and no ReplicaSet of release ${hash} is left to make it again: delete Deployment ${names.deployment(name)}, and the spec is installed anew`,
      });
    }
    const object = revision(this.#app, release, number);
    await this.#create(kinds.controllerRevisions, stores.revisions, withAnnotations(object, set));
  }

  /** Somebody took our labels off it: it is there, but no watch shows it. */
  async #isLabelledAgain(name: string): Promise<boolean> {
    const live = await this.#lookUp(kinds.controllerRevisions, name);
    if (!live || !this.#owns(live)) return false;
    const labels = childLabels(this.#app);
    await this.#patch(kinds.controllerRevisions, this.#tools.stores.revisions, name, { metadata: { labels } });
    return true;
  }

  async #annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const { revisions } = this.#tools.stores;
    const resourceVersion = revisions.get(this.#namespace, name)?.metadata.resourceVersion;
    try {
      await this.#patch(kinds.controllerRevisions, revisions, name, { metadata: { resourceVersion, annotations } });
    } catch (error) {
      if (!isNotFound(error)) throw error; // removed by hand: the next pass writes it down anew
    }
  }

  /** What is missing of the two; both have the seed that either had. */
  async #mintSeed(): Promise<void> {
    const { transport, stores, randomBytes } = this.#tools;
    const { name, uid } = this.#app.metadata;
    const both = [names.releaseSeed(name), names.releaseSeedCopy(name)];
    const isShown = both.some(secret => stores.secrets.get(this.#namespace, secret) !== undefined);
    if (!isShown && (await this.#isFirstSeed())) return;
    const kept = await Promise.all(
      both.map(secret => get(transport, kinds.secrets, { namespace: this.#namespace, name: secret })),
    );
    const known = kept.find(
      secret => secret?.data?.[SEED] && secret.metadata.ownerReferences?.some(owner => owner.uid === uid),
    )?.data?.[SEED];
    const seed = known === undefined ? randomBytes(32) : Buffer.from(known, 'base64');
    for (const [index, secret] of releaseSeeds(this.#app, seed).entries())
      if (!kept[index]) await this.#create(kinds.secrets, stores.secrets, secret);
  }

  /** False where there is one that no watch shows yet. The copy comes second: where it is, there has been a first. */
  async #isFirstSeed(): Promise<boolean> {
    const { stores, digests, randomBytes } = this.#tools;
    const [seed, copy] = releaseSeeds(this.#app, randomBytes(32));
    if (!seed || !copy) return false;
    const made = await this.#create(kinds.secrets, stores.secrets, seed);
    if (!made) return false;
    digests.learn('Secret', made);
    await this.#create(kinds.secrets, stores.secrets, copy);
    return true;
  }

  /**
   * A keyring that was deleted comes back with the key that its callers were given, if they still hold that very one:
   * none of them is cut off. What else stands in their Secret is no source of keys.
   */
  async #mint(keyring: string): Promise<void> {
    const name = keyringOf(this.#app, keyring)?.name ?? 'api';
    const held = await this.#callersKey(keyring);
    const known = this.#app.status?.keys?.find(key => key.name === name);
    const heldId = held === undefined ? undefined : keyIdOf(held);
    const isWritten = held !== undefined && heldId !== undefined && known?.currentKeyId === heldId;
    const key =
      isWritten && known.currentKeyDigest === digestOfKey(held)
        ? held
        : newKey(idAfter([known?.currentKeyId, known?.nextKeyId, heldId]), this.#tools.randomBytes(32));
    const kid = keyIdOf(key) ?? '1';
    const record = firstRecord(this.#seen, name, kid, known !== undefined || held !== undefined);
    const secret = keyringSecret(this.#app, keyring, { current: kid, keys: { [kid]: key } }, record);
    const { secrets } = this.#tools.stores;
    const isOurs = (await this.#create(kinds.secrets, secrets, secret)) !== undefined;
    const client = keyringOf(this.#app, keyring)?.client;
    // at once, with the key in hand: a crash in between leaves it to `publishKey`, which has to read it
    if (!isOurs || !client || secrets.get(this.#namespace, client.secret)) return;
    await this.#create(kinds.secrets, secrets, clientSecret(this.#app, client.secret, { [client.key]: key }));
  }

  async #callersKey(keyring: string): Promise<string | undefined> {
    const { transport, stores } = this.#tools;
    const client = keyringOf(this.#app, keyring)?.client;
    if (!client || !stores.secrets.get(this.#namespace, client.secret)) return undefined;
    const held = await get(transport, kinds.secrets, { namespace: this.#namespace, name: client.secret });
    return Buffer.from(held?.data?.[client.key] ?? '', 'base64').toString() || undefined;
  }

  /** The callers' copy of the current key. */
  async #publish({ keyring, client }: { keyring: string; client: string }): Promise<void> {
    const { transport, stores } = this.#tools;
    const source = await get(transport, kinds.secrets, { namespace: this.#namespace, name: keyring });
    const { current, keys } = parseKeyring(source?.data) ?? {};
    const key = current === undefined ? undefined : keys?.[current];
    const place = keyringOf(this.#app, keyring)?.client;
    if (key === undefined || !place) {
      throw new Blocked({
        reason: 'KeyringUnreadable',
        message: `Secret ${keyring} holds no keyring; delete it and a new one is made`,
      });
    }
    await this.#create(kinds.secrets, stores.secrets, clientSecret(this.#app, client, { [place.key]: key }));
  }

  /** As long as the spec's cannot be read, the label stays as it is. */
  #databaseOfServing(): { database?: string } {
    const { metadata } = this.#tools.stores.deployments.get(this.#namespace, this.#servingName) ?? {};
    const database = this.#database || metadata?.labels[LABELS.database];
    return database === undefined ? {} : { database };
  }

  get #database(): string {
    const { wanted } = this.#seen;
    return wanted.known ? wanted.value.databaseIdentity : '';
  }
}

function withAnnotations(
  object: kinds.KubeObject,
  set: Readonly<Record<string, string | null>> | undefined,
): kinds.KubeObject {
  if (!set) return object;
  const annotations = Object.fromEntries(
    Object.entries(set).flatMap(([name, text]) => (text === null ? [] : [[name, text] as const])),
  );
  return { ...object, metadata: { ...object.metadata, annotations } };
}

type ReplicaSet = kinds.KubeObject & {
  spec: { template: PodTemplate & { spec: { containers: { image: string }[] } } };
};

function releaseRunBy(hash: string, replicaSets: readonly ReplicaSet[]): Release | undefined {
  const templateOf = (component: string): ReplicaSet['spec']['template'] | undefined =>
    replicaSets.find(({ metadata }) => metadata.labels?.[LABELS.component] === component)?.spec.template;
  const serving = templateOf(COMPONENTS.server);
  const worker = templateOf(COMPONENTS.worker);
  const image = serving?.spec.containers[0]?.image;
  if (!serving || image === undefined) return undefined;
  return { hash, image, template: withoutHash(serving), ...(worker && { worker: withoutHash(worker) }) };
}

/** The Deployment controller's own label goes: it is not ours to set. */
function withoutHash({ metadata: { labels, annotations }, spec }: PodTemplate): PodTemplate {
  const { 'pod-template-hash': _theirs, ...ours } = labels;
  return { metadata: { labels: ours, ...(annotations && { annotations }) }, spec };
}

function notOwned({ kind, metadata }: kinds.KubeObject, live: KeptChild): Blocked {
  const owner = live.metadata.ownerReferences.find(({ controller }) => controller);
  const isOrphan = !owner && live.metadata.labels[LABELS.managedBy] === MANAGED_BY;
  if (isOrphan) {
    return new Blocked({
      reason: 'NotOwned',
      message: `${kind} ${metadata.name} was left behind by an earlier resource of this name: annotate this one with ${ANNOTATIONS.adopt}=true to take it over, or delete it`,
    });
  }
  const whose = owner ? `${owner.kind} ${owner.name}` : 'nobody that manages it';
  return new Blocked({
    reason: 'NotOwned',
    message: `${kind} ${metadata.name} exists and belongs to ${whose}: delete or rename it, or give this resource another name`,
  });
}
