// What it costs a request that its address is remembered. No load generator can see a part of a microsecond, so it is
// measured alone, as the hook calls it.
import { recentRequests } from '../../services/common/recent-requests.ts';
import { median } from './report.ts';

const CALLS = 400_000;
const ROUNDS = 9;

/** Nanoseconds a request, medians: addresses that come again and again, and addresses that are new each time. */
export type Remembering = { readonly knownNs: number; readonly newNs: number };

const ROUTES = ['/api/summary', '/api/providers', '/api/top-products', '/api/trends', '/', '/providers', '/analytics'];

/** Strings as a server gets them: made anew for each request, and not the ones that are remembered. */
const asSent = (urls: readonly string[]): readonly string[] =>
  Array.from({ length: CALLS }, (_, i) => Buffer.from(urls[i % urls.length] ?? '').toString('latin1'));

function nanoseconds(urls: readonly string[]): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const recent = recentRequests();
    const sent = asSent(urls);
    const began = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i += 1) recent.add('GET', ROUTES[i % ROUTES.length] ?? '/', sent[i] ?? '', 200);
    return Number(process.hrtime.bigint() - began) / CALLS;
  });
  return median(rounds);
}

export function measureRemembering(): Remembering {
  const known = ROUTES.map(route => `${route}?limit=20`);
  const fresh = Array.from({ length: CALLS }, (_, i) => `${ROUTES[i % ROUTES.length]}?page=${i}`);
  return { knownNs: Math.round(nanoseconds(known)), newNs: Math.round(nanoseconds(fresh)) };
}

if (import.meta.main) {
  console.log(JSON.stringify(measureRemembering()));
}
