/**
 * The operator as its image runs it: bundled, the image's variables, the chart's limit of memory where a cgroup can be
 * made, credentials where a pod finds them (in a mount namespace of its own: needs root, or user namespaces).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ApiServer } from '../../test-e2e/cluster/apiserver.ts';
import { bundleImage } from '../../test-e2e/cluster/build.ts';
import { freePorts } from '../../test-e2e/cluster/ports.ts';
import { imageEnvironment } from '../speed/servers.ts';
import { type Counters, countersOf } from './counters.ts';

const ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount';
const START_TIMEOUT_MS = 120_000;
/** `resources.limits.memory` of the chart. */
const LIMIT_MIB = 256;

export type Operator = {
  /** From the start of the process until it led and its stores were filled. */
  readonly readyMs: number;
  counters(): Promise<Counters>;
  rssMib(): number;
  /** The highest so far. */
  peakRssMib(): number;
  stop(): Promise<void>;
};

/** A copy in `folder`: nobody else builds there. */
export async function bundled(folder: string): Promise<string> {
  const target = join(folder, 'operator');
  cpSync(await bundleImage('operator'), target, { recursive: true });
  return join(target, 'usr/local/bin/operator');
}

/** Beside one that leads. */
export type Standby = Omit<Operator, 'readyMs'> & {
  /** Resolves when it leads and its stores are filled, with `performance.now()`; rejects where it ends before. */
  readonly leadsAt: Promise<number>;
};

export type StartOptions = {
  /** Hears each line of its log. */
  readonly onLine?: (line: string) => void;
  /** Before everything else that wants the processor, as on a node that is not the API server's: needs root. */
  readonly isFirst?: boolean;
};

/** @throws Error with its last words where it ends, or is not ready within two minutes */
export async function startOperator(api: ApiServer, program: string, options?: StartOptions): Promise<Operator> {
  const begunMs = performance.now();
  const standby = await startStandby(api, program, options);
  const late = setTimeout(() => void standby.stop(), START_TIMEOUT_MS);
  try {
    return { ...standby, readyMs: (await standby.leadsAt) - begunMs };
  } catch (error) {
    await standby.stop();
    throw error;
  } finally {
    clearTimeout(late);
  }
}

/** As `nice` counts. */
const FIRST = -15;

export async function startStandby(
  api: ApiServer,
  program: string,
  { onLine = () => {}, isFirst = false }: StartOptions = {},
): Promise<Standby> {
  const [port = 0] = await freePorts(1);
  const account = accountOf(api);
  const { hostname, port: apiPort } = new URL(api.url);
  const cgroup = limitedGroup(port);
  const joins = cgroup === undefined ? '' : `echo $$ > ${cgroup}/cgroup.procs && `;
  const script = `${joins}mount -t tmpfs none /run && mkdir -p ${ACCOUNT} && cp "$0"/* ${ACCOUNT} && exec "$@"`;
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
  const command = ['unshare', ...namespace, 'sh', '-c', script, account, process.execPath, program];
  const niceness = `${isFirst ? FIRST : 0}`;
  const child = spawn('nice', ['-n', niceness, 'setpriv', '--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      ...imageEnvironment('Dockerfile.operator'),
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: apiPort,
      WATCH_NAMESPACES: '*',
      POD_NAMESPACE: 'default',
      POD_NAME: `operator-${port}`,
      METRICS_PORT: String(port),
    },
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    if (cgroup !== undefined && existsSync(cgroup)) rmdirSync(cgroup);
  };
  const lines = createInterface({ input: child.stdout });
  const leadsAt = new Promise<number>((resolve, reject) => {
    let last = 'nothing';
    child.once('exit', () => reject(new Error(`the operator does not start; it said last: ${last}`)));
    child.once('error', reject);
    lines.on('line', line => {
      last = line;
      onLine(line);
      if (line.includes('"msg":"reconciling"')) resolve(performance.now());
    });
  });
  leadsAt.catch(() => {}); // a problem of those who wait for it
  const memory = (field: string): number => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
  };
  return {
    leadsAt,
    counters: async () => {
      if (child.signalCode !== null)
        throw new Error(`the operator was ended by ${child.signalCode} at ${LIMIT_MIB} MiB`);
      return countersOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
    },
    rssMib: () => memory('VmRSS'),
    peakRssMib: () => memory('VmHWM'),
    stop,
  };
}

/** Folder of a cgroup with the chart's limit; undefined where none can be made: nothing limits the operator then. */
function limitedGroup(port: number): string | undefined {
  const isFirst = existsSync('/sys/fs/cgroup/memory');
  const folder = join(isFirst ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup', `devshelf-scale-${process.pid}-${port}`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, isFirst ? 'memory.limit_in_bytes' : 'memory.max'), `${LIMIT_MIB * 2 ** 20}`);
    return folder;
  } catch {
    return undefined;
  }
}

function accountOf({ adminKubeconfigPath, adminToken, caPem }: ApiServer): string {
  const folder = join(dirname(adminKubeconfigPath), 'account');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'token'), adminToken);
  writeFileSync(join(folder, 'ca.crt'), caPem);
  writeFileSync(join(folder, 'namespace'), 'default');
  return folder;
}
