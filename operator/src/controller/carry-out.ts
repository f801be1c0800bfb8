// The one place with effects on the cluster: children that differ, one action, the status if it changed.
import type { Condition } from '../api/conditions.ts';
import type { AppResource } from '../api/resource.ts';
import { type PodTemplate, type Release, releaseInForce } from '../api/rollout.ts';
import type { AppStatus } from '../api/status.ts';
import { apply, applyStatus, create, differs, get, hashOf, patchStatus, remove } from '../kube/apply.ts';
import { ApiError, isAlreadyExists, isInvalid, isNotFound } from '../kube/errors.ts';
import * as kinds from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import type { Action } from '../lifecycle/decision.ts';
import { firstRecord } from '../lifecycle/key-requests.ts';
import type { Plan } from '../lifecycle/plan.ts';
import { iso, type Snapshot } from '../lifecycle/snapshot.ts';
import { desiredChildren, unwantedChildren } from '../objects/children.ts';
import { deploymentReplicas } from '../objects/deployment.ts';
import { clientSecret, keyIdOf, keyringOf, keyringSecret, newKey, parseKeyring } from '../objects/keyring.ts';
import { migrationJob } from '../objects/migration-job.ts';
import { ANNOTATIONS, COMPONENTS, FIELD_MANAGER, LABELS, names } from '../objects/names.ts';
import { rehearsalPod } from '../objects/rehearsal-pod.ts';
import { revision } from '../objects/revision.ts';
import type { Claims } from './claims.ts';
import type { Keys } from './keys.ts';
import type { OwnWrites } from './own-writes.ts';
import { type Kept, type KeptChild, type KeptDeployment, REPLICAS_WRITER, WRITER } from './views.ts';
import { APP_RESOURCES, keyOfApp, type Stores } from './world.ts';

/** Something in the cluster is in the way: said as conditions, tried again later. */
export interface Obstacle {
  readonly reason: 'NotOwned' | 'ApiError' | 'KeyringUnreadable' | 'ReleaseForgotten';
  readonly message: string;
}

export interface Tools {
  readonly transport: Transport;
  readonly stores: Stores;
  readonly ownWrites: OwnWrites;
  readonly claims: Claims;
  readonly keys: Pick<Keys, 'rotate' | 'handOver' | 'sync'>;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly now: () => number;
  /** Asks a rehearsal pod what users would ask. Never throws for what the pod answers. */
  readonly rehearse: (app: AppResource, pod: string) => Promise<{ passed: boolean; message: string }>;
}

/** A store of any kind, as far as it is asked here. */
type Seen = Pick<Store<Kept>, 'hasSeen'>;
type Holding = Pick<Store<Kept>, 'get'>;

class Blocked extends Error {
  readonly obstacle: Obstacle;
  constructor(obstacle: Obstacle) {
    super(obstacle.message);
    this.obstacle = obstacle;
  }
}

/**
 * Children first, in their order, then the action; a plan whose children cannot be applied does not act.
 * @throws ApiError for what a later try may do better: no answer, 409, 429, 5xx
 */
export async function carryOut(seen: Snapshot, plan: Plan, tools: Tools): Promise<Obstacle | undefined> {
  const hands = new Hands(seen, tools);
  try {
    await hands.children(plan.action?.do === 'setRecord' ? plan.action.record : seen.deployment?.record);
    if (plan.action) await hands.act(plan.action);
    return undefined;
  } catch (error) {
    if (error instanceof Blocked) return error.obstacle;
    if (error instanceof ApiError && isRefusal(error)) return { reason: 'ApiError', message: error.message };
    throw error;
  }
}

/** The request itself is not wanted: quota, admission, a right that is missing, a field that does not fit. */
const isRefusal = ({ status }: ApiError): boolean => status >= 400 && status < 500 && status !== 409 && status !== 429;

/** The conditions of a pass that met an obstacle. */
export function withObstacle(conditions: readonly Condition[], { reason, message }: Obstacle): Condition[] {
  const others = conditions.filter(({ type }) => !['Ready', 'Reconciling', 'Stalled'].includes(type));
  return [
    { type: 'Ready', status: 'False', reason, message },
    { type: 'Stalled', status: 'True', reason, message },
    ...others,
  ];
}

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

/** Writes the status unless it is what it was. Returns whether it wrote. */
export async function writeStatus(
  app: AppResource,
  status: AppStatus,
  { transport, stores, ownWrites }: Tools,
): Promise<boolean> {
  if (hashOf(status) === hashOf(app.status)) return false;
  const { name, namespace } = app.metadata;
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

class Hands {
  readonly #seen: Snapshot;
  readonly #app: AppResource;
  readonly #tools: Tools;
  readonly #namespace: string;

  constructor(seen: Snapshot, tools: Tools) {
    this.#seen = seen;
    this.#app = seen.app;
    this.#tools = tools;
    this.#namespace = seen.app.metadata.namespace;
  }

  async children(record: Parameters<typeof desiredChildren>[1]): Promise<void> {
    const { serviceMonitorAvailable, revisions } = this.#seen;
    if (this.#app.metadata.deletionTimestamp !== undefined) return;
    const release = (hash: string): Release | undefined =>
      revisions.find(known => known.release.hash === hash)?.release;
    const desired = desiredChildren(this.#app, record, release, { serviceMonitorAvailable });
    for (const child of desired) await this.#child(child);
    const inForceIsKnown = record !== undefined && release(releaseInForce(record)) !== undefined;
    for (const { kind, name } of unwantedChildren(this.#app, desired, { serviceMonitorAvailable }, inForceIsKnown)) {
      await this.#prune(kind, name);
    }
  }

  async act(action: Action): Promise<void> {
    const { stores } = this.#tools;
    switch (action.do) {
      case 'setRecord':
        return; // written with the children: record and template are one object
      case 'mintKeyring':
        return this.#mint(action.keyring);
      case 'publishKey':
        return this.#publish(action);
      case 'rotateKey':
        return this.#tools.keys.rotate(this.#app, action);
      case 'handOverKey':
        return this.#tools.keys.handOver(this.#app, action);
      case 'syncPods':
        return this.#tools.keys.sync(this.#app, action);
      case 'createRevision':
        return this.#create(
          kinds.controllerRevisions,
          stores.revisions,
          revision(this.#app, action.release, action.revision),
        );
      case 'recoverRevision':
        return this.#recover(action);
      case 'annotateRevision':
        return this.#annotate(action.revision, action.set);
      case 'deleteRevision':
        return this.#remove(kinds.controllerRevisions, stores.revisions, action.revision);
      case 'createMigrationJob':
        return this.#migrate(action.release, action.migrationId);
      case 'deleteJob':
        return this.#remove(kinds.jobs, stores.jobs, action.job, action.uid);
      case 'createRehearsal':
        return this.#create(kinds.pods, stores.pods, rehearsalPod(this.#app, action.release));
      case 'deletePod':
        return this.#remove(kinds.pods, stores.pods, action.pod, action.uid);
      case 'hurryPod':
        return this.#hurry(action);
      case 'rehearse':
        return this.#rehearse(action);
    }
  }

  async #child(child: kinds.KubeObject): Promise<void> {
    const { stores, ownWrites } = this.#tools;
    const kept = stores.children[child.kind];
    if (!kept) throw new TypeError(`no store for ${child.kind}`);
    const { store, resource } = kept;
    const live = store.get(this.#namespace, child.metadata.name) ?? (await this.#lookUp(resource, child.metadata.name));
    if (live && !this.#owns(live)) throw this.#obstacleOf(child, live);
    if (live?.metadata.deleting) return; // its successor is made when it is gone
    if (!live || differs(child, live.applied, WRITER)) {
      expectSeen(ownWrites, this.#app, store, await this.#apply(resource, child, live));
    }
    if (child.metadata.name === names.deployment(this.#app.metadata.name) && child.kind === 'Deployment') {
      await this.#replicas(live as KeptDeployment | undefined);
    }
  }

  /**
   * What somebody puts beside our fields stays, unless the two cannot be together (a second port of the same name):
   * then the lists are written as a whole, once, so that only ours is left in them.
   */
  async #apply(resource: kinds.Resource, child: kinds.KubeObject, live: KeptChild | undefined) {
    const { transport } = this.#tools;
    try {
      return await apply(transport, resource, child, WRITER);
    } catch (error) {
      if (!live || !isInvalid(error)) throw error;
      await transport.request({
        method: 'PATCH',
        path: kinds.pathTo(resource, child),
        query: { fieldManager: FIELD_MANAGER },
        contentType: 'application/merge-patch+json',
        body: { spec: (child as { spec?: unknown }).spec },
      });
      return apply(transport, resource, child, WRITER);
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

  /** `spec.replicas` has an owner of its own, which stops while an autoscaler chooses. */
  async #replicas(live: KeptDeployment | undefined): Promise<void> {
    const share = deploymentReplicas(this.#app);
    if (!share) return;
    const same = live?.replicas === share.spec.replicas && !differs(share, live.appliedReplicas, REPLICAS_WRITER);
    if (same) return;
    const { transport, stores, ownWrites } = this.#tools;
    const written = await apply(transport, kinds.deployments, share, REPLICAS_WRITER);
    expectSeen(ownWrites, this.#app, stores.deployments, written);
  }

  async #prune(kind: string, name: string): Promise<void> {
    const kept = this.#tools.stores.children[kind];
    const live = kept?.store.get(this.#namespace, name);
    if (!kept || !live || !this.#owns(live) || live.metadata.deleting) return;
    await this.#remove(kept.resource, kept.store, name, live.metadata.uid);
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

  /** Made once: a second one of the same name is refused by the API server, and what is there is as good. */
  async #create(resource: kinds.Resource, store: Seen, object: kinds.KubeObject): Promise<void> {
    const { transport, ownWrites } = this.#tools;
    try {
      const made = await create(transport, resource, object, { fieldManager: FIELD_MANAGER });
      expectSeen(ownWrites, this.#app, store, made);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const live = await this.#lookUp(resource, object.metadata.name);
      if (live && !this.#owns(live)) throw this.#obstacleOf(object, live);
    }
  }

  /** Where another resource has just begun to migrate the same database, the next pass sees its Job and queues. */
  async #migrate(release: Release, migrationId: string): Promise<void> {
    const { stores, claims } = this.#tools;
    const job = this.#job(release, migrationId);
    const { name = '' } = job.metadata;
    const holder = keyOfApp(this.#app);
    await claims.whileHolding(job.metadata.labels?.[LABELS.database] ?? '', holder, async () => {
      await this.#create(kinds.jobs, stores.jobs, job);
      return () => stores.jobs.get(this.#namespace, name) !== undefined;
    });
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

  /** From the ReplicaSets that the release left: they hold its pod templates as the API server completed them. */
  async #recover({ hash, revision: number, set }: Extract<Action, { do: 'recoverRevision' }>): Promise<void> {
    const { transport, stores } = this.#tools;
    const { name } = this.#app.metadata;
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
    const release = releaseRunBy(hash, ours);
    if (!release) {
      throw new Blocked({
        reason: 'ReleaseForgotten',
        message: `ControllerRevision ${names.revision(name, hash)} was removed, and no ReplicaSet of release ${hash} is left to make it again: delete Deployment ${names.deployment(name)}, and the spec is installed anew`,
      });
    }
    const object = revision(this.#app, release, number);
    const annotations = Object.fromEntries(Object.entries(set).filter(([, text]) => text !== null));
    const metadata = { ...object.metadata, annotations } as kinds.KubeObject['metadata'];
    await this.#create(kinds.controllerRevisions, stores.revisions, { ...object, metadata });
  }

  async #annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const { transport, stores, ownWrites } = this.#tools;
    try {
      const written = await transport.request<kinds.KubeObject>({
        method: 'PATCH',
        path: kinds.pathOf(kinds.controllerRevisions, { namespace: this.#namespace, name }),
        query: { fieldManager: FIELD_MANAGER },
        contentType: 'application/merge-patch+json',
        body: { metadata: { annotations } },
      });
      expectSeen(ownWrites, this.#app, stores.revisions, written);
    } catch (error) {
      if (!isNotFound(error)) throw error; // removed by hand: the next pass writes it down anew
    }
  }

  /** A keyring that was deleted comes back with the key that its callers still hold: none of them is cut off. */
  async #mint(keyring: string): Promise<void> {
    const held = await this.#callersKey(keyring);
    const key = held ?? newKey('1', this.#tools.randomBytes(32));
    const kid = keyIdOf(key) ?? '1';
    const name = keyringOf(this.#app, keyring)?.name ?? 'api';
    const record = firstRecord(this.#seen, name, kid, held !== undefined);
    const secret = keyringSecret(this.#app, keyring, { current: kid, keys: { [kid]: key } }, record);
    await this.#create(kinds.secrets, this.#tools.stores.secrets, secret);
  }

  async #callersKey(keyring: string): Promise<string | undefined> {
    const { transport, stores } = this.#tools;
    const client = keyringOf(this.#app, keyring)?.client;
    if (!client || !stores.secrets.get(this.#namespace, client.secret)) return undefined;
    const held = await get(transport, kinds.secrets, { namespace: this.#namespace, name: client.secret });
    const key = Buffer.from(held?.data?.[client.key] ?? '', 'base64').toString();
    return keyIdOf(key) === undefined ? undefined : key;
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

  #job(release: Release, migrationId: string): kinds.KubeObject {
    const { wanted } = this.#seen;
    const databaseIdentity = wanted.known ? wanted.value.databaseIdentity : '';
    return migrationJob(this.#app, release, { migrationId, databaseIdentity });
  }

  async #rehearse({ pod, revision: name, attempt }: { pod: string; revision: string; attempt: number }): Promise<void> {
    const { passed, message } = await this.#tools.rehearse(this.#app, pod);
    const result = { passed, attempts: attempt, message, at: iso(this.#tools.now()) };
    await this.#annotate(name, { [ANNOTATIONS.rehearsal]: JSON.stringify(result) });
  }
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
  const whose = owner ? `${owner.kind} ${owner.name}` : 'nobody that manages it';
  return new Blocked({
    reason: 'NotOwned',
    message: `${kind} ${metadata.name} exists and belongs to ${whose}: delete or rename it, or give this resource another name`,
  });
}
