import { expect, test } from '@jest/globals';
import { type Apis, apisBy } from '../../api/optional-apis.ts';
import type { Phase } from '../../api/rollout.ts';
import { decide } from '../plan.ts';
import type { DoorView, ListenersView, ParentView, Snapshot } from '../snapshot.ts';
import { statusOf } from '../status.ts';
import { app, at, deployment, release, revision, snapshot, T0, wanted } from '../testing.ts';
import { exposed, isServedAnew } from './exposed.ts';

const INGRESS = { type: 'Ingress', hosts: ['shop.example'], ingress: { className: 'traefik' } };
const GATEWAY = {
  type: 'Gateway',
  hosts: ['shop.example'],
  gateway: { parentRefs: [{ name: 'public', namespace: 'edge', sectionName: 'https' }, { name: 'own' }] },
};
const REDIRECTED = {
  ...GATEWAY,
  trustedProxies: ['10.244.0.0/16'],
  forceHTTPS: true,
  gateway: { parentRefs: [{ name: 'public', namespace: 'edge', sectionName: 'https' }], httpSection: 'http' },
};
const TLS = { ...INGRESS, tls: { issuer: { name: 'ours' } } };
const OWN_TLS = { ...INGRESS, tls: { secretName: 'shop-tls' } };
const certified = (days: number) => ({ secret: 'shop-tls', isThere: true, expiresAt: T0 + days * 86_400_000 });
const hosts = ['shop.example'];
const opened: DoorView = { kind: 'Ingress', hosts, addresses: ['203.0.113.7'], parents: [] };
const yes = { accepted: true, words: '' };
const edge: ParentView = { gateway: 'edge/public', section: 'https', controller: 'traefik.io/gateway', answer: yes };
const own: ParentView = { gateway: 'prod/own', controller: 'traefik.io/gateway', answer: yes };
const plain: ParentView = { ...edge, section: 'http' };
const routed = (...parents: readonly ParentView[]): DoorView => ({
  kind: 'HTTPRoute',
  hosts,
  addresses: [],
  parents,
});
const { answer: _answer, ...silent } = own;

const LISTENED = {
  ...GATEWAY,
  tls: { issuer: { name: 'ours' } },
  gateway: { parentRefs: [{ name: 'public', namespace: 'edge' }] },
};
const ofSet: ParentView = { ...edge, gateway: 'prod/shop', isListenerSet: true };
const { section: _section, ...ours } = ofSet;
const listened = (answer: ListenersView['answer'], ...parents: readonly ParentView[]): DoorView => ({
  ...routed(...parents),
  listeners: { hosts: ['shop.example'], ...(answer && { answer }) },
});
const noCertificate = { secret: 'shop-tls', isThere: false };
const badCertificate = { accepted: false, words: 'listener shop.example: InvalidCertificateRef: x' } as const;

const knowing = (hosts?: string[]) => {
  const known = revision('v1', 'released');
  return { ...known, release: { ...known.release, ...(hosts && { hosts }) } };
};

function scene(exposure: object, change: Partial<Snapshot> = {}, apis: Partial<Apis> = {}): Snapshot {
  return snapshot({
    app: app({ exposure }),
    deployment: deployment(),
    revisions: [knowing(['shop.example'])],
    apis: { ...apisBy(() => 'present'), ...apis },
    ...change,
  });
}

test.each<[string, Snapshot, string, string, string]>([
  [
    'an address',
    scene(INGRESS, { door: opened }),
    'True',
    'Exposed',
    'http://shop.example through 203.0.113.7 (traefik)',
  ],
  [
    'no class is named',
    scene({ ...TLS, ingress: undefined }, { door: opened }),
    'True',
    'Exposed',
    'https://shop.example through 203.0.113.7',
  ],
  [
    'every parent says yes',
    scene(GATEWAY, { door: routed(edge, own) }),
    'True',
    'Exposed',
    'shop.example through traefik.io/gateway',
  ],
  ['no address', scene(INGRESS, { door: { ...opened, addresses: [] } }), 'Unknown', 'LoadBalancerPending', 'traefik'],
  [
    'the Ingress is not for it yet',
    scene(INGRESS, { door: { ...opened, hosts: ['other.example'] } }),
    'Unknown',
    'LoadBalancerPending',
    'no address',
  ],
  [
    'the route is not for it yet',
    scene(GATEWAY, { door: { ...routed(edge, own), hosts: [] } }),
    'Unknown',
    'RouteUnanswered',
    'edge/public',
  ],
  ['no Ingress yet', scene(INGRESS), 'Unknown', 'LoadBalancerPending', 'no address'],
  [
    'no HTTPRoute API',
    scene(GATEWAY, {}, { HTTPRoute: 'absent' }),
    'False',
    'ExposureAPIMissing',
    'install Gateway API',
  ],
  ['no rights', scene(INGRESS, {}, { Ingress: 'refused' }), 'False', 'ExposureAPIMissing', 'rights of its chart'],
  ['no word from one of two', scene(GATEWAY, { door: routed(edge) }), 'Unknown', 'RouteUnanswered', 'prod/own'],
  ['half a word', scene(GATEWAY, { door: routed(edge, silent) }), 'Unknown', 'RouteUnanswered', 'prod/own'],
  [
    'another listener’s word',
    scene(GATEWAY, { door: routed({ ...edge, section: 'other' }, own) }),
    'Unknown',
    'RouteUnanswered',
    'edge/public',
  ],
  [
    'one says no',
    scene(GATEWAY, { door: routed(edge, { ...own, answer: { accepted: false, words: 'NotAllowedByListeners: x' } }) }),
    'False',
    'RouteRejected',
    'Gateway prod/own: NotAllowedByListeners',
  ],
  [
    'another controller says no of a Gateway that is not its own',
    scene(GATEWAY, {
      door: routed(
        edge,
        { ...own, controller: 'other', answer: { accepted: false, words: 'NoMatchingParent: ' } },
        own,
      ),
    }),
    'True',
    'Exposed',
    'shop.example',
  ],
  [
    'nobody took the route that redirects',
    scene(REDIRECTED, { door: routed(edge) }),
    'Unknown',
    'RouteUnanswered',
    'edge/public, listener http; kubectl get httproute shop-redirect',
  ],
  [
    'the listener for plain HTTP refuses it',
    scene(REDIRECTED, {
      door: routed(edge, { ...plain, answer: { accepted: false, words: 'NotAllowedByListeners: x' } }),
    }),
    'False',
    'RouteRejected',
    'Gateway edge/public, listener http: NotAllowedByListeners',
  ],
  [
    'both listeners say yes',
    scene(REDIRECTED, { door: routed(edge, plain) }),
    'True',
    'Exposed',
    'https://shop.example through traefik.io/gateway',
  ],
  [
    'our listeners serve',
    scene(LISTENED, { door: listened(yes, ours) }),
    'True',
    'Exposed',
    'https://shop.example through traefik.io/gateway',
  ],
  [
    'no ListenerSet API',
    scene(LISTENED, { door: listened(yes, ours) }, { ListenerSet: 'absent' }),
    'False',
    'ExposureAPIMissing',
    'the cluster has no ListenerSet: install Gateway API 1.5',
  ],
  [
    'no rights to see a ListenerSet',
    scene(LISTENED, {}, { ListenerSet: 'refused' }),
    'False',
    'ExposureAPIMissing',
    'objects of kind ListenerSet',
  ],
  [
    'who has no listeners does not ask for it',
    scene(GATEWAY, { door: routed(edge, own) }, { ListenerSet: 'absent' }),
    'True',
    'Exposed',
    '',
  ],
  [
    'nothing is said of our listeners',
    scene(LISTENED, { door: listened(undefined, ours) }),
    'Unknown',
    'RouteUnanswered',
    'ListenerSet prod/shop serves at Gateway edge/public; kubectl get listenerset shop',
  ],
  [
    'our listeners are not for all hosts yet',
    scene(LISTENED, { door: { ...routed(ours), listeners: { hosts: ['old.example'], answer: yes } } }),
    'Unknown',
    'RouteUnanswered',
    'ListenerSet prod/shop',
  ],
  [
    'no ListenerSet yet',
    scene(LISTENED, { door: routed(ours) }),
    'Unknown',
    'RouteUnanswered',
    'ListenerSet prod/shop',
  ],
  [
    'the Gateway lets no listeners in',
    scene(LISTENED, { door: listened({ accepted: false, words: 'NotAllowed: x' }, ours), certificate: noCertificate }),
    'False',
    'RouteRejected',
    'ListenerSet prod/shop: NotAllowed: x',
  ],
  [
    'they have no certificate, because it is not there',
    scene(LISTENED, { door: listened({ ...badCertificate, isOfCertificate: true }), certificate: noCertificate }),
    'Unknown',
    'CertificatePending',
    'kubectl describe certificate shop-tls',
  ],
  [
    'their certificate is of no use',
    scene(LISTENED, { door: listened({ ...badCertificate, isOfCertificate: true }), certificate: certified(90) }),
    'False',
    'RouteRejected',
    'listener shop.example: InvalidCertificateRef',
  ],
  [
    'the route is not attached to them yet, but to the Gateway',
    scene(LISTENED, { door: listened(yes, edge) }),
    'Unknown',
    'RouteUnanswered',
    'ListenerSet prod/shop; kubectl get httproute shop',
  ],
  [
    'a Gateway of their name is another place',
    scene(LISTENED, { door: listened(yes, { ...own, gateway: 'prod/shop' }) }),
    'Unknown',
    'RouteUnanswered',
    'ListenerSet prod/shop; kubectl get httproute shop',
  ],
  [
    'the Gateway is wanted, and the route is at our listeners',
    scene({ ...GATEWAY, gateway: LISTENED.gateway }, { door: listened(yes, ours) }),
    'Unknown',
    'RouteUnanswered',
    'Gateway edge/public; kubectl get httproute shop',
  ],
  [
    'our listeners serve, and the one for plain HTTP has not answered',
    scene(
      { ...REDIRECTED, tls: { secretName: 'x' }, gateway: { ...LISTENED.gateway, httpSection: 'http' } },
      { door: listened(yes, ours) },
    ),
    'Unknown',
    'RouteUnanswered',
    'Gateway edge/public, listener http; kubectl get httproute shop-redirect',
  ],
  [
    'the certificate of our listeners ends',
    scene(LISTENED, { door: listened(yes, ours), certificate: certified(13) }),
    'False',
    'CertificateExpires',
    'Secret shop-tls expires',
  ],
  [
    'no certificate',
    scene(TLS, { door: opened, certificate: { secret: 'shop-tls', isThere: false } }),
    'Unknown',
    'CertificatePending',
    'kubectl describe certificate shop-tls',
  ],
  [
    'the certificate is good for fifteen days',
    scene(TLS, { door: opened, certificate: certified(15) }),
    'True',
    'Exposed',
    'shop.example',
  ],
  [
    'the certificate is good for thirteen days',
    scene(TLS, { door: opened, certificate: certified(13) }),
    'False',
    'CertificateExpires',
    'Secret shop-tls expires at 2026-03-14T12:00:00.000Z: kubectl describe certificate shop-tls',
  ],
  [
    'it was not replaced',
    scene(OWN_TLS, { door: opened, certificate: certified(-1) }),
    'False',
    'CertificateExpires',
    'has expired at 2026-02-28T12:00:00.000Z: put a new one there',
  ],
  [
    'the certificate is there',
    scene(TLS, { door: opened, certificate: { secret: 'shop-tls', isThere: true } }),
    'True',
    'Exposed',
    'shop.example',
  ],
  [
    'no release knows it',
    scene(INGRESS, { door: opened, revisions: [knowing()] }),
    'Unknown',
    'HostsFollow',
    'shop.example',
  ],
])('%s', (_case, seen, status, reason, words) => {
  const found = exposed(seen);
  expect(found).toMatchObject({ type: 'Exposed', status, reason });
  expect(found?.message).toContain(words);
});

test('nothing is said where nothing is exposed', () => {
  expect(exposed(scene({}))).toBeUndefined();
});

const said = (status: string, reason: string, second: number, exposure: object = INGRESS) => ({
  ...app({ exposure }),
  status: {
    observedGeneration: 3,
    conditions: [{ type: 'Exposed', status, reason, message: '', lastTransitionTime: at(second) }],
  },
});

test.each([
  ['four minutes', said('Unknown', 'LoadBalancerPending', -240), 'Unknown'],
  ['five minutes', said('Unknown', 'LoadBalancerPending', -300), 'False'],
  ['and it stays so', said('False', 'LoadBalancerPending', -10), 'False'],
  ['something else lasted', said('Unknown', 'HostsFollow', -900), 'Unknown'],
  ['it was reached until now', said('True', 'Exposed', -900), 'Unknown'],
])('silence for %s', (_case, of, status) => {
  expect(exposed(scene(INGRESS, { app: of as Snapshot['app'], now: T0 }))?.status).toBe(status);
});

test('a pass comes by when patience ends, and Ready is not asked', () => {
  const of = said('Unknown', 'LoadBalancerPending', -240) as Snapshot['app'];
  const plan = decide(scene(INGRESS, { app: of, now: T0, wanted: wanted('v1') }));
  expect(plan.recheckMs).toBeLessThanOrEqual(60_000);
  expect(plan.conditions.find(({ type }) => type === 'Ready')?.status).toBe('True');
});

test('a pass comes by when the certificate is about to expire', () => {
  const served = said('True', 'Exposed', -900, TLS) as Snapshot['app'];
  const of = (days: number) =>
    decide(scene(TLS, { app: served, door: opened, wanted: wanted('v1'), certificate: certified(days) })).recheckMs;
  expect(of(14.5)).toBe(43_200_001);
  expect(of(90)).toBe(86_400_000);
});

test.each([
  ['the router has said so just now', said('Unknown', 'LoadBalancerPending', -3), opened, false, 10_000],
  ['nine seconds ago', said('True', 'Exposed', -9), opened, false, 1_000],
  ['ten seconds ago', said('True', 'Exposed', -10), opened, true, undefined],
  ['it does not say so any more', said('True', 'Exposed', -900), undefined, false, 300_000],
])('what served before goes when the new door has served for a while: %s', (_case, of, door, may, recheckMs) => {
  const seen = scene(INGRESS, { app: of as Snapshot['app'], now: T0, wanted: wanted('v1'), ...(door && { door }) });
  expect(isServedAnew(seen)).toBe(may);
  expect(decide(seen).recheckMs).toBe(recheckMs);
});

test('who wants no door has none at once', () => {
  expect(isServedAnew(scene({}))).toBe(true);
});

test('public URLs are there while it is reached', () => {
  const urls = (seen: Snapshot) => statusOf(seen, decide(seen)).publicURLs;
  expect(urls(scene(INGRESS, { door: opened }))).toEqual(['http://shop.example']);
  expect(urls(scene(TLS, { door: opened }))).toEqual(['https://shop.example']);
  expect(urls(scene(INGRESS))).toBeUndefined();
});

test.each<[string, string[] | undefined, string[] | undefined, boolean, Phase?]>([
  ['shares one', ['shop.example'], ['shop.example', 'new.example'], false],
  ['shares none', ['shop.example'], ['new.example'], true],
  ['is the first that has any', undefined, ['new.example'], false],
  ['is not exposed any more', ['shop.example'], undefined, false],
  ['shares none with a first one that is not there yet', ['shpo.example'], ['shop.example'], false, 'Installing'],
])('a new release whose hosts: %s', (_case, before, after, isRefused, phase = 'Settled') => {
  const value = { release: { ...release('v2'), ...(after && { hosts: after }) }, databaseIdentity: 'db' };
  const seen = scene(INGRESS, {
    revisions: [knowing(before)],
    deployment: deployment({ phase }),
    wanted: { known: true, readAt: T0, value },
  });
  const stalled = decide(seen).conditions.find(({ type }) => type === 'Stalled');
  expect(stalled?.reason === 'HostsDisjoint').toBe(isRefused);
});
