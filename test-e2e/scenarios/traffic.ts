// Traffic from inside the node's network, and what can be read off its records.
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { insideNode } from '../cluster/cluster.ts';
import { CHECKOUT } from '../cluster/paths.ts';
import { get } from './kube.ts';
import type { Answer } from './load.ts';
import { until } from './wait.ts';

const HOUR = 3_600;

export type Traffic = {
  /** Everything recorded until now; what is still unanswered is missing. */
  answers(): readonly Answer[];
  stop(): Promise<void>;
};

export type TrafficOptions = {
  readonly namespace: string;
  readonly service: string;
  readonly paths: readonly string[];
  readonly rate: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** So many clients that keep their connections; a new connection for each request without. */
  readonly clients?: number;
  /** Told from others who ask the same service at the same time. */
  readonly who?: string;
  /** By this name at this address; by the Service's own address without. */
  readonly by?: By;
};

export type By = {
  readonly host: string;
  readonly address: string;
  /** By HTTPS: the file with the authority that its certificate is from. */
  readonly ca?: string;
  /** What to put before the generator's command, inside the node; nothing: it is asked from the node. */
  readonly enter?: readonly string[];
};

/** Starts a load generator as a process of its own. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const { namespace, service, paths, rate, headers = {}, clients = 0, by, who } = options;
  const name = [namespace, service, by?.host, clients > 0 && 'kept', who].filter(Boolean).join('-');
  const records = join(CHECKOUT, 'build', 'traffic', `${name}.jsonl`);
  mkdirSync(join(records, '..'), { recursive: true });
  rmSync(records, { force: true });
  const args = [
    ...['--url', `${by?.ca ? 'https' : 'http'}://${by?.address ?? (await serviceAddress(namespace, service))}`],
    ...['--records', records, ...(by?.ca ? ['--ca', by.ca] : [])],
    ...paths.flatMap(path => ['--path', path]),
    ...['--rate', `${rate}`, '--seconds', `${HOUR}`, '--clients', `${clients}`],
  ];
  const generator = insideNode(
    [...(by?.enter ?? []), process.execPath, join(import.meta.dirname, 'load.ts'), ...args],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, LOAD_HEADERS: JSON.stringify({ ...headers, ...(by && { host: by.host }) }) },
    },
  );
  // nsenter executes the program in its own place, so this is the generator's own pid
  const stopWithUs = () => generator.kill();
  process.once('exit', stopWithUs);
  return {
    answers: () => readAnswers(records),
    stop: async () => {
      process.off('exit', stopWithUs);
      if (generator.exitCode !== null || generator.signalCode !== null) return;
      generator.kill();
      await once(generator, 'close');
    },
  };
}

export async function serviceAddress(namespace: string, service: string): Promise<string> {
  const { spec } = await get(`/api/v1/namespaces/${namespace}/services/${service}`);
  return `${spec.clusterIP}:${spec.ports[0].port}`;
}

function readAnswers(file: string): readonly Answer[] {
  const lines = readOrNothing(file).split('\n').slice(0, -1); // the last one may be half written
  return lines.map(line => JSON.parse(line) as Answer).sort((a, b) => a.at - b.at);
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The key that callers of a dashboard read. */
export const apiKey = (namespace: string, name: string): Promise<string> =>
  secretText(namespace, `${name}-api-key`, 'key');

/** What opens the metrics of either service. */
export const scrapeToken = (namespace: string, name: string): Promise<string> =>
  secretText(namespace, `${name}-scrape-token`, 'token');

async function secretText(namespace: string, name: string, key: string): Promise<string> {
  const { data } = await get(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  return Buffer.from(data[key], 'base64').toString();
}

/** Resolves when the first of its requests was answered well: a Service is there a second before the node knows its pods. */
export const untilAnswered = (traffic: Traffic): Promise<unknown> =>
  until('users to be answered', () => traffic.answers().some(answer => !isFailed(answer)));

export const isHarmed = ({ status }: Answer): boolean => status === undefined || status >= 500;
export const isFailed = ({ status }: Answer): boolean => status === undefined || status >= 400;

/** Requests that left at or after `from` and before `to`, epoch milliseconds. */
export const between = (answers: readonly Answer[], from: number, to: number): readonly Answer[] =>
  answers.filter(({ at }) => at >= from && at < to);
