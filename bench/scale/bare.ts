// The bare writer, in a process of its own: objects by server-side apply over the operator's own transport, as many at a
// time as the operator has workers, and nothing else. Started by `startWriter`.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { loadCluster } from '../../operator/src/kube/config.ts';
import { APPLY_PATCH, createTransport } from '../../operator/src/kube/transport.ts';

export type Write = { readonly path: string; readonly body: string };
export type Order = { readonly kubeconfig: string; readonly resources: readonly (readonly Write[])[] };
export type Written = { readonly ms: number; readonly writes: number };

const WORKERS = 8;

/** @throws Error with what the API server said, where it refuses a write */
export async function writeBare(order: Order): Promise<Written> {
  const child: ChildProcess = fork(import.meta.filename, ['write'], { serialization: 'advanced' });
  try {
    child.send(order);
    const [answer] = (await once(child, 'message')) as [Written | { failure: string }];
    if ('failure' in answer) throw new Error(`the bare writer: ${answer.failure}`);
    return answer;
  } finally {
    child.kill('SIGKILL');
  }
}

async function carryOut({ kubeconfig, resources }: Order): Promise<Written> {
  const transport = createTransport(await loadCluster({ kubeconfig }));
  const query = { fieldManager: 'devshelf-operator', force: true };
  let [next, writes] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let mine = resources[next++]; mine; mine = resources[next++]) {
      for (const { path, body } of mine) {
        await transport.request({ method: 'PATCH', path, query, contentType: APPLY_PATCH, body });
        writes += 1;
      }
    }
  };
  const begunMs = performance.now();
  await Promise.all(Array.from({ length: WORKERS }, worker));
  return { ms: performance.now() - begunMs, writes };
}

if (process.argv[2] === 'write' && process.send) {
  process.once('message', async (order: Order) => {
    try {
      process.send?.(await carryOut(order));
    } catch (error) {
      process.send?.({ failure: String(error) });
    }
  });
}
