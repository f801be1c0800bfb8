// prometheus-operator as a process on loopback, for the objects of a real API server, and what a pod of its StatefulSet
// starts with: the configuration as prometheus-config-reloader makes it, and the rules.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { binaryPath, ensureBinaries } from '../cluster/binaries.ts';
import { freePorts } from '../cluster/ports.ts';
import { run } from '../cluster/run.ts';
import { startProgram } from './program.ts';

/** Where the rules are in its pods. */
const RULES = '/etc/prometheus/rules/';

export interface PrometheusOperator {
  /** Its log, line by line. */
  said(): readonly Said[];
  /** Its own metrics. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

export interface Said {
  readonly level: string;
  readonly msg: string;
}

/** What it watches at least, and does not start without. */
const WATCHED = ['prometheuses', 'servicemonitors', 'podmonitors', 'probes', 'prometheusrules'];

/** Definitions as it has them itself. */
export async function installDefinitions(api: ApiServer): Promise<void> {
  await ensureBinaries('prometheus-operator', 'prometheus-config-reloader');
  const folder = temporaryFolder('devshelf-prometheus-operator-');
  try {
    const all = (await run([binaryPath('prometheus-operator'), 'crds'])).split(/^---$/m);
    const texts = WATCHED.map(plural => all.find(text => text.includes(`name: ${plural}.monitoring.coreos.com`)));
    writeFileSync(join(folder.path, 'crds.yaml'), texts.join('---\n'));
    await api.installCrds(folder.path);
  } finally {
    folder.remove();
  }
}

/** As its own manifests have it, but for its rights, which are an administrator's, and with its word in what it reads. */
export async function startPrometheusOperator(api: ApiServer): Promise<PrometheusOperator> {
  const [port] = await freePorts(1);
  const ask = async (path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    if (!answer.ok) throw new Error(`prometheus-operator: ${path} answers ${answer.status}`);
    return answer.text();
  };
  const { log, stop } = await startProgram('prometheus-operator', {
    flags: () => [
      `--web.listen-address=127.0.0.1:${port}`,
      '--log-format=json',
      '--feature-gates=StatusForConfigurationResources=true',
    ],
    env: { KUBECONFIG: api.adminKubeconfigPath },
    answers: () => ask('/healthz'),
  });
  const lines = () => log().split('\n').filter(Boolean);
  return { said: () => lines().map(line => JSON.parse(line) as Said), metrics: () => ask('/metrics'), stop };
}

type Data = { readonly data?: Readonly<Record<string, string>> };
type ConfigMaps = { readonly items: readonly (Data & { readonly metadata: { readonly name: string } })[] };

/**
 * Files that Prometheus is started with, by name; `prometheus.yml` is its configuration. Undefined while there is none.
 * Only the place of the rules is another one than in a pod.
 */
export async function filesOf(
  api: ApiServer,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<Readonly<Record<string, string>> | undefined> {
  const secret = await api
    .request('GET', `/api/v1/namespaces/${namespace}/secrets/prometheus-${name}`)
    .catch(() => undefined);
  const zipped = (secret as Data | undefined)?.data?.['prometheus.yaml.gz'];
  if (zipped === undefined) return undefined;
  const label = encodeURIComponent(`prometheus-name=${name}`);
  const maps = await api.request('GET', `/api/v1/namespaces/${namespace}/configmaps?labelSelector=${label}`);
  const rules = (maps as ConfigMaps).items.flatMap(({ metadata, data = {} }) =>
    Object.entries(data).map(([file, text]) => [`${metadata.name}-${file}`, text] as const),
  );
  const config = await reloaded(Buffer.from(zipped, 'base64'), `prometheus-${name}-0`);
  const flat = config.replaceAll(RULES, '').replaceAll('/*.yaml', '-*.yaml');
  return { 'prometheus.yml': flat, ...Object.fromEntries(rules) };
}

/** As the pod's first container leaves it. */
async function reloaded(zipped: Uint8Array, pod: string): Promise<string> {
  const folder = temporaryFolder('devshelf-reloader-');
  const [from, to] = [join(folder.path, 'prometheus.yaml.gz'), join(folder.path, 'prometheus.env.yaml')];
  try {
    writeFileSync(from, zipped);
    await run(
      [
        binaryPath('prometheus-config-reloader'),
        '--watch-interval=0',
        '--listen-address=',
        `--config-file=${from}`,
        `--config-envsubst-file=${to}`,
      ],
      { env: { ...process.env, POD_NAME: pod, SHARD: '0' } },
    );
    return await readFile(to, 'utf8');
  } finally {
    folder.remove();
  }
}
