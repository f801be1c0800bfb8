/** Resources that come and go: what the operator keeps of those that are gone. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { APP_RESOURCES } from '../../operator/src/controller/world.ts';
import { type KubeObject, pathOf, secrets } from '../../operator/src/kube/resource.ts';
import { until } from '../../test-e2e/scenarios/wait.ts';
import { startOperator } from './operator.ts';
import { createNamespaces, createResources, inParallel, PATIENCE, placeOf, readyResources } from './resources.ts';

/** Long enough that the operator gives back what it does not need. */
const IDLE_MS = 30_000;

export type Memory = { readonly rssMib: number; readonly heapUsedMib: number };

export type Churn = {
  readonly resources: number;
  /** At rest, without any resource: before the first round, and after each. */
  readonly empty: readonly Memory[];
  /** At rest, with all of them. */
  readonly full: readonly Memory[];
  readonly peakRssMib: number;
};

/** `rounds` times, `resources` are made and all of them deleted again. */
export async function churn(
  { api, transport }: LittleCluster,
  program: string,
  [resources, rounds]: readonly [number, number],
  say: (words: string) => void,
): Promise<Churn> {
  await createNamespaces(transport);
  const operator = await startOperator(api, program);
  const rested = async (): Promise<Memory> => {
    await sleep(IDLE_MS);
    const { heapUsedMib } = await operator.counters();
    return { rssMib: operator.rssMib(), heapUsedMib };
  };
  const all = pathOf(APP_RESOURCES.DashboardDeployment);
  const left = async () =>
    (await transport.request<{ items: KubeObject[] }>({ method: 'GET', path: all })).items.length;
  const [empty, full] = [[await rested()], [] as Memory[]];
  for (let round = 0; round < rounds; round++) {
    await createResources(transport, `round${round}`, resources);
    await until(`${resources} resources`, async () => (await readyResources(transport)) === resources, PATIENCE);
    full.push(await rested());
    await inParallel(resources, async index => {
      const { name, namespace } = placeOf(`round${round}`, index);
      const path = pathOf(APP_RESOURCES.DashboardDeployment, { namespace, name });
      await transport.request({ method: 'DELETE', path });
      await transport.request({ method: 'DELETE', path: pathOf(secrets, { namespace, name: `database-${name}` }) });
    });
    await until('none to be left', async () => (await left()) === 0, PATIENCE);
    empty.push(await rested());
    say(
      `${resources} came and went: RSS ${full.at(-1)?.rssMib.toFixed(0)}, then ${empty.at(-1)?.rssMib.toFixed(0)} MiB`,
    );
  }
  const peakRssMib = operator.peakRssMib();
  await operator.stop();
  return { resources, empty, full, peakRssMib };
}
