import { type App, childMeta, compact, type KubeObject } from './app.ts';
import { names } from './names.ts';

type ParentRef = {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly sectionName?: string | undefined;
};

// what the API server would fill in is written out: an apply of the same then changes nothing
const parent = (app: App, { name, namespace, sectionName }: ParentRef) =>
  compact({
    group: 'gateway.networking.k8s.io',
    kind: 'Gateway',
    name,
    namespace: namespace ?? app.metadata.namespace,
    sectionName,
  });

const EVERYTHING = [{ path: { type: 'PathPrefix', value: '/' } }];

/** The whole service under these hosts; undefined without any: a route without hostnames takes everybody's requests. */
export function httpRoute(app: App, hosts: readonly string[]): KubeObject | undefined {
  const { gateway } = app.spec.exposure;
  const { name } = app.metadata;
  const seconds = gateway?.requestTimeoutSeconds;
  return route(app, names.httpRoute(name), hosts, gateway?.parentRefs, {
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
  return route(app, names.redirectRoute(app.metadata.name), hosts, [...gateways.values()], {
    matches: EVERYTHING,
    filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 301 } }],
  });
}

function route(
  app: App,
  name: string,
  hosts: readonly string[],
  parents: readonly ParentRef[] | undefined,
  rule: object,
): KubeObject | undefined {
  if (app.spec.exposure.type !== 'Gateway' || !parents || hosts.length === 0) return undefined;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: childMeta(app, name),
    spec: { parentRefs: parents.map(of => parent(app, of)), hostnames: [...hosts], rules: [rule] },
  };
}
