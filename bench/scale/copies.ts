/**
 * Settled resources by the thousand, without waiting for each: the operator settles one, and its objects, managedFields
 * and all, are put into etcd again under other names and uids, with the hashes that the operator would have come to. That
 * they are right shows the operator itself: it reads no Secret and writes nothing when it starts over them.
 */
import { randomUUID } from 'node:crypto';
import { apisBy } from '../../operator/src/api/optional-apis.ts';
import { type AppKind, type AppResource, parseResource } from '../../operator/src/api/resource.ts';
import { parseRecord, type Release } from '../../operator/src/api/rollout.ts';
import { WRITER } from '../../operator/src/controller/views.ts';
import { APP_RESOURCES } from '../../operator/src/controller/world.ts';
import { hashOf } from '../../operator/src/kube/apply.ts';
import * as kinds from '../../operator/src/kube/resource.ts';
import type { Transport } from '../../operator/src/kube/transport.ts';
import { desiredChildren } from '../../operator/src/objects/children.ts';
import { digestOf, sourcesOf, wantedOf } from '../../operator/src/objects/contents.ts';
import { ANNOTATIONS, names } from '../../operator/src/objects/names.ts';
import { contentKey, referencesOf } from '../../operator/src/objects/references.ts';
import { createResource, inParallel } from './resources.ts';

type Live = kinds.KubeObject & { data?: Record<string, string> };

const ORIGINAL = { name: 'the-original', namespace: 'scale-original' };
const SEED = 'seed';

/** Where the API server has them in etcd, in the order in which they are put there. */
const PLACES: readonly [kinds.Resource, string][] = [
  [kinds.secrets, 'secrets'],
  [kinds.serviceAccounts, 'serviceaccounts'],
  [kinds.networkPolicies, 'networkpolicies'],
  [kinds.services, 'services/specs'],
  [kinds.podDisruptionBudgets, 'poddisruptionbudgets'],
  [kinds.controllerRevisions, 'controllerrevisions'],
  [kinds.jobs, 'jobs'],
  [kinds.deployments, 'deployments'],
  [kinds.replicaSets, 'replicasets'],
  [kinds.pods, 'pods'],
  [APP_RESOURCES.DashboardDeployment, 'apps.devshelf.dev/dashboarddeployments'],
];

export async function createOriginal(transport: Transport): Promise<void> {
  const path = '/api/v1/namespaces';
  await transport.request({ method: 'POST', path, body: { metadata: { name: ORIGINAL.namespace } } });
  await createResource(transport, ORIGINAL);
}

/** What there is of the original, as the API server gives it. */
export async function objectsOf(transport: Transport): Promise<readonly (Live & { key: string })[]> {
  const found = [];
  for (const [resource, folder] of PLACES) {
    const { namespace } = ORIGINAL;
    const path = kinds.pathOf(resource, { namespace });
    const { items } = await transport.request<{ items: Live[] }>({ method: 'GET', path });
    const { apiVersion, kind } = resource;
    for (const item of items)
      found.push({ ...item, apiVersion, kind, key: `/registry/${folder}/${namespace}/${item.metadata.name}` });
  }
  return found;
}

/** `count` copies; `placeOf` says what each is called, and in which namespace, which is there already. */
export async function putCopies(
  etcdUrl: string,
  objects: readonly (Live & { key: string })[],
  count: number,
  placeOf: (index: number) => { readonly name: string; readonly namespace: string },
): Promise<void> {
  const put = async (all: readonly (Live & { key: string })[]): Promise<string> => {
    const success = all.map(({ key, ...object }) => ({
      request_put: { key: base64(key), value: base64(JSON.stringify(withoutVersion(object))) },
    }));
    const response = await fetch(`${etcdUrl}/v3/kv/txn`, { method: 'POST', body: JSON.stringify({ success }) });
    if (!response.ok) throw new Error(`etcd answers ${response.status}: ${await response.text()}`);
    return ((await response.json()) as { header: { revision: string } }).header.revision;
  };
  const isSecret = ({ kind }: Live): boolean => kind === 'Secret';
  await inParallel(count, async index => {
    const copy = copyOf(objects, placeOf(index));
    const { found, release } = wantedIn(copy);
    const renamed = renameAll(copy, { [found.before]: release.hash, ...found.others });
    // what the record was decided on has the versions of what was put
    const version = await put(renamed.filter(isSecret));
    const rest = renamed.filter(object => !isSecret(object));
    await put(withHashes(rest, renamed, release, found.identity, version));
  });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const withoutVersion = ({ metadata: { resourceVersion: _of, ...metadata }, ...object }: Live): object => ({
  ...object,
  metadata,
});

function renameAll<T>(objects: T, to: Readonly<Record<string, string>>): T {
  const pattern = new RegExp(Object.keys(to).join('|'), 'g');
  return JSON.parse(JSON.stringify(objects).replace(pattern, word => to[word] ?? word)) as T;
}

/** With names, uids and a database of its own. */
function copyOf(objects: readonly (Live & { key: string })[], place: { name: string; namespace: string }) {
  const uids = objects.map(({ metadata }) => [metadata.uid ?? '', randomUUID()] as const);
  const renamed = renameAll(objects, {
    [ORIGINAL.namespace]: place.namespace,
    [ORIGINAL.name]: place.name,
    ...Object.fromEntries(uids),
  });
  return renamed.map(object => {
    const { DATABASE_URL: url } = object.data ?? {};
    if (url === undefined) return object;
    const text = Buffer.from(url, 'base64').toString().replace(ORIGINAL.name, place.name);
    return { ...object, data: { ...object.data, DATABASE_URL: base64(text) } };
  });
}

function appIn(objects: readonly Live[]): AppResource {
  const raw = objects.find(({ kind }) => kind === ('DashboardDeployment' satisfies AppKind));
  const parsed = raw && parseResource(raw);
  if (!parsed?.ok) throw new Error(`the original is none: ${parsed?.why}`);
  return parsed.resource;
}

const recordIn = (objects: readonly Live[], app: AppResource) => {
  const of = ({ kind, metadata }: Live) =>
    kind === 'Deployment' && metadata.name === names.deployment(app.metadata.name);
  const record = parseRecord(objects.find(of)?.metadata.annotations?.[ANNOTATIONS.rollout]);
  if (!record || record === 'later') throw new Error('the original has not settled');
  return record;
};

/** The release that the operator wants for the copy, and what in it is still the original's. */
function wantedIn(copy: readonly Live[]) {
  const app = appIn(copy);
  const digests = new Map(
    copy
      .filter(({ kind }) => kind === 'Secret')
      .map(({ metadata, data = {} }) => [metadata.name, digestOf(data, true)] as const),
  );
  const found = new Map(
    referencesOf(app).flatMap(reference => {
      const digest = digests.get(reference.name);
      return digest ? [[contentKey(reference), digest] as const] : [];
    }),
  );
  const seed = digests.get(names.releaseSeed(app.metadata.name))?.hashes.get(SEED) ?? '';
  const { wanted } = wantedOf(app, found, { known: true, value: seed }, []);
  if (!wanted.known) throw new Error(wanted.why);
  const { release, databaseIdentity: identity } = wanted.value;
  const { release: before, wanted: earlier } = recordIn(copy, app);
  const migration = copy.flatMap(({ kind, metadata }) =>
    kind === 'Job' ? (metadata.name.split('-').at(-1) ?? []) : [],
  );
  const others = {
    [earlier?.database ?? '']: identity,
    ...Object.fromEntries(migration.map(id => [id, release.migrationId ?? id])),
  };
  return { found: { before, others, identity }, release };
}

/** With what tells the operator that each is as it was applied. */
function withHashes(
  rest: readonly (Live & { key: string })[],
  all: readonly Live[],
  release: Release,
  database: string,
  version: string,
) {
  const app = appIn(all);
  const secret = (name: string) => {
    const uid = all.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name)?.metadata.uid ?? '';
    return { kind: 'Secret', name, uid, resourceVersion: version } as const;
  };
  const sources = sourcesOf(
    app,
    [names.releaseSeed(app.metadata.name), ...referencesOf(app).map(({ name }) => name)].map(secret),
  );
  const known = renameAll(rest, { [recordIn(rest, app).wanted?.sources ?? '']: sources });
  const record = recordIn(known, app);
  const children = desiredChildren(app, record, () => release, {
    apis: apisBy(() => 'absent'),
    database,
    servingReplicas: app.spec.replicas,
  });
  const hashAnnotation = WRITER.hashAnnotation ?? '';
  return known.map(object => {
    const { metadata, kind } = object;
    const child = children.find(one => one.kind === kind && one.metadata.name === metadata.name);
    if (!child || metadata.annotations?.[hashAnnotation] === undefined) return object;
    const annotations = { ...metadata.annotations, ...child.metadata.annotations, [hashAnnotation]: hashOf(child) };
    return { ...object, metadata: { ...metadata, annotations } };
  });
}
