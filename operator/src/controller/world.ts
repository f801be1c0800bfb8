// All that is watched, in one place: a set of stores per watched namespace, and from every change the key of the
// resource that it concerns.
import { asResource, DASHBOARD, DEVSHELF } from '../api/group.ts';
import { type Apis, apisBy, OPTIONAL_APIS } from '../api/optional-apis.ts';
import { type AppKind, type AppResource, type ParsedResource, parseResource } from '../api/resource.ts';
import { scrub } from '../api/words.ts';
import { Alike } from '../kube/alike.ts';
import { lastWrite, sharedItems, statusShare } from '../kube/apply.ts';
import { Discovery } from '../kube/discovery.ts';
import type { Failure, State } from '../kube/reflection.ts';
import { type Reflector, startReflector } from '../kube/reflector.ts';
import * as kinds from '../kube/resource.ts';
import { byLabel, type Indexer, keyOf, Room, Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { REQUESTS } from '../lifecycle/requested.ts';
import type { Writers } from '../lifecycle/snapshot.ts';
import { tlsSecretOf } from '../objects/exposure.ts';
import { keyringsOf } from '../objects/keyring.ts';
import { IN_CHARGE, LABELS, MANAGED_BY } from '../objects/names.ts';
import { contentKey, referencesOf } from '../objects/references.ts';
import { type Charge, keepCharge } from './in-charge.ts';
import * as views from './views.ts';

/** One of our resources, for the workqueue: `kind/namespace/name`. */
export type AppKey = `${AppKind}/${string}/${string}`;

export const appKey = (kind: AppKind, namespace: string, name: string): AppKey => `${kind}/${namespace}/${name}`;

/** Of one that has this key in the store of its kind. */
const storedKey = (kind: AppKind, key: string): AppKey => `${kind}/${key}` as AppKey;

export const keyOfApp = ({ kind, metadata }: Pick<AppResource, 'kind' | 'metadata'>): AppKey =>
  appKey(kind, metadata.namespace, metadata.name);

export function splitKey(key: AppKey): { kind: AppKind; namespace: string; name: string } {
  const [kind, namespace = '', name = ''] = key.split('/');
  return { kind: kind as AppKind, namespace, name };
}

export interface KeptApp extends views.Kept {
  readonly read: ReadResource;
  /** Index keys of what it names, and of what has the name of one of its keys. */
  readonly references: readonly string[];
  /** Hash of what is left of the status that we wrote last. */
  readonly ownStatus: string;
  /** Types of the conditions that somebody else has written, too. */
  readonly sharedConditions: readonly string[];
  /** All that is kept of managedFields, which are longer than the resource. */
  readonly writers: Writers;
}

export const APP_RESOURCES: Readonly<Record<AppKind, kinds.Resource>> = {
  DevShelfDeployment: asResource(DEVSHELF),
  DashboardDeployment: asResource(DASHBOARD),
};

const APP_KINDS: Readonly<Record<string, AppKind>> = {
  devshelf: 'DevShelfDeployment',
  dashboard: 'DashboardDeployment',
};

const byReference = ({ references }: KeptApp): string[] => [...references];
const INSTANCE = byLabel(LABELS.instance);
const BY_DATABASE = ({ metadata }: views.Kept): string[] => {
  const database = metadata.labels[LABELS.database];
  return database === undefined ? [] : [database];
};

/** What objects of a kind have in common, whichever namespace they are in. */
const alikes = new Map<string, Alike>();
/** For all of this process. */
export const ROOM = new Room();

function storeOf<T extends views.Kept>(kind: string, indexers: Readonly<Record<string, Indexer<T>>> = {}): Store<T> {
  const alike = alikes.get(kind) ?? new Alike();
  alikes.set(kind, alike);
  return new Store(indexers, alike, ROOM);
}

/** Of these what their status says matters, too. */
const WITH_STATUS: Readonly<Record<string, unknown>> = {
  Ingress: views.keepIngress,
  HTTPRoute: views.keepRoute,
  ListenerSet: views.keepListenerSet,
  ServiceMonitor: views.keepMonitor,
  PodMonitor: views.keepMonitor,
  ScaledObject: views.keepScaledObject,
};

/** What is asked of a store whichever kind of child it holds. */
export type ChildStore = Pick<Store<views.KeptChild>, 'get' | 'hasSeen'>;

/** Everything known about one watched namespace, or about all of them. */
export class Stores {
  readonly apps: Readonly<Record<AppKind, Store<KeptApp>>> = {
    DevShelfDeployment: storeOf('DevShelfDeployment', { references: byReference }),
    DashboardDeployment: storeOf('DashboardDeployment', { references: byReference }),
  };
  readonly deployments = storeOf<views.KeptDeployment>('deployments', { database: BY_DATABASE });
  readonly pods = storeOf<views.KeptPod>('pods', { instance: INSTANCE });
  readonly jobs = storeOf<views.KeptJob>('jobs', { instance: INSTANCE, database: ({ database }) => [database] });
  readonly revisions = storeOf<views.KeptRevision>('revisions', { instance: INSTANCE });
  readonly autoscalers = storeOf<views.KeptAutoscaler>('autoscalers');
  readonly services = storeOf<views.KeptChild>('services');
  readonly serviceAccounts = storeOf<views.KeptChild>('serviceAccounts');
  readonly disruptionBudgets = storeOf<views.KeptChild>('disruptionBudgets');
  readonly networkPolicies = storeOf<views.KeptChild>('networkPolicies');
  readonly ingresses = storeOf<views.KeptDoor>('ingresses');
  readonly httpRoutes = storeOf<views.KeptDoor>('httpRoutes');
  readonly listenerSets = storeOf<views.KeptListenerSet>('listenerSets');
  readonly serviceMonitors = storeOf<views.KeptMonitor>('serviceMonitors');
  readonly podMonitors = storeOf<views.KeptMonitor>('podMonitors');
  readonly scaledObjects = storeOf<views.KeptScaledObject>('scaledObjects');
  readonly prometheusRules = storeOf<views.KeptChild>('prometheusRules');
  readonly secrets = storeOf<views.KeptSecret>('secrets');
  readonly configMaps = storeOf<views.Kept>('configMaps', { instance: INSTANCE });
  readonly charges = storeOf<Charge>('charges');

  /** Where a child of this kind is kept. */
  readonly children: Readonly<Record<string, { store: ChildStore; resource: kinds.Resource }>> = {
    Deployment: { store: this.deployments, resource: kinds.deployments },
    Service: { store: this.services, resource: kinds.services },
    ServiceAccount: { store: this.serviceAccounts, resource: kinds.serviceAccounts },
    PodDisruptionBudget: { store: this.disruptionBudgets, resource: kinds.podDisruptionBudgets },
    NetworkPolicy: { store: this.networkPolicies, resource: kinds.networkPolicies },
    HorizontalPodAutoscaler: { store: this.autoscalers, resource: kinds.horizontalPodAutoscalers },
    Ingress: { store: this.ingresses, resource: kinds.ingresses },
    HTTPRoute: { store: this.httpRoutes, resource: kinds.httpRoutes },
    ListenerSet: { store: this.listenerSets, resource: kinds.listenerSets },
    ServiceMonitor: { store: this.serviceMonitors, resource: kinds.serviceMonitors },
    PodMonitor: { store: this.podMonitors, resource: kinds.podMonitors },
    ScaledObject: { store: this.scaledObjects, resource: kinds.scaledObjects },
    PrometheusRule: { store: this.prometheusRules, resource: kinds.prometheusRules },
  };

  /** What is made once, and not kept in shape. */
  readonly others: Readonly<Record<string, { store: Pick<ChildStore, 'hasSeen'>; resource: kinds.Resource }>> = {
    Secret: { store: this.secrets, resource: kinds.secrets },
    ConfigMap: { store: this.configMaps, resource: kinds.configMaps },
    ControllerRevision: { store: this.revisions, resource: kinds.controllerRevisions },
    Job: { store: this.jobs, resource: kinds.jobs },
  };
}

/** A Job that migrates a database, and the pods of its resource. */
export interface KeptMigration {
  readonly job: views.KeptJob;
  readonly pods: readonly views.KeptPod[];
}

/**
 * Whose change a resource is told: what its spec names, and what has the name of one of its keys or of its certificate,
 * whoever made it. By namespace: ten thousand namespaces may name their Secret alike.
 */
function referenceKeys(app: AppResource): string[] {
  const { namespace } = app.metadata;
  const keys = keyringsOf(app).flatMap(({ secret, client }) => (client ? [secret, client.secret] : [secret]));
  const certificate = tlsSecretOf(app);
  const named = certificate === undefined ? keys : [...keys, certificate];
  const secrets = named.map(name => ({ kind: 'Secret', name }) as const);
  return [...referencesOf(app), ...secrets].map(reference => labelled(namespace, contentKey(reference)));
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** A field manager may have 128 characters, and a record is to stay small. */
const MAX_WRITER = 64;
const nameOf = (manager: string): string => scrub(manager).slice(0, MAX_WRITER);

function writersOf(metadata: kinds.Metadata): Writers {
  const spec = lastWrite(metadata, ['f:spec']);
  const asked = REQUESTS.flatMap(name => {
    const by = metadata.annotations?.[name] && lastWrite(metadata, ['f:metadata', 'f:annotations', `f:${name}`])?.by;
    return by ? [[name, nameOf(by)] as const] : [];
  });
  return {
    ...(spec && { spec: { by: nameOf(spec.by), at: spec.at } }),
    ...(asked.length > 0 && { requests: Object.fromEntries(asked) }),
  };
}

/** One of our resources, read; of one that does not fit the schema of this version, what the API server gives. */
export type ReadResource =
  | Extract<ParsedResource, { ok: true }>
  | (Extract<ParsedResource, { ok: false }> & { readonly raw: kinds.KubeObject });

export function keepApp(raw: kinds.KubeObject): KeptApp {
  const { managedFields: _left, annotations, ...metadata } = raw.metadata;
  // what `kubectl apply` writes there is the whole object once more
  const { [LAST_APPLIED]: _again, ...others } = annotations ?? {};
  const given = { ...raw, metadata: { ...metadata, annotations: others } };
  const parsed = parseResource(given);
  const read: ReadResource = parsed.ok ? parsed : { ...parsed, raw: given };
  const shared = sharedItems(raw, 'conditions', views.WRITER) as { type?: string }[];
  return {
    metadata: views.metadataOf(raw),
    read,
    references: parsed.ok ? referenceKeys(parsed.resource) : [],
    ownStatus: views.hashOfStatus(statusShare(raw, views.WRITER) as AppResource['status'] | undefined),
    sharedConditions: shared.flatMap(({ type }) => type ?? []),
    writers: writersOf(raw.metadata),
  };
}

/** A release that is under way is looked at before all that rests, after a restart. */
const isBegun = ({ read }: KeptApp): boolean => {
  const phase = read.ok ? read.resource.status?.phase : undefined;
  return phase !== undefined && phase !== 'Released';
};

export interface WorldOptions {
  readonly transport: Transport;
  /** Namespaces to watch; empty: all. */
  readonly namespaces: readonly string[];
  /** `isBegun`: its status says that something is under way. */
  readonly onChange: (key: AppKey, isBegun?: boolean) => void;
  /** Which installation works in a namespace has changed, or was asked; absent: nobody asks. */
  readonly onCharge?: (namespace: string, charge: Charge | undefined) => void;
  /** With each that comes, while they are listed, too; may ask how many of both kinds there are. */
  readonly onResources?: ((count: () => number) => void) | undefined;
  readonly onWatchState?: (resource: string, namespace: string, state: State<unknown>, failure?: Failure) => void;
}

interface Watched {
  readonly plural: string;
  /** Empty: all. */
  readonly namespace: string;
  /** Without it a resource is looked after all the same. */
  readonly optional: boolean;
  readonly reflector: Reflector<never, never>;
}

/** Whether its store tells the truth of some moment, or is not needed. */
const isFilled = ({ optional, reflector }: Watched): boolean =>
  reflector.hasSynced || (optional && reflector.state.phase === 'absent');

type Plain = {
  store: Store<never>;
  resource: kinds.Resource;
  project: (raw: never) => unknown;
  metadataOnly?: boolean;
  everything?: boolean;
  /** Only the object of this name. */
  only?: string;
  optional?: boolean;
};

export class World {
  readonly #options: WorldOptions;
  readonly #discovery: Discovery;
  readonly #stores = new Map<string, Stores>();
  readonly #reflectors: Watched[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#discovery = new Discovery(options.transport);
    const scopes = options.namespaces.length > 0 ? options.namespaces : [''];
    for (const namespace of scopes) this.#stores.set(namespace, this.#mirror(namespace));
  }

  /** @throws Error for a namespace that is not watched */
  of(namespace: string): Stores {
    const stores = this.#stores.get(namespace) ?? this.#stores.get('');
    if (!stores) throw new Error(`namespace ${namespace} is not watched`);
    return stores;
  }

  /** Of every watched namespace, or the one of all of them. */
  get everything(): readonly Stores[] {
    return [...this.#stores.values()];
  }

  /** Jobs for this database, in every watched namespace: ended ones, too. */
  migrationsOf(database: string): KeptMigration[] {
    return [...this.#stores.values()].flatMap(({ jobs, pods }) =>
      jobs.byIndex('database', database).map(job => {
        const { namespace, labels } = job.metadata;
        return { job, pods: pods.byIndex('instance', labelled(namespace, labels[LABELS.instance] ?? '')) };
      }),
    );
  }

  /** Resources whose pods serve from this database, whatever their namespace. */
  servingFrom(database: string): KeptApp[] {
    return [...this.#stores.values()].flatMap(({ deployments, apps }) =>
      deployments.byIndex('database', database).flatMap(({ metadata: { namespace, labels } }) => {
        const kind = APP_KINDS[labels[LABELS.name] ?? ''];
        return (kind && apps[kind].get(namespace, labels[LABELS.instance] ?? '')) ?? [];
      }),
    );
  }

  /** Of every resource that there is. */
  appKeys(): AppKey[] {
    return [...this.#stores.values()].flatMap(({ apps }) =>
      Object.entries(apps).flatMap(([kind, store]) => [...store.keys()].map(key => storedKey(kind as AppKind, key))),
    );
  }

  /**
   * Resolves when the API server has answered about every kind in every namespace, be it that we may not see it: one
   * namespace without our rights keeps nobody else waiting.
   */
  async answered(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.answered));
  }

  /** Whether it has, and there is a namespace to work in. */
  get hasSynced(): boolean {
    const namespaces = [...this.#stores.keys()];
    return this.isAnswered && namespaces.some(namespace => this.isFilled(namespace));
  }

  get isAnswered(): boolean {
    return this.#reflectors.every(({ reflector }) => reflector.isAnswered);
  }

  /** Whether every store that a resource of this namespace needs tells the truth of some moment. */
  isFilled(namespace: string): boolean {
    return this.#watching(namespace).every(isFilled);
  }

  /** Resolves when every store tells the truth of a moment after this call. */
  async refreshed(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.refresh()));
  }

  /** Goes on watching on other connections. */
  reopen(): void {
    for (const { reflector } of this.#reflectors) reflector.reopen();
  }

  /** Which of the kinds that a cluster may lack are there for us in this namespace. */
  apis(namespace: string): Apis {
    const watching = this.#watching(namespace);
    return apisBy(kind => {
      const state = watching.find(({ plural }) => plural === OPTIONAL_APIS[kind].plural)?.reflector.state;
      if (state?.phase !== 'absent') return 'present';
      return state.reason === 'Forbidden' ? 'refused' : 'absent';
    });
  }

  /** Milliseconds since the API server was last heard on each watch; the longest per kind. */
  watchAges(): ReadonlyMap<string, number> {
    const ages = new Map<string, number>();
    for (const { plural, reflector } of this.#reflectors) {
      if (reflector.state.phase === 'absent') continue;
      ages.set(plural, Math.max(ages.get(plural) ?? 0, reflector.silentMs));
    }
    return ages;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.stop()));
  }

  #watching(namespace: string): readonly Watched[] {
    return this.#reflectors.filter(watched => watched.namespace === '' || watched.namespace === namespace);
  }

  #mirror(namespace: string): Stores {
    const stores = new Stores();
    for (const [kind, store] of Object.entries(stores.apps)) this.#mirrorApps(namespace, kind as AppKind, store);
    const ours = [
      { store: stores.deployments, resource: kinds.deployments, project: views.keepDeployment },
      { store: stores.pods, resource: kinds.pods, project: views.keepPod },
      { store: stores.jobs, resource: kinds.jobs, project: views.keepJob },
      { store: stores.revisions, resource: kinds.controllerRevisions, project: views.keepRevision },
      { store: stores.autoscalers, resource: kinds.horizontalPodAutoscalers, project: views.keepAutoscaler },
      { store: stores.services, resource: kinds.services, project: views.keepChild, metadataOnly: true },
      { store: stores.serviceAccounts, resource: kinds.serviceAccounts, project: views.keepChild, metadataOnly: true },
      {
        store: stores.disruptionBudgets,
        resource: kinds.podDisruptionBudgets,
        project: views.keepChild,
        metadataOnly: true,
      },
      { store: stores.networkPolicies, resource: kinds.networkPolicies, project: views.keepChild, metadataOnly: true },
      ...Object.keys(OPTIONAL_APIS).map(kind => ({
        ...stores.children[kind],
        ...(WITH_STATUS[kind] ? { project: WITH_STATUS[kind] } : { project: views.keepChild, metadataOnly: true }),
        optional: true,
      })),
    ] as unknown as readonly Plain[];
    for (const { store, ...rest } of ours)
      this.#reflect(namespace, { store, ...rest }, change => this.#changedChild(change));
    const referenced = [
      {
        store: stores.secrets,
        resource: kinds.secrets,
        project: views.keepSecret,
        metadataOnly: true,
        everything: true,
      },
      {
        store: stores.configMaps,
        resource: kinds.configMaps,
        project: views.keep,
        metadataOnly: true,
        everything: true,
      },
    ] as unknown as readonly Plain[];
    for (const plain of referenced) {
      this.#reflect(namespace, plain, change => {
        this.#changedChild(change);
        this.#changedReference(stores, plain.resource.kind as 'Secret' | 'ConfigMap', change);
      });
    }
    this.#mirrorCharges(namespace, stores);
    return stores;
  }

  #mirrorCharges(namespace: string, { charges }: Stores): void {
    const { onCharge } = this.#options;
    if (!onCharge) return;
    const plain = { store: charges, resource: kinds.leases, project: keepCharge, everything: true, optional: true };
    this.#reflect(namespace, { ...plain, only: IN_CHARGE } as unknown as Plain, ({ metadata: { namespace } }) =>
      onCharge(namespace, charges.get(namespace, IN_CHARGE)),
    );
  }

  #mirrorApps(namespace: string, kind: AppKind, store: Store<KeptApp>): void {
    const resource = APP_RESOURCES[kind];
    const plain = { store, resource, project: keepApp, everything: true } as unknown as Plain;
    this.#reflect(namespace, plain, object => {
      const { namespace, name } = object.metadata;
      this.#options.onChange(appKey(kind, namespace, name), isBegun(object as KeptApp));
      this.#options.onResources?.(this.#count);
    });
  }

  readonly #count = (): number => {
    const kinds = [...this.#stores.values()].flatMap(({ apps }) => Object.values(apps));
    return kinds.reduce((sum, store) => sum + store.size, 0);
  };

  #reflect(
    namespace: string,
    { store, resource, project, metadataOnly, everything, only, optional = false }: Plain,
    changed: (object: views.Kept) => void,
  ): void {
    const { transport, onWatchState } = this.#options;
    store.onChange((before: views.Kept | undefined, after: views.Kept | undefined) => {
      const object = after ?? before;
      if (object) changed(object);
    });
    const reflector = startReflector({
      transport,
      resource: resource as kinds.Resource<never>,
      store,
      project: project as (raw: never) => never,
      ...(namespace !== '' && { namespace }),
      ...(only !== undefined && { fieldSelector: `metadata.name=${only}` }),
      ...(!everything && { labelSelector: `${LABELS.managedBy}=${MANAGED_BY}` }),
      ...(metadataOnly && { metadataOnly }),
      ...(optional && { discovery: this.#discovery }),
      onState: (state, failure) => onWatchState?.(resource.plural, namespace, state, failure),
    });
    this.#reflectors.push({ plural: resource.plural, namespace, optional, reflector });
  }

  /** A child says by its labels whose it is. */
  #changedChild({ metadata }: views.Kept): void {
    const kind = APP_KINDS[metadata.labels[LABELS.name] ?? ''];
    const name = metadata.labels[LABELS.instance];
    if (kind && name !== undefined) this.#options.onChange(appKey(kind, metadata.namespace, name));
  }

  #changedReference(stores: Stores, kind: 'Secret' | 'ConfigMap', { metadata }: views.Kept): void {
    for (const [appKind, store] of Object.entries(stores.apps)) {
      const { namespace, name } = metadata;
      for (const app of store.keysByIndex('references', labelled(namespace, contentKey({ kind, name }))))
        this.#options.onChange(storedKey(appKind as AppKind, app));
    }
  }
}

/** Index key of a labelled object in a namespace. */
export const labelled = (namespace: string, value: string): string => keyOf(namespace, value);
