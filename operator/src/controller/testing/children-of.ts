// What a resource has, without what differs from one resource of the same spec to another: identities, times, hashes, what
// others wrote beside it, and how it came about.
import type { KubeObject } from '../../kube/resource.ts';
import { ANNOTATIONS, LABELS } from '../../objects/names.ts';
import type { Shop } from './shop.ts';

export const CHILD_KINDS = [
  ...['services', 'serviceaccounts', 'apps/v1/deployments', 'policy/v1/poddisruptionbudgets'],
  ...[
    'networking.k8s.io/v1/networkpolicies',
    'networking.k8s.io/v1/ingresses',
    'autoscaling/v2/horizontalpodautoscalers',
  ],
];

/** What an autoscaler chooses, which is not there, is as it was left. */
const CHOSEN = 'horizontalpodautoscalers/';

type Child = KubeObject & { readonly spec?: Record<string, unknown> };

/** How it came about, and a hash of all that. */
const HISTORY: readonly string[] = [ANNOTATIONS.rollout, ANNOTATIONS.refused, 'devshelf.dev/applied'];
/** Of a Service, by the API server. */
const GIVEN = ['clusterIP', 'clusterIPs', 'healthCheckNodePort', 'nodePort'];

export async function childrenOf(shop: Shop): Promise<Readonly<Record<string, unknown>>> {
  const lists = await Promise.all(CHILD_KINDS.map(kind => shop.list(kind)));
  const found = lists.flatMap((list, index) =>
    list
      .filter(({ metadata }) => metadata.labels?.[LABELS.instance] === shop.name)
      .map(object => [`${CHILD_KINDS[index]?.split('/').at(-1)}/${object.metadata.name}`, object as Child] as const),
  );
  const isScaled = found.some(([name]) => name.startsWith(CHOSEN));
  return Object.fromEntries(found.map(([name, child]) => [name, JSON.parse(plain(shop, child, isScaled))]));
}

function plain({ namespace }: Shop, { metadata, spec }: Child, isScaled: boolean): string {
  const { labels, annotations } = metadata;
  const ours = Object.entries(annotations ?? {}).filter(
    ([name]) => name.startsWith('devshelf.dev/') && !HISTORY.includes(name),
  );
  const release = releaseIn(spec);
  const text = JSON.stringify({ labels, annotations: Object.fromEntries(ours), spec }, (key, value) =>
    GIVEN.includes(key) || (isScaled && key === 'replicas') ? undefined : value,
  ).replaceAll(namespace, 'NAMESPACE');
  return release === undefined ? text : text.replaceAll(release, 'RELEASE');
}

function releaseIn(spec: Child['spec']): string | undefined {
  const { template } = (spec ?? {}) as { template?: { metadata?: { labels?: Record<string, string> } } };
  return template?.metadata?.labels?.[LABELS.release];
}
