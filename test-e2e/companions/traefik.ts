// Traefik as a process on loopback, for the objects of a real API server.
import { freePort } from '../../services/common/testing/processes.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { freePorts } from '../cluster/ports.ts';
import { startProgram } from './program.ts';

export const GATEWAY_CONTROLLER = 'traefik.io/gateway-controller';
export const INGRESS_CONTROLLER = 'traefik.io/ingress-controller';

export interface TraefikOptions {
  /** Listeners of a Gateway name these ports, so they are chosen before. */
  readonly ports: { readonly http: number; readonly https: number };
  /** `providers.providersThrottleDuration`; absent: Traefik's own, two seconds. */
  readonly throttle?: string;
  /** The listener for HTTPS takes the rules of an Ingress that do not say TLS themselves; Traefik's chart has it so. */
  readonly tlsByDefault?: boolean;
  /** What it writes into the status of each Ingress; absent: nothing. */
  readonly ingressAddress?: string;
}

export interface Traefik {
  /** Its own account of whom it sends requests to: addresses with their state, from all load balancers of a provider. */
  servers(provider: 'kubernetes' | 'kubernetesgateway'): Promise<readonly string[]>;
  stop(): Promise<void>;
}

type RawData = {
  readonly services?: Readonly<
    Record<string, { loadBalancer?: { servers?: readonly { url: string; fenced?: boolean }[] } }>
  >;
};

export async function doorPorts(): Promise<TraefikOptions['ports']> {
  const [http = 0, https = 0] = await freePorts(2);
  return { http, https };
}

export async function startTraefik(api: ApiServer, options: TraefikOptions): Promise<Traefik> {
  const own = await freePort();
  const raw = async (): Promise<RawData> =>
    (await (await fetch(`http://127.0.0.1:${own}/api/rawdata`)).json()) as RawData;
  const { stop } = await startProgram('traefik', {
    flags: () => flags(options, own),
    env: { KUBECONFIG: api.adminKubeconfigPath },
    answers: raw,
  });
  return {
    stop,
    servers: async provider => {
      const { services = {} } = await raw();
      return Object.entries(services)
        .filter(([name]) => name.endsWith(`@${provider}`))
        .flatMap(([, { loadBalancer }]) => loadBalancer?.servers ?? [])
        .map(({ url, fenced }) => (fenced ? `${url} fenced` : url))
        .sort();
    },
  };
}

const flags = ({ ports, throttle, tlsByDefault, ingressAddress }: TraefikOptions, own: number): string[] => [
  '--global.checkNewVersion=false',
  '--global.sendAnonymousUsage=false',
  `--entryPoints.web.address=127.0.0.1:${ports.http}`,
  `--entryPoints.websecure.address=127.0.0.1:${ports.https}`,
  ...(tlsByDefault ? ['--entryPoints.websecure.http.tls=true'] : []),
  `--entryPoints.traefik.address=127.0.0.1:${own}`,
  '--api.insecure=true',
  '--providers.kubernetesIngress=true',
  '--providers.kubernetesGateway=true',
  ...(throttle === undefined ? [] : [`--providers.providersThrottleDuration=${throttle}`]),
  ...(ingressAddress === undefined ? [] : [`--providers.kubernetesIngress.ingressEndpoint.ip=${ingressAddress}`]),
];
