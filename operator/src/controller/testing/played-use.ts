// The metrics API as metrics-server would serve it, with figures of the test's own: no kubelet here measures anything.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { temporaryFolder } from '../../../../services/common/testing/processes.ts';
import { aggregate, aggregationFlags, isAggregated } from '../../../../test-e2e/cluster/aggregation.ts';
import type { ApiServer } from '../../../../test-e2e/cluster/apiserver.ts';
import { authority, certificate } from '../../../../test-e2e/cluster/pki.ts';
import { type LittleCluster, startLittleCluster } from './little-cluster.ts';
import { NODE } from './little-kubelet.ts';
import { until } from './shop.ts';

const SERVED = { group: 'metrics.k8s.io', version: 'v1beta1' };
const ROOT = `/apis/${SERVED.group}/${SERVED.version}`;
const PODS = new RegExp(`^${ROOT}/namespaces/([^/]+)/pods$`);
const NAMESPACE = 'metrics-server';

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly spec: { readonly containers: readonly { readonly name: string }[] };
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

export interface PlayedUse {
  /** CPU that all pods of a namespace use together; it is spread evenly over those asked about that serve. */
  total(namespace: string, millicores: number): void;
  /** Whether anything is known of pods. */
  isSilent: boolean;
  stop(): Promise<void>;
}

/** As much as this number of pods is needed for, at 70 of the 100 millicores that each requests: not more, not less. */
export const useFor = (pods: number): number => (pods - 0.4) * 70;

/** A little cluster in which Kubernetes' controller of HorizontalPodAutoscalers scales by what pods are said to use. */
export async function startScaledCluster(): Promise<{
  readonly cluster: LittleCluster;
  readonly use: PlayedUse;
  stop(): Promise<void>;
}> {
  const folder = temporaryFolder('devshelf-front-proxy-');
  const controllers = ['horizontal-pod-autoscaler-controller', 'endpointslice-controller'];
  const cluster = await startLittleCluster({}, undefined, controllers, {
    apiServer: await aggregationFlags(folder.path),
    controllerManager: [
      '--horizontal-pod-autoscaler-sync-period=1s',
      '--horizontal-pod-autoscaler-cpu-initialization-period=0s',
    ],
  });
  // pods of a node that nobody knows are in no EndpointSlice
  await cluster.api.request('POST', '/api/v1/nodes', { metadata: { name: NODE } });
  const use = await startPlayedUse(cluster.api, folder.path);
  const stop = async (): Promise<void> => {
    await use.stop();
    await cluster.stop();
    folder.remove();
  };
  return { cluster, use, stop };
}

/** @param folder for its certificates; the API server has the flags of `aggregationFlags` */
async function startPlayedUse(api: ApiServer, folder: string): Promise<PlayedUse> {
  const ca = await authority(folder, 'use-ca');
  const service = 'metrics-server';
  const alternativeNames = [`DNS:${service}.${NAMESPACE}.svc`];
  const { cert, key } = await certificate(folder, ca, 'use', { commonName: service, alternativeNames });
  const totals = new Map<string, number>();
  const of = async ({ pathname, searchParams }: URL): Promise<object | undefined> => {
    const [, namespace] = PODS.exec(pathname) ?? [];
    if (namespace === undefined) return pathname === ROOT ? resources() : undefined;
    if (played.isSilent) return undefined;
    const selector = encodeURIComponent(searchParams.get('labelSelector') ?? '');
    const { items } = (await api.request(
      'GET',
      `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`,
    )) as PodList;
    const serving = items.filter(serves);
    return metrics(namespace, serving, (totals.get(namespace) ?? 0) / serving.length);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const found = await of(new URL(request.url ?? '', 'https://localhost')).catch(() => undefined);
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}));
  };
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  const server = createServer(files, (request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const played: PlayedUse = {
    isSilent: false,
    total: (namespace, millicores) => void totals.set(namespace, millicores),
    stop: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } });
  const { port } = server.address() as AddressInfo;
  const caBundle = readFileSync(ca.cert, 'base64');
  await aggregate(api, { ...SERVED, service, namespace: NAMESPACE, port, caBundle });
  await until(() => isAggregated(api, SERVED), 'the metrics API is not passed on', 60_000);
  return played;
}

/** Nobody sends requests to the others, so they use nothing. */
const serves = ({ metadata, status }: PodList['items'][number]): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;

const resources = (): object => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${SERVED.group}/${SERVED.version}`,
  resources: [{ name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] }],
});

const metrics = (namespace: string, pods: PodList['items'], millicores: number): object => ({
  kind: 'PodMetricsList',
  apiVersion: `${SERVED.group}/${SERVED.version}`,
  metadata: {},
  items: pods.map(({ metadata: { name }, spec: { containers } }) => ({
    metadata: { name, namespace },
    timestamp: new Date().toISOString(),
    window: '30s',
    containers: containers.map(container => ({
      name: container.name,
      usage: { cpu: `${Math.round(millicores / containers.length)}m`, memory: '64Mi' },
    })),
  })),
});
