// An API server of loopback that passes requests on to another one there: what aggregated APIs need.
import type { ApiServer } from './apiserver.ts';
import { authority, certificate } from './pki.ts';

const FRONT_PROXY = 'front-proxy-client';

/** Flags of kube-apiserver. */
export async function aggregationFlags(folder: string): Promise<string[]> {
  const ca = await authority(folder, 'front-proxy-ca');
  const client = await certificate(folder, ca, FRONT_PROXY, { commonName: FRONT_PROXY });
  return [
    `--requestheader-client-ca-file=${ca.cert}`,
    `--requestheader-allowed-names=${FRONT_PROXY}`,
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${client.cert}`,
    `--proxy-client-key-file=${client.key}`,
  ];
}

export interface Aggregated {
  readonly group: string;
  readonly version: string;
  /** What its certificate is for: `<service>.<namespace>.svc`. */
  readonly service: string;
  readonly namespace: string;
  readonly port: number;
  /** PEM, as base64. */
  readonly caBundle: string;
}

/** Requests for this group go to a port of loopback. No address of a Service leads anywhere here, a name of it does. */
export async function aggregate(api: ApiServer, to: Aggregated): Promise<void> {
  const { group, version, service, namespace, port, caBundle } = to;
  await api.request('POST', `/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: service },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  });
  await api.request('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
    metadata: { name: `${version}.${group}` },
    spec: {
      ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100 },
      ...{ service: { namespace, name: service, port }, caBundle },
    },
  });
}

interface ApiService {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Whether the API server passes requests on. */
export async function isAggregated(api: ApiServer, { group, version }: Pick<Aggregated, 'group' | 'version'>) {
  const path = `/apis/apiregistration.k8s.io/v1/apiservices/${version}.${group}`;
  const { status } = (await api.request('GET', path)) as ApiService;
  return status?.conditions?.some(({ type, status: is }) => type === 'Available' && is === 'True') ?? false;
}
