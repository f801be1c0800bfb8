/** What the stores keep of one settled resource and its children, in the heap: pods, Secrets and all. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ROOM, World } from '../../operator/src/controller/world.ts';
import type { Transport } from '../../operator/src/kube/transport.ts';

/** What was compiled and is not run any more goes at the second or third time. */
const COLLECTIONS = 8;

async function filled(transport: Transport): Promise<World> {
  const world = new World({ transport, namespaces: [], onChange: () => {} });
  await world.answered();
  return world;
}

/** More than any stores hold. */
const FULL_CHARACTERS = 2 ** 40;

/**
 * Bytes of heap that stores of everything in the cluster take, in this process.
 * @param isFull as where there are so many that what they hold is packed
 */
export async function heapOfStores(transport: Transport, isFull: boolean): Promise<number> {
  ROOM.take((isFull ? FULL_CHARACTERS : 0) - ROOM.held);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as NodeJS.GCFunction;
  const heapUsed = async (): Promise<number> => {
    for (let left = COLLECTIONS; left > 0; left -= 1) {
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      await sleep(50);
    }
    return process.memoryUsage().heapUsed;
  };
  // the first ones bring what all that come after share: code, and the shapes of objects
  const first = await filled(transport);
  const before = await heapUsed();
  const second = await filled(transport);
  const after = await heapUsed();
  await Promise.all([first.stop(), second.stop()]);
  return after - before;
}
