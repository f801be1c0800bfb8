// What a rehearsal pod is asked before any user is: what probes and Prometheus ask, then the spec's smoke tests.
import { maySend } from '../api/refused.ts';
import type { SmokeTest } from '../api/schema/common.ts';
import { ApiError } from '../kube/errors.ts';
import { AnswerTooLong } from '../kube/http.ts';
import { METRICS_TIMEOUT_MS, TOO_LARGE, userRequests } from './metrics.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One GET to the pod. @throws when no answer comes */
export type Ask = (request: {
  path: string;
  headers?: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Nobody wants to know any more. */
  signal?: AbortSignal;
  /** Takes the body piece by piece as it comes; the answer's text is then empty. */
  take?: (piece: Buffer) => void;
  /** Whatever the body is and however long, it is read and let go. */
  statusOnly?: true;
}) => Promise<Answer>;

export interface SmokeResult {
  readonly passed: boolean;
  /** For people: what was asked, or the first thing that was not answered as expected. */
  readonly message: string;
  /** A stable pod failed at the same: nothing is known of the release. */
  readonly isShared?: true;
}

export interface Beside {
  /** A stable pod; absent where none is ready. */
  readonly stable?: Ask;
  /** What tests with `authenticate: ApiKey` show; absent where there is none. */
  readonly apiKey?: string;
}

const PROBE_TIMEOUT_MS = 5_000;

/** In order, and ends with the first that fails. Never throws. */
export async function rehearse(
  probePaths: readonly string[],
  smokeTests: readonly SmokeTest[],
  ask: Ask,
  beside: Beside = {},
): Promise<SmokeResult> {
  const tests: readonly SmokeTest[] = [
    ...probePaths.map(path => ({
      path,
      expectedStatus: 200,
      timeoutSeconds: PROBE_TIMEOUT_MS / 1000,
      authenticate: 'None' as const,
    })),
    ...smokeTests,
  ];
  for (const test of tests) {
    const fault = await faultOf(test, ask, beside.apiKey);
    if (fault) return failed(test, fault, beside);
  }
  const unreadable = await metricsFault(ask);
  if (unreadable !== undefined) return { passed: false, message: unreadable };
  return { passed: true, message: `${tests.map(({ path }) => path).join(', ')} and /metrics answered as expected` };
}

/** `isDown`: no answer, or a 5xx. */
interface Fault {
  readonly words: string;
  readonly isDown: boolean;
}

/** The same is asked of a stable pod: what that cannot do either says nothing about the release. */
async function failed(test: SmokeTest, fault: Fault, { stable, apiKey }: Beside): Promise<SmokeResult> {
  if (!stable) return { passed: false, message: fault.words };
  const theirs = await faultOf(test, stable, apiKey);
  if (!theirs) return { passed: false, message: `${fault.words}; a stable pod answered as expected` };
  if (fault.isDown && theirs.isDown)
    return { passed: false, message: `${fault.words}, and so does a stable pod`, isShared: true };
  return { passed: false, message: `${fault.words}; a stable pod fails it, too: look at the test itself` };
}

async function faultOf(
  { path, expectedStatus, timeoutSeconds, headers, authenticate }: SmokeTest,
  ask: Ask,
  apiKey: string | undefined,
): Promise<Fault | undefined> {
  try {
    const sent = Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => maySend(name, path)));
    const proof = authenticate === 'ApiKey' && apiKey !== undefined ? { 'x-api-key': apiKey } : undefined;
    const { status } = await ask({
      path,
      timeoutMs: timeoutSeconds * 1000,
      ...((headers || proof) && { headers: { ...sent, ...proof } }),
    });
    if (status === expectedStatus) return undefined;
    return { words: `GET ${path} answered ${status}, expected ${expectedStatus}`, isDown: status >= 500 };
  } catch (error) {
    return { words: `GET ${path}: ${whyNoAnswer(error)}`, isDown: true };
  }
}

/** A release whose answers could not be counted could not be judged either. */
async function metricsFault(ask: Ask): Promise<string | undefined> {
  try {
    const { status, text } = await ask({ path: '/metrics', timeoutMs: METRICS_TIMEOUT_MS });
    if (status !== 200) return `GET /metrics answered ${status}, expected 200: does the image accept the scrape token?`;
    const counts = userRequests(text);
    return counts.known ? undefined : `GET /metrics: ${counts.why}`;
  } catch (error) {
    return `GET /metrics: ${whyUnread(error)}`;
  }
}

/**
 * Why there is no answer, in nobody's words but ours and Node's. What the API server's proxy answers may come from the
 * pod, however much it looks like the server's own: of that only the status.
 */
export function whyNoAnswer(error: unknown): string {
  if (error instanceof ApiError && error.status > 0) return `the API server’s proxy answered ${error.status}`;
  return error instanceof Error ? error.message : String(error);
}

/** The same of a /metrics. */
export const whyUnread = (error: unknown): string => (isTooLong(error) ? TOO_LARGE : whyNoAnswer(error));

const isTooLong = (error: unknown): boolean =>
  error instanceof AnswerTooLong || (error instanceof Error && error.cause instanceof AnswerTooLong);
