// The part of a node that controllers can see: it takes pods, says that they run, and lets them go when they are
// deleted. No container is ever run; what an image does is told by the test.
import { ApiError } from '../../kube/errors.ts';
import { type Reflector, startReflector } from '../../kube/reflector.ts';
import { pathOf, pathTo, pods, type Resource } from '../../kube/resource.ts';
import { Store, type StoredObject } from '../../kube/store.ts';
import type { Transport } from '../../kube/transport.ts';
import { ANNOTATIONS, LABELS } from '../../objects/names.ts';

type Pod = NonNullable<(typeof pods)['object']>;
type Kept = StoredObject & { readonly raw: Pod };

/** What a Job's pod of an image does: ends with these words, or not at all. */
export type MigrationBehaviour =
  | { readonly exitCode: number; readonly message: string }
  | 'hangs'
  | 'cannotPull'
  | 'neverScheduled';

/** How a Job's pod is run. */
export interface Run {
  readonly args: readonly string[];
  /** What it may take away: `MIGRATE_CONTRACT`. */
  readonly contract: string | undefined;
}

export interface Behaviour {
  readonly serving?: 'ready' | 'neverReady' | 'crashes' | 'cannotPull';
  readonly migration?: MigrationBehaviour | ((run: Run) => MigrationBehaviour);
}

/** The verdict that `migrate up` of the services leaves behind. */
export const verdict = (result: string, applied: readonly string[] = [], message?: string): MigrationBehaviour => ({
  exitCode: result === 'up to date' ? 0 : 1,
  message: JSON.stringify({ result, applied, pending: [], ...(message !== undefined && { message }) }),
});

/** What answers at the address of a serving pod, where that matters. */
export interface PodHost {
  /** Asked once per pod. Returns its address. */
  start(pod: { uid: string; namespace: string; image: string; component?: string | undefined }): Promise<string>;
  stop(uid: string): Promise<void>;
  /** The pod's annotation about its mounted keys has this value: time to look whether they changed. */
  sync?(uid: string, keys: string): Promise<void>;
}

export interface Timing {
  /** From being bound to being ready, or to the end of a Job's pod. */
  readonly startMs: number;
  /** From being deleted to being gone. */
  readonly goMs: number;
}

/** No object of the kind Node says so: who wants one makes it. */
export const NODE = 'little-node';

export class LittleKubelet {
  readonly #transport: Transport;
  readonly #host: PodHost | undefined;
  readonly #addresses = new Map<string, Promise<string>>();
  readonly #timing: Timing;
  readonly #store = new Store<Kept>();
  readonly #reflector: Reflector<Pod, Kept>;
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #nextIp = 1;

  constructor(transport: Transport, timing: Partial<Timing> = {}, host?: PodHost) {
    this.#transport = transport;
    this.#host = host;
    this.#timing = { startMs: 50, goMs: 50, ...timing };
    this.#store.onChange((_before, after) => after && this.#attend(after.raw));
    this.#reflector = startReflector({
      transport,
      resource: pods as Resource<Pod>,
      store: this.#store,
      project: raw => ({ metadata: { uid: '', resourceVersion: '', ...raw.metadata }, raw }),
    });
  }

  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  /** Uids of the pods that a Service with the operator's labels sends requests to. */
  endpoints(namespace: string): string[] {
    return this.#store
      .list()
      .filter(({ raw: { metadata, status } }) => {
        const ready = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
        const serves = metadata.labels?.['devshelf.dev/role'] === 'serving';
        return metadata.namespace === namespace && serves && ready && metadata.deletionTimestamp === undefined;
      })
      .map(({ metadata }) => metadata.uid);
  }

  /** From now on; pods of this image that are there already change with it. */
  behave(namespace: string, image: string, behaviour: Behaviour): void {
    this.#behaviours.set(`${namespace}/${image}`, behaviour);
    for (const { raw } of this.#store.list()) {
      if (raw.metadata.namespace === namespace && imageOf(raw) === image && raw.spec?.nodeName) this.#later(raw);
    }
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#reflector.stop();
  }

  #attend(pod: Pod): void {
    if (pod.metadata.deletionTimestamp !== undefined) {
      this.#after(pod, this.#timing.goMs, () => this.#remove(pod));
      return;
    }
    this.#sync(pod);
    if (this.#behaviourOf(pod).migration === 'neverScheduled' && isOfJob(pod)) return;
    if (!pod.spec?.nodeName) this.#after(pod, 0, () => this.#bind(pod));
    else if (!pod.status?.containerStatuses) this.#later(pod);
  }

  #sync({ metadata: { uid = '', annotations } }: Pod): void {
    const keys = annotations?.[ANNOTATIONS.keys];
    if (keys !== undefined) void this.#host?.sync?.(uid, keys);
  }

  #later(pod: Pod): void {
    this.#after(pod, this.#timing.startMs, () => this.#report(pod));
  }

  #after(pod: Pod, ms: number, act: () => Promise<unknown>): void {
    const uid = pod.metadata.uid ?? '';
    clearTimeout(this.#timers.get(uid));
    const run = (): void => {
      this.#timers.delete(uid);
      act().catch(error => {
        // gone meanwhile, or changed: its next event brings it back here
        if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return;
        if (this.#store.list().some(({ metadata }) => metadata.uid === uid)) this.#after(pod, 200, act);
      });
    };
    this.#timers.set(uid, setTimeout(run, ms));
  }

  #bind(pod: Pod): Promise<unknown> {
    const { name, namespace } = pod.metadata;
    return this.#transport.request({
      method: 'POST',
      path: pathTo(pods, pod, 'binding'),
      body: {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace },
        target: { apiVersion: 'v1', kind: 'Node', name: NODE },
      },
    });
  }

  async #report(pod: Pod): Promise<unknown> {
    const status = this.#statusOf(pod, await this.#addressOf(pod));
    return this.#transport.request({
      method: 'PATCH',
      path: pathTo(pods, pod, 'status'),
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: pod.metadata.uid }, status },
    });
  }

  async #remove(pod: Pod): Promise<unknown> {
    const { name, namespace = '', uid = '' } = pod.metadata;
    await this.#host?.stop(uid);
    if (isOfJob(pod) && pod.status?.phase === 'Running') await this.#stopped(pod);
    return this.#transport.request({
      method: 'DELETE',
      path: pathOf(pods, { namespace, name }),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } },
    });
  }

  /** What runs in it ends with SIGTERM, without a word. */
  #stopped(pod: Pod): Promise<unknown> {
    const terminated = { exitCode: 143, reason: 'Error', finishedAt: new Date().toISOString() };
    const containerStatuses = pod.status?.containerStatuses?.map(known => ({
      ...known,
      ready: false,
      state: { terminated },
    }));
    return this.#transport.request({
      method: 'PATCH',
      path: pathTo(pods, pod, 'status'),
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: pod.metadata.uid }, status: { phase: 'Failed', containerStatuses } },
    });
  }

  #behaviourOf(pod: Pod): Behaviour {
    return this.#behaviours.get(`${pod.metadata.namespace}/${imageOf(pod)}`) ?? {};
  }

  #addressOf(pod: Pod): Promise<string> {
    const { uid = '', namespace = '', labels } = pod.metadata;
    const started = { uid, namespace, image: imageOf(pod), component: labels?.[LABELS.component] };
    const known = this.#addresses.get(uid) ?? this.#newAddress(started, isOfJob(pod));
    this.#addresses.set(uid, known);
    return known;
  }

  async #newAddress(pod: Parameters<PodHost['start']>[0], ends: boolean): Promise<string> {
    if (this.#host && !ends) return this.#host.start(pod);
    const number = this.#nextIp++;
    return `10.0.${Math.floor(number / 250)}.${(number % 250) + 1}`;
  }

  #statusOf(pod: Pod, ip: string): object {
    const { serving = 'ready', migration = verdict('up to date') } = this.#behaviourOf(pod);
    const ending = typeof migration === 'function' && isOfJob(pod) ? migration(runOf(pod)) : migration;
    const container = isOfJob(pod) && typeof ending !== 'function' ? jobContainer(ending) : SERVING[serving];
    const { phase, ready = false, ...state } = container;
    const is = ready ? 'True' : 'False';
    const conditions = [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Initialized', status: 'True' },
      { type: 'ContainersReady', status: is },
      { type: 'Ready', status: is, lastTransitionTime: new Date().toISOString() },
    ];
    const status = { name: 'app', image: imageOf(pod), imageID: '', restartCount: 0, ready, started: ready, ...state };
    // without it an autoscaler counts none of its figures
    const startTime = pod.status?.startTime ?? new Date().toISOString();
    return { phase, startTime, podIP: ip, podIPs: [{ ip }], conditions, containerStatuses: [status] };
  }
}

interface ContainerState {
  readonly phase: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state: object;
  readonly lastState?: object;
}

const running = { running: { startedAt: new Date(0).toISOString() } };
const cannotPull: ContainerState = {
  phase: 'Pending',
  state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image: not found' } },
};

const SERVING: Readonly<Record<NonNullable<Behaviour['serving']>, ContainerState>> = {
  ready: { phase: 'Running', ready: true, state: running },
  neverReady: { phase: 'Running', state: running },
  crashes: {
    phase: 'Running',
    restartCount: 2,
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container' } },
    lastState: { terminated: { exitCode: 1, reason: 'Error', message: 'Error: no such module' } },
  },
  cannotPull,
};

function jobContainer(migration: MigrationBehaviour): ContainerState {
  if (migration === 'cannotPull' || migration === 'neverScheduled') return cannotPull;
  if (migration === 'hangs') return { phase: 'Running', ready: true, state: running };
  const { exitCode, message } = migration;
  const reason = exitCode === 0 ? 'Completed' : 'Error';
  return {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    state: { terminated: { exitCode, message, reason, finishedAt: new Date().toISOString() } },
  };
}

function runOf(pod: Pod): Run {
  const [container] = pod.spec?.containers ?? [];
  const contract = container?.env?.find(({ name }) => name === 'MIGRATE_CONTRACT')?.value;
  return { args: container?.args ?? [], contract };
}

const imageOf = (pod: Pod): string => pod.spec?.containers?.[0]?.image ?? '';
const isOfJob = (pod: Pod): boolean => pod.spec?.restartPolicy === 'Never';
