// Against a real API server: whether a write is needed is decided by what it really stores.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { appliedBy, apply, applyStatus, create, differs, get, patchStatus, remove, type Writer } from './apply.ts';
import { sleep } from './backoff.ts';
import { loadCluster } from './config.ts';
import { isAlreadyExists, isConflict, isInvalid } from './errors.ts';
import {
  configMaps,
  controllerRevisions,
  deployments,
  horizontalPodAutoscalers,
  jobs,
  type KubeObject,
  networkPolicies,
  pathOf,
  podDisruptionBudgets,
  type Resource,
  secrets,
  serviceAccounts,
  services,
} from './resource.ts';
import { createTransport, type Transport } from './transport.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const writer: Writer = { fieldManager: 'writer', hashAnnotation: 'example.com/applied' };
let api: ApiServer;
let transport: Transport;

beforeAll(async () => {
  const flags = [
    '--feature-gates=MutatingAdmissionPolicy=true',
    '--runtime-config=admissionregistration.k8s.io/v1beta1=true',
  ];
  api = await startApiServer({ flags });
  transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
}, BUILD_MS);
afterAll(async () => {
  await transport?.close();
  await api?.stop();
});

const labels = { app: 'shop' };
const ownerReferences = [
  {
    apiVersion: 'example.com/v1',
    kind: 'Shop',
    name: 'shop',
    uid: '1-2-3',
    controller: true,
    blockOwnerDeletion: true,
  },
];
const metadata = (name: string) => ({ name, namespace: 'default', labels, ownerReferences });

// what the server rewrites: quantities, defaults of ports and probes, empty maps and lists, zero values, Int-or-string
const podSpec = {
  serviceAccountName: 'shop',
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  hostNetwork: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  nodeSelector: {},
  tolerations: [],
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: labels },
    },
  ],
  containers: [
    {
      name: 'app',
      image: 'shop:1',
      args: ['serve'],
      env: [
        { name: 'A', value: '1000m' },
        { name: 'EMPTY', value: '' },
        { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
      ports: [
        { name: 'http', containerPort: 8080 },
        { containerPort: 9090, protocol: 'UDP' },
      ],
      resources: { requests: { cpu: '1000m', memory: '128Mi' }, limits: { cpu: '0.5e1', memory: '1024Mi' } },
      readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 2 },
      livenessProbe: { httpGet: { path: '/health', port: 8080 }, initialDelaySeconds: 0 },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      volumeMounts: [
        { name: 'tmp', mountPath: '/tmp', readOnly: false },
        { name: 'keys', mountPath: '/keys', readOnly: true },
      ],
    },
  ],
  volumes: [
    { name: 'tmp', emptyDir: {} },
    { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o440, items: [{ key: 'k1', path: 'k1' }] } },
  ],
};

const deploymentSpec = {
  replicas: 3,
  paused: false,
  revisionHistoryLimit: 2,
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
  selector: { matchLabels: labels },
  template: { metadata: { labels, annotations: {} }, spec: podSpec },
};

const kinds: [Resource, object][] = [
  [deployments, { spec: deploymentSpec }],
  [
    services,
    {
      spec: {
        selector: labels,
        sessionAffinity: 'None',
        ports: [
          { name: 'http', port: 80, targetPort: 'http' },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
      },
    },
  ],
  [
    horizontalPodAutoscalers,
    {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' },
        minReplicas: 2,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
          { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1000m' } } },
        ],
        behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
      },
    },
  ],
  [podDisruptionBudgets, { spec: { minAvailable: '50%', selector: { matchLabels: labels } } }],
  [
    networkPolicies,
    {
      spec: {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ podSelector: { matchLabels: labels } }], ports: [{ port: 8080 }] }],
        egress: [{}],
      },
    },
  ],
  [secrets, { type: 'Opaque', data: { k1: 'c2VjcmV0', k2: '' } }],
  [configMaps, { data: { a: '1', empty: '' } }],
  [
    jobs,
    {
      spec: {
        backoffLimit: 0,
        activeDeadlineSeconds: 600,
        template: { metadata: { labels }, spec: { ...podSpec, restartPolicy: 'Never' } },
      },
    },
  ],
  [controllerRevisions, { revision: 3, data: { template: { spec: podSpec }, evidence: { samples: 0, list: [] } } }],
  [serviceAccounts, { automountServiceAccountToken: false, imagePullSecrets: [{ name: 'registry' }] }],
];

function objectOf(resource: Resource, content: object, name: string): KubeObject {
  return { apiVersion: resource.apiVersion, kind: resource.kind, metadata: metadata(name), ...content };
}

const stillDiffers = (desired: KubeObject, live: KubeObject) =>
  differs(desired, appliedBy(live.metadata, writer), writer);

test.each(kinds.map(([resource, content]) => [resource.kind, resource, content] as const))(
  '%s: nothing is left to write after it was applied, and applying it again changes nothing',
  async (kind, resource, content) => {
    const desired = objectOf(resource, content, `settled-${kind.toLowerCase()}`);
    expect(differs(desired, undefined, writer)).toBe(true);
    const live = await apply(transport, resource, desired, writer);
    expect(stillDiffers(desired, live)).toBe(false);
    const again = await apply(transport, resource, desired, writer);
    expect(again.metadata.resourceVersion).toBe(live.metadata.resourceVersion);
  },
);

const failure = (request: Promise<unknown>) =>
  request.then(
    () => undefined,
    error => error,
  );
const replaceAt = (path: string, value: unknown) => [{ op: 'replace', path, value }];

test.each([
  ['a value is changed', replaceAt('/spec/template/spec/containers/0/image', 'shop:2')],
  ['a value is changed to what it means', replaceAt('/spec/template/spec/containers/0/env/0/value', '1')],
  ['a number in a list item is changed', replaceAt('/spec/template/spec/containers/0/readinessProbe/periodSeconds', 9)],
  ['a field is removed', [{ op: 'remove', path: '/spec/template/spec/automountServiceAccountToken' }]],
  [
    'a false is removed',
    [{ op: 'remove', path: '/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation' }],
  ],
  ['an env is removed', [{ op: 'remove', path: '/spec/template/spec/containers/0/env/1' }]],
  ['a label is removed', [{ op: 'remove', path: '/metadata/labels/app' }]],
  ['the owner is removed', [{ op: 'remove', path: '/metadata/ownerReferences' }]],
  ['our memory of what was applied is changed', replaceAt('/metadata/annotations/example.com~1applied', 'x')],
  [
    'a list that is one value grows',
    [{ op: 'add', path: '/spec/template/spec/containers/0/args/-', value: '--debug' }],
  ],
  ['managedFields are thrown away', replaceAt('/metadata/managedFields', [{}])],
])('a Deployment edited by hand is put back: %s', async (what, patch) => {
  const desired = objectOf(deployments, { spec: deploymentSpec }, `edited-${what.replace(/[^a-z]+/g, '-')}`);
  const path = pathOf(deployments, desired.metadata);
  const applied = await apply(transport, deployments, desired, writer);
  const edited = await transport.request<KubeObject>({
    ...{ method: 'PATCH', path, query: { fieldManager: 'somebody' } },
    ...{ contentType: 'application/json-patch+json', body: patch },
  });
  expect(edited.metadata.resourceVersion).not.toBe(applied.metadata.resourceVersion);
  expect(stillDiffers(desired, edited)).toBe(true);
  const healed = await apply(transport, deployments, desired, writer);
  expect(stillDiffers(desired, healed)).toBe(false);
  expect(healed).toMatchObject({
    metadata: { labels, ownerReferences },
    spec: {
      template: {
        spec: {
          automountServiceAccountToken: false,
          containers: [{ image: 'shop:1', args: ['serve'], securityContext: { allowPrivilegeEscalation: false } }],
        },
      },
    },
  });
});

test('what somebody adds beside our fields is theirs: it stays, and is no reason to write', async () => {
  const desired = objectOf(deployments, { spec: deploymentSpec }, 'shared');
  await apply(transport, deployments, desired, writer);
  const path = pathOf(deployments, desired.metadata);
  const edited = await transport.request<KubeObject>({
    ...{ method: 'PATCH', path, contentType: 'application/json-patch+json' },
    body: [
      { op: 'add', path: '/metadata/labels/team', value: 'blue' },
      { op: 'add', path: '/spec/template/spec/containers/0/env/-', value: { name: 'THEIRS', value: '1' } },
    ],
  });
  expect(stillDiffers(desired, edited)).toBe(false);
});

test('the API server’s own controllers are no reason to write: status, scale of a field that is not ours', async () => {
  const { replicas: _, ...spec } = deploymentSpec;
  const desired = objectOf(deployments, { spec }, 'scaled');
  await apply(transport, deployments, desired, writer);
  await patchStatus(
    transport,
    deployments,
    { metadata: { ...metadata('scaled') } },
    { observedGeneration: 1 },
    {
      fieldManager: 'controller',
    },
  );
  const path = pathOf(deployments, { ...desired.metadata, subresource: 'scale' });
  await transport.request({
    method: 'PATCH',
    path,
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas: 7 } },
  });
  const live = await get(transport, deployments, { namespace: 'default', name: 'scaled' });
  expect(live?.spec?.replicas).toBe(7);
  expect(live && stillDiffers(desired, live)).toBe(false);
});

test('a field that is no longer desired is a reason to write, and goes', async () => {
  const before = objectOf(configMaps, { data: { a: '1', b: '2' } }, 'shrinking');
  const live = await apply(transport, configMaps, before, writer);
  const after = objectOf(configMaps, { data: { a: '1' } }, 'shrinking');
  expect(stillDiffers(after, live)).toBe(true);
  expect(await apply(transport, configMaps, after, writer)).toMatchObject({ data: { a: '1' } });
  expect((await get(transport, configMaps, { namespace: 'default', name: 'shrinking' }))?.data).toEqual({ a: '1' });
});

test('metadata alone tells that a Secret was edited', async () => {
  const desired = objectOf(secrets, { data: { key: 'b25l' } }, 'watched');
  await apply(transport, secrets, desired, writer);
  const path = pathOf(secrets, desired.metadata);
  const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
  const metadataOf = () => transport.request<KubeObject>({ method: 'GET', path, accept });
  expect(await metadataOf()).not.toHaveProperty('data');
  expect(stillDiffers(desired, await metadataOf())).toBe(false);
  const body = { data: { key: 'dHdv' } };
  await transport.request({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });
  expect(stillDiffers(desired, await metadataOf())).toBe(true);
});

test('a second writer has its own share of the object', async () => {
  const { replicas: _, ...spec } = deploymentSpec;
  const desired = objectOf(deployments, { spec }, 'two-writers');
  await apply(transport, deployments, desired, writer);
  const replicas: Writer = { fieldManager: 'writer-replicas' };
  const share: KubeObject & { spec: object } = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'two-writers', namespace: 'default' } },
    spec: { replicas: 4 },
  };
  const live = await apply(transport, deployments, share, replicas);
  expect(live.spec?.replicas).toBe(4);
  expect(stillDiffers(desired, live)).toBe(false);
  expect(differs(share, appliedBy(live.metadata, replicas), replicas)).toBe(false);
});

test('status is applied apart from the rest, and does not take the rest’s share', async () => {
  const desired = objectOf(deployments, { spec: deploymentSpec }, 'with-status');
  const live = await apply(transport, deployments, desired, writer);
  const status = { ...objectOf(deployments, { status: { observedGeneration: 1 } }, 'with-status') };
  const after = await applyStatus(
    transport,
    deployments,
    { ...status, metadata: { name: 'with-status', namespace: 'default' } },
    writer,
  );
  expect(after.status?.observedGeneration).toBe(1);
  expect(after.metadata.generation).toBe(live.metadata.generation);
  expect(stillDiffers(desired, after)).toBe(false);
});

test('a status computed from an older object is refused', async () => {
  const old = await apply(transport, deployments, objectOf(deployments, { spec: deploymentSpec }, 'stale'), writer);
  const options = { fieldManager: 'writer' };
  const target = { metadata: { ...metadata('stale'), resourceVersion: `${old.metadata.resourceVersion}` } };
  await patchStatus(transport, deployments, target, { observedGeneration: 1 }, options);
  const late = patchStatus(transport, deployments, target, { observedGeneration: 2 }, options);
  expect(isConflict(await failure(late))).toBe(true);
});

test('create says who was first, remove is harmless twice and spares a successor', async () => {
  const object = objectOf(configMaps, { data: {} }, 'once');
  const first = await create(transport, configMaps, object, { fieldManager: 'writer' });
  expect(isAlreadyExists(await failure(create(transport, configMaps, object, { fieldManager: 'writer' })))).toBe(true);
  const target = { namespace: 'default', name: 'once' };
  expect(isConflict(await failure(remove(transport, configMaps, target, { uid: 'another' })))).toBe(true);
  await remove(transport, configMaps, target, { uid: `${first.metadata.uid}` });
  await remove(transport, configMaps, target);
  expect(await get(transport, configMaps, target)).toBeUndefined();
});

test('a refusal names the operation and the field', async () => {
  const wrong = objectOf(services, { spec: { ports: [{ port: 0 }] } }, 'wrong');
  const refusal = await failure(apply(transport, services, wrong, writer));
  expect(isInvalid(refusal)).toBe(true);
  expect(refusal).toMatchObject({ code: 'ApplyFailed', reason: 'Invalid' });
  expect(refusal.details.causes).toContainEqual(expect.objectContaining({ field: 'spec.ports[0].port' }));
});

const admission = 'admissionregistration.k8s.io/v1beta1';
async function admissionThat(name: string, expression: string): Promise<void> {
  const policies = `/apis/${admission}/mutatingadmissionpolicies`;
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] };
  await api.request('POST', policies, {
    ...{ apiVersion: admission, kind: 'MutatingAdmissionPolicy', metadata: { name } },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      matchConditions: [{ name: 'this', expression: `object.metadata.name == '${name}'` }],
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression } }],
      reinvocationPolicy: 'Never',
    },
  });
  await api.request('POST', policies.replace(/policies$/, 'policybindings'), {
    ...{
      apiVersion: admission,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name },
    },
  });
}

test.each([
  ['changes', `[JSONPatch{op: "replace", path: "/data/a", value: "theirs"}]`, { a: 'theirs', b: '2' }],
  ['removes', `has(object.data.a) ? [JSONPatch{op: "remove", path: "/data/a"}] : []`, { b: '2' }],
  ['adds', `[JSONPatch{op: "add", path: "/data/z", value: "theirs"}]`, { a: '1', b: '2', z: 'theirs' }],
])(
  'an admission that %s a field on its way in is no endless quarrel',
  async (name, expression, data) => {
    await admissionThat(name, expression);
    const desired = objectOf(configMaps, { data: { a: '1', b: '2' } }, name);
    const effective = async () => {
      await remove(transport, configMaps, { namespace: 'default', name });
      return apply(transport, configMaps, desired, writer);
    };
    let live = await effective();
    for (let tries = 0; tries < 50 && JSON.stringify(live.data) !== JSON.stringify(data); tries++) {
      await sleep(200); // policies are read by the API server's own watch
      live = await effective();
    }
    expect(live.data).toEqual(data);
    expect(stillDiffers(desired, live)).toBe(false);
    const again = await apply(transport, configMaps, desired, writer);
    expect(again.metadata.resourceVersion).toBe(live.metadata.resourceVersion);
  },
  20_000,
);
