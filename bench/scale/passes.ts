/** What one pass takes of the processor over a resource that rests: everything is known, and nothing is to be done. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { prepareOperator } from '../../operator/src/controller/testing/little-operator.ts';
import { ScriptedEvidence } from '../../operator/src/controller/testing/scripted-evidence.ts';
import type { AppKey } from '../../operator/src/controller/world.ts';

const POLL_MS = 20;
/** What runs often is compiled meanwhile. */
const WARM_ROUNDS = 5;
const ROUNDS = 5;

/** Each pass says once whose pods are to be looked at. */
class Counting extends ScriptedEvidence {
  passes = 0;

  override follow(...given: Parameters<ScriptedEvidence['follow']>): void {
    this.passes += 1;
    super.follow(...given);
  }
}

/** Milliseconds of processor, user and system, that a pass took in each round over all; in this process. */
export async function passesAtRest(cluster: LittleCluster, resources: number): Promise<readonly number[]> {
  let wake = (_key: AppKey): void => {};
  let evidence: Counting | undefined;
  const operator = prepareOperator({
    ...{ transport: await cluster.connect(), namespaces: [], script: new Map() },
    evidence: (world, add) => {
      wake = add;
      evidence = new Counting(new Map(), world, add);
      return evidence;
    },
  });
  const made = (): number => evidence?.passes ?? 0;
  const comesTo = async (passes: number): Promise<void> => {
    while (made() < passes) await sleep(POLL_MS);
  };
  const round = async (): Promise<number> => {
    const before = made();
    const begun = process.cpuUsage();
    for (const key of operator.controller.world.appKeys()) wake(key);
    await comesTo(before + resources);
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1_000 / resources;
  };
  await operator.controller.start();
  await comesTo(resources);
  const rounds: number[] = [];
  for (let left = WARM_ROUNDS + ROUNDS; left > 0; left -= 1) rounds.push(await round());
  await operator.stop();
  return rounds.slice(WARM_ROUNDS);
}
