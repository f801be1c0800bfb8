// Autoscaling by what users do: KEDA asks Prometheus, and keeps a HorizontalPodAutoscaler of its own.
//
// Only loads that sum up are triggers: an autoscaler multiplies by the pods that there are, and during a release there are
// more of them, so something that each pod has (memory) would climb to the maximum.
import type { Phase } from '../api/rollout.ts';
import { type App, childMeta, compact, isDevShelf, type KubeObject } from './app.ts';
import { behaviour } from './autoscaler.ts';
import { names } from './names.ts';

const POLLING_SECONDS = 15;
/** Of asking Prometheus in a row; KEDA falls back at the next one. */
const FAILURES = 3;
/** The worker's queue empties in bursts: so long it must have been shorter. */
const WORKER_STABILIZATION_SECONDS = 300;

/**
 * Chooses the number of serving pods by requests and CPU use; undefined unless the spec asks KEDA.
 * @param prometheusUrl where KEDA asks; undefined: by CPU use alone
 */
export function scaledObject(
  app: App,
  phase: Phase | undefined,
  prometheusUrl: string | undefined,
): KubeObject | undefined {
  const { autoscaling } = app.spec;
  if (autoscaling?.provider !== 'KEDA') return undefined;
  const { name, namespace } = app.metadata;
  const { requestsPerSecondPerReplica: perReplica, targetCPUUtilizationPercentage, minReplicas } = autoscaling;
  const series = `http_responses_total{namespace="${namespace}",service="${names.service(name)}"}`;
  const requests =
    perReplica === undefined || prometheusUrl === undefined
      ? undefined
      : ofPrometheus('requests', prometheusUrl, `sum(rate(${series}[2m]))`, perReplica);
  const cpu = { type: 'cpu', metricType: 'Utilization', metadata: { value: `${targetCPUUtilizationPercentage}` } };
  return objectFor(app, names.scaledObject(name), {
    target: names.deployment(name),
    autoscaler: names.kedaAutoscaler(name),
    minReplicas,
    maxReplicas: autoscaling.maxReplicas,
    behavior: behaviour(autoscaling.scaleDownStabilizationSeconds, phase),
    triggers: [...(requests ? [requests] : []), cpu],
    asksPrometheus: requests !== undefined,
  });
}

/** Chooses the number of workers by the jobs that wait; undefined where the spec does not ask, or nobody could answer. */
export function workerScaledObject(app: App, prometheusUrl: string | undefined): KubeObject | undefined {
  if (!isDevShelf(app) || !app.spec.redis || prometheusUrl === undefined) return undefined;
  const { autoscaling } = app.spec.worker;
  if (!autoscaling) return undefined;
  const { name, namespace } = app.metadata;
  // each worker tells the whole queue
  const query = `max(devshelf_queue_jobs{namespace="${namespace}",service="${names.worker(name)}",state="waiting"})`;
  return objectFor(app, names.workerScaledObject(name), {
    target: names.worker(name),
    autoscaler: names.workerKedaAutoscaler(name),
    minReplicas: autoscaling.minReplicas,
    maxReplicas: autoscaling.maxReplicas,
    behavior: behaviour(WORKER_STABILIZATION_SECONDS, undefined),
    triggers: [ofPrometheus('jobs', prometheusUrl, query, autoscaling.waitingJobsPerReplica)],
    asksPrometheus: true,
  });
}

interface Scaling {
  readonly target: string;
  readonly autoscaler: string;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly behavior: object;
  readonly triggers: readonly object[];
  readonly asksPrometheus: boolean;
}

const objectFor = (app: App, name: string, scaling: Scaling): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: childMeta(app, name),
  spec: compact({
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: scaling.target },
    minReplicaCount: scaling.minReplicas,
    maxReplicaCount: scaling.maxReplicas,
    pollingInterval: POLLING_SECONDS,
    // what runs stays: a fixed number could be fewer than the load needs. KEDA refuses it where nobody is asked
    fallback: scaling.asksPrometheus
      ? { failureThreshold: FAILURES, replicas: scaling.minReplicas, behavior: 'currentReplicasIfHigher' }
      : undefined,
    advanced: { horizontalPodAutoscalerConfig: { name: scaling.autoscaler, behavior: scaling.behavior } },
    triggers: scaling.triggers,
  }),
});

/** A Prometheus that knows nothing is an error and no zero: pods that nobody reads would be taken away otherwise. */
const ofPrometheus = (name: string, serverAddress: string, query: string, threshold: number) => ({
  type: 'prometheus',
  name,
  metricType: 'AverageValue',
  metadata: { serverAddress, query, threshold: `${threshold}`, ignoreNullValues: 'false' },
});
