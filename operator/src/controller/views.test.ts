import { expect, test } from '@jest/globals';
import { jobView, keepAutoscaler, keepDeployment, keepJob, keepPod, parseVerdict } from './views.ts';

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

const podWith = (status: Status) =>
  keepPod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(),
    spec: {
      containers: [
        { name: 'a-sidecar', ports: [{ name: 'http', containerPort: 15_000 }] },
        { name: 'app', ports: [{ name: 'http', containerPort: 8080 }] },
      ],
    },
    status: status as never,
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
    'one that ended with words',
    ended({ exitCode: 1, message: ' no such module\n' }),
    { lastExit: 'exit code 1: no such module' },
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

const jobWith = (condition?: Status) =>
  keepJob({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata({ 'devshelf.dev/migration': 'm1', 'devshelf.dev/database': 'db' }),
    status: {
      conditions: condition ? [{ status: 'True', lastTransitionTime: '2026-03-01T12:00:09Z', ...condition }] : [],
    } as never,
  });
const complete = jobWith({ type: 'Complete' });
const failed = jobWith({ type: 'Failed', reason: 'DeadlineExceeded', message: 'too long' });
const END = Date.parse('2026-03-01T12:00:09Z');
const said = ended({ exitCode: 0, message: 'log\n{"result":"up to date","applied":["a"],"pending":[]}' });

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
    'it is complete and its pod said so',
    complete,
    said,
    { kind: 'succeeded', endedAt: END, podRead: true, verdict: { result: 'up to date', applied: ['a'], pending: [] } },
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
    { kind: 'failed', podRead: true, started: true, detail: 'DeadlineExceeded: too long; exit code 1: refused' },
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
])('job: %s', (_sentence, job, status, state) => {
  expect(jobView(job, status && podWith(status)).state).toMatchObject(state);
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
    'words',
    '{"result":"unreachable","message":"refused"}',
    { result: 'unreachable', applied: [], pending: [], message: 'refused' },
  ],
])('termination message: %s', (_sentence, message, verdict) => {
  expect(parseVerdict(message)).toEqual(verdict);
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
  expect(deployment(3, '{"phase":"Settled","release":"v1","since":"x"}').record).toMatchObject({ phase: 'Settled' });
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
