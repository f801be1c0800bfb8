import { hasOwnListeners, type RouteParent } from '../api/exposure.ts';
import { type App, childMeta, compact, type KubeObject } from './app.ts';
import { names } from './names.ts';

type GatewayRef = {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly sectionName?: string | undefined;
};

const GROUP = { group: 'gateway.networking.k8s.io' };

// what the API server would fill in is written out: an apply of the same then changes nothing
export const gatewayRef = (app: App, { name, namespace, sectionName }: GatewayRef) =>
  compact({ ...GROUP, kind: 'Gateway', name, namespace: namespace ?? app.metadata.namespace, sectionName });

const EVERYTHING = [{ path: { type: 'PathPrefix', value: '/' } }];

/**
 * The whole service under these hosts; undefined without any: a route without hostnames takes everybody's requests.
 * @param attached where it is attached now, while nobody serves it where it should be
 */
export function httpRoute(
  app: App,
  hosts: readonly string[],
  attached: readonly RouteParent[] = [],
): KubeObject | undefined {
  const { gateway } = app.spec.exposure;
  const { name, namespace } = app.metadata;
  const seconds = gateway?.requestTimeoutSeconds;
  const kind = hasOwnListeners(app.spec.exposure) ? 'ListenerSet' : 'Gateway';
  const wanted =
    kind === 'Gateway'
      ? gateway?.parentRefs.map(of => gatewayRef(app, of))
      : [{ ...GROUP, kind, name: names.listenerSet(name), namespace }];
  const left = attached.filter(of => of.kind !== kind).map(of => ({ ...GROUP, ...of }));
  return route(app, names.httpRoute(name), hosts, wanted && [...wanted, ...left], {
    matches: EVERYTHING,
    backendRefs: [{ group: '', kind: 'Service', name: names.service(name), port: app.spec.service.port, weight: 1 }],
    ...(seconds !== undefined && { timeouts: { request: `${seconds}s` } }),
  });
}

/** On the listener for plain HTTP: the router itself sends everybody to HTTPS. */
export function redirectRoute(app: App, hosts: readonly string[]): KubeObject | undefined {
  const { gateway, forceHTTPS } = app.spec.exposure;
  const sectionName = gateway?.httpSection;
  if (!forceHTTPS || sectionName === undefined) return undefined;
  const gateways = new Map(gateway?.parentRefs.map(of => [`${of.namespace}/${of.name}`, { ...of, sectionName }]));
  const parents = [...gateways.values()].map(of => gatewayRef(app, of));
  return route(app, names.redirectRoute(app.metadata.name), hosts, parents, {
    matches: EVERYTHING,
    filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 301 } }],
  });
}

function route(
  app: App,
  name: string,
  hosts: readonly string[],
  parentRefs: readonly object[] | undefined,
  rule: object,
): KubeObject | undefined {
  if (app.spec.exposure.type !== 'Gateway' || !parentRefs || hosts.length === 0) return undefined;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: childMeta(app, name),
    spec: { parentRefs, hostnames: [...hosts], rules: [rule] },
  };
}
