// Whether the world gets in, by the load balancer's own word. It never decides about Ready: no release waits for a router.
import { type Condition, findCondition } from '../../api/conditions.ts';
import { type Exposure, hasOwnListeners, type RouteParent } from '../../api/exposure.ts';
import { routedHosts } from '../../api/hosts.ts';
import type { ApiState, OptionalKind } from '../../api/optional-apis.ts';
import { names } from '../../objects/names.ts';
import { type DoorView, iso, type ParentView, revisionOf, type Snapshot } from '../snapshot.ts';

/** A router that has not said a word for so long is not on its way any more. */
export const PATIENCE_MS = 300_000;

/** A router says that it has a route before it serves by it: Traefik, say, looks at what it has learnt every two seconds. */
export const SERVES_AFTER_MS = 10_000;

/** An issuer that renews does so a month before the end: two weeks before it something is wrong. */
const EXPIRES_MS = 14 * 86_400_000;
/** Timers of months are not kept. */
const LONGEST_RECHECK_MS = 86_400_000;

type Found = Omit<Condition, 'type'> & {
  /** Unknown at first, False when it lasts. */
  readonly isWaiting?: true;
};

/** Undefined while nothing is to be exposed. */
export function exposed(seen: Snapshot): Condition | undefined {
  if (seen.app.spec.exposure.type === 'None') return undefined;
  const { isWaiting, ...found } = find(seen);
  const status = isWaiting && waitedMs(seen, found.reason) >= PATIENCE_MS ? 'False' : found.status;
  return { type: 'Exposed', ...found, status };
}

/** Whether it serves as `spec.exposure` says: what served before, of another kind, may go then. */
export const isServedAnew = (seen: Snapshot): boolean =>
  seen.app.spec.exposure.type === 'None' || (exposed(seen)?.status === 'True' && untilServed(seen) === 0);

/** From the router's word on; milliseconds. */
function untilServed({ app, now }: Snapshot): number {
  const before = findCondition(app.status.conditions, 'Exposed');
  const since = before?.status === 'True' ? Date.parse(before.lastTransitionTime) : now;
  return Math.max(0, since + SERVES_AFTER_MS - now);
}

/** When it has to be looked at again, though nothing changes. */
export function recheckOf(seen: Snapshot, condition: Condition | undefined): number | undefined {
  if (condition?.status === 'True') return untilServed(seen) || untilExpiry(seen);
  if (condition?.status !== 'Unknown') return undefined;
  const before = findCondition(seen.app.status.conditions, 'Exposed');
  const since = before?.status === 'Unknown' ? Date.parse(before.lastTransitionTime) : seen.now;
  return Math.max(1_000, since + PATIENCE_MS - seen.now);
}

function untilExpiry({ certificate, now }: Snapshot): number | undefined {
  if (certificate?.expiresAt === undefined) return undefined;
  return Math.max(1_000, Math.min(LONGEST_RECHECK_MS, certificate.expiresAt - EXPIRES_MS - now + 1));
}

/** Until when the certificate is good, by each host that is served with it; epoch milliseconds. */
export function expiries(seen: Snapshot): readonly { readonly host: string; readonly expiresAt: number }[] {
  const { expiresAt } = seen.certificate ?? {};
  return expiresAt === undefined ? [] : hostsOf(seen).map(host => ({ host, expiresAt }));
}

function waitedMs({ app, now }: Snapshot, reason: string): number {
  const before = findCondition(app.status.conditions, 'Exposed');
  if (before?.reason !== reason || before.status === 'True') return 0;
  return before.status === 'False' ? PATIENCE_MS : now - Date.parse(before.lastTransitionTime);
}

/** While it serves by all of these, and only then. */
export function publicUrls(seen: Snapshot): readonly string[] {
  if (exposed(seen)?.status !== 'True') return [];
  const scheme = schemeOf(seen.app.spec.exposure) ?? 'http';
  return hostsOf(seen).map(host => `${scheme}://${host}`);
}

/** Undefined where only the Gateway's own listener knows. */
function schemeOf({ type, tls, forceHTTPS, hsts }: Exposure): 'https' | 'http' | undefined {
  if (tls || forceHTTPS || hsts) return 'https';
  return type === 'Ingress' ? 'http' : undefined;
}

const hostsOf = (seen: Snapshot): readonly string[] =>
  routedHosts(seen.app, seen.deployment?.record, hash => revisionOf(seen, hash)?.release);

function find(seen: Snapshot): Found {
  const { app, apis } = seen;
  const lacking = kindsFor(app.spec.exposure).find(kind => apis[kind] !== 'present');
  if (lacking) return { status: 'False', reason: 'ExposureAPIMissing', message: remedyFor(lacking, apis[lacking]) };
  const routed = hostsOf(seen);
  const waiting = app.spec.exposure.hosts.filter(host => !routed.includes(host));
  if (waiting.length > 0) {
    const message = `${waiting.join(', ')}: routed when the release that knows it serves alone`;
    return { status: 'Unknown', reason: 'HostsFollow', message };
  }
  // what routers said of it before it was for all of these says nothing of them
  const door = routed.every(host => seen.door?.hosts.includes(host)) ? seen.door : undefined;
  const isIngress = app.spec.exposure.type === 'Ingress';
  const answer = isIngress ? ofIngress(seen, door) : (ofListeners(seen) ?? ofRoute(seen, door));
  return answer ?? withCertificate(seen, door);
}

function kindsFor(exposure: Exposure): readonly OptionalKind[] {
  if (exposure.type === 'Ingress') return ['Ingress'];
  return hasOwnListeners(exposure) ? ['HTTPRoute', 'ListenerSet'] : ['HTTPRoute'];
}

function remedyFor(kind: OptionalKind, state: ApiState): string {
  if (state === 'refused') return `the operator may not see objects of kind ${kind}: give it the rights of its chart`;
  if (kind === 'ListenerSet')
    return 'the cluster has no ListenerSet: install Gateway API 1.5 or later and an implementation that knows it, or leave out spec.exposure.tls and name the certificate at the Gateway’s own listener';
  return `the cluster has no ${kind}: install Gateway API and an implementation, or set spec.exposure.type to Ingress`;
}

function ofIngress({ app }: Snapshot, door: DoorView | undefined): Found | undefined {
  if (door && door.addresses.length > 0) return undefined;
  const { className } = app.spec.exposure.ingress ?? {};
  const whose = className === undefined ? 'the default class' : `class ${className}`;
  const message = `the Ingress has no address: no controller of ${whose} has taken it, or it is not told to publish its own; kubectl get ingressclass shows which classes there are`;
  return { status: 'Unknown', reason: 'LoadBalancerPending', message, isWaiting: true };
}

/** A route to listeners that are not there serves nobody, whatever is said of it. */
function ofListeners(seen: Snapshot): Found | undefined {
  const { app, certificate, door } = seen;
  if (!hasOwnListeners(app.spec.exposure)) return undefined;
  const { name, namespace } = app.metadata;
  const listeners = names.listenerSet(name);
  const place = `ListenerSet ${namespace}/${listeners}`;
  const { hosts = [], answer: said } = door?.listeners ?? {};
  // what is said of fewer listeners than are wanted says nothing of the others
  const answer = hostsOf(seen).every(host => hosts.includes(host)) ? said : undefined;
  if (answer?.accepted) return undefined;
  if (answer?.isOfCertificate && certificate?.isThere === false) return pendingCertificate(app, certificate.secret);
  if (answer) return { status: 'False', reason: 'RouteRejected', message: `${place}: ${answer.words}` };
  const [parent] = app.spec.exposure.gateway?.parentRefs ?? [];
  const gateway = `${parent?.namespace ?? namespace}/${parent?.name}`;
  const message = `no controller has said that ${place} serves at Gateway ${gateway}; kubectl get listenerset ${listeners} -o yaml shows its status`;
  return { status: 'Unknown', reason: 'RouteUnanswered', message, isWaiting: true };
}

/**
 * Who accepts a route for a Gateway has it. Some controllers refuse the same route for Gateways that are not theirs, so
 * a refusal counts only where nobody accepts.
 */
function ofRoute({ app }: Snapshot, door: DoorView | undefined): Found | undefined {
  for (const { route, parent } of attachments(app)) {
    const answers = (door?.parents ?? []).filter(isOf(parent));
    if (answers.some(({ answer }) => answer?.accepted)) continue;
    const refused = answers.find(({ answer }) => answer?.accepted === false)?.answer;
    const { kind, name, namespace, sectionName } = parent;
    const listener = sectionName === undefined ? '' : `, listener ${sectionName}`;
    const place = `${kind} ${namespace}/${name}${listener}`;
    if (refused) return { status: 'False', reason: 'RouteRejected', message: `${place}: ${refused.words}` };
    const message = `no controller answered for ${place}; kubectl get httproute ${route} -o yaml shows status.parents`;
    return { status: 'Unknown', reason: 'RouteUnanswered', message, isWaiting: true };
  }
  return undefined;
}

/** Each listener that has to take one of the routes: without the one for plain HTTP nobody is sent to HTTPS. */
function attachments({
  metadata,
  spec: { exposure },
}: Snapshot['app']): readonly { route: string; parent: RouteParent }[] {
  const { name, namespace } = metadata;
  const gateways = (exposure.gateway?.parentRefs ?? []).map(
    ({ sectionName, ...of }): RouteParent => ({
      kind: 'Gateway',
      name: of.name,
      namespace: of.namespace ?? namespace,
      ...(sectionName !== undefined && { sectionName }),
    }),
  );
  const listeners: RouteParent = { kind: 'ListenerSet', name: names.listenerSet(name), namespace };
  const parents = hasOwnListeners(exposure) ? [listeners] : gateways;
  const sectionName = exposure.forceHTTPS ? exposure.gateway?.httpSection : undefined;
  const redirecting = sectionName === undefined ? [] : gateways.map(of => ({ ...of, sectionName }));
  return [
    ...parents.map(parent => ({ route: names.httpRoute(name), parent })),
    ...redirecting.map(parent => ({ route: names.redirectRoute(name), parent })),
  ];
}

const isOf =
  ({ kind, name, namespace, sectionName }: RouteParent) =>
  ({ gateway, section, isListenerSet }: ParentView): boolean =>
    gateway === `${namespace}/${name}` &&
    section === sectionName &&
    (isListenerSet ?? false) === (kind === 'ListenerSet');

function withCertificate(seen: Snapshot, door: DoorView | undefined): Found {
  const { certificate } = seen;
  if (certificate && !certificate.isThere) return pendingCertificate(seen.app, certificate.secret);
  if (certificate?.expiresAt !== undefined && certificate.expiresAt - seen.now < EXPIRES_MS) {
    const { secret, expiresAt } = certificate;
    const issuer = seen.app.spec.exposure.tls?.issuer;
    const remedy = issuer ? `kubectl describe certificate ${secret} says why it is not renewed` : 'put a new one there';
    const verb = expiresAt > seen.now ? 'expires' : 'has expired';
    const message = `the certificate in Secret ${secret} ${verb} at ${iso(expiresAt)}: ${remedy}`;
    return { status: 'False', reason: 'CertificateExpires', message };
  }
  return { status: 'True', reason: 'Exposed', message: `${urls(seen).join(', ')} through ${through(seen.app, door)}` };
}

function urls(seen: Snapshot): readonly string[] {
  const scheme = schemeOf(seen.app.spec.exposure);
  return hostsOf(seen).map(host => (scheme === undefined ? host : `${scheme}://${host}`));
}

/** Where an Ingress is reached, and by which class; of routes who has taken them. */
function through({ spec: { exposure } }: Snapshot['app'], door: DoorView | undefined): string {
  if (door?.kind !== 'Ingress') return [...new Set(door?.parents.map(of => of.controller))].join(', ');
  const { className } = exposure.ingress ?? {};
  return `${door.addresses.join(', ')}${className === undefined ? '' : ` (${className})`}`;
}

function pendingCertificate({ spec: { exposure } }: Snapshot['app'], secret: string): Found {
  const remedy = exposure.tls?.issuer
    ? `kubectl describe certificate ${secret} says why`
    : 'make it, of type kubernetes.io/tls';
  return { status: 'Unknown', reason: 'CertificatePending', message: `Secret ${secret} is not there: ${remedy}` };
}
