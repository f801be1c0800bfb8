/** Resources by number, spread over namespaces, and what the operator made for one of them. */

import type { AppStatus } from '../../operator/src/api/status.ts';
import { APP_RESOURCES } from '../../operator/src/controller/world.ts';
import {
  controllerRevisions,
  deployments,
  jobs,
  type KubeObject,
  networkPolicies,
  pathOf,
  podDisruptionBudgets,
  type Resource,
  secrets,
  serviceAccounts,
  services,
} from '../../operator/src/kube/resource.ts';
import type { Transport } from '../../operator/src/kube/transport.ts';
import type { Write } from './bare.ts';

export const NAMESPACES = 20;
const AT_A_TIME = 8;
/** For what all of them come to. */
export const PATIENCE = { seconds: 600, everyMs: 1_000 };
/** Users ask each pod once in so long. */
export const REQUEST_MS = 200;
const PAGE = 500;
const DASHBOARDS = APP_RESOURCES.DashboardDeployment;

// what is measured is the work of the operator, so no pod is watched for longer than it takes to see it ready
const ROLLOUT = { minReadySeconds: 0, bakeSeconds: 0, analysis: { policy: 'Disabled' } };

type Place = { readonly name: string; readonly namespace: string };
export type Listed = {
  readonly items: readonly (KubeObject & { status?: AppStatus })[];
  readonly metadata?: { readonly continue?: string };
};

export const placeOf = (series: string, index: number): Place => ({
  name: `${series}-${index}`,
  namespace: `scale-${index % NAMESPACES}`,
});

export async function inParallel(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await act(index);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

export async function createNamespaces(transport: Transport): Promise<void> {
  await inParallel(NAMESPACES, index =>
    transport.request({
      method: 'POST',
      path: '/api/v1/namespaces',
      body: { metadata: { name: placeOf('', index).namespace } },
    }),
  );
}

/** With the Secret that it names. */
export async function createResource(transport: Transport, { name, namespace }: Place): Promise<void> {
  const database = `database-${name}`;
  await transport.request({
    method: 'POST',
    path: pathOf(secrets, { namespace }),
    body: { metadata: { name: database }, stringData: { DATABASE_URL: `postgresql://u:p@db.example:5432/${name}` } },
  });
  await transport.request({
    method: 'POST',
    path: pathOf(DASHBOARDS, { namespace }),
    body: {
      apiVersion: DASHBOARDS.apiVersion,
      kind: DASHBOARDS.kind,
      metadata: { name },
      spec: { image: 'example/dashboard:1', database: { urlSecretRef: { name: database } }, rollout: ROLLOUT },
    },
  });
}

/** Its new image, judged by what its pods answer. */
export const releaseJudged = (transport: Transport, place: Place, image: string): Promise<unknown> =>
  transport.request({
    method: 'PATCH',
    path: pathOf(DASHBOARDS, place),
    contentType: 'application/merge-patch+json',
    body: { spec: { image, rollout: { analysis: { policy: 'Rollback' } } } },
  });

export const createResources = (transport: Transport, series: string, count: number): Promise<void> =>
  inParallel(count, index => createResource(transport, placeOf(series, index)));

/** An API server that has just been given ten thousand of them through etcd has all of them to read. */
const FRESH_LIST_MS = 120_000;

export async function readyResources(transport: Transport): Promise<number> {
  const isReady = ({ status }: Listed['items'][number]): boolean =>
    status?.conditions?.some(({ type, reason }) => type === 'Ready' && reason === 'AsExpected') ?? false;
  let [ready, more] = [0, ''];
  do {
    const query = { limit: PAGE, ...(more !== '' && { continue: more }) };
    const request = { method: 'GET', path: pathOf(DASHBOARDS), query, timeoutMs: FRESH_LIST_MS } as const;
    const { items, metadata } = await transport.request<Listed>(request);
    ready += items.filter(isReady).length;
    more = metadata?.continue ?? '';
  } while (more !== '');
  return ready;
}

const MADE: readonly Resource[] = [
  serviceAccounts,
  networkPolicies,
  services,
  podDisruptionBudgets,
  secrets,
  controllerRevisions,
  jobs,
  deployments,
];

/** What the operator made for the first resource of a series, as it would be written in one request each. */
export async function madeFor(transport: Transport, series: string): Promise<readonly [Resource, string][]> {
  const { name, namespace } = placeOf(series, 0);
  const labelSelector = `app.kubernetes.io/managed-by=devshelf-operator,app.kubernetes.io/instance=${name}`;
  const found: [Resource, string][] = [];
  for (const resource of MADE) {
    const path = pathOf(resource, { namespace });
    const { items } = await transport.request<Listed>({ method: 'GET', path, query: { labelSelector } });
    found.push(...items.map(item => [resource, JSON.stringify(asWritten(resource, item))] as [Resource, string]));
  }
  return found;
}

/** Without what the API server and its controllers add. */
function asWritten({ apiVersion, kind }: Resource, live: KubeObject): object {
  const { status: _status, metadata, ...rest } = live as KubeObject & { status?: object; spec?: object };
  const { name, namespace, labels, annotations, ownerReferences } = metadata;
  const written = { ...rest, apiVersion, kind, metadata: { name, namespace, labels, annotations, ownerReferences } };
  const added = ['clusterIP', 'clusterIPs', ...(kind === 'Job' ? ['selector'] : [])];
  const jobLabels = /^(batch\.kubernetes\.io\/)?(controller-uid|job-name)$/;
  return JSON.parse(
    JSON.stringify(written, (key, value) => (added.includes(key) || jobLabels.test(key) ? undefined : value)),
  );
}

/** The same objects for each resource of another series: bodies are made beforehand. */
export async function writesLike(
  transport: Transport,
  templates: readonly [Resource, string][],
  from: string,
  to: string,
): Promise<readonly (readonly Write[])[]> {
  const first = placeOf(from, 0);
  const { items } = await transport.request<Listed>({ method: 'GET', path: pathOf(DASHBOARDS) });
  const uidOf = new Map(items.map(({ metadata }) => [metadata.name, metadata.uid ?? '']));
  const mine = items.filter(({ metadata }) => metadata.name.startsWith(`${to}-`));
  return mine.map(({ metadata: { name, namespace = '' } }) =>
    templates.map(([resource, text]) => {
      const body = text
        .replaceAll(`"namespace":"${first.namespace}"`, `"namespace":"${namespace}"`)
        .replaceAll(uidOf.get(first.name) ?? '', uidOf.get(name) ?? '')
        .replaceAll(new RegExp(`\\b${first.name}\\b`, 'g'), name);
      const target = { namespace, name: (JSON.parse(body) as KubeObject).metadata.name };
      return { path: pathOf(resource, target), body };
    }),
  );
}
