// The operator as it is installed by everybody, and what the node and the API server's audit log know about it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RETRY_PERIOD_MS } from '../../operator/src/kube/lease.ts';
import { microTime } from '../../operator/src/kube/resource.ts';
import { kubectl } from '../cluster/cluster.ts';
import { isKind } from '../cluster/engine.ts';
import { thisCluster } from '../cluster/names.ts';
import { auditLog } from '../cluster/node.ts';
import { run, sleep } from '../cluster/run.ts';
import { apply, get, type KubeObject, list, patch, raw, remove, watch } from './kube.ts';
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
/** For how long the bare client waits for an answer. */
const ANSWER_MS = 5_000;

export type Away = {
  /** The longest time for which the operator's lease was not renewed when it should have been. */
  readonly operatorMs: number;
  /** The same of a client that does nothing else: what the API server, and the machine, let nobody do. */
  readonly clientMs: number;
};

/** Begins to follow the operator's lease, and to renew one like it. The function says what became of both. */
export async function followLeases(): Promise<() => Promise<Away>> {
  const renewals: number[] = [];
  const unwatch = await watch(`${LEASES}/${NAMESPACE}/leases`, ({ object }) => {
    if (object.metadata.name === NAME) renewals.push(Date.parse(object['spec'].renewTime));
  });
  const client = await keepLease();
  return async () => {
    unwatch();
    return { operatorMs: longestAway(renewals), clientMs: longestAway(await client()) };
  };
}

const longestAway = (renewals: readonly number[]): number => {
  const times = [...renewals, Date.now()];
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? at));
  return Math.max(0, Math.max(...gaps) - RETRY_PERIOD_MS);
};

async function keepLease(): Promise<() => Promise<readonly number[]>> {
  const metadata = { name: 'bare-client', namespace: 'default' };
  const path = `${LEASES}/default/leases/${metadata.name}`;
  await apply({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata });
  const renewals = [Date.now()];
  const stopped = new AbortController();
  const renewing = (async () => {
    while (!stopped.signal.aborted) {
      await sleep(RETRY_PERIOD_MS);
      const at = Date.now();
      const answer = patch(path, { spec: { holderIdentity: metadata.name, renewTime: microTime(at) } });
      const isRenewed = await Promise.race([
        answer.then(
          () => true,
          () => false,
        ),
        sleep(ANSWER_MS).then(() => false),
      ]);
      if (isRenewed) renewals.push(at);
    }
  })();
  return async () => {
    stopped.abort();
    await renewing;
    await remove(path);
    return renewals;
  };
}
