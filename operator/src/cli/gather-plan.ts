// Reads what a plan is made of. Secrets come in here and go on as hashes only.

import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { API_VERSION, asResource, KIND_NAMES } from '../api/group.ts';
import { parseRefusals } from '../api/incident.ts';
import { type AppResource, parseResource } from '../api/resource.ts';
import { parseRecord } from '../api/rollout.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import {
  configMaps,
  controllerRevisions,
  deployments,
  jobs,
  type KubeObject,
  pathOf,
  type Resource,
  secrets,
} from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { remembered } from '../lifecycle/release/remembered.ts';
import type { DeploymentView, JobView, Revision } from '../lifecycle/snapshot.ts';
import { instanceSelector } from '../objects/app.ts';
import { type Digest, digestOf, type Seed } from '../objects/contents.ts';
import { ANNOTATIONS, LABELS, names } from '../objects/names.ts';
import { contentKey, referencesOf } from '../objects/references.ts';
import { SEED } from '../objects/release-seed.ts';
import { parseRevision } from '../objects/revision.ts';
import { FIELD_MANAGER, type Reach } from './gather.ts';
import { plain } from './safe.ts';
import { applied, type Given } from './views/applied.ts';
import type { PlanFacts } from './views/plan.ts';

/**
 * The resources of ours in a file, or of standard input: `-`.
 * @param wanted the namespace that was asked for: one that the file names may not be another
 * @throws Error that says what is wrong with it
 */
export async function readGiven(file: string, wanted?: string): Promise<{ given: readonly Given[]; others: number }> {
  const documents = parseAllDocuments(readFileSync(file === '-' ? 0 : file, 'utf8'));
  const objects = [...documents].map(document => {
    const [error] = document.errors;
    if (error) throw new Error(`${file}: ${error.message.split('\n')[0]}`);
    return document.toJS() as Partial<Given> | null;
  });
  const there = objects.filter(object => object !== null && object !== undefined);
  const given = there.filter((object): object is Given => KIND_NAMES.some(({ kind }) => kind === object.kind));
  const unnamed = given.find(({ metadata }) => typeof metadata?.name !== 'string');
  if (unnamed) throw new Error(`${file}: a ${unnamed.kind} has no metadata.name`);
  const foreign = given.find(({ apiVersion }) => apiVersion !== API_VERSION);
  if (foreign) throw new Error(`${file}: apiVersion ${foreign.apiVersion}: wanted ${API_VERSION}`);
  const elsewhere = given.find(({ metadata: { namespace = wanted } }) => wanted !== undefined && namespace !== wanted);
  if (elsewhere)
    throw new Error(
      `${file}: ${elsewhere.metadata.name} is of namespace ${elsewhere.metadata.namespace}, not of ${wanted}`,
    );
  if (given.length === 0) throw new Error(`${file}: no ${KIND_NAMES.map(({ kind }) => kind).join(' or ')} is in it`);
  return { given, others: there.length - given.length };
}

/** @throws Error where it is not valid, or where the resource itself may not be read */
export async function planFacts({ transport, namespace: here }: Reach, given: Given, now: number): Promise<PlanFacts> {
  const namespace = given.metadata.namespace ?? here;
  const reach = { transport, namespace };
  const { name } = given.metadata;
  const definition = KIND_NAMES.find(({ kind }) => kind === given.kind);
  if (!definition) throw new Error(`${given.kind}: no kind of ours`);
  const path = pathOf(asResource(definition), { namespace, name });
  const liveObject = await found<LiveObject>(transport, path);
  const { object, unchecked } = await wouldBe(transport, path, applied(given, liveObject, namespace));
  const app = understood(object);
  const live = liveObject && understood(liveObject);
  const reading = new Reading(reach);
  const [revisions, deployment, running, contents] = await Promise.all([
    reading.revisions(app),
    reading.deployment(app),
    reading.jobs(app),
    reading.contents(app, live),
  ]);
  return {
    ...{ app, revisions, jobs: running, now },
    ...contents,
    ...(live && { live }),
    ...deployment,
    notes: [...(unchecked === undefined ? [] : [unchecked]), ...reading.notes],
  };
}

type LiveObject = KubeObject & { spec?: object };

function understood(object: unknown): AppResource {
  const read = parseResource(object);
  if (!read.ok) throw new Error(read.why);
  return read.resource;
}

/** The API server's own word: defaults, rules, webhooks. Who may not ask it gets this program's. */
async function wouldBe(
  transport: Transport,
  path: string,
  { request, merged }: ReturnType<typeof applied>,
): Promise<{ object: unknown; unchecked?: string }> {
  const query = {
    dryRun: 'All',
    ...(request.isApply && { fieldManager: request.fieldManager ?? FIELD_MANAGER, force: true }),
  };
  const { contentType, body } = request;
  try {
    return { object: await transport.request({ method: 'PATCH', path, query, contentType, body }) };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    return { object: merged, unchecked: `not checked by the API server: ${plain(error.message)}` };
  }
}

async function found<T>(transport: Transport, path: string): Promise<T | undefined> {
  try {
    return await transport.request<T>({ method: 'GET', path });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** What may not be read is told, and fails nothing else. */
class Reading {
  readonly #reach: Reach;
  readonly notes: string[] = [];

  constructor(reach: Reach) {
    this.#reach = reach;
  }

  async revisions({ kind, metadata: { name, uid } }: AppResource): Promise<Revision[]> {
    const list = await this.#list(controllerRevisions, instanceSelector(kind, name));
    return list
      .filter(({ metadata }) => metadata.ownerReferences?.some(owner => owner.uid === uid))
      .flatMap(({ metadata, revision, data }) => {
        const { annotations = {}, creationTimestamp = '' } = metadata;
        const parsed = parseRevision({ metadata: { name: metadata.name, annotations }, revision, data });
        return parsed ? [remembered(parsed, creationTimestamp)] : [];
      })
      .sort((a, b) => a.number - b.number);
  }

  async deployment({ metadata }: AppResource): Promise<{ deployment?: DeploymentView; database?: string }> {
    const live = await this.#one(deployments, names.deployment(metadata.name));
    const { annotations = {}, labels = {}, ownerReferences = [] } = live?.metadata ?? {};
    const record = parseRecord(annotations[ANNOTATIONS.rollout]);
    if (!live || !ownerReferences.some(({ uid }) => uid === metadata.uid)) return {};
    if (record === 'later')
      throw new Error('a later version of the operator wrote the record of its rollout: this program cannot read it');
    const database = labels[LABELS.database];
    const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = live.status ?? {};
    const refusals = parseRefusals(annotations[ANNOTATIONS.refused]);
    const counts = { replicas, updatedReplicas, readyReplicas, availableReplicas };
    const wantedReplicas = live.spec?.replicas ?? 1;
    const observed = (live.status?.observedGeneration ?? 0) >= (live.metadata.generation ?? 0);
    const progress = live.status?.conditions?.find(({ type }) => type === 'Progressing')?.lastUpdateTime;
    const view = record && {
      ...{ name: live.metadata.name, record, foreign: [], observed, wantedReplicas, ...counts },
      ...(progress !== undefined && { progressedAt: Date.parse(progress) }),
      ...(live.spec?.paused && { paused: true }),
    };
    return {
      ...(database !== undefined && { database }),
      ...(view && { deployment: { ...view, ...(refusals && { refusals }) } }),
    };
  }

  /** Those that have not ended: the verdicts of others are with their releases. */
  async jobs({ kind, metadata: { name } }: AppResource): Promise<JobView[]> {
    const list = await this.#list(jobs, instanceSelector(kind, name));
    return list.flatMap(({ metadata, status }) => {
      const migrationId = metadata.labels?.[LABELS.migration];
      const isOver = status?.conditions?.some(
        ({ type, status: is }) => is === 'True' && /^(Complete|Failed)$/.test(type),
      );
      if (migrationId === undefined || isOver) return [];
      const task = metadata.annotations?.[ANNOTATIONS.task];
      return [
        {
          ...{ name: metadata.name, uid: metadata.uid ?? '', migrationId, state: { kind: 'running' } as const },
          release: metadata.labels?.[LABELS.release] ?? '',
          createdAt: Date.parse(metadata.creationTimestamp ?? ''),
          ...(task !== undefined && { task }),
        },
      ];
    });
  }

  /** The ones that either spec names, and the seed. */
  async contents(
    app: AppResource,
    live: AppResource | undefined,
  ): Promise<{ found: ReadonlyMap<string, Digest>; seed: Seed; unread?: string }> {
    const digests = new Map<string, Digest>();
    try {
      for (const reference of [...referencesOf(app), ...(live ? referencesOf(live) : [])]) {
        const digest = await this.#digest(reference);
        if (digest) digests.set(contentKey(reference), digest);
      }
      const name = names.releaseSeed(app.metadata.name);
      const value = (await this.#digest({ kind: 'Secret', name }))?.hashes.get(SEED);
      // of a resource that is not there yet any seed will do: no release has a hash that could be the same
      const seed: Seed = { known: true, value: value ?? 'not made yet' };
      return { found: digests, seed };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const unread = plain(error.message);
      return { found: new Map(), seed: { known: false, why: unread }, unread };
    }
  }

  async #digest({ kind, name }: { kind: 'Secret' | 'ConfigMap'; name: string }): Promise<Digest | undefined> {
    const { transport, namespace } = this.#reach;
    const path = pathOf(kind === 'Secret' ? secrets : configMaps, { namespace, name });
    const object = await found<{ data?: Record<string, string> }>(transport, path);
    return object && digestOf(object.data ?? {}, kind === 'Secret');
  }

  async #list<T extends KubeObject>(resource: Resource<T>, labelSelector: string): Promise<readonly T[]> {
    const { transport, namespace } = this.#reach;
    const path = pathOf(resource, { namespace });
    const list = await this.#told<{ items: readonly T[] }>(() =>
      transport.request({ method: 'GET', path, query: { labelSelector } }),
    );
    return list?.items ?? [];
  }

  #one<T extends KubeObject>(resource: Resource<T>, name: string): Promise<T | undefined> {
    const { transport, namespace } = this.#reach;
    return this.#told(() => found<T>(transport, pathOf(resource, { namespace, name })));
  }

  async #told<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.notes.push(plain(error.message));
      return undefined;
    }
  }
}
