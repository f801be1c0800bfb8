import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  jobView,
  keepAutoscaler,
  keepDeployment,
  keepJob,
  keepListenerSet,
  keepMonitor,
  keepPod,
  keepRoute,
  keepScaledObject,
  parseVerdict,
} from './views.ts';

const metadata = (labels = {}) => ({
  name: 'shop-a',
  namespace: 'prod',
  uid: 'u-1',
  resourceVersion: '7',
  creationTimestamp: '2026-03-01T12:00:00Z',
  labels: { 'app.kubernetes.io/component': 'server', 'devshelf.dev/release': 'v1', ...labels },
});

type Status = Record<string, unknown>;
const app = (container: Status): Status => ({
  name: 'app',
  image: 'x',
  imageID: '',
  ready: true,
  restartCount: 0,
  ...container,
});

const podWith = (status: Status, more: object = {}) =>
  keepPod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata(), ...more },
    spec: {
      containers: [
        { name: 'a-sidecar', ports: [{ name: 'http', containerPort: 15_000 }] },
        { name: 'app', ports: [{ name: 'http', containerPort: 8080 }] },
      ],
    },
    status: status as never,
  });

test.each<[string, Status, [boolean, number | undefined]]>([
  ['not ready', { conditions: [{ type: 'Ready', status: 'False' }] }, [false, undefined]],
  [
    'ready',
    { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-03-01T12:00:00Z' }] },
    [true, Date.parse('2026-03-01T12:00:00Z')],
  ],
])('since when a pod is %s', (_case, status, since) => {
  const { ready, readyChangedAt } = podWith(status).view;
  expect([ready, readyChangedAt]).toEqual(since);
});

const ready = { conditions: [{ type: 'Ready', status: 'True' }], podIP: '10.0.0.1' };
const running = { state: { running: { startedAt: '2026-03-01T12:00:00Z' } } };
const ended = (terminated: Status) => ({ containerStatuses: [app({ state: { terminated } })] });

test.each<[string, Status, object]>([
  ['a pod that serves', { ...ready, containerStatuses: [app(running)] }, { ready: true, ip: '10.0.0.1', restarts: 0 }],
  ['a pod without a status', {}, { ready: false, restarts: 0 }],
  [
    'a sidecar that was injected says nothing about it',
    { containerStatuses: [app({ name: 'a-sidecar', restartCount: 9 }), app({ restartCount: 1 })] },
    { restarts: 1 },
  ],
  [
    'an image that cannot be pulled',
    { containerStatuses: [app({ state: { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } } })] },
    { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } },
  ],
  ['one that ran out of memory', ended({ exitCode: 137, reason: 'OOMKilled' }), { lastExit: 'OOMKilled' }],
  [
    'one that ended with words: they are its own',
    ended({ exitCode: 1, reason: 'Error', message: ' no such module\n' }),
    { lastExit: 'exit code 1' },
  ],
  [
    'one that could not be executed: the runtime’s words quote the command',
    ended({ exitCode: 128, reason: 'StartError', message: 'exec: "postgresql://a:b@c": not found' }),
    { lastExit: 'exit code 128 (StartError)' },
  ],
  [
    'the same while it waits',
    { containerStatuses: [app({ state: { waiting: { reason: 'RunContainerError', message: 'exec: "hunter2"' } } })] },
    { waiting: { reason: 'RunContainerError', message: '' } },
  ],
  [
    'a registry’s words may have a password in them',
    {
      containerStatuses: [
        app({ state: { waiting: { reason: 'ErrImagePull', message: 'GET https://u:p@registry.example/v2: 401' } } }),
      ],
    },
    { waiting: { reason: 'ErrImagePull', message: 'GET https://…@registry.example/v2: 401' } },
  ],
  [
    'how it ended before it was restarted',
    { containerStatuses: [app({ ...running, lastState: { terminated: { exitCode: 2 } }, restartCount: 1 })] },
    { lastExit: 'exit code 2', restarts: 1 },
  ],
  [
    'no node takes it',
    { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }] },
    { unschedulable: '0/3 nodes are available' },
  ],
])('pod: %s', (_sentence, status, view) => {
  expect(podWith(status).view).toMatchObject(view);
});

test('the port is the one of the service’s own container', () => {
  expect(podWith({}).port).toBe(8080);
});

const jobWith = (condition?: Status, counts: Status = {}) =>
  keepJob({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata({ 'devshelf.dev/migration': 'm1', 'devshelf.dev/database': 'db' }),
    status: {
      ...counts,
      conditions: condition ? [{ status: 'True', lastTransitionTime: '2026-03-01T12:00:09Z', ...condition }] : [],
    } as never,
  });
const complete = jobWith({ type: 'Complete' });
const LATE = { type: 'Failed', reason: 'DeadlineExceeded', message: 'too long' };
const failed = jobWith(LATE, { failed: 1 });
const END = Date.parse('2026-03-01T12:00:09Z');
const said = ended({ exitCode: 0, message: 'log\n{"result":"up to date","applied":["20260301_cart"],"pending":[]}' });

test.each<[string, ReturnType<typeof keepJob>, Status | undefined, object]>([
  ['no pod yet', jobWith(), undefined, { kind: 'pending', detail: 'no pod yet' }],
  [
    'its pod cannot start',
    jobWith(),
    { containerStatuses: [app({ state: { waiting: { reason: 'ErrImagePull', message: 'x' } } })] },
    { kind: 'pending', detail: 'ErrImagePull x' },
  ],
  ['its pod runs', jobWith(), { containerStatuses: [app(running)] }, { kind: 'running' }],
  [
    'it is failing, its pod is gone already',
    jobWith({ ...LATE, type: 'FailureTarget' }, { failed: 1 }),
    undefined,
    { kind: 'running', ending: true },
  ],
  [
    'it is complete and its pod said so',
    complete,
    said,
    {
      kind: 'succeeded',
      endedAt: END,
      podRead: true,
      verdict: { result: 'up to date', applied: ['20260301_cart'], pending: [] },
    },
  ],
  [
    'it is complete, its pod is not known to be',
    complete,
    { containerStatuses: [app(running)] },
    { kind: 'succeeded', podRead: false },
  ],
  ['it is complete, its pod is gone', complete, undefined, { kind: 'succeeded', podRead: false }],
  [
    'it failed with words',
    failed,
    ended({ exitCode: 1, message: 'refused' }),
    { kind: 'failed', podRead: true, started: true, detail: 'DeadlineExceeded: too long; exit code 1' },
  ],
  [
    'it failed and its pod never started: nothing more is to be read',
    failed,
    { containerStatuses: [app({ state: { waiting: { reason: 'ImagePullBackOff' } } })] },
    { kind: 'failed', podRead: true, started: false },
  ],
  [
    'it failed and its pod is gone: it may have run',
    failed,
    undefined,
    { kind: 'failed', podRead: false, started: true },
  ],
  ['it failed and there never was a pod', jobWith(LATE), undefined, { kind: 'failed', podRead: true, started: false }],
  [
    'it had to make room',
    failed,
    { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { kind: 'failed', disrupted: true },
  ],
  [
    'the migration in front of the command that asks failed',
    failed,
    { initContainerStatuses: [{ name: 'migrate', state: { terminated: { exitCode: 1, message: 'hunter2' } } }] },
    {
      kind: 'failed',
      podRead: true,
      started: true,
      detail: 'DeadlineExceeded: too long; init container migrate: exit code 1',
    },
  ],
  [
    'an init container of somebody else failed: nothing was done',
    failed,
    { initContainerStatuses: [{ name: 'proxy', state: { terminated: { exitCode: 2 } } }] },
    {
      kind: 'failed',
      podRead: true,
      started: false,
      detail: expect.stringContaining('init container proxy: exit code 2') as never,
    },
  ],
  [
    'the migration runs in front of the command that asks',
    jobWith(),
    { initContainerStatuses: [{ name: 'migrate', state: { running: {} } }] },
    { kind: 'running' },
  ],
])('job: %s', (_sentence, job, status, state) => {
  expect(jobView(job, status && podWith(status)).state).toMatchObject(state);
});

test('job: somebody deleted its pod, and it ended without a word', () => {
  const deleted = { deletionTimestamp: '2026-03-01T12:00:08Z', deletionGracePeriodSeconds: 30 };
  const last = podWith(ended({ exitCode: 143 }), deleted);
  expect(jobView(failed, last).state).toMatchObject({ kind: 'failed', disrupted: true });
});

test.each<[string, string | undefined, object | undefined]>([
  ['nothing', undefined, undefined],
  ['a log', 'done\n', undefined],
  ['JSON that is cut', '{"result":"up', undefined],
  ['JSON of somebody else', '{"status":"ok"}', undefined],
  ['the last line counts', 'x\n{"result":"failed"}\n', { result: 'failed', applied: [], pending: [] }],
  [
    'fields of another shape',
    '{"result":"failed","applied":3,"pending":"a","message":{}}',
    { result: 'failed', applied: [], pending: [] },
  ],
  [
    'words of its own',
    '{"result":"unreachable","message":"refused"}',
    { result: 'unreachable', applied: [], pending: [] },
  ],
  ['a result that is none', '{"result":"hunter2"}', undefined],
  [
    'names of another shape are counted, not said',
    '{"result":"failed","applied":["hunter2",{}],"pending":[],"failed":["20260301_cart"],"edited":["a b"]}',
    {
      result: 'failed',
      applied: ['(a name that is not shown: f52fbd32b2)', '(a name that is not shown)'],
      pending: [],
      about: ['20260301_cart', '(a name that is not shown: c8687a08aa)'],
    },
  ],
  [
    'what waits, went and was there before',
    '{"result":"expanded","withheld":[{"id":"20260301_cart","what":"takes away column t.b"},{},3],"contracted":["20260302_x","hunter2"],"ahead":[],"lost":1}',
    {
      ...{ result: 'expanded', applied: [], pending: [] },
      withheld: [{ id: '20260301_cart', what: 'takes away column t.b' }],
      ...{ contracted: ['20260302_x', '(a name that is not shown: f52fbd32b2)'], ahead: [] },
    },
  ],
  [
    'more than it had room for; other counts are none',
    '{"result":"up to date","applied":["20260301_cart"],"more":{"applied":12,"ahead":"many","message":3}}',
    { result: 'up to date', applied: ['20260301_cart'], pending: [], more: { applied: 12 } },
  ],
  [
    'what would be lost, and words that are none of a schema',
    '{"result":"refused","lost":["table pedidos_nota: 1204 rows","postgres://u:hunter2@db/x","a hunter2=1"],"withheld":[{"id":"20260301_cart","what":"see https://example"}]}',
    {
      ...{ result: 'refused', applied: [], pending: [] },
      lost: ['table pedidos_nota: 1204 rows', 'the Job’s log says what it is', 'the Job’s log says what it is'],
      withheld: [{ id: '20260301_cart', what: 'the Job’s log says what it is' }],
    },
  ],
])('termination message: %s', (_sentence, message, verdict) => {
  expect(parseVerdict(message)).toEqual(verdict);
});

test('whatever an image writes, none of its words is kept of its pod and its Job', () => {
  const json = fc.oneof(
    fc.string({ minLength: 5 }),
    fc.array(fc.string({ minLength: 5 })),
    fc.dictionary(fc.string({ minLength: 5 }), fc.string({ minLength: 5 })),
  );
  const verdict = fc.record(
    { result: json, applied: json, pending: json, failed: json, edited: json, message: json, more: json },
    { requiredKeys: [] },
  );
  const written = fc.oneof(
    fc.string(),
    verdict.map(said => JSON.stringify(said)),
    verdict.map(said => JSON.stringify({ ...said, result: 'failed' })),
  );
  fc.assert(
    fc.property(written, fc.constantFrom('Error', 'Completed', 'StartError'), (message, reason) => {
      const said = JSON.parse(JSON.stringify(jobView(failed, podWith(ended({ exitCode: 1, reason, message })))));
      const whole = { ...said.state, verdict: undefined };
      expect(whole.detail).toBe(
        `DeadlineExceeded: too long; exit code 1${reason === 'StartError' ? ' (StartError)' : ''}`,
      );
      for (const name of [...(said.state.verdict?.applied ?? []), ...(said.state.verdict?.about ?? [])])
        expect(name).toMatch(/^(\d{1,14}[_-][A-Za-z0-9_.-]{1,240}|\(a name that is not shown(: [0-9a-f]{10})?\))$/);
      expect(Object.keys(said.state.verdict ?? {})).toEqual(
        expect.arrayContaining(said.state.verdict ? ['result', 'applied', 'pending'] : []),
      );
    }),
  );
});

test('a Deployment whose newest spec was not looked at yet is not observed', () => {
  const deployment = (observedGeneration: number, annotation?: string) =>
    keepDeployment({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        ...metadata(),
        generation: 3,
        ...(annotation !== undefined && { annotations: { 'devshelf.dev/rollout': annotation } }),
      },
      status: { observedGeneration } as never,
    });
  expect([deployment(2).observed, deployment(3).observed]).toEqual([false, true]);
  expect(deployment(3, '{"phase":"Settled","release":"v1","since":"2026-11-28T12:00:00Z"}').record).toMatchObject({
    phase: 'Settled',
  });
  expect(deployment(3, 'edited by hand').record).toBeUndefined();
});

test('an autoscaler at its limit works; one without metrics does not', () => {
  const autoscaler = (type: string) =>
    keepAutoscaler({
      ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: metadata() },
      spec: {} as never,
      status: { conditions: [{ type, status: 'False', message: 'no metrics' }] } as never,
    });
  expect(autoscaler('ScalingLimited').active).toBe(true);
  expect(autoscaler('ScalingActive')).toMatchObject({ active: false, message: 'no metrics' });
});

const ofKeda = (status: string) => ({ type: 'Ready', status, reason: 'x', message: 'of KEDA' });

test.each<[string, { type: string; status: string; message?: string }[], object]>([
  ['nothing', [], { ready: 'Unknown', fallsBack: false }],
  ['it is ready', [ofKeda('True')], { ready: 'True', fallsBack: false, message: 'of KEDA' }],
  ['it is not', [ofKeda('False')], { ready: 'False', message: 'of KEDA' }],
  ['it cannot ask', [ofKeda('True'), { type: 'Fallback', status: 'True' }], { ready: 'True', fallsBack: true }],
  [
    'somebody has paused it',
    [ofKeda('True'), { type: 'Paused', status: 'True', message: 'is paused' }],
    { ready: 'False', message: 'is paused' },
  ],
])('what KEDA says about a ScaledObject: %s', (_case, conditions, found) => {
  const object = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: metadata(), status: { conditions } };
  expect(keepScaledObject(object)).toMatchObject(found);
});

describe('what Prometheus Operator says about a monitor', () => {
  const monitor = (...conditions: object[]) =>
    keepMonitor({
      ...{ apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor' },
      metadata: { ...metadata(), generation: 2 },
      status: { bindings: [{ namespace: 'monitoring', name: 'k8s', conditions }] },
    }).refused;
  const accepted = { type: 'Accepted', status: 'True', observedGeneration: 2 };
  const refused = { type: 'Accepted', status: 'False', reason: 'InvalidConfiguration', observedGeneration: 2 };

  test.each([
    ['nothing', [], undefined],
    ['it is taken', [accepted], undefined],
    ['it is not, with words', [{ ...refused, message: 'a bad regex' }], { by: 'monitoring/k8s', why: 'a bad regex' }],
    ['it is not, without', [refused], { by: 'monitoring/k8s', why: 'InvalidConfiguration' }],
    ['the spec before was not', [{ ...refused, observedGeneration: 1 }], undefined],
  ])('%s', (_case, conditions, found) => {
    expect(monitor(...conditions)).toEqual(found);
  });

  test('no status at all: nothing is known', () => {
    const { refused: found } = keepMonitor({ apiVersion: 'v1', kind: 'PodMonitor', metadata: metadata() });
    expect(found).toBeUndefined();
  });
});

const route = (...conditions: object[]) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'shop', namespace: 'prod', uid: 'u', resourceVersion: '1', generation: 3 },
  status: { parents: [{ parentRef: { name: 'public' }, controllerName: 'x.io/gateway', conditions }] },
});
const says = (type: string, status: string, observedGeneration?: number) => ({
  type,
  status,
  ...(observedGeneration !== undefined && { observedGeneration }),
  reason: 'Because',
  message: 'of it',
});

test.each([
  ['both', [says('Accepted', 'True', 3), says('ResolvedRefs', 'True', 3)], { accepted: true, words: '' }],
  ['one only', [says('Accepted', 'True', 3)], undefined],
  ['an earlier route’s', [says('Accepted', 'True', 2), says('ResolvedRefs', 'True', 3)], undefined],
  [
    'a refusal',
    [says('Accepted', 'True', 3), says('ResolvedRefs', 'False', 3)],
    { accepted: false, words: 'Because: of it' },
  ],
  ['an earlier refusal', [says('Accepted', 'False', 2)], undefined],
  [
    'both, of which route is not said',
    [says('Accepted', 'True'), says('ResolvedRefs', 'True')],
    { accepted: true, words: '' },
  ],
  ['of which route is said of one only', [says('Accepted', 'True', 2), says('ResolvedRefs', 'True')], undefined],
  ['of no route at all', [says('Accepted', 'True', 0), says('ResolvedRefs', 'True', 0)], undefined],
  ['a refusal, of which route is not said', [says('Accepted', 'False')], { accepted: false, words: 'Because: of it' }],
])('what a Gateway says of a route: %s', (_case, conditions, answer) => {
  const { parents } = keepRoute(route(...conditions) as never).view;
  expect(parents).toEqual([{ gateway: 'prod/public', controller: 'x.io/gateway', ...(answer && { answer }) }]);
});

test('where a route is attached', () => {
  const ours = { group: 'gateway.networking.k8s.io', kind: 'ListenerSet', name: 'shop' };
  const parentRefs = [ours, { name: 'public', namespace: 'edge', sectionName: 'https' }];
  const status = { parents: [{ parentRef: ours, controllerName: 'x', conditions: [] }] };
  const { attached, parents } = keepRoute({ ...route(), spec: { parentRefs }, status } as never).view;
  expect(attached).toEqual([
    { kind: 'ListenerSet', name: 'shop', namespace: 'prod' },
    { kind: 'Gateway', name: 'public', namespace: 'edge', sectionName: 'https' },
  ]);
  expect(parents).toEqual([{ gateway: 'prod/shop', isListenerSet: true, controller: 'x' }]);
});

const because = (type: string, status: string, reason: string, observedGeneration = 3) => ({
  ...says(type, status, observedGeneration),
  reason,
});
const good = (...types: string[]) => types.map(type => says(type, 'True', 3));
const SET = good('Accepted', 'Programmed');
const LISTENER = good('Accepted', 'Programmed', 'ResolvedRefs');

const refusedAs = (words: string) => ({ accepted: false, words });

test.each<[string, object[], object[][], object | undefined]>([
  ['all of it', SET, [LISTENER, LISTENER], { accepted: true, words: '' }],
  ['nothing', [], [], undefined],
  ['what the API server writes for a new one', [says('Accepted', 'Unknown', 0)], [], undefined],
  ['of one listener nothing', SET, [LISTENER], undefined],
  ['of one listener not all', SET, [LISTENER, good('Accepted', 'ResolvedRefs')], undefined],
  ['it is accepted and not programmed', good('Accepted'), [LISTENER, LISTENER], undefined],
  ['an earlier set’s', [says('Accepted', 'True', 2), says('Programmed', 'True', 3)], [LISTENER, LISTENER], undefined],
  ['an earlier listener’s', SET, [LISTENER, LISTENER.map(said => ({ ...said, observedGeneration: 2 }))], undefined],
  ['an earlier refusal', [because('Accepted', 'False', 'NotAllowed', 2)], [], undefined],
  [
    'the Gateway lets none in',
    [because('Accepted', 'False', 'NotAllowed'), because('Programmed', 'False', 'NotAllowed')],
    [],
    refusedAs('NotAllowed: of it'),
  ],
  [
    'accepted, but for one listener',
    SET,
    [LISTENER, [...LISTENER, because('Conflicted', 'True', 'HostnameConflict')]],
    refusedAs('listener www.shop.example: HostnameConflict: of it'),
  ],
  [
    'the certificate is not there',
    [because('Accepted', 'False', 'ListenersNotValid'), because('Programmed', 'False', 'Invalid')],
    [[because('Programmed', 'False', 'Invalid'), because('ResolvedRefs', 'False', 'InvalidCertificateRef')]],
    { ...refusedAs('listener shop.example: InvalidCertificateRef: of it'), isOfCertificate: true },
  ],
  [
    'the Gateway’s refusal tells more than a listener’s',
    [because('Accepted', 'False', 'NotAllowed')],
    [[because('ResolvedRefs', 'False', 'InvalidCertificateRef')]],
    refusedAs('NotAllowed: of it'),
  ],
])('what a Gateway says of our listeners: %s', (_case, conditions, each, answer) => {
  const hosts = ['shop.example', 'www.shop.example'];
  const object = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'ListenerSet',
    metadata: route().metadata,
    spec: { listeners: hosts.map(name => ({ name, hostname: name })) },
    status: { conditions, listeners: each.map((said, index) => ({ name: hosts[index], conditions: said })) },
  };
  expect(keepListenerSet(object as never).view).toEqual({ hosts, ...(answer && { answer }) });
});
