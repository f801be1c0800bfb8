// What this process says about itself on /metrics.
import { setImmediate as turn } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { AppKind } from '../api/resource.ts';
import type { KeyName } from '../api/rotation.ts';
import { DECISIONS } from '../lifecycle/decided.ts';
import { WITHDRAWAL_REASONS } from '../lifecycle/release/withdrawal.ts';
import type { Judgement } from '../lifecycle/snapshot.ts';
import { ResourceMetrics } from './resource-metrics.ts';

const PASS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const CALL_SECONDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const ROLLBACK_SECONDS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60];

const KEYS: Readonly<Record<AppKind, readonly KeyName[]>> = {
  DevShelfDeployment: ['signing', 'scrape'],
  DashboardDeployment: ['api', 'scrape'],
};
const VERDICTS: Readonly<Record<Judgement['verdict'], true>> = {
  Pending: true,
  Good: true,
  Bad: true,
  DependencyDegraded: true,
  Overloaded: true,
  Insufficient: true,
  Blind: true,
};

export type OperatorMetrics = ReturnType<typeof createMetrics>;

export interface MetricSources {
  readonly watchAges: () => ReadonlyMap<string, number>;
  readonly isLeader: () => boolean;
  /** The operator's own. */
  readonly version: string;
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
  new Gauge({
    name: 'devshelf_operator_build_info',
    help: 'Always 1; its labels say which version runs, on which Node.js.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: sources.version, node: process.version }, 1);
  /** Others have resources in their queues, and what they knew of them when they led. */
  const ofLeader = (name: string, help: string) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        if (!sources.isLeader()) this.set(0);
      },
    });
  /** Namespaces. Who does not lead has another reason not to work there. */
  const standsBack = new Set<string>();
  new Gauge({
    name: 'devshelf_operator_stands_back',
    help: '1 for each namespace that this operator watches and does not work in: another one does.',
    labelNames: ['resource_namespace'],
    registers,
    collect() {
      this.reset();
      if (!sources.isLeader()) return;
      for (const resource_namespace of standsBack) this.set({ resource_namespace }, 1);
    },
  });
  const resources = new ResourceMetrics();
  const rare = rareEvents(registry);
  return {
    registry,
    ...rare,
    resources,
    /** Everything, as Prometheus reads it; about resources only in the process that looks after them. */
    pieces: async function* () {
      yield await registry.metrics();
      if (!sources.isLeader()) return;
      for (const piece of resources.pieces()) {
        yield piece;
        // whoever reads quickly would have all of it in one turn of the event loop
        await turn();
      }
    },
    queueDepth: ofLeader('devshelf_operator_queue_depth', 'Resources waiting for a pass.'),
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
    rotationsHeld: ofLeader(
      'devshelf_operator_key_rotations_held',
      'Resources of which a key cannot be replaced: condition KeysCurrent says why.',
    ),
    standsBack,
    readings: new Counter({
      name: 'devshelf_operator_readings_total',
      help: 'Readings of pods’ metrics, by how urgent their trial was: suspicious, canary or bake.',
      labelNames: ['standing'],
      registers,
    }),
    readingStretch: new Gauge({
      name: 'devshelf_operator_reading_stretch',
      help: 'How many times longer than wanted the pods of such trials wait for their next reading; above 1 there are more trials than the readings a second suffice for.',
      labelNames: ['standing'],
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

/** From 0 on: a rate over a series that is born with its first count does not see that one, and these count by ones. */
function rareEvents(registry: Registry) {
  const registers = [registry];
  const rare = {
    verdicts: new Counter({
      name: 'devshelf_operator_verdicts_total',
      help: 'Verdicts on releases, counted when they change.',
      labelNames: ['kind', 'verdict'],
      registers,
    }),
    decisions: new Counter({
      name: 'devshelf_operator_decisions_total',
      help: 'Decisions about releases, each counted once.',
      labelNames: ['kind', 'decision', 'reason'],
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
    notifications: new Counter({
      name: 'devshelf_operator_notifications_total',
      help: 'Messages by sink: sent, failed (a try; it is tried again), refused or expired (never delivered).',
      labelNames: ['sink', 'outcome'],
      registers,
    }),
  };
  for (const [kind, keys] of Object.entries(KEYS)) {
    for (const verdict of Object.keys(VERDICTS)) rare.verdicts.inc({ kind, verdict }, 0);
    for (const [decision, reasons] of Object.entries(DECISIONS))
      for (const reason of reasons) rare.decisions.inc({ kind, decision, reason }, 0);
    for (const reason of WITHDRAWAL_REASONS) rare.rollbacks.inc({ kind, reason }, 0);
    for (const key of keys) rare.rotations.inc({ kind, key }, 0);
  }
  return rare;
}
