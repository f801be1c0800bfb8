// Resources for the tests of this folder, read as the operator reads them.
import { type DashboardDeployment, type DevShelfDeployment, parseResource } from '../api/resource.ts';
import type { Release } from '../api/rollout.ts';
import type { KubeObject } from './app.ts';

type Fields = Record<string, unknown>;

function parsed(kind: string, name: string, spec: Fields) {
  const read = parseResource({
    apiVersion: 'apps.devshelf.dev/v1alpha1',
    kind,
    metadata: { name, namespace: 'shop', uid: `uid-of-${name}`, labels: { 'argocd.argoproj.io/instance': 'shop' } },
    spec,
  });
  if (!read.ok) throw new Error(read.why);
  return read.resource;
}

export const devshelf = (spec: Fields = {}): DevShelfDeployment =>
  parsed('DevShelfDeployment', 'devshelf', {
    image: 'example/devshelf-api:2.4.1',
    database: { urlSecretRef: { name: 'devshelf-db' } },
    redis: { urlSecretRef: { name: 'devshelf-redis' } },
    ...spec,
  }) as DevShelfDeployment;

export const dashboard = (spec: Fields = {}): DashboardDeployment =>
  parsed('DashboardDeployment', 'dashboard', {
    image: 'example/dashboard:1.0.0',
    database: { urlSecretRef: { name: 'dashboard-db' } },
    ...spec,
  }) as DashboardDeployment;

/** Metadata that every child of `dashboard()` has. */
export const dashboardMeta = (name: string, labels: Record<string, string> = {}) => ({
  name,
  namespace: 'shop',
  labels: {
    'app.kubernetes.io/name': 'dashboard',
    'app.kubernetes.io/instance': 'dashboard',
    'app.kubernetes.io/managed-by': 'devshelf-operator',
    ...labels,
  },
  ownerReferences: [
    {
      apiVersion: 'apps.devshelf.dev/v1alpha1',
      kind: 'DashboardDeployment',
      name: 'dashboard',
      uid: 'uid-of-dashboard',
      controller: true,
      blockOwnerDeletion: true,
    },
  ],
});

/** A release with as little in its template as the builders around it need. */
export const release = (hash: string): Release => ({
  hash,
  image: `example/dashboard:${hash}`,
  template: {
    metadata: { labels: { 'devshelf.dev/role': 'serving', 'devshelf.dev/release': hash } },
    spec: { containers: [] },
  },
});

export const SERVING_SELECTOR = {
  'app.kubernetes.io/name': 'dashboard',
  'app.kubernetes.io/instance': 'dashboard',
  'devshelf.dev/role': 'serving',
};

/** The pod spec inside a workload, loosely typed for assertions. */
export function container(template: { spec: Fields }): Fields {
  const [only] = template.spec['containers'] as Fields[];
  if (!only) throw new Error('no container');
  return only;
}

export const kindsOf = (objects: readonly KubeObject[]): string[] =>
  objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
