// Whether an API server takes these objects, and Pod Security "restricted" these pods.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { apisBy, OPTIONAL_APIS } from '../api/optional-apis.ts';
import { PHASES, type PodTemplate, parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { appliedBy, apply, create, differs } from '../kube/apply.ts';
import { loadCluster } from '../kube/config.ts';
import * as served from '../kube/resource.ts';
import { createTransport, type Transport } from '../kube/transport.ts';
import type { App, KubeObject } from './app.ts';
import { desiredChildren } from './children.ts';
import { deployment, deploymentReplicas } from './deployment.ts';
import { clientSecret, keyringSecret, newKey } from './keyring.ts';
import { migrationJob } from './migration-job.ts';
import { ANNOTATIONS, FIELD_MANAGER, REPLICAS_FIELD_MANAGER } from './names.ts';
import { rehearsalPod } from './rehearsal-pod.ts';
import { releaseOf } from './release.ts';
import { parseRevision, revision } from './revision.ts';
import { dashboard, devshelf } from './testing.ts';

/** What others define, as their own projects publish it. */
const CRDS = join(import.meta.dirname, '../../../test-e2e/crds');
const OTHERS = ['prometheus-operator', 'gateway-api', 'keda'] as const;
const BUILD_MS = 15 * 60_000; // the first time the programs are built
const WRITER = { fieldManager: FIELD_MANAGER, hashAnnotation: 'devshelf.dev/applied' };

let api: ApiServer;
let transport: Transport;

beforeAll(async () => {
  api = await startApiServer();
  transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'shop', labels: restricted } });
  for (const owner of OTHERS) await api.installCrds(join(CRDS, owner));
}, BUILD_MS);
afterAll(async () => {
  await transport?.close();
  await api?.stop();
});

const everything = {
  autoscaling: { minReplicas: 2, maxReplicas: 9 },
  imagePullSecrets: [{ name: 'registry' }],
  extraEnv: [
    { name: 'EMPTY', value: '' },
    { name: 'FLAG', valueFrom: { configMapKeyRef: { name: 'flags', key: 'x' } } },
    { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  ],
  envFrom: [{ prefix: 'X_', secretRef: { name: 'more' } }],
  resources: { requests: { cpu: 1, memory: '1024Mi' } },
  probes: { readiness: { path: '/health', initialDelaySeconds: 3 } },
  podTemplate: {
    labels: { team: 'shop' },
    annotations: { note: 'x' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'spot', operator: 'Exists', effect: 'NoSchedule' }],
    affinity: { podAntiAffinity: {} },
    priorityClassName: 'high',
    serviceAccountName: 'mine',
  },
  exposure: {
    type: 'Ingress',
    hosts: ['shop.example', 'www.shop.example'],
    tls: { issuer: { name: 'ours' } },
    ingress: { className: 'traefik', annotations: { note: 'x' } },
  },
  service: { port: 8443, type: 'NodePort' },
  disruption: { maxUnavailable: '20%' },
  topologySpread: 'RequireZones',
};

const gatewayed = {
  exposure: {
    type: 'Gateway',
    hosts: ['shop.example', 'www.shop.example'],
    trustedProxies: ['10.0.0.0/8'],
    forceHTTPS: true,
    gateway: {
      parentRefs: [
        { name: 'public', namespace: 'edge', sectionName: 'https' },
        { name: 'own', sectionName: 'tls' },
      ],
      httpSection: 'http',
      requestTimeoutSeconds: 30,
    },
  },
  monitoring: { labels: { release: 'prometheus' }, interval: '15s', objective: { latencySeconds: '0.5' } },
};

const withListeners = {
  exposure: {
    ...gatewayed.exposure,
    tls: { issuer: { name: 'ours' } },
    gateway: { parentRefs: [{ name: 'public', namespace: 'edge' }], httpSection: 'http', httpsPort: 8443 },
  },
};
const scaled = {
  autoscaling: {
    provider: 'KEDA',
    minReplicas: 2,
    maxReplicas: 12,
    targetCPUUtilizationPercentage: 70,
    requestsPerSecondPerReplica: 20,
  },
};
const worker = { autoscaling: { minReplicas: 1, maxReplicas: 8, waitingJobsPerReplica: 50 } };

const apps: readonly [string, App][] = [
  ['the smallest dashboard', dashboard()],
  ['the smallest devshelf', devshelf()],
  ['a dashboard with everything', dashboard(everything)],
  ['a devshelf with everything', devshelf(everything)],
  ['a dashboard behind a Gateway', dashboard(gatewayed)],
  ['a devshelf behind a Gateway', devshelf(gatewayed)],
  ['a dashboard with listeners of its own', dashboard(withListeners)],
  ['a devshelf with listeners of its own', devshelf(withListeners)],
  ['a dashboard that KEDA scales', dashboard(scaled)],
  ['a devshelf that KEDA scales, worker and all', devshelf({ ...scaled, worker })],
];

const settled = (release: string): RolloutRecord => ({
  phase: 'Settled',
  release,
  stable: release,
  since: '2026-01-01T00:00:00Z',
});

const resourceOf = (object: KubeObject): served.Resource => {
  const found = Object.values(served).find(
    (value): value is served.Resource =>
      typeof value === 'object' && value.kind === object.kind && value.apiVersion === object.apiVersion,
  );
  if (!found) throw new Error(`no resource for ${object.apiVersion} ${object.kind}`);
  return found;
};

const put = (object: KubeObject) => apply(transport, resourceOf(object), object, WRITER);

/** What the operator would ask in its next pass: does anything have to be written again? */
const wouldWriteAgain = (object: KubeObject, live: served.KubeObject): boolean =>
  differs(object, appliedBy(live.metadata, WRITER), WRITER);

/** Of everything that is asked for. */
const CLUSTER = { apis: apisBy(() => 'present'), prometheusUrl: 'http://prometheus.monitoring.svc:9090' };
const childrenOf = (app: App): readonly KubeObject[] => {
  const wanted = releaseOf(app, {}, 'db');
  return desiredChildren(app, settled(wanted.hash), () => wanted, CLUSTER);
};

test('no kind of child is left out', () => {
  const all = apps.flatMap(([, app]) => childrenOf(app));
  const kinds = new Set(all.map(({ kind }) => kind));
  const scaledObjects = all.flatMap(({ kind, metadata }) => (kind === 'ScaledObject' ? [metadata.name] : []));
  expect(scaledObjects).toEqual(['dashboard', 'devshelf', 'devshelf-worker']);
  expect(Object.keys(OPTIONAL_APIS).filter(kind => !kinds.has(kind))).toEqual([]);
});

test.each(apps)('%s: every child is taken, and is not written again', async (_case, app) => {
  for (const child of childrenOf(app)) {
    const made = await put(child);
    expect([child.kind, wouldWriteAgain(child, made)]).toEqual([child.kind, false]);
    // its definition has a status for a new one, which the API server stores with the write after the first
    const live = child.kind === 'ListenerSet' ? await put(child) : made;
    const again = await put(child);
    expect(again.metadata.resourceVersion).toBe(live.metadata.resourceVersion);
  }
});

test('the Deployment passes through every phase, the same object patched', async () => {
  const app = dashboard({ rollout: { canaryReplicas: 2 } });
  const wanted = releaseOf(app, {}, 'db');
  for (const phase of PHASES) {
    const object = deployment(app, { ...settled(wanted.hash), phase }, wanted);
    const live = await put(object);
    expect([phase, wouldWriteAgain(object, live)]).toEqual([phase, false]);
    const { minReadySeconds, progressDeadlineSeconds, strategy } = object['spec'] as Record<string, unknown>;
    const { spec } = live as unknown as { spec: object };
    // the API server leaves zeros out
    expect({ minReadySeconds: 0, ...spec }).toMatchObject({ minReadySeconds, progressDeadlineSeconds, strategy });
    expect(parseRecord(live.metadata.annotations?.[ANNOTATIONS.rollout])).toMatchObject({ phase });
  }
});

test('the number of replicas survives every apply by its own manager', async () => {
  const app = dashboard({ replicas: 5 });
  const share = deploymentReplicas(app);
  if (!share) throw new Error('no autoscaling here');
  const wanted = releaseOf(app, {}, 'db');
  await put(deployment(app, settled(wanted.hash), wanted));
  await apply(transport, served.deployments, share, { fieldManager: REPLICAS_FIELD_MANAGER });
  const live = await put(deployment(app, { ...settled(wanted.hash), phase: 'Candidate' }, wanted));
  expect(live).toMatchObject({ spec: { replicas: 5, minReadySeconds: 10 } });
});

const pod = (name: string, { metadata, spec }: PodTemplate, more = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', ownerReferences: [], ...metadata },
  spec: { ...spec, priorityClassName: undefined, ...more },
});

const admit = (object: KubeObject) =>
  transport.request({
    method: 'POST',
    path: '/api/v1/namespaces/shop/pods',
    query: { dryRun: 'All' },
    body: object,
  });

test.each(apps)('%s: Pod Security "restricted" admits every pod', async (_case, app) => {
  const wanted = releaseOf(app, {}, 'db');
  const job = migrationJob(app, wanted, { migrationId: '0123456789', databaseIdentity: 'abcdefabcd' });
  const { template } = job['spec'] as { template: PodTemplate };
  const rehearsal = rehearsalPod(app, wanted);
  const pods = [
    pod('serving', wanted.template),
    ...(wanted.worker ? [pod('worker', wanted.worker)] : []),
    pod('migration', template),
    { ...rehearsal, spec: { ...(rehearsal['spec'] as object), priorityClassName: undefined } },
  ];
  for (const object of pods) await admit(object);
});

test('and would refuse one that may run as root', async () => {
  const { template } = releaseOf(dashboard(), {}, 'db');
  await expect(admit(pod('root', template, { securityContext: {} }))).rejects.toThrow(/runAsNonRoot/);
});

test('a migration that is asked for twice is one Job', async () => {
  const app = dashboard();
  const wanted = releaseOf(app, {}, 'db');
  const job = migrationJob(app, wanted, { migrationId: '1111111111', databaseIdentity: 'abcdefabcd' });
  const first = await put(job);
  expect((await put(job)).metadata.uid).toBe(first.metadata.uid);
  await expect(create(transport, served.jobs, job, { fieldManager: FIELD_MANAGER })).rejects.toThrow(/already exists/);
});

test('a release comes back from the API server as it was, and cannot be rewritten', async () => {
  const app = devshelf(everything);
  const wanted = releaseOf(app, {}, 'db');
  const stored = await put(revision(app, wanted, 1));
  expect(parseRevision(stored)?.release).toEqual(JSON.parse(JSON.stringify(wanted)));
  const noted = await put(revision(app, wanted, 1, { verdict: '{"verdict":"released"}' }));
  expect(noted.metadata.annotations).toMatchObject({ [ANNOTATIONS.verdict]: '{"verdict":"released"}' });
  await expect(put(revision(app, { ...wanted, image: 'example/other:1' }, 1))).rejects.toThrow(/immutable/);
});

test('Secrets with keys are taken', async () => {
  const key = newKey('1', new Uint8Array(32));
  await put(
    keyringSecret(
      dashboard(),
      'dashboard-api-keyring',
      { current: '1', keys: { '1': key } },
      { state: 'Idle', current: '1', since: '' },
    ),
  );
  await put(clientSecret(dashboard(), 'dashboard-api-key', { key }));
});
