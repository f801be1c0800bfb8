import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to outgoing connections (32768 on Linux) and Kubernetes to NodePorts (30000). */
const FIRST = 10_000;
const LAST = 29_999;

/**
 * Loopback ports that nobody listens on now; all different. Whoever asked should bind them soon: drawn at random from
 * many, for others may ask at the same time, and no connection that goes out takes one meanwhile.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  await once(server.close(), 'close');
  return true;
}
