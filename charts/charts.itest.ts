// The plain manifests and the Helm chart against a real API server: the same objects, accepted, and no more rights
// than the operator needs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { type ApiServer, startApiServer } from '../test-e2e/cluster/apiserver.ts';
import { binaryPath, ensureBinaries } from '../test-e2e/cluster/binaries.ts';
import { run } from '../test-e2e/cluster/run.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const CHART = join(import.meta.dirname, 'devshelf-operator');
const INSTALL = join(import.meta.dirname, 'install');
const NAMESPACE = 'devshelf-system';
const OPERATOR = `system:serviceaccount:${NAMESPACE}:devshelf-operator`;

interface Manifest {
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: { template?: { spec: object } };
}

let api: ApiServer;
let helmHome: string;

const helm = (...args: string[]): Promise<string> =>
  run([binaryPath('helm'), ...args], {
    env: {
      ...process.env,
      KUBECONFIG: api.adminKubeconfigPath,
      HELM_CACHE_HOME: helmHome,
      HELM_CONFIG_HOME: helmHome,
      HELM_DATA_HOME: helmHome,
    },
  });

const documents = (yaml: string): Manifest[] =>
  parseAllDocuments(yaml)
    .map(document => document.toJS() as Manifest | null)
    .filter(manifest => manifest !== null);

const rendered = async (...values: string[]) =>
  documents(await helm('template', 'devshelf-operator', CHART, '--namespace', NAMESPACE, ...values));
const built = async (folder: string) => documents(await api.kubectl('kustomize', folder));

/** By kind and name, without the marks that Helm needs for itself. */
const comparable = (manifests: Manifest[]) =>
  Object.fromEntries(
    manifests
      .filter(({ kind }) => kind !== 'Namespace') // helm install --create-namespace
      .map(manifest => [`${manifest.kind}/${manifest.metadata.name}`, withoutHelm(manifest)]),
  );

function withoutHelm({ metadata, ...rest }: Manifest) {
  const { annotations, labels, ...others } = metadata;
  const kept = Object.entries(labels ?? {}).filter(
    ([label]) => label !== 'helm.sh/chart' && label !== 'app.kubernetes.io/managed-by',
  );
  const isMarked = annotations?.['helm.sh/resource-policy'] === 'keep';
  return {
    ...rest,
    metadata: {
      ...others,
      ...(annotations && !isMarked && { annotations }),
      ...(kept.length > 0 && { labels: Object.fromEntries(kept) }),
    },
  };
}

beforeAll(async () => {
  await ensureBinaries('helm');
  api = await startApiServer();
  helmHome = mkdtempSync(join(tmpdir(), 'devshelf-helm-'));
}, BUILD_MS);
afterAll(async () => {
  await api?.stop();
  rmSync(helmHome, { recursive: true, force: true });
});

test('helm finds nothing to complain about', async () => {
  expect(await helm('lint', '--strict', CHART)).toContain('0 chart(s) failed');
});

test.each([
  ['the own namespace', '.', []],
  ['all namespaces', 'all-namespaces', ['--set', 'watchNamespaces={*}']],
])('chart and plain manifests are the same objects: %s', async (_case, folder, values) => {
  expect(comparable(await rendered(...values))).toEqual(comparable(await built(join(INSTALL, folder))));
});

test.each([
  ['a namespace beside "*"', ['--set', 'watchNamespaces={*,shop}'], 'watchNamespaces'],
  ['an unknown value', ['--set', 'watchNamespace=shop'], 'watchNamespace'],
  ['the tag latest', ['--set', 'image.tag=latest'], '/image/tag'],
])('%s is refused', async (_case, values, words) => {
  await expect(rendered(...values)).rejects.toThrow(words);
});

/** Whether the operator's account may do this: `what` is a resource, `/subresource` and `.group` where it has them. */
async function may(verb: string, what: string, namespace: string): Promise<boolean> {
  const { path = '', group = '' } = /^(?<path>[^.]+)\.?(?<group>.*)$/.exec(what)?.groups ?? {};
  const [resource, subresource] = path.split('/');
  const review = await api.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user: OPERATOR, resourceAttributes: { verb, group, resource, subresource, namespace } },
  });
  return (review as { status: { allowed: boolean } }).status.allowed;
}

describe('installed from the plain manifests', () => {
  beforeAll(async () => {
    await api.kubectl('apply', '-k', INSTALL);
    await api.kubectl('create', 'namespace', 'shop');
  }, 60_000);

  test('a second apply changes nothing', async () => {
    const lines = (await api.kubectl('apply', '-k', INSTALL)).trim().split('\n');
    expect(lines.filter(line => !line.endsWith(' unchanged'))).toEqual([]);
  });

  test('the operator’s pod passes Pod Security "restricted"', async () => {
    const deployment = (await built(INSTALL)).find(({ kind }) => kind === 'Deployment');
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'like-it' },
      spec: deployment?.spec?.template?.spec,
    };
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`;
    expect(await api.request('POST', pods, pod)).toMatchObject({ kind: 'Pod' });
    const privileged = { ...pod, spec: { ...pod.spec, hostNetwork: true } };
    await expect(api.request('POST', pods, privileged)).rejects.toThrow('violates PodSecurity');
  });

  test.each([
    ['watch', 'devshelfdeployments.apps.devshelf.dev', true],
    ['patch', 'dashboarddeployments/status.apps.devshelf.dev', true],
    ['patch', 'deployments.apps', true],
    ['create', 'secrets', true],
    ['create', 'events.events.k8s.io', true],
    ['update', 'leases.coordination.k8s.io', true],
    ['patch', 'devshelfdeployments.apps.devshelf.dev', false],
    ['create', 'pods/exec', false],
    ['get', 'pods/proxy', false],
    ['create', 'roles.rbac.authorization.k8s.io', false],
    ['escalate', 'roles.rbac.authorization.k8s.io', false],
    ['bind', 'clusterroles.rbac.authorization.k8s.io', false],
    ['impersonate', 'users', false],
    ['create', 'serviceaccounts/token', false],
  ])('in its own namespace: %s %s: %s', async (verb, what, allowed) => {
    expect(await may(verb, what, NAMESPACE)).toBe(allowed);
  });

  test.each(['secrets', 'pods', 'devshelfdeployments.apps.devshelf.dev'])(
    'in another namespace it may not even list %s',
    async what => expect(await may('list', what, 'shop')).toBe(false),
  );
});

test('with all-namespaces it sees the other one, and still runs nothing in pods', async () => {
  await api.kubectl('apply', '-k', join(INSTALL, 'all-namespaces'));
  expect(await may('list', 'secrets', 'shop')).toBe(true);
  expect(await may('create', 'pods/exec', 'shop')).toBe(false);
  await api.kubectl('delete', '--wait=false', '-k', join(INSTALL, 'all-namespaces'));
}, 60_000);

test('helm installs, upgrades and removes it; the resource definitions stay', async () => {
  const crds = ['get', 'crd', '-o', 'name'];
  const install = ['upgrade', '--install', 'shop-operator', CHART, '-n', 'shop', '--wait=hookOnly'];
  await api.kubectl('wait', '--for=delete', 'crd', '--all', '--timeout=20s');
  await helm(...install);
  expect(await api.kubectl(...crds)).toContain('devshelfdeployments.apps.devshelf.dev');
  await helm(...install, '--set', 'logLevel=debug', '--set', 'watchNamespaces={shop,default}');
  expect(await api.kubectl('get', 'rolebinding', '-n', 'default', '-o', 'name')).toContain(
    'shop-operator-devshelf-operator',
  );
  await helm('uninstall', 'shop-operator', '-n', 'shop', '--wait=hookOnly');
  expect(await api.kubectl('get', 'deployment', '-n', 'shop', '-o', 'name')).toBe('');
  expect(await api.kubectl(...crds)).toContain('devshelfdeployments.apps.devshelf.dev');
}, 120_000);
