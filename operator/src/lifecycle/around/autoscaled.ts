// Whether somebody chooses the number of pods, as the spec asks. It never decides about Ready: the pods that are there stay.
import type { Condition } from '../../api/conditions.ts';
import type { AppResource } from '../../api/resource.ts';
import type { ScaledObjectView, Snapshot } from '../snapshot.ts';

type Found = Omit<Condition, 'type'>;

/** Undefined while nothing is to be scaled, or the autoscaler is about to be made. The worse of server and worker. */
export function autoscaled(seen: Snapshot): Condition | undefined {
  const found = [ofServer(seen), ofWorker(seen)].filter(one => one !== undefined);
  const worst = found.find(({ status }) => status === 'False') ?? found.find(({ status }) => status === 'Unknown');
  const [first] = worst ? [worst] : found;
  return first && { type: 'AutoscalingActive', ...first };
}

function ofServer(seen: Snapshot): Found | undefined {
  const { autoscaling } = seen.app.spec;
  if (!autoscaling) return undefined;
  const { autoscaler, scaledObject, kedaScales } = seen;
  if (autoscaling.provider === 'HPA') {
    if ((scaledObject || kedaScales) && !autoscaler) return changing('ScaledObject', 'the HorizontalPodAutoscaler');
    return autoscaler && plain(autoscaler);
  }
  const missing = lacksApi(seen);
  if (missing)
    return autoscaler ? { ...missing, message: `${missing.message}; the HorizontalPodAutoscaler goes on` } : missing;
  if (autoscaler && !scaledObject) return changing('HorizontalPodAutoscaler', 'the ScaledObject');
  const found = scaledObject && byKeda(scaledObject);
  if (autoscaling.requestsPerSecondPerReplica === undefined || seen.prometheusUrl !== undefined) return found;
  return prometheusUnknown('spec.autoscaling.requestsPerSecondPerReplica', 'the pods scale by CPU use alone');
}

function ofWorker(seen: Snapshot): Found | undefined {
  const { spec } = seen.app;
  if (!isScaledByJobs(spec)) return undefined;
  const missing = lacksApi(seen);
  if (missing) return missing;
  if (seen.prometheusUrl === undefined)
    return prometheusUnknown('spec.worker.autoscaling', 'the workers that run stay');
  return seen.workerScaledObject && byKeda(seen.workerScaledObject);
}

const isScaledByJobs = (spec: AppResource['spec']): boolean =>
  'worker' in spec && spec.redis !== undefined && spec.worker.autoscaling !== undefined;

const plain = ({ active, message }: NonNullable<Snapshot['autoscaler']>): Found => ({
  status: active ? 'True' : 'False',
  reason: active ? 'AutoscalerActive' : 'AutoscalerNotReady',
  message,
});

function byKeda({ ready, fallsBack, message, trouble }: ScaledObjectView): Found {
  if (ready === 'False') return { status: 'False', reason: 'AutoscalerNotReady', message };
  if (fallsBack) {
    const words = 'KEDA cannot ask Prometheus: the pods that run stay';
    return { status: 'False', reason: 'AutoscalerFallback', message: words };
  }
  if (trouble !== undefined) return { status: 'False', reason: 'AutoscalerNotReady', message: trouble };
  return ready === 'True'
    ? { status: 'True', reason: 'AutoscalerActive', message }
    : { status: 'Unknown', reason: 'AutoscalerNotReady', message };
}

const changing = (old: string, next: string): Found => ({
  status: 'Unknown',
  reason: 'AutoscalerChanging',
  message: `${old} is on its way out; ${next} is made when it is gone, and the number of pods stays`,
});

function lacksApi({ apis }: Snapshot): Found | undefined {
  if (apis.ScaledObject === 'present') return undefined;
  const message =
    apis.ScaledObject === 'refused'
      ? 'the operator may not see objects of kind ScaledObject: give it the rights of its chart'
      : 'the cluster has no ScaledObject of keda.sh/v1alpha1: install KEDA, or set spec.autoscaling.provider to HPA';
  return { status: 'False', reason: 'AutoscalerAPIMissing', message };
}

const prometheusUnknown = (field: string, meanwhile: string): Found => ({
  status: 'False',
  reason: 'PrometheusUnknown',
  message: `${field} needs a Prometheus, and the operator was not told of one (--prometheus-url): ${meanwhile}`,
});
