// The clients, in a process of their own: what they cost is not the server's. Each message is a load, each answer says
// what came of it. Started by `startClient`.
import autocannon from 'autocannon';
import type { Load, Outcome } from './load.ts';

async function carryOut({ url, clients, seconds, requests, requestsPerSecond }: Load): Promise<Outcome> {
  let begun = 0;
  const result = await autocannon({
    url,
    connections: clients,
    duration: seconds,
    requests,
    timeout: 10,
    // not all the same at the same time: what one asks would be ready for the others
    setupClient: client => {
      const first = Math.floor((begun * requests.length) / clients);
      begun += 1;
      client.setRequests([...requests.slice(first), ...requests.slice(0, first)]);
    },
    ...(requestsPerSecond !== undefined && { overallRate: requestsPerSecond }),
  });
  const { latency } = result;
  return {
    requests: result.requests.total,
    perSecond: result.requests.total / result.duration,
    clientErrors: result['4xx'],
    serverErrors: result['5xx'],
    broken: result.errors + result.timeouts,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
    maxMs: latency.max,
  };
}

process.on('message', async (load: Load) => {
  try {
    process.send?.({ outcome: await carryOut(load) });
  } catch (error) {
    process.send?.({ failure: String(error) });
  }
});
