/** Many releases at once, some of them bad: how soon these are found, and what looking after all of them takes. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { LittlePods } from '../../operator/src/controller/testing/little-pods.ts';
import { until } from '../../test-e2e/scenarios/wait.ts';
import { startOperator } from './operator.ts';
import {
  createNamespaces,
  createResources,
  inParallel,
  PATIENCE,
  placeOf,
  REQUEST_MS,
  readyResources,
  releaseJudged,
} from './resources.ts';

const GOOD = 'example/dashboard:2';
const BAD = 'example/dashboard:bad';
/** Of what the bad one answers. */
const BAD_SHARE = 0.5;
/** What is left of the work before goes out of the figures. */
const REST_MS = 10_000;
const TELL_MS = 10_000;

export type ReleasesAsked = {
  readonly resources: number;
  /** So many of them, those that are changed last; no two in one namespace. */
  readonly bad: number;
  /** Before everything else that wants the processor. */
  readonly isFirst: boolean;
};

export type Releases = ReleasesAsked & {
  /** From the first change of a spec. */
  readonly lastJoinedMs: number;
  readonly endedMs: number;
  /** From its pod's first answer to the record that takes it back, of each bad one. */
  readonly foundMs: readonly number[];
  /** From the record that lets it join, before it has a pod. */
  readonly sinceRecordMs: readonly number[];
  readonly falseAlarms: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  readonly peakRssMib: number;
  readonly cpuSeconds: number;
};

type Line = { readonly time: string; readonly key?: string; readonly phase?: string };

/** Pods that say since when the bad release of a namespace has one that serves. */
export class TellingPods extends LittlePods {
  readonly badSince = new Map<string, number>();

  override async start(pod: Parameters<LittlePods['start']>[0]): Promise<string> {
    const address = await super.start(pod);
    const isServing = pod.component !== 'rehearsal';
    if (pod.image === BAD && isServing && !this.badSince.has(pod.namespace))
      this.badSince.set(pod.namespace, Date.now());
    return address;
  }
}

export async function releasesAtOnce(
  { api, transport }: LittleCluster,
  pods: TellingPods,
  program: string,
  { resources, bad, isFirst }: ReleasesAsked,
  say: (words: string) => void,
): Promise<Releases> {
  const lines: Line[] = [];
  const of = (phase: string): readonly Line[] => lines.filter(line => line.phase === phase);
  const heard = (line: string): void => {
    if (line.includes('"action":"setRecord"')) lines.push(JSON.parse(line) as Line);
  };
  pods.fails(BAD, BAD_SHARE);
  await createNamespaces(transport);
  await createResources(transport, 'app', resources);
  const operator = await startOperator(api, program, { onLine: heard, isFirst });
  await until(`${resources} resources`, async () => (await readyResources(transport)) === resources, PATIENCE);
  say(`${resources} are installed; all of them are released once more, ${bad} of them badly`);
  const users = setInterval(() => pods.serveAll(), REQUEST_MS);
  await sleep(REST_MS);
  lines.length = 0;
  const before = await operator.counters();
  const fromMs = Date.now();
  await inParallel(resources, index =>
    releaseJudged(transport, placeOf('app', index), index < resources - bad ? GOOD : BAD),
  );
  const ended = () => new Set(of('Settled').map(({ key }) => key)).size;
  const telling = setInterval(() => say(`${ended()} have ended`), TELL_MS);
  await until(`${resources} ends`, () => ended() === resources, PATIENCE);
  clearInterval(telling);
  clearInterval(users);
  const after = await operator.counters();
  const peakRssMib = operator.peakRssMib();
  await operator.stop();
  const since = ({ time }: Line): number => Date.parse(time) - fromMs;
  const joined = new Map(of('Candidate').map(line => [line.key, since(line)]));
  const isBad = ({ key = '' }: Line): boolean => Number(key.split('-').at(-1)) >= resources - bad;
  const found = of('RollingBack');
  const [bads, others] = [found.filter(isBad), found.filter(line => !isBad(line))];
  const served = ({ key = '' }: Line): number => pods.badSince.get(key.split('/')[1] ?? '') ?? Number.NaN;
  return {
    ...{ resources, bad, isFirst, peakRssMib },
    lastJoinedMs: Math.max(...joined.values()),
    endedMs: Math.max(...of('Settled').map(since)),
    foundMs: bads.map(line => Date.parse(line.time) - served(line)),
    sinceRecordMs: bads.map(line => since(line) - (joined.get(line.key) ?? Number.NaN)),
    falseAlarms: others.length,
    loopP99Ms: after.loopP99Ms,
    loopMaxMs: after.loopMaxMs,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  };
}
