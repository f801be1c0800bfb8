// By which name a pod is asked what users ask: an image that answers only to its own names refuses its bare address.
import type { Ask } from './smoke.ts';

/** Asked by the pod's address, and by a public name not there. */
const BY_ADDRESS: readonly string[] = ['/metrics', '/live', '/ready'];

/**
 * The first name that the candidate knows and the stable pod beside it, too: asked by two names they could differ in
 * what is no fault of the release. Where the stable one knows none of them, the candidate's first.
 */
export const nameFor = (candidate: readonly string[], stable: readonly string[]): string | undefined =>
  candidate.find(host => stable.includes(host)) ?? candidate[0];

/** Asks by this name, but for probes and metrics. */
export function byName(ask: Ask, host: string, probePaths: readonly string[]): Ask {
  return request => {
    const path = request.path.replace(/\?.*$/s, '').replace(/(?<=.)\/+$/, '');
    if (BY_ADDRESS.includes(path) || probePaths.includes(path)) return ask(request);
    return ask({ ...request, headers: { host, ...request.headers } });
  };
}
