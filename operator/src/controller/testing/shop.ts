// A namespace with one resource in it, and what tests do to it and ask of it.
import type { AppKind } from '../../api/resource.ts';
import type { AppStatus } from '../../api/status.ts';
import { apply, get } from '../../kube/apply.ts';
import { configMaps, deployments, type KubeObject, pathOf } from '../../kube/resource.ts';
import { INCIDENT, LABELS } from '../../objects/names.ts';
import { APP_RESOURCES } from '../world.ts';
import type { LittleCluster } from './little-cluster.ts';

export const DATABASE_URL = 'postgresql://shop:secret@db.example:5432/shop';

export type LiveApp = KubeObject & { spec: Record<string, unknown>; status?: AppStatus };
type Fields = Record<string, unknown>;

/** As fast as the cluster is: no pod is watched for longer than it takes to see it ready. */
export const QUICK = { minReadySeconds: 0, bakeSeconds: 0, analysis: { minimumSeconds: 0, minimumRequests: 0 } };

export const image = (version: string): string => `example/dashboard:${version}`;

const SETTINGS = 'settings';
const QUEUE = 'queue';

/** Where the queue is that `addQueue` adds. */
export const WITH_QUEUE = { redis: { urlSecretRef: { name: QUEUE, key: 'DATABASE_URL' } } };

/** What a spec of this kind needs, so that each part of it has something to do. */
export const NEEDED: Readonly<Record<AppKind, Fields>> = { DashboardDeployment: {}, DevShelfDeployment: WITH_QUEUE };

const HPAS = 'autoscaling/v2/horizontalpodautoscalers';

export class Shop {
  readonly cluster: LittleCluster;
  readonly namespace: string;
  readonly name: string;
  readonly kind: AppKind;

  constructor(cluster: LittleCluster, namespace: string, name = 'shop', kind: AppKind = 'DashboardDeployment') {
    this.cluster = cluster;
    this.namespace = namespace;
    this.name = name;
    this.kind = kind;
  }

  /** The namespace, and the Secret that the spec names. */
  async open({ database = true }: { database?: boolean } = {}): Promise<void> {
    await this.cluster.api.request('POST', '/api/v1/namespaces', { metadata: { name: this.namespace } });
    if (database) await this.addDatabase();
  }

  async addDatabase(url = DATABASE_URL, name = 'db'): Promise<void> {
    await this.addSecret(name, { DATABASE_URL: url });
  }

  addQueue(): Promise<void> {
    return this.addDatabase('redis://redis.example:6379', QUEUE);
  }

  async addSecret(name: string, stringData: Record<string, string>): Promise<void> {
    const secret = { metadata: { name }, stringData };
    await this.cluster.api.request('POST', `/api/v1/namespaces/${this.namespace}/secrets`, secret);
  }

  /** The ConfigMap `settings`, which a spec may name. */
  async configure(data: Readonly<Record<string, string>>): Promise<void> {
    const { transport } = this.cluster;
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: SETTINGS, namespace: this.namespace }, data };
    await apply(transport, configMaps, body, { fieldManager: 'a-person' });
  }

  async configuration(): Promise<Readonly<Record<string, string>>> {
    const found = await get(this.cluster.transport, configMaps, { namespace: this.namespace, name: SETTINGS });
    return found?.data ?? {};
  }

  async create(version: string, spec: Fields = {}): Promise<void> {
    const { apiVersion, kind } = APP_RESOURCES[this.kind];
    await this.cluster.transport.request({
      method: 'POST',
      path: pathOf(APP_RESOURCES[this.kind], { namespace: this.namespace }),
      // by whoever patches it: which of two managers wrote last within one second, nobody can tell
      query: { fieldManager: 'a-person' },
      body: {
        apiVersion,
        kind,
        metadata: { name: this.name },
        spec: { image: image(version), database: { urlSecretRef: { name: 'db' } }, rollout: QUICK, ...spec },
      },
    });
  }

  async patch(spec: Fields, fieldManager = 'a-person'): Promise<void> {
    await this.cluster.transport.request({
      method: 'PATCH',
      path: this.#path,
      query: { fieldManager },
      contentType: 'application/merge-patch+json',
      body: { spec },
    });
  }

  async annotate(annotations: Record<string, string>): Promise<void> {
    await this.cluster.transport.request({
      method: 'PATCH',
      path: this.#path,
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations } },
    });
  }

  async release(version: string, fieldManager?: string): Promise<void> {
    await this.patch({ image: image(version) }, fieldManager);
  }

  async delete(propagationPolicy: 'Background' | 'Foreground' = 'Background'): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy };
    await this.cluster.transport.request({ method: 'DELETE', path: this.#path, body });
  }

  async app(): Promise<LiveApp | undefined> {
    return (await get(this.cluster.transport, APP_RESOURCES[this.kind], this.#target)) as LiveApp | undefined;
  }

  async deployment() {
    return get(this.cluster.transport, deployments, this.#target);
  }

  /** ControllerRevisions of releases. */
  async revisions(): Promise<KubeObject[]> {
    const all = await this.list('apps/v1/controllerrevisions');
    return all.filter(({ metadata }) => metadata.labels?.[LABELS.record] === undefined);
  }

  /** Records of incidents. */
  async incidents(): Promise<KubeObject[]> {
    const all = await this.list('apps/v1/controllerrevisions');
    return all.filter(({ metadata }) => metadata.labels?.[LABELS.record] === INCIDENT);
  }

  /** What is in the namespace, of any kind. */
  async list(path: string): Promise<KubeObject[]> {
    const listed = await this.cluster.transport.request<{ items: KubeObject[] | null }>({
      method: 'GET',
      path: this.placeOf(path),
    });
    return listed.items ?? [];
  }

  /** Where the API server has a kind's objects of this namespace: of `apps/v1/deployments`, or `pods`. */
  placeOf(path: string): string {
    const [group, plural] = path.includes('/')
      ? [`/apis/${path.replace(/\/[^/]+$/, '')}`, path.split('/').at(-1)]
      : ['/api/v1', path];
    return `${group}/namespaces/${this.namespace}/${plural}`;
  }

  /** Until the newest spec was looked at and the word of this condition is this one. */
  async says(reason: string, type = 'Ready', timeoutMs = 20_000): Promise<LiveApp> {
    return until(
      async () => {
        const app = await this.app();
        const condition = app?.status?.conditions?.find(known => known.type === type);
        const current = condition?.observedGeneration === app?.metadata.generation;
        return app && current && condition?.reason === reason ? app : undefined;
      },
      async () => `${this.namespace}: ${type} is not ${reason}: ${JSON.stringify((await this.app())?.status, null, 1)}`,
      timeoutMs,
    );
  }

  /** Until this version serves, and the record says so, too. */
  async settles(version: string, reason = 'AsExpected', timeoutMs = 20_000): Promise<LiveApp> {
    return until(
      async () => {
        const app = await this.says(reason, 'Ready', timeoutMs);
        return app.status?.currentImage === image(version) ? app : undefined;
      },
      async () =>
        `${this.namespace}: ${version} does not serve: ${JSON.stringify((await this.app())?.status, null, 1)}`,
      timeoutMs,
    );
  }

  /** Until this is what its status says is under way. */
  async reaches(phase: string, timeoutMs = 20_000): Promise<void> {
    const status = async () => (await this.app())?.status;
    await until(
      async () => (await status())?.phase === phase,
      async () => `not ${phase}: ${JSON.stringify(await status(), null, 1)}`,
      timeoutMs,
    );
  }

  /** Until the serving Deployment wants so many pods, and has them. */
  async has(pods: number, timeoutMs = 20_000): Promise<void> {
    await until(
      async () => {
        const { spec, status } = (await this.deployment()) ?? {};
        return spec?.replicas === pods && status?.readyReplicas === pods;
      },
      async () => `not ${pods} pods: ${JSON.stringify((await this.list(HPAS))[0], null, 1)}`,
      timeoutMs,
    );
  }

  /** Until the controllers have nothing more to do either: what they still change is news for the operator. */
  async controllersRest(): Promise<void> {
    await until(async () => {
      const [{ metadata, spec, status } = {}, pods] = await Promise.all([this.deployment(), this.list('pods')]);
      const { replicas, readyReplicas, updatedReplicas, observedGeneration } = status ?? {};
      const complete = [replicas, readyReplicas, updatedReplicas].every((count = 0) => count === spec?.replicas);
      const leaving = pods.some(pod => pod.metadata.deletionTimestamp !== undefined);
      return complete && observedGeneration === metadata?.generation && !leaving;
    }, `${this.namespace}: the controllers do not come to rest`);
  }

  get #target(): { namespace: string; name: string } {
    return { namespace: this.namespace, name: this.name };
  }

  get #path(): string {
    return pathOf(APP_RESOURCES[this.kind], this.#target);
  }
}

const POLL_MS = 50;

/** @throws Error with what `describe` says when it does not come true in time */
export async function until<T>(
  probe: () => Promise<T | undefined | false>,
  describe: string | (() => Promise<string>),
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(typeof describe === 'string' ? describe : await describe());
    await pause(POLL_MS);
  }
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
