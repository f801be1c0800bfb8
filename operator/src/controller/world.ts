// All that is watched, in one place: a set of stores per watched namespace, and from every change the key of the
// resource that it concerns.
import { API_VERSION } from '../api/common.ts';
import type { AppKind, AppResource } from '../api/resource.ts';
import { parseResource } from '../api/resource.ts';
import type { Failure, State } from '../kube/reflection.ts';
import { type Reflector, startReflector } from '../kube/reflector.ts';
import * as kinds from '../kube/resource.ts';
import { byLabel, keyOf, Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { keyringsOf } from '../objects/keyring.ts';
import { LABELS, MANAGED_BY } from '../objects/names.ts';
import { contentKey, referencesOf } from '../objects/references.ts';
import * as views from './views.ts';

/** One of our resources, for the workqueue: `kind/namespace/name`. */
export type AppKey = `${AppKind}/${string}/${string}`;

export const appKey = (kind: AppKind, namespace: string, name: string): AppKey => `${kind}/${namespace}/${name}`;

export const keyOfApp = ({ kind, metadata }: Pick<AppResource, 'kind' | 'metadata'>): AppKey =>
  appKey(kind, metadata.namespace, metadata.name);

export function splitKey(key: AppKey): { kind: AppKind; namespace: string; name: string } {
  const [kind, namespace = '', name = ''] = key.split('/');
  return { kind: kind as AppKind, namespace, name };
}

export interface KeptApp extends views.Kept {
  /** As the API server gives it, without managedFields: parsed in each pass. */
  readonly raw: kinds.KubeObject;
}

const appResource = (kind: AppKind, plural: string): kinds.Resource => ({
  apiVersion: API_VERSION,
  kind,
  plural,
  namespaced: true,
});

export const APP_RESOURCES: Readonly<Record<AppKind, kinds.Resource>> = {
  DevShelfDeployment: appResource('DevShelfDeployment', 'devshelfdeployments'),
  DashboardDeployment: appResource('DashboardDeployment', 'dashboarddeployments'),
};

const APP_KINDS: Readonly<Record<string, AppKind>> = {
  devshelf: 'DevShelfDeployment',
  dashboard: 'DashboardDeployment',
};

const INSTANCE = byLabel(LABELS.instance);

/** What is asked of a store whichever kind of child it holds. */
export type ChildStore = Pick<Store<views.KeptChild>, 'get' | 'hasSeen'>;

/** Everything known about one watched namespace, or about all of them. */
export class Stores {
  readonly apps: Readonly<Record<AppKind, Store<KeptApp>>> = {
    DevShelfDeployment: new Store({ references: referenceKeys }),
    DashboardDeployment: new Store({ references: referenceKeys }),
  };
  readonly deployments = new Store<views.KeptDeployment>();
  readonly pods = new Store<views.KeptPod>({ instance: INSTANCE });
  readonly jobs = new Store<views.KeptJob>({ instance: INSTANCE, database: byLabel(LABELS.database) });
  readonly revisions = new Store<views.KeptRevision>({ instance: INSTANCE });
  readonly autoscalers = new Store<views.KeptAutoscaler>();
  readonly services = new Store<views.KeptChild>();
  readonly serviceAccounts = new Store<views.KeptChild>();
  readonly disruptionBudgets = new Store<views.KeptChild>();
  readonly networkPolicies = new Store<views.KeptChild>();
  readonly serviceMonitors = new Store<views.KeptChild>();
  readonly secrets = new Store<views.KeptSecret>();
  readonly configMaps = new Store<views.Kept>();

  /** Where a child of this kind is kept. */
  readonly children: Readonly<Record<string, { store: ChildStore; resource: kinds.Resource }>> = {
    Deployment: { store: this.deployments, resource: kinds.deployments },
    Service: { store: this.services, resource: kinds.services },
    ServiceAccount: { store: this.serviceAccounts, resource: kinds.serviceAccounts },
    PodDisruptionBudget: { store: this.disruptionBudgets, resource: kinds.podDisruptionBudgets },
    NetworkPolicy: { store: this.networkPolicies, resource: kinds.networkPolicies },
    HorizontalPodAutoscaler: { store: this.autoscalers, resource: kinds.horizontalPodAutoscalers },
    ServiceMonitor: { store: this.serviceMonitors, resource: kinds.serviceMonitors },
  };
}

/** Whose change a resource is told: what its spec names, and what has the name of one of its keys, whoever made it. */
function referenceKeys({ raw }: KeptApp): string[] {
  const parsed = parseResource(raw);
  if (!parsed.ok) return [];
  const keys = keyringsOf(parsed.resource).flatMap(({ secret, client }) =>
    client ? [secret, client.secret] : [secret],
  );
  return [...referencesOf(parsed.resource).map(contentKey), ...keys.map(name => contentKey({ kind: 'Secret', name }))];
}

function keepApp(raw: kinds.KubeObject): KeptApp {
  const { managedFields: _left, ...metadata } = raw.metadata;
  return { ...views.keep(raw), raw: { ...raw, metadata } };
}

export interface WorldOptions {
  readonly transport: Transport;
  /** Namespaces to watch; empty: all. */
  readonly namespaces: readonly string[];
  readonly onChange: (key: AppKey) => void;
  readonly onWatchState?: (resource: string, namespace: string, state: State<unknown>, failure?: Failure) => void;
}

type Plain = {
  store: Store<never>;
  resource: kinds.Resource;
  project: (raw: never) => unknown;
  metadataOnly?: boolean;
  everything?: boolean;
};

export class World {
  readonly #options: WorldOptions;
  readonly #stores = new Map<string, Stores>();
  readonly #reflectors: { name: string; reflector: Reflector<never, never> }[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    const scopes = options.namespaces.length > 0 ? options.namespaces : [''];
    for (const namespace of scopes) this.#stores.set(namespace, this.#mirror(namespace));
  }

  /** @throws Error for a namespace that is not watched */
  of(namespace: string): Stores {
    const stores = this.#stores.get(namespace) ?? this.#stores.get('');
    if (!stores) throw new Error(`namespace ${namespace} is not watched`);
    return stores;
  }

  get all(): readonly Stores[] {
    return [...this.#stores.values()];
  }

  /** Resolves when every store tells the truth of some moment. */
  async synced(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.synced));
  }

  get hasSynced(): boolean {
    return this.#reflectors.every(({ reflector }) => reflector.hasSynced);
  }

  /** Kinds that the API server does not serve, or does not let us read. */
  absent(plural: string): boolean {
    return this.#reflectors.some(({ name, reflector }) => name === plural && reflector.state.phase === 'absent');
  }

  /** Milliseconds since the API server was last heard on each watch; the longest per kind. */
  watchAges(): ReadonlyMap<string, number> {
    const ages = new Map<string, number>();
    for (const { name, reflector } of this.#reflectors) {
      if (reflector.state.phase === 'absent') continue;
      ages.set(name, Math.max(ages.get(name) ?? 0, reflector.silentMs));
    }
    return ages;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.stop()));
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
      { store: stores.serviceMonitors, resource: kinds.serviceMonitors, project: views.keepChild, metadataOnly: true },
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
    return stores;
  }

  #mirrorApps(namespace: string, kind: AppKind, store: Store<KeptApp>): void {
    const resource = APP_RESOURCES[kind];
    const plain = { store, resource, project: keepApp, everything: true } as unknown as Plain;
    this.#reflect(namespace, plain, ({ metadata }) =>
      this.#options.onChange(appKey(kind, metadata.namespace, metadata.name)),
    );
  }

  #reflect(
    namespace: string,
    { store, resource, project, metadataOnly, everything }: Plain,
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
      ...(!everything && { labelSelector: `${LABELS.managedBy}=${MANAGED_BY}` }),
      ...(metadataOnly && { metadataOnly }),
      onState: (state, failure) => onWatchState?.(resource.plural, namespace, state, failure),
    });
    this.#reflectors.push({ name: resource.plural, reflector });
  }

  /** A child says by its labels whose it is. */
  #changedChild({ metadata }: views.Kept): void {
    const kind = APP_KINDS[metadata.labels[LABELS.name] ?? ''];
    const name = metadata.labels[LABELS.instance];
    if (kind && name !== undefined) this.#options.onChange(appKey(kind, metadata.namespace, name));
  }

  #changedReference(stores: Stores, kind: 'Secret' | 'ConfigMap', { metadata }: views.Kept): void {
    for (const [appKind, store] of Object.entries(stores.apps)) {
      for (const app of store.byIndex('references', contentKey({ kind, name: metadata.name }))) {
        if (app.metadata.namespace !== metadata.namespace) continue;
        this.#options.onChange(appKey(appKind as AppKind, app.metadata.namespace, app.metadata.name));
      }
    }
  }
}

/** Index key of a labelled object in a namespace. */
export const labelled = (namespace: string, value: string): string => keyOf(namespace, value);
