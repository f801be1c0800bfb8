// Asks what stands in the way: what the API server serves, what the user may do, how the operator is.
import { API_VERSION, KIND_NAMES } from '../api/group.ts';
import { type ApiState, apisBy, OPTIONAL_APIS, type OptionalKind } from '../api/optional-apis.ts';
import { parseResource } from '../api/resource.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { configMaps, deployments, leases, pathOf, secrets } from '../kube/resource.ts';
import { IN_CHARGE } from '../objects/names.ts';
import { referencesOf } from '../objects/references.ts';
import { COMMAND_NAMES, COMMANDS, expanded, type Right } from './args.ts';
import type { Cluster, Reach } from './gather.ts';
import { plain } from './safe.ts';
import type { DoctorFacts, Known, SeenLease, SeenOperator } from './views/doctor.ts';
import type { SeenResource } from './views/status.ts';

const OPERATOR = 'devshelf-operator';
const OPERATOR_NAMESPACE = 'devshelf-system';
/** No value of a Secret is sent for that. */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

export async function doctorFacts(cluster: Cluster, now: number): Promise<DoctorFacts> {
  const { reach } = cluster;
  const [server, served, apis, rights, resources, inCharge] = await Promise.all([
    known(() => version(reach)),
    known(() => ours(reach)),
    optional(reach),
    rightsOf(reach),
    known(() => cluster.all()),
    known(() => lease(reach, reach.namespace, IN_CHARGE)),
  ]);
  // "namespace/name" of the installation's own Lease
  const [named] = (inCharge.known ? (inCharge.value?.holder ?? '') : '').split('/');
  const place = named === undefined || named === '' ? OPERATOR_NAMESPACE : named;
  const [operator, leader, missing] = await Promise.all([
    known(() => operatorIn(reach, place)),
    known(() => lease(reach, place, OPERATOR)),
    resources.known ? missingOf(reach, resources.value) : Promise.resolve([]),
  ]);
  return {
    now,
    namespace: reach.namespace,
    server,
    served,
    apis,
    rights,
    resources,
    inCharge,
    place,
    operator,
    leader,
    missing,
  };
}

async function known<T>(read: () => Promise<T>): Promise<Known<T>> {
  try {
    return { known: true, value: await read() };
  } catch (error) {
    return { known: false, why: plain((error as Error).message) };
  }
}

async function version({ transport }: Reach): Promise<string> {
  const { gitVersion } = await transport.request<{ gitVersion?: string }>({ method: 'GET', path: '/version' });
  return plain(gitVersion ?? '?');
}

/** Kinds of ours that are served. */
async function ours({ transport }: Reach): Promise<readonly string[]> {
  const all = await servedBy(transport, API_VERSION);
  return KIND_NAMES.filter(({ plural }) => all.includes(plural)).map(({ kind }) => kind);
}

async function servedBy(transport: Reach['transport'], apiVersion: string): Promise<readonly string[]> {
  try {
    const path = `/apis/${apiVersion}`;
    const { resources = [] } = await transport.request<{ resources?: { name: string }[] }>({ method: 'GET', path });
    return resources.map(({ name }) => name);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

async function optional({ transport }: Reach): Promise<DoctorFacts['apis']> {
  const kinds = Object.keys(OPTIONAL_APIS) as OptionalKind[];
  const states = await Promise.all(
    kinds.map(async (kind): Promise<[OptionalKind, ApiState]> => {
      const { apiVersion, plural } = OPTIONAL_APIS[kind];
      const all = await known(() => servedBy(transport, apiVersion));
      return [kind, all.known ? (all.value.includes(plural) ? 'present' : 'absent') : 'refused'];
    }),
  );
  const byKind = new Map(states);
  return apisBy(kind => byKind.get(kind) ?? 'refused');
}

/** Everybody may ask what he may do himself. */
async function rightsOf(reach: Reach): Promise<DoctorFacts['rights']> {
  const asked = [...new Set(COMMAND_NAMES.flatMap(name => COMMANDS[name].rights.flatMap(expanded)))];
  const answers = new Map(
    await Promise.all(asked.map(async right => [right, await known(() => may(reach, right))] as const)),
  );
  return COMMAND_NAMES.map(command => {
    const rights: readonly Right[] = COMMANDS[command].rights;
    const all = rights.flatMap(expanded).map(right => ({ right, answer: answers.get(right) }));
    return {
      command,
      lacks: all.filter(({ answer }) => answer?.known && !answer.value).map(({ right }) => right),
      unknown: all.some(({ answer }) => !answer?.known),
    };
  });
}

/** `get pods/log`, `list controllerrevisions.apps` */
async function may({ transport, namespace }: Reach, right: Right): Promise<boolean> {
  const [verb, target = ''] = right.split(' ');
  const [name = '', ...group] = target.split('.');
  const [resource, subresource] = name.split('/');
  const resourceAttributes = { namespace, verb, group: group.join('.'), resource, ...(subresource && { subresource }) };
  const { status } = await transport.request<{ status?: { allowed?: boolean } }>({
    ...{ method: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews' },
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
  });
  return status?.allowed === true;
}

/** Undefined: there is none. */
async function lease({ transport }: Reach, namespace: string, name: string): Promise<SeenLease | undefined> {
  const found = await absentOr(() =>
    transport.request<{ spec?: { holderIdentity?: string; renewTime?: string } }>({
      ...{ method: 'GET', path: pathOf(leases, { namespace, name }) },
    }),
  );
  const { holderIdentity = '', renewTime } = found?.spec ?? {};
  return found && { holder: plain(holderIdentity), ...(renewTime !== undefined && { renewedAt: renewTime }) };
}

async function operatorIn({ transport }: Reach, namespace: string): Promise<SeenOperator | undefined> {
  const path = pathOf(deployments, { namespace });
  const query = { labelSelector: `app.kubernetes.io/name=${OPERATOR}` };
  const { items } = await transport.request<{ items: NonNullable<(typeof deployments)['object']>[] }>({
    ...{ method: 'GET', path, query },
  });
  const [found] = items;
  if (!found) return undefined;
  const image = found.spec?.template.spec?.containers?.[0]?.image ?? '?';
  const version = found.metadata.labels?.['app.kubernetes.io/version'];
  return {
    ...{ name: plain(found.metadata.name), image: plain(image), ready: found.status?.readyReplicas ?? 0 },
    ...(version !== undefined && { version: plain(version) }),
  };
}

/** Names of Secrets and ConfigMaps that are named and not there, by resource; what may not be asked is left out. */
async function missingOf(
  { transport, namespace }: Reach,
  seen: readonly SeenResource[],
): Promise<DoctorFacts['missing']> {
  const named = seen.flatMap(resource => {
    const read = parseResource(resource);
    if (!read.ok) return [];
    const { kind, metadata } = read.resource;
    return referencesOf(read.resource).map(({ kind: of, name }) => ({
      resource: { kind, name: metadata.name },
      of,
      name,
    }));
  });
  const found = await Promise.all(
    named.map(async one => {
      const path = pathOf(one.of === 'Secret' ? secrets : configMaps, { namespace, name: one.name });
      const there = await known(() =>
        absentOr(() => transport.request({ method: 'GET', path, accept: METADATA_ONLY })),
      );
      return there.known && there.value === undefined ? [one] : [];
    }),
  );
  return found.flat();
}

async function absentOr<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ApiError && isNotFound(error)) return undefined;
    throw error;
  }
}
