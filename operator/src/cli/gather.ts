// Reads what the commands show, as the user whom the kubeconfig names.
import { asResource, KIND_NAMES } from '../api/group.ts';
import type { AppKind } from '../api/resource.ts';
import { loadCluster } from '../kube/config.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { controllerRevisions, pathOf } from '../kube/resource.ts';
import { createTransport, type Transport } from '../kube/transport.ts';
import { instanceSelector } from '../objects/app.ts';
import { plain, safe } from './safe.ts';
import type { SeenRecord } from './views/history.ts';
import type { SeenResource } from './views/status.ts';

export type Where = {
  readonly namespace?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
};

/** Not `kubectl…`: Flux takes over, and drops, what managers of that name wrote. */
export const FIELD_MANAGER = 'devshelf-cli';

export type Reach = { readonly transport: Transport; readonly namespace: string };

/** The API server as one user sees it, for one namespace. */
export type Cluster = {
  /** `[KIND/]NAME`. @throws Error when none, or one of each kind, has that name; ApiError when it is refused */
  one(named: string): Promise<SeenResource>;
  all(): Promise<SeenResource[]>;
  /** Releases and incidents. */
  recordsOf(seen: SeenResource): Promise<Records>;
  /** One merge patch. @throws ApiError: 409 where somebody else was faster */
  patch(seen: SeenResource, change: object): Promise<void>;
  /** For what reads more than the resources. */
  readonly reach: Reach;
  close(): Promise<void>;
};

/** What may not be read is told, and fails nothing else. */
export type Records = { readonly records: readonly SeenRecord[]; readonly unread?: string };

export async function connect(where: Where): Promise<Cluster> {
  const { kubeconfig, context } = where;
  const cluster = await loadCluster({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  });
  const transport = createTransport(cluster, { userAgent: 'kubectl-devshelf' });
  const namespace = where.namespace ?? cluster.namespace;
  return {
    one: async named => safe(await one(transport, namespace, named)),
    all: async () => safe(await all(transport, namespace)),
    recordsOf: seen => recordsOf(transport, namespace, seen),
    patch: (seen, change) => patch(transport, namespace, seen, change),
    reach: { transport, namespace },
    close: () => transport.close(),
  };
}

async function patch(transport: Transport, namespace: string, seen: SeenResource, body: object): Promise<void> {
  const definition = KIND_NAMES.find(({ kind }) => kind === seen.kind);
  if (!definition) throw new Error(`${seen.kind}: no kind of ours`);
  const path = pathOf(asResource(definition), { namespace, name: seen.metadata.name });
  const query = { fieldManager: FIELD_MANAGER };
  await transport.request({ method: 'PATCH', path, query, contentType: 'application/merge-patch+json', body });
}

async function recordsOf(transport: Transport, namespace: string, { kind, metadata }: SeenResource): Promise<Records> {
  const path = pathOf(controllerRevisions, { namespace });
  const query = { labelSelector: instanceSelector(kind as AppKind, metadata.name) };
  try {
    const { items } = await transport.request<{ items: SeenRecord[] }>({ method: 'GET', path, query });
    return { records: items.map(readable) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return {
      records: [],
      unread: plain(`not shown, needs list controllerrevisions in ${namespace}: ${error.message}`),
    };
  }
}

/** Of a release its name, and nothing of its template: that holds what specs put into it. */
function readable({ metadata, revision, data }: SeenRecord): SeenRecord {
  const { hash, image } = data?.release ?? {};
  const { name, creationTimestamp, labels, annotations } = metadata;
  return safe({
    metadata: {
      name,
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    ...(revision !== undefined && { revision }),
    data: {
      ...(image !== undefined && { release: { ...(hash !== undefined && { hash }), image } }),
      ...(data?.incident && { incident: data.incident }),
    },
  });
}

async function all(transport: Transport, namespace: string): Promise<SeenResource[]> {
  const found: SeenResource[] = [];
  // one after the other: a second connection costs more, of time as well, than an answer on the first
  for (const definition of KIND_NAMES) {
    const path = pathOf(asResource(definition), { namespace });
    const { items } = await transport.request<{ items: SeenResource[] }>({ method: 'GET', path });
    found.push(...items.map(item => ({ ...item, kind: definition.kind })));
  }
  return found;
}

async function one(transport: Transport, namespace: string, named: string): Promise<SeenResource> {
  const [name = '', word] = named.split('/').toReversed();
  const kinds = KIND_NAMES.filter(
    kind => word === undefined || [kind.shortName, kind.singular, kind.plural].includes(word.toLowerCase()),
  );
  if (kinds.length === 0 || name === '') throw new Error(`"${named}": wanted NAME, dsd/NAME or dbd/NAME`);
  const found: SeenResource[] = [];
  for (const kind of kinds) {
    const seen = await read(transport, pathOf(asResource(kind), { namespace, name }));
    if (seen) found.push(seen);
  }
  if (found.length > 1) throw new Error(`"${name}" is the name of two kinds: say dsd/${name} or dbd/${name}`);
  if (!found[0])
    throw new Error(`no ${kinds.map(({ kind }) => kind).join(' or ')} "${name}" in namespace ${namespace}`);
  return found[0];
}

async function read(transport: Transport, path: string): Promise<SeenResource | undefined> {
  try {
    return await transport.request<SeenResource>({ method: 'GET', path });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
