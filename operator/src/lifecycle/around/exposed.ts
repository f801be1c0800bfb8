// Whether the world gets in, by the load balancer's own word. It never decides about Ready: no release waits for a router.
import { type Condition, findCondition } from '../../api/conditions.ts';
import { routedHosts } from '../../api/hosts.ts';
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
  const { tls, forceHTTPS, hsts } = seen.app.spec.exposure;
  const scheme = tls || forceHTTPS || hsts ? 'https' : 'http';
  return hostsOf(seen).map(host => `${scheme}://${host}`);
}

const hostsOf = (seen: Snapshot): readonly string[] =>
  routedHosts(seen.app, seen.deployment?.record, hash => revisionOf(seen, hash)?.release);

function find(seen: Snapshot): Found {
  const { app, apis } = seen;
  const kind = app.spec.exposure.type === 'Ingress' ? 'Ingress' : 'HTTPRoute';
  if (apis[kind] !== 'present') {
    const remedy =
      apis[kind] === 'refused'
        ? `the operator may not see objects of kind ${kind}: give it the rights of its chart`
        : `the cluster has no ${kind}: install Gateway API and an implementation, or set spec.exposure.type to Ingress`;
    return { status: 'False', reason: 'ExposureAPIMissing', message: remedy };
  }
  const routed = hostsOf(seen);
  const waiting = app.spec.exposure.hosts.filter(host => !routed.includes(host));
  if (waiting.length > 0) {
    const message = `${waiting.join(', ')}: routed when the release that knows it serves alone`;
    return { status: 'Unknown', reason: 'HostsFollow', message };
  }
  // what routers said of it before it was for all of these says nothing of them
  const door = routed.every(host => seen.door?.hosts.includes(host)) ? seen.door : undefined;
  const answer = kind === 'Ingress' ? ofIngress(seen, door) : ofRoute(seen, door);
  return answer ?? withCertificate(seen, door);
}

function ofIngress({ app }: Snapshot, door: DoorView | undefined): Found | undefined {
  if (door && door.addresses.length > 0) return undefined;
  const { className } = app.spec.exposure.ingress ?? {};
  const whose = className === undefined ? 'the default class' : `class ${className}`;
  const message = `the Ingress has no address: no controller of ${whose} has taken it, or it is not told to publish its own; kubectl get ingressclass shows which classes there are`;
  return { status: 'Unknown', reason: 'LoadBalancerPending', message, isWaiting: true };
}

/**
 * Who accepts a route for a Gateway has it. Some controllers refuse the same route for Gateways that are not theirs, so
 * a refusal counts only where nobody accepts.
 */
function ofRoute({ app }: Snapshot, door: DoorView | undefined): Found | undefined {
  const { namespace } = app.metadata;
  for (const { route, parent } of attachments(app)) {
    const gateway = `${parent.namespace ?? namespace}/${parent.name}`;
    const answers = (door?.parents ?? []).filter(isOf(gateway, parent.sectionName));
    if (answers.some(({ answer }) => answer?.accepted)) continue;
    const refused = answers.find(({ answer }) => answer?.accepted === false)?.answer;
    const place = parent.sectionName === undefined ? gateway : `${gateway}, listener ${parent.sectionName}`;
    if (refused) return { status: 'False', reason: 'RouteRejected', message: `Gateway ${place}: ${refused.words}` };
    const message = `no controller answered for Gateway ${place}; kubectl get httproute ${route} -o yaml shows status.parents`;
    return { status: 'Unknown', reason: 'RouteUnanswered', message, isWaiting: true };
  }
  return undefined;
}

type ParentRef = NonNullable<Snapshot['app']['spec']['exposure']['gateway']>['parentRefs'][number];

/** Each listener that has to take one of the routes: without the one for plain HTTP nobody is sent to HTTPS. */
function attachments({
  metadata,
  spec: { exposure },
}: Snapshot['app']): readonly { route: string; parent: ParentRef }[] {
  const parents = exposure.gateway?.parentRefs ?? [];
  const sectionName = exposure.forceHTTPS ? exposure.gateway?.httpSection : undefined;
  const redirecting = sectionName === undefined ? [] : parents.map(of => ({ ...of, sectionName }));
  return [
    ...parents.map(parent => ({ route: names.httpRoute(metadata.name), parent })),
    ...redirecting.map(parent => ({ route: names.redirectRoute(metadata.name), parent })),
  ];
}

const isOf =
  (gateway: string, section: string | undefined) =>
  (parent: ParentView): boolean =>
    parent.gateway === gateway && parent.section === section;

function withCertificate(seen: Snapshot, door: DoorView | undefined): Found {
  const { certificate } = seen;
  if (certificate && !certificate.isThere) {
    const { secret } = certificate;
    const issuer = seen.app.spec.exposure.tls?.issuer;
    const remedy = issuer ? `kubectl describe certificate ${secret} says why` : 'make it, of type kubernetes.io/tls';
    return { status: 'Unknown', reason: 'CertificatePending', message: `Secret ${secret} is not there: ${remedy}` };
  }
  if (certificate?.expiresAt !== undefined && certificate.expiresAt - seen.now < EXPIRES_MS) {
    const { secret, expiresAt } = certificate;
    const issuer = seen.app.spec.exposure.tls?.issuer;
    const remedy = issuer ? `kubectl describe certificate ${secret} says why it is not renewed` : 'put a new one there';
    const verb = expiresAt > seen.now ? 'expires' : 'has expired';
    const message = `the certificate in Secret ${secret} ${verb} at ${iso(expiresAt)}: ${remedy}`;
    return { status: 'False', reason: 'CertificateExpires', message };
  }
  const through = door?.kind === 'Ingress' ? door.addresses : [...new Set(door?.parents.map(of => of.controller))];
  const message = `${hostsOf(seen).join(', ')} through ${(through ?? []).join(', ')}`;
  return { status: 'True', reason: 'Exposed', message };
}
