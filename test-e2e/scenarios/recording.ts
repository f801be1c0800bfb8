// What happened in a namespace, as the API server told it: every change with the moment it was received.
import { type Change, type KubeObject, watch } from './kube.ts';

export const API = 'apis/apps.devshelf.dev/v1alpha1';

export type Recording = {
  readonly pods: readonly Change[];
  readonly slices: readonly Change[];
  readonly deployments: readonly Change[];
  readonly apps: readonly Change[];
  readonly events: readonly Change[];
  stop(): void;
};

/** Begins to record. `onChange` hears of everything besides. */
export async function record(namespace: string, onChange: (change: Change) => void = () => {}): Promise<Recording> {
  const changes = { pods: [], slices: [], deployments: [], apps: [], events: [] } as Record<string, Change[]>;
  const into = (name: string) => (change: Change) => {
    changes[name]?.push(change);
    onChange(change);
  };
  const stops = await Promise.all([
    watch(`/api/v1/namespaces/${namespace}/pods`, into('pods')),
    watch(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, into('slices')),
    watch(`/apis/apps/v1/namespaces/${namespace}/deployments`, into('deployments')),
    watch(`/${API}/namespaces/${namespace}/dashboarddeployments`, into('apps')),
    watch(`/${API}/namespaces/${namespace}/devshelfdeployments`, into('apps')),
    watch(`/api/v1/namespaces/${namespace}/events`, into('events')),
  ]);
  return { ...changes, stop: () => stops.forEach(stop => void stop()) } as unknown as Recording;
}

/** The operator's record of a rollout, written with the pod template that belongs to it. */
export type Rollout = {
  readonly phase: string;
  readonly release: string;
  readonly stable?: string;
  readonly withdrawn?: { readonly release: string; readonly reason: string; readonly at: string };
};

export function rolloutOf({ metadata: { annotations = {} } }: KubeObject): Rollout | undefined {
  const text = annotations['devshelf.dev/rollout'];
  return text === undefined ? undefined : (JSON.parse(text) as Rollout);
}

/** The first change of this Deployment at or after `from` whose rollout is as asked. */
export const rolloutChange = (
  { deployments }: Recording,
  name: string,
  from: number,
  matches: (rollout: Rollout) => boolean,
): Change | undefined =>
  deployments.find(({ at, object }) => {
    const rollout = at >= from && object.metadata.name === name ? rolloutOf(object) : undefined;
    return rollout !== undefined && matches(rollout);
  });

type Endpoint = { readonly conditions?: { readonly ready?: boolean }; readonly targetRef?: { readonly name: string } };

/** The pods that the Service sends users to, at this change of its EndpointSlice. */
export function servingPods({ object, type }: Change): readonly string[] {
  if (type === 'DELETED') return [];
  const endpoints = (object['endpoints'] ?? []) as readonly Endpoint[];
  return endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ targetRef }) => targetRef?.name ?? []);
}

/** When the Service forgot the last pod of this release; undefined while one is still there. */
export function outOfEndpoints(
  recording: Recording,
  service: string,
  release: string,
  from: number,
): number | undefined {
  const theirs = new Set(
    recording.pods
      .filter(({ object }) => object.metadata.labels?.['devshelf.dev/release'] === release)
      .map(({ object }) => object.metadata.name),
  );
  const slices = recording.slices.filter(
    ({ object }) => object.metadata.labels?.['kubernetes.io/service-name'] === service,
  );
  const gone = (change: Change) => !servingPods(change).some(pod => theirs.has(pod));
  const last = slices.findLastIndex(change => !gone(change));
  const after = slices[last + 1];
  if (last < 0 || after === undefined) return undefined;
  return after.at >= from ? after.at : undefined;
}
