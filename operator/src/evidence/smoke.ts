// What a rehearsal pod is asked before any user is: what probes and Prometheus ask, then the spec's smoke tests.
import type { SmokeTest } from '../api/common.ts';
import { userRequests } from './metrics.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One GET to the pod. @throws when no answer comes */
export type Ask = (request: {
  path: string;
  headers?: Readonly<Record<string, string>>;
  timeoutMs: number;
}) => Promise<Answer>;

export interface SmokeResult {
  readonly passed: boolean;
  /** For people: what was asked, or the first thing that was not answered as expected. */
  readonly message: string;
}

const PROBE_TIMEOUT_MS = 5_000;

/** In order, and ends with the first that fails. Never throws. */
export async function rehearse(
  probePaths: readonly string[],
  smokeTests: readonly SmokeTest[],
  ask: Ask,
): Promise<SmokeResult> {
  const tests: readonly SmokeTest[] = [
    ...probePaths.map(path => ({ path, expectedStatus: 200, timeoutSeconds: PROBE_TIMEOUT_MS / 1000 })),
    ...smokeTests,
  ];
  for (const test of tests) {
    const fault = await faultOf(test, ask);
    if (fault !== undefined) return { passed: false, message: fault };
  }
  const unreadable = await metricsFault(ask);
  if (unreadable !== undefined) return { passed: false, message: unreadable };
  return { passed: true, message: `${tests.map(({ path }) => path).join(', ')} and /metrics answered as expected` };
}

async function faultOf(
  { path, expectedStatus, timeoutSeconds, headers }: SmokeTest,
  ask: Ask,
): Promise<string | undefined> {
  try {
    const { status } = await ask({ path, timeoutMs: timeoutSeconds * 1000, ...(headers && { headers }) });
    return status === expectedStatus ? undefined : `GET ${path} answered ${status}, expected ${expectedStatus}`;
  } catch (error) {
    return `GET ${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A release whose answers could not be counted could not be judged either. */
async function metricsFault(ask: Ask): Promise<string | undefined> {
  try {
    const { status, text } = await ask({ path: '/metrics', timeoutMs: PROBE_TIMEOUT_MS });
    if (status !== 200) return `GET /metrics answered ${status}, expected 200: does the image accept the scrape token?`;
    const counts = userRequests(text);
    return counts.known ? undefined : `GET /metrics: ${counts.why}`;
  } catch (error) {
    return `GET /metrics: ${error instanceof Error ? error.message : String(error)}`;
  }
}
