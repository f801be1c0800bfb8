// Wiring: configuration, transport, leader lease, controller, health server. Ends with 0 on SIGTERM, with 1 when the
// lease is lost and a pass does not end, with 2 for a configuration that cannot be used.
import { compileForMany, compileUnderWork } from './little-code.ts';
import './api/jitless.ts';

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { standardOutput } from '../../services/common/standard-output.ts';
import { type Config, parseConfig, USAGE } from './config.ts';
import { Controller } from './controller/controller.ts';
import { createEvidence } from './controller/judging.ts';
import { createMetrics, type OperatorMetrics } from './controller/metrics.ts';
import { poster } from './controller/post.ts';
import { serveHealth } from './controller/server.ts';
import { SinksFile, SinksRefused } from './controller/sinks-file.ts';
import { openTraces } from './controller/traces.ts';
import { ROOM } from './controller/world.ts';
import { USER_AGENT } from './evidence/metrics.ts';
import { giveBackIdleMemory } from './idle-memory.ts';
import { loadCluster } from './kube/config.ts';
import { EventRecorder } from './kube/events.ts';
import { LeaderElection } from './kube/lease.ts';
import { createTransport, type Transport, type TransportOptions } from './kube/transport.ts';
import { REPORTER } from './objects/names.ts';
import { OPERATOR_VERSION } from './version.ts';

const LEASE = 'devshelf-operator';
/**
 * From losing the lease to the end of every pass. None of them can write any more, and another process may lead: this one
 * only asks for the lease again when all have ended, and ends itself where one never does.
 */
const PASSES_END_MS = 60_000;
/** Events and traces are for people who look; on the way out nobody waits long for them. */
const TOLD_MS = 2_000;

const parsed = parseConfig(process.argv.slice(2), process.env);
switch (parsed.kind) {
  case 'help':
    process.stdout.write(USAGE);
    break;
  case 'version':
    process.stdout.write(`devshelf-operator ${OPERATOR_VERSION}, Node.js ${process.version}\n`);
    break;
  case 'faults':
    refuse(parsed.faults);
    break;
  case 'run':
    await run(parsed.config);
}

function refuse(faults: readonly string[]): void {
  process.stderr.write(`The configuration cannot be used:\n${faults.map(fault => `  ${fault}\n`).join('')}`);
  process.exitCode = 2;
}

async function run(config: Config): Promise<void> {
  const startedAt = performance.now();
  const log = pino(
    {
      level: config.LOG_LEVEL,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    standardOutput(), // pino's own stream stands still, and all else with it, while its reader is behind
  );
  const sinks = await sinksOf(config, log);
  if (sinks === 'refused') return;
  log.info({ version: OPERATOR_VERSION, node: process.version }, 'devshelf-operator starts');
  compileUnderWork(() => !ROOM.isFull);
  giveBackIdleMemory((before, after) => log.debug({ before, after }, 'nothing happens: memory is given back'));
  const traces = await openTraces(config, log);
  if (traces) log.info('traces of releases are sent');
  const inCluster = process.env['KUBERNETES_SERVICE_HOST'] !== undefined;
  const cluster = await loadCluster();
  const namespace = config.POD_NAMESPACE ?? cluster.namespace;
  const namespaces = watched(config, namespace);
  const access = config.POD_ACCESS ?? (inCluster ? 'direct' : 'proxy');

  let controller: Controller | undefined;
  let election: LeaderElection | undefined;
  let metrics: OperatorMetrics | undefined;
  const asking: TransportOptions = {
    userAgent: USER_AGENT,
    onCall: ({ verb, resource, status, ms }) => {
      metrics?.apiCalls.inc({ verb, resource, status: String(status) });
      metrics?.apiSeconds.observe({ verb }, ms / 1000);
    },
  };
  const transport = createTransport(cluster, asking);
  // whoever asks much, or waits for what hangs, keeps no lease from being renewed; and what hung is asked on a new one
  const leasing = createTransport(cluster, { ...asking, connections: 1 });
  metrics = createMetrics({
    watchAges: () => controller?.world.watchAges() ?? new Map(),
    isLeader: () => !config.LEADER_ELECTION || election?.isLeader === true,
    version: OPERATOR_VERSION,
  });
  const server = await serveHealth(config.METRICS_PORT, {
    metrics: metrics.pieces,
    dead: () => controller?.stuck,
    unready: () => (controller?.world.hasSynced ? undefined : 'the stores are not filled yet'),
  });
  const recorder = new EventRecorder({
    transport,
    controller: REPORTER,
    instance: config.POD_NAME ?? hostname(),
    onError: error =>
      log.debug({ why: error instanceof Error ? error.message : String(error) }, 'an event was not written'),
  });
  controller = new Controller({
    transport,
    namespaces,
    workers: config.WORKERS,
    installation: `${namespace}/${config.LEADER_ELECTION ? LEASE : processName(config)}`,
    evidence: (world, wake) =>
      createEvidence({
        world,
        wake,
        transport,
        access,
        log,
        ...(metrics && { metrics }),
        ...(config.PROMETHEUS_URL !== undefined && {
          prometheus: { url: config.PROMETHEUS_URL, tokenFile: config.PROMETHEUS_TOKEN_FILE },
        }),
      }),
    recorder,
    metrics,
    docsUrl: config.DOCS_URL,
    onResources: compileForMany,
    ...(sinks && { messages: { sinks, send: poster({ userAgent: USER_AGENT }) } }),
    ...(access === 'direct' && inCluster && { podsAskedFrom: namespace }),
    prometheusUrl: config.PROMETHEUS_URL,
    ...(traces && { traces }),
    log,
    now: Date.now,
    randomBytes,
  });
  let stopping = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    log.info('stops: what is under way ends, nothing new begins');
    await controller?.stop();
    await Promise.race([Promise.all([recorder.stop(), traces?.stop()]), pause(TOLD_MS)]);
    await election?.stop();
    server.close();
    await Promise.all([transport, leasing].map(each => each.close()));
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());

  const reconciling = (): void => {
    const startMs = Math.round(performance.now() - startedAt);
    log.info({ namespaces: namespaces.length > 0 ? namespaces : '*', startMs }, 'reconciling');
  };
  try {
    if (!config.LEADER_ELECTION) {
      await controller.start();
      reconciling();
      return;
    }
    election = elect(leasing, config, namespace, log, () => controller?.standBy());
    await lead(election, controller, log, reconciling);
  } catch (error) {
    if (!stopping) throw error;
  }
}

/** Term after term, until the election is stopped: an API server that was slow for a while ends no process. */
async function lead(
  election: LeaderElection,
  controller: Controller,
  log: pino.Logger,
  reconciling: () => void,
): Promise<void> {
  while (!election.isStopped) {
    const term = await election.acquire();
    await controller.start(term);
    if (!term.isOver()) reconciling();
    if (!term.signal.aborted) await once(term.signal, 'abort');
    if (election.isStopped) return;
    log.warn({ why: String(term.signal.reason) }, 'nothing is acted on until the lease is won again');
    if (await isOverWithin(PASSES_END_MS, controller.idle)) continue;
    log.fatal('a pass does not end: a new process begins');
    process.exit(1);
  }
}

async function isOverWithin(ms: number, ending: Promise<void>): Promise<boolean> {
  const waits = new AbortController();
  const isOver = await Promise.race([ending.then(() => true), pause(ms, false, waits)]);
  waits.abort();
  return isOver;
}

async function sinksOf({ NOTIFY_CONFIG: path }: Config, log: pino.Logger): Promise<SinksFile | 'refused' | undefined> {
  if (path === undefined) return undefined;
  try {
    const file = await SinksFile.open(path, log);
    file.watch();
    return file;
  } catch (error) {
    if (!(error instanceof SinksRefused)) throw error;
    refuse(error.faults.map(fault => `NOTIFY_CONFIG="${path}": ${fault}`));
    return 'refused';
  }
}

function processName({ POD_NAME }: Pick<Config, 'POD_NAME'>): string {
  return POD_NAME ?? `${hostname()}-${process.pid}`;
}

/** Own namespace by default; `*` is an empty list: all of them. */
function watched({ WATCH_NAMESPACES: names }: Config, own: string): readonly string[] {
  if (names === undefined || names.length === 0) return [own];
  return names.includes('*') ? [] : names;
}

function elect(
  transport: Transport,
  { POD_NAME }: Pick<Config, 'POD_NAME'>,
  namespace: string,
  log: pino.Logger,
  standBy: () => void,
): LeaderElection {
  return new LeaderElection({
    transport,
    namespace,
    name: LEASE,
    identity: processName({ POD_NAME }),
    onOtherLeads: holder => {
      standBy();
      log.info({ why: `${holder} leads` }, 'waiting for the lease');
    },
    onFailed: why => log.info({ why }, 'the lease could not be asked for'),
  });
}
