// Wiring: configuration, transport, leader lease, controller, health server. Ends with 0 on SIGTERM, with 1 when the
// lease is lost, with 2 for a configuration that cannot be used.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { pino } from 'pino';
import { type Config, parseConfig, USAGE } from './config.ts';
import { Controller } from './controller/controller.ts';
import { createEvidence } from './controller/judging.ts';
import { createMetrics, type OperatorMetrics } from './controller/metrics.ts';
import { serveHealth } from './controller/server.ts';
import { loadCluster } from './kube/config.ts';
import { EventRecorder } from './kube/events.ts';
import { LeaderElection } from './kube/lease.ts';
import { createTransport, type Transport } from './kube/transport.ts';

const CONTROLLER = 'apps.devshelf.dev/operator';
const LEASE = 'devshelf-operator';

const parsed = parseConfig(process.argv.slice(2), process.env);
switch (parsed.kind) {
  case 'help':
    process.stdout.write(USAGE);
    break;
  case 'faults':
    process.stderr.write(`The configuration cannot be used:\n${parsed.faults.map(fault => `  ${fault}\n`).join('')}`);
    process.exitCode = 2;
    break;
  case 'run':
    await run(parsed.config);
}

async function run(config: Config): Promise<void> {
  const startedAt = performance.now();
  const log = pino({
    level: config.LOG_LEVEL,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
  });
  const inCluster = process.env['KUBERNETES_SERVICE_HOST'] !== undefined;
  const cluster = await loadCluster();
  const namespace = config.POD_NAMESPACE ?? cluster.namespace;
  const namespaces = watched(config, namespace);

  let controller: Controller | undefined;
  let election: LeaderElection | undefined;
  let metrics: OperatorMetrics | undefined;
  const transport = createTransport(cluster, {
    onCall: ({ verb, resource, status, ms }) => {
      metrics?.apiCalls.inc({ verb, resource, status: String(status) });
      metrics?.apiSeconds.observe({ verb }, ms / 1000);
    },
  });
  metrics = createMetrics({
    watchAges: () => controller?.world.watchAges() ?? new Map(),
    isLeader: () => !config.LEADER_ELECTION || election?.isLeader === true,
  });
  const server = await serveHealth(config.METRICS_PORT, {
    registry: metrics.registry,
    dead: () => undefined,
    unready: () => (controller?.world.hasSynced ? undefined : 'the stores are not filled yet'),
  });
  const recorder = new EventRecorder({
    transport,
    controller: CONTROLLER,
    instance: config.POD_NAME ?? hostname(),
    onError: error => log.debug({ error }, 'an event was not written'),
  });
  controller = new Controller({
    transport,
    namespaces,
    workers: config.WORKERS,
    evidence: (world, wake) =>
      createEvidence({ world, wake, transport, access: config.POD_ACCESS ?? (inCluster ? 'direct' : 'proxy'), log }),
    recorder,
    metrics,
    log,
    now: Date.now,
    randomBytes,
  });
  const stop = async (): Promise<void> => {
    log.info('stops: what is under way ends, nothing new begins');
    await controller?.stop();
    await recorder.stop();
    await election?.stop();
    server.close();
    await transport.close();
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());

  if (config.LEADER_ELECTION) {
    election = elect(transport, config, namespace, log);
    await election.acquire();
  }
  await controller.start();
  log.info(
    { namespaces: namespaces.length > 0 ? namespaces : '*', startMs: Math.round(performance.now() - startedAt) },
    'reconciling',
  );
}

/** Own namespace by default; `*` is an empty list: all of them. */
function watched({ WATCH_NAMESPACES: names }: Config, own: string): readonly string[] {
  if (names === undefined || names.length === 0) return [own];
  return names.includes('*') ? [] : names;
}

function elect(transport: Transport, { POD_NAME }: Config, namespace: string, log: pino.Logger): LeaderElection {
  return new LeaderElection({
    transport,
    namespace,
    name: LEASE,
    identity: POD_NAME ?? `${hostname()}-${process.pid}`,
    onLost: why => {
      log.fatal({ why: why.message }, 'the lease is lost: another process may lead now');
      process.exit(1);
    },
    onWaiting: why => log.info({ why }, 'waiting for the lease'),
  });
}
