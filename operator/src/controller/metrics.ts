// What this process says about itself on /metrics.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const PASS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const CALL_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const ROLLBACK_SECONDS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60];

export type OperatorMetrics = ReturnType<typeof createMetrics>;

export interface MetricSources {
  readonly watchAges: () => ReadonlyMap<string, number>;
  readonly isLeader: () => boolean;
}

export function createMetrics(sources: MetricSources) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  new Gauge({
    name: 'devshelf_operator_watch_age_seconds',
    help: 'Since the API server was last heard on the watch of this kind; above 90 it is out of reach.',
    labelNames: ['resource'],
    registers,
    collect() {
      for (const [resource, ms] of sources.watchAges()) this.set({ resource }, ms / 1000);
    },
  });
  new Gauge({
    name: 'devshelf_operator_leader',
    help: '1 in the process that holds the lease.',
    registers,
    collect() {
      this.set(sources.isLeader() ? 1 : 0);
    },
  });
  return {
    registry,
    queueDepth: new Gauge({ name: 'devshelf_operator_queue_depth', help: 'Resources waiting for a pass.', registers }),
    queueSeconds: new Histogram({
      name: 'devshelf_operator_queue_seconds',
      help: 'From being due to the beginning of the pass.',
      buckets: PASS_SECONDS,
      registers,
    }),
    passSeconds: new Histogram({
      name: 'devshelf_operator_reconcile_seconds',
      help: 'One pass over one resource.',
      labelNames: ['kind', 'outcome'],
      buckets: PASS_SECONDS,
      registers,
    }),
    apiCalls: new Counter({
      name: 'devshelf_operator_api_calls_total',
      help: 'Requests to the API server; status 0: no answer.',
      labelNames: ['verb', 'resource', 'status'],
      registers,
    }),
    apiSeconds: new Histogram({
      name: 'devshelf_operator_api_call_seconds',
      help: 'Duration of requests to the API server (of a watch: until it is open).',
      labelNames: ['verb'],
      buckets: CALL_SECONDS,
      registers,
    }),
    verdicts: new Counter({
      name: 'devshelf_operator_verdicts_total',
      help: 'Verdicts on releases, counted when they change.',
      labelNames: ['kind', 'verdict'],
      registers,
    }),
    rollbacks: new Counter({
      name: 'devshelf_operator_rollbacks_total',
      help: 'Releases taken back.',
      labelNames: ['kind', 'reason'],
      registers,
    }),
    rotations: new Counter({
      name: 'devshelf_operator_key_rotations_total',
      help: 'Keys that were replaced, counted when every pod refuses the old one.',
      labelNames: ['kind', 'key'],
      registers,
    }),
    rotationsHeld: new Gauge({
      name: 'devshelf_operator_key_rotations_held',
      help: 'Resources of which a key cannot be replaced: condition KeysCurrent says why.',
      registers,
    }),
    detectionSeconds: new Histogram({
      name: 'devshelf_operator_rollback_detection_seconds',
      help: 'From the first 5xx read from the release to the decision to take it back.',
      buckets: ROLLBACK_SECONDS,
      registers,
    }),
    actuationSeconds: new Histogram({
      name: 'devshelf_operator_rollback_actuation_seconds',
      help: 'From that decision until no pod of the release serves.',
      buckets: ROLLBACK_SECONDS,
      registers,
    }),
  };
}
