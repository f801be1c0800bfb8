// What a request to the API server costs: our transport beside client-node's own, the same reads of the same object
// from a real API server. CPU is this process's alone. Run: node bench/kube-transport.ts [requests]
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { loadCluster } from '../operator/src/kube/config.ts';
import { pathOf, secrets } from '../operator/src/kube/resource.ts';
import { createTransport } from '../operator/src/kube/transport.ts';
import { startApiServer } from '../test-e2e/cluster/apiserver.ts';

const requests = Number(process.argv[2] ?? 1_000);
const WARM_UP = 200;
const ROUNDS = 3;
const CONCURRENT = 10;

const api = await startApiServer();
const target = { namespace: 'default', name: 'benched' };
const data = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`key-${index}`, 'c2VjcmV0'.repeat(8)]));
await api.request('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: target.name }, data });

const transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
const path = pathOf(secrets, target);
const config = new KubeConfig();
config.loadFromFile(api.adminKubeconfigPath);
const client = config.makeApiClient(CoreV1Api);

const contenders: Record<string, () => Promise<unknown>> = {
  'kube/transport': () => transport.request({ method: 'GET', path }),
  'client-node': () => client.readNamespacedSecret(target),
};

async function ask(read: () => Promise<unknown>, times: number): Promise<void> {
  let left = times;
  const worker = async () => {
    while (left-- > 0) await read();
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

async function measured(read: () => Promise<unknown>) {
  const startedAtMs = performance.now();
  const before = process.cpuUsage();
  await ask(read, requests);
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1_000 / requests, wallMs: (performance.now() - startedAtMs) / requests };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

console.log(`${ROUNDS} rounds of ${requests} reads, ${CONCURRENT} at a time; median per request`);
const results = new Map<string, { cpuMs: number; wallMs: number }[]>();
for (const read of Object.values(contenders)) await ask(read, WARM_UP);
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, read] of Object.entries(contenders)) {
    results.set(name, [...(results.get(name) ?? []), await measured(read)]);
  }
}
for (const [name, rounds] of results) {
  const cpu = median(rounds.map(({ cpuMs }) => cpuMs));
  const wall = median(rounds.map(({ wallMs }) => wallMs));
  console.log(`${name.padEnd(16)} ${cpu.toFixed(2)} ms CPU  ${wall.toFixed(2)} ms wall`);
}
await transport.close();
await api.stop();
