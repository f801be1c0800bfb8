import { expect, test } from '@jest/globals';
import { type Apis, apisBy } from '../../api/optional-apis.ts';
import { decide } from '../plan.ts';
import type { ScaledObjectView, Snapshot } from '../snapshot.ts';
import { app, carrying, shelf, snapshot, wanted } from '../testing.ts';
import { autoscaled } from './autoscaled.ts';

const hpa = { active: true, message: 'scales on CPU use' };
const ready: ScaledObjectView = { ready: 'True', fallsBack: false, message: 'ready for scaling' };
const URL = { prometheusUrl: 'http://prometheus:9090' };

const served = (change: Partial<Snapshot>, state: Apis['ScaledObject'] = 'present'): Snapshot =>
  snapshot({ apis: { ...apisBy(() => 'present'), ScaledObject: state }, ...change });
const byCpu = (change: Partial<Snapshot> = {}) => served({ app: app({ autoscaling: { maxReplicas: 5 } }), ...change });
const keda = { provider: 'KEDA', maxReplicas: 5, requestsPerSecondPerReplica: 20 };
const byRequests = (change: Partial<Snapshot> = {}, state?: Apis['ScaledObject']) =>
  served({ app: app({ autoscaling: keda }), ...URL, ...change }, state);
const byJobs = (change: Partial<Snapshot> = {}, state?: Apis['ScaledObject']) =>
  served(
    {
      app: shelf({ worker: { autoscaling: { maxReplicas: 5, waitingJobsPerReplica: 9 } }, autoscaling: keda }),
      ...{ ...URL, scaledObject: ready },
      ...change,
    },
    state,
  );

test.each<[string, Snapshot, string, string, string]>([
  ['by CPU use', byCpu({ autoscaler: hpa }), 'True', 'AutoscalerActive', 'scales on CPU use'],
  [
    'by CPU use, without metrics',
    byCpu({ autoscaler: { active: false, message: 'no metrics' } }),
    'False',
    'AutoscalerNotReady',
    'no metrics',
  ],
  [
    'KEDA’s is still there',
    byCpu({ scaledObject: ready }),
    'Unknown',
    'AutoscalerChanging',
    'ScaledObject is on its way',
  ],
  [
    'KEDA’s ScaledObject is gone, its own autoscaler is not',
    byCpu({ kedaScales: true }),
    'Unknown',
    'AutoscalerChanging',
    'ScaledObject is on its way',
  ],
  ['by requests', byRequests({ scaledObject: ready }), 'True', 'AutoscalerActive', 'ready for scaling'],
  [
    'ours is still there',
    byRequests({ autoscaler: hpa }),
    'Unknown',
    'AutoscalerChanging',
    'HorizontalPodAutoscaler is on',
  ],
  [
    'KEDA says no',
    byRequests({ scaledObject: { ...ready, ready: 'False', message: 'target not found' } }),
    'False',
    'AutoscalerNotReady',
    'target not found',
  ],
  [
    'KEDA has said nothing',
    byRequests({ scaledObject: { ...ready, ready: 'Unknown', message: 'not a word' } }),
    'Unknown',
    'AutoscalerNotReady',
    'not a word',
  ],
  [
    'Prometheus does not answer KEDA',
    byRequests({ scaledObject: { ...ready, fallsBack: true } }),
    'False',
    'AutoscalerFallback',
    'the pods that run stay',
  ],
  [
    'KEDA’s own autoscaler cannot read',
    byRequests({ scaledObject: { ...ready, trouble: 'no metrics returned' } }),
    'False',
    'AutoscalerNotReady',
    'no metrics returned',
  ],
  [
    'the operator knows no Prometheus',
    served({ app: app({ autoscaling: keda }), scaledObject: ready }),
    'False',
    'PrometheusUnknown',
    '--prometheus-url): the pods scale by CPU use alone',
  ],
  [
    'no KEDA',
    byRequests({}, 'absent'),
    'False',
    'AutoscalerAPIMissing',
    'install KEDA, or set spec.autoscaling.provider',
  ],
  [
    'no KEDA, and one of ours',
    byRequests({ autoscaler: hpa }, 'absent'),
    'False',
    'AutoscalerAPIMissing',
    'the HorizontalPodAutoscaler goes on',
  ],
  ['no rights', byRequests({}, 'refused'), 'False', 'AutoscalerAPIMissing', 'rights of its chart'],
  ['server and worker', byJobs({ workerScaledObject: ready }), 'True', 'AutoscalerActive', 'ready'],
  [
    'the worker’s trouble is told, too',
    byJobs({ workerScaledObject: { ...ready, fallsBack: true } }),
    'False',
    'AutoscalerFallback',
    'stay',
  ],
  ['the worker’s, without KEDA', byJobs({}, 'absent'), 'False', 'AutoscalerAPIMissing', 'install KEDA'],
])('%s', (_case, seen, status, reason, words) => {
  const found = autoscaled(seen);
  expect(found).toMatchObject({ type: 'AutoscalingActive', status, reason });
  expect(found?.message).toContain(words);
});

test.each([
  ['nothing is to be scaled', snapshot()],
  ['it is about to be made', byCpu()],
  ['KEDA’s is about to be made', byRequests()],
  [
    'CPU use needs no Prometheus',
    served({ app: app({ autoscaling: { ...keda, requestsPerSecondPerReplica: undefined } }) }),
  ],
  ['there is no queue', served({ app: app({}, {}, 'DevShelfDeployment') })],
])('nothing is said: %s', (_case, seen) => {
  expect(autoscaled(seen)).toBeUndefined();
});

test('Ready does not ask', () => {
  const seen = carrying(
    {},
    {},
    { wanted: wanted('v1'), app: app({ autoscaling: keda }), apis: apisBy(() => 'absent') },
  );
  const conditions = decide(seen).conditions.filter(({ type }) => ['Ready', 'AutoscalingActive'].includes(type));
  expect(conditions.map(({ status }) => status)).toEqual(['True', 'False']);
});
