/** An installation of two resources: what it keeps of the node's memory at rest, and once it has had something to do. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import type { LittlePods } from '../../operator/src/controller/testing/little-pods.ts';
import { APP_RESOURCES } from '../../operator/src/controller/world.ts';
import { pathOf } from '../../operator/src/kube/resource.ts';
import { until } from '../../test-e2e/scenarios/wait.ts';
import { startOperator } from './operator.ts';
import {
  createNamespaces,
  createResources,
  inParallel,
  type Listed,
  PATIENCE,
  placeOf,
  REQUEST_MS,
  releaseJudged,
} from './resources.ts';

export const RESOURCES = 2;
/** Of each. */
export const RELEASES = 4;
/** Long enough that the operator gives back what it does not need. */
export const IDLE_S = 40;
const SERIES = 'app';
const DASHBOARDS = APP_RESOURCES.DashboardDeployment;

export type Small = {
  /** From the start of the process until it led and its stores were filled. */
  readonly readyMs: number;
  readonly restMib: number;
  /** Once the releases are over, at rest again. */
  readonly afterMib: number;
  readonly peakRssMib: number;
};

export async function smallInstallation(
  { api, transport }: LittleCluster,
  pods: LittlePods,
  program: string,
): Promise<Small> {
  const image = (release: number) => `example/dashboard:${release}`;
  const serve = (release: number) =>
    until(
      `release ${release} to serve`,
      async () => (await serving(transport, image(release))) === RESOURCES,
      PATIENCE,
    );
  await createNamespaces(transport);
  await createResources(transport, SERIES, RESOURCES);
  const first = await startOperator(api, program);
  await serve(1);
  await first.stop();
  const operator = await startOperator(api, program);
  const users = setInterval(() => pods.serveAll(), REQUEST_MS);
  await sleep(1_000 * IDLE_S);
  const restMib = operator.rssMib();
  for (let release = 2; release <= 1 + RELEASES; release++) {
    await inParallel(RESOURCES, index => releaseJudged(transport, placeOf(SERIES, index), image(release)));
    await serve(release);
  }
  clearInterval(users);
  await sleep(1_000 * IDLE_S);
  const [afterMib, peakRssMib] = [operator.rssMib(), operator.peakRssMib()];
  await operator.stop();
  return { readyMs: operator.readyMs, restMib, afterMib, peakRssMib };
}

/** How many have this release for good. */
async function serving(transport: LittleCluster['transport'], image: string): Promise<number> {
  const { items } = await transport.request<Listed>({ method: 'GET', path: pathOf(DASHBOARDS) });
  return items.filter(({ status }) => status?.phase === 'Released' && status.rollout?.stable?.image === image).length;
}
