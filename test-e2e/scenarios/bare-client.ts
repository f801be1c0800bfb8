// Runs in a pod that has what the operator's has (operator.ts), and does one thing: it renews a Lease as often as the
// operator renews its own. What keeps it from that is the machine's or the API server's, not the operator's.
import { readFileSync } from 'node:fs';

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, LEASE, PERIOD_MS } = process.env;
const token = readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');
/** As the operator waits for an answer. */
const ANSWER_MS = 5_000;

while (true) {
  const startedAt = performance.now();
  try {
    const renewTime = new Date().toISOString().replace('Z', '000Z'); // a MicroTime
    const answer = await fetch(`https://${host}:${port}${LEASE}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ spec: { renewTime } }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const said = await answer.text();
    if (!answer.ok) console.log(said);
  } catch (error) {
    console.log(String(error));
  }
  await new Promise(later => setTimeout(later, startedAt + Number(PERIOD_MS) - performance.now()));
}
