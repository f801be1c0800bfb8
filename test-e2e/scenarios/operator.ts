// The operator as it is installed by everybody, and what the node and the API server's audit log know about it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RETRY_PERIOD_MS } from '../../operator/src/kube/lease.ts';
import { kubectl } from '../cluster/cluster.ts';
import { isKind } from '../cluster/engine.ts';
import { thisCluster } from '../cluster/names.ts';
import { auditLog } from '../cluster/node.ts';
import { run, sleep } from '../cluster/run.ts';
import { apply, get, type KubeObject, list, pathOf, raw, remove, watch } from './kube.ts';
import { until } from './wait.ts';

const NAMESPACE = 'devshelf-system';
const NAME = 'devshelf-operator';
const USER = `system:serviceaccount:${NAMESPACE}:${NAME}`;

/** Applies the manifests and starts the image that was loaded last; returns when the operator is ready. */
export async function installOperator(): Promise<void> {
  await kubectl(['apply', '-k', join(import.meta.dirname, 'install')]);
  await restartOperator();
}

/** Returns when a pod of the newest template is ready, leads, and no other is left. */
export async function operatorLeads(): Promise<void> {
  await kubectl(['rollout', 'status', '-n', NAMESPACE, `deployment/${NAME}`, '--timeout=120s']);
  await until('the operator to lead', async () => {
    const [pod, ...others] = await pods();
    const { spec } = await get(`/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${NAME}`);
    return others.length === 0 && spec.holderIdentity === pod?.metadata.name;
  });
}

/** Replaces the operator's pod at once, and returns when the new one is ready. */
export async function restartOperator(): Promise<void> {
  const before = await pods();
  for (const { metadata } of before) await kubectl(['delete', 'pod', '-n', NAMESPACE, metadata.name, '--wait=false']);
  const old = new Set(before.map(({ metadata }) => metadata.uid));
  await until('the operator to be ready', async () => {
    const now = await pods();
    return now.every(({ metadata }) => !old.has(metadata.uid)) && now.some(isReady);
  });
}

const pods = (): Promise<readonly KubeObject[]> =>
  list(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=app.kubernetes.io%2Fname%3D${NAME}`);

const isReady = ({ status }: KubeObject): boolean =>
  (status?.conditions ?? []).some(
    ({ type, status }: { type: string; status: string }) => type === 'Ready' && status === 'True',
  );

async function operatorPod(): Promise<KubeObject> {
  const [pod] = (await pods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  if (!pod) throw new Error('the operator has no pod: kubectl -n devshelf-system get all');
  return pod;
}

/** The operator's process, found by the cgroup of its pod. */
export async function operatorPid(): Promise<number> {
  const uid = (await operatorPod()).metadata.uid ?? '';
  return until('the operator’s process', () => processes().find(pid => isProgramOf(pid, uid)));
}

const processes = (): number[] =>
  readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number);

function isProgramOf(pid: number, podUid: string): boolean {
  try {
    const inPod = readFileSync(`/proc/${pid}/cgroup`, 'utf8').replaceAll('_', '-').includes(podUid);
    return inPod && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/operator');
  } catch {
    return false; // it ended meanwhile
  }
}

/** Resident memory of the operator, MiB, as the kernel counts it. */
export async function operatorRssMiB(): Promise<number> {
  const status = readFileSync(`/proc/${await operatorPid()}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 102.4) / 10;
}

/** From the start of the operator's process to its first pass over a resource, milliseconds. */
export async function operatorStartMs(): Promise<number> {
  const [pid, pod] = [await operatorPid(), await operatorPod()];
  const begun = await startedAt(pid);
  // containerd's own clock, not the process's
  const log = await kubectl(['logs', '-n', NAMESPACE, pod.metadata.name, '--timestamps']);
  const line = log.split('\n').find(text => text.includes('"msg":"reconciling"'));
  if (line === undefined) throw new Error('the operator has not reconciled yet');
  return Math.round(Date.parse(line.split(' ', 1)[0] ?? '') - begun);
}

/** Epoch milliseconds, to within the kernel's 10 ms. */
async function startedAt(pid: number): Promise<number> {
  const ticksPerSecond = Number(await run(['getconf', 'CLK_TCK']));
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const upSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]);
  return Date.now() - upSeconds * 1000 + (ticks * 1000) / ticksPerSecond;
}

/** How the operator's container ended last, as the kubelet and it tell it. */
export async function operatorsEnd(): Promise<string> {
  const { metadata, status } = await operatorPod();
  const { terminated } = status.containerStatuses?.[0]?.lastState ?? {};
  const words = await kubectl(['logs', '-n', NAMESPACE, metadata.name, '--previous', '--tail=20']).catch(String);
  return `${JSON.stringify(terminated)}\n${words}`;
}

/** Ends the operator's process as a crash does. The kubelet starts another one. */
export async function killOperator(): Promise<void> {
  process.kill(await operatorPid(), 'SIGKILL');
}

export type Writes = { readonly writes: number; readonly leaseRenewals: number; readonly what: readonly string[] };

type Audit = {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly name?: string };
  readonly requestReceivedTimestamp: string;
};

/** What the operator wrote between two moments (epoch milliseconds), by the API server's audit log. */
function auditedWrites(from: number, to: number): Writes {
  const lines = readFileSync(auditLog(thisCluster()), 'utf8').split('\n');
  const theirs = lines
    .filter(line => line.includes(USER))
    .map(line => JSON.parse(line) as Audit)
    .filter(({ user, requestReceivedTimestamp: at }) => user.username === USER && within(Date.parse(at), from, to));
  const writes = theirs.filter(({ objectRef }) => objectRef?.resource !== 'leases');
  const what = writes.map(({ verb, objectRef }) =>
    [verb, objectRef?.resource, objectRef?.subresource, objectRef?.name].filter(Boolean).join(' '),
  );
  return { writes: writes.length, leaseRenewals: theirs.length - writes.length, what };
}

const within = (at: number, from: number, to: number): boolean => at >= from && at < to;

/**
 * Without an audit log (kind): the API server's own counters of what only this operator does in a settled cluster, any
 * server-side apply and any write of our resources and releases. Events are everybody's, so they are not counted.
 */
async function countedWrites(): Promise<{ readonly writes: number; readonly leaseRenewals: number }> {
  let [writes, leaseRenewals] = [0, 0];
  for (const line of (await raw('/metrics')).split('\n')) {
    const [, text = '', count = '0'] = /^apiserver_request_total\{(.*)\} (\S+)$/.exec(line) ?? [];
    const labels = Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    if (!/^(APPLY|POST|PUT|PATCH|DELETE)$/.test(labels['verb'] ?? '')) continue;
    if (labels['resource'] === 'leases') leaseRenewals += Number(count);
    else if (labels['verb'] === 'APPLY' || isOurs(labels)) writes += Number(count);
  }
  return { writes, leaseRenewals };
}

const isOurs = ({ group, resource }: Record<string, string | undefined>): boolean =>
  group === 'apps.devshelf.dev' || resource === 'controllerrevisions';

/** Counts what the operator writes within `seconds` from now, or from `from` (epoch milliseconds) where that is known. */
export async function countWrites(seconds: number, from = Date.now()): Promise<Writes> {
  if (isKind()) return counterDifference(seconds);
  await sleep(Math.max(0, from + seconds * 1000 - Date.now()) + 500); // the log is written a moment later
  return auditedWrites(from, from + seconds * 1000);
}

export async function counterDifference(seconds: number): Promise<Writes> {
  const before = await countedWrites();
  await sleep(seconds * 1000);
  const after = await countedWrites();
  return {
    writes: after.writes - before.writes,
    leaseRenewals: after.leaseRenewals - before.leaseRenewals,
    what: [],
  };
}

const LEASES = '/apis/coordination.k8s.io/v1/namespaces';

export type Away = {
  /** The longest time for which the operator's lease was not renewed when it should have been. */
  readonly operatorMs: number;
  /** The same of a client in a pod like the operator's that does nothing else: what the machine let nobody do. */
  readonly clientMs: number;
};

/** Begins to follow the operator's lease, and one like it that is only renewed. The function says what became of both. */
export async function followLeases(): Promise<() => Promise<Away>> {
  const [operators, clients]: [number[], number[]] = [[], []];
  const endClient = await startClient();
  const unwatch = await watch('/apis/coordination.k8s.io/v1/leases', ({ object: { metadata, spec } }) => {
    const renewals = { [NAME]: operators, [CLIENT]: clients }[metadata.name];
    if (spec?.renewTime) renewals?.push(Date.parse(spec.renewTime));
  });
  return async () => {
    unwatch();
    const away = { operatorMs: longestAway(operators), clientMs: longestAway(clients) };
    await endClient();
    return away;
  };
}

const longestAway = (renewals: readonly number[]): number => {
  const times = [...renewals, Date.now()];
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? at));
  return Math.max(0, Math.max(...gaps) - RETRY_PERIOD_MS);
};

const CLIENT = 'bare-client';

/** Returns when it renews its lease; the function removes all that it has. */
async function startClient(): Promise<() => Promise<unknown>> {
  const metadata = { name: CLIENT, namespace: 'default' };
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata };
  const apiGroup = 'rbac.authorization.k8s.io';
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
  const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['patch'] }];
  const subjects = [{ kind: 'ServiceAccount', ...metadata }];
  const parts = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { ...rbac, kind: 'Role', rules },
    { ...rbac, kind: 'RoleBinding', roleRef: { apiGroup, kind: 'Role', name: CLIENT }, subjects },
    lease,
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: clientsPod(await operatorPod()) },
  ];
  for (const part of parts) await apply(part);
  await until('the bare client to renew its lease', async () => (await get(pathOf(lease)))['spec']?.renewTime);
  return () => Promise.all(parts.map(part => remove(pathOf(part))));
}

/** What the operator's pod has, and none of what it does. */
function clientsPod({ spec }: KubeObject) {
  const [{ image, resources, securityContext }] = spec.containers;
  const env = [
    { name: 'LEASE', value: `${LEASES}/default/leases/${CLIENT}` },
    { name: 'PERIOD_MS', value: `${RETRY_PERIOD_MS}` },
    { name: 'NODE_EXTRA_CA_CERTS', value: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
  ];
  const code = readFileSync(join(import.meta.dirname, 'bare-client.ts'), 'utf8');
  const command = ['node', '--input-type=module-typescript', '--eval', code];
  return {
    serviceAccountName: CLIENT,
    terminationGracePeriodSeconds: 0,
    securityContext: spec.securityContext,
    containers: [{ name: CLIENT, image, command, env, resources, securityContext }],
  };
}
