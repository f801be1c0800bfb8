// Reads what pods of a resource wrote. Every line goes through `plain`: who writes logs may not move a cursor, and a
// secret that got there is not repeated.
import type { AppKind } from '../api/resource.ts';
import { ApiError } from '../kube/errors.ts';
import { type EventObject, events, pathOf, pods } from '../kube/resource.ts';
import { instanceSelector } from '../objects/app.ts';
import { COMPONENTS, LABELS, REPORTER } from '../objects/names.ts';
import type { Reach } from './gather.ts';
import { plain, safe } from './safe.ts';
import { type LogSource, type LogsFacts, type SeenEvent, sourcesOf } from './views/logs.ts';
import type { SeenResource } from './views/status.ts';

export type Bounds = {
  /** Lines, of each container; absent: all of that time. */
  readonly tail?: number;
  readonly sinceSeconds?: number;
  /** Of each container. */
  readonly maxBytes: number;
};

type PodObject = NonNullable<(typeof pods)['object']>;

/** @param isAll of every pod; else of those that a person looks for first */
export async function logsFacts(
  reach: Reach,
  { kind, metadata }: SeenResource,
  { isAll, bounds }: { readonly isAll: boolean; readonly bounds: Bounds },
): Promise<LogsFacts> {
  const { transport, namespace } = reach;
  const path = pathOf(pods, { namespace });
  const query = { labelSelector: instanceSelector(kind as AppKind, metadata.name) };
  try {
    const { items } = await transport.request<{ items: PodObject[] }>({ method: 'GET', path, query });
    const sources = sourcesOf(items.flatMap(containers), isAll);
    return { logs: await Promise.all(sources.map(source => read(reach, source, bounds))) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { logs: [], unread: plain(`not shown, needs list pods in ${namespace}: ${error.message}`) };
  }
}

/** What the operator said of the resource. */
export async function eventsFacts(
  { transport, namespace }: Reach,
  { kind, metadata }: SeenResource,
): Promise<{ readonly events: readonly SeenEvent[]; readonly unread?: string }> {
  const query = { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${metadata.name}` };
  try {
    const path = pathOf(events, { namespace });
    const { items } = await transport.request<{ items: EventObject[] }>({ method: 'GET', path, query });
    return { events: safe(items.filter(({ reportingComponent }) => reportingComponent === REPORTER)) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { events: [], unread: plain(`no events, needs list events in ${namespace}: ${error.message}`) };
  }
}

/** Those that have run, with what they wrote before they were started again. */
function containers({ metadata, spec, status }: PodObject): LogSource[] {
  const { name, labels = {}, creationTimestamp = '' } = metadata;
  const images = new Map(
    [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(one => [one.name, one.image]),
  );
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const of = all.flatMap(({ name: container, restartCount, state }) => {
    const source = {
      ...{ pod: name, container, createdAt: creationTimestamp, image: images.get(container) ?? '?' },
      component: labels[LABELS.component] ?? COMPONENTS.server,
      release: labels[LABELS.release] ?? '',
    };
    const hasRun = state?.running !== undefined || state?.terminated !== undefined;
    return [
      ...(restartCount > 0 ? [{ ...source, isPrevious: true }] : []),
      ...(hasRun ? [{ ...source, isPrevious: false }] : []),
    ];
  });
  return of;
}

async function read(
  { transport, namespace }: Reach,
  source: LogSource,
  bounds: Bounds,
): Promise<LogsFacts['logs'][number]> {
  const path = pathOf(pods, { namespace, name: source.pod, subresource: 'log' });
  const { tail, sinceSeconds, maxBytes } = bounds;
  const query = {
    ...{ container: source.container, timestamps: true, limitBytes: maxBytes },
    ...(tail !== undefined && { tailLines: tail }),
    ...(source.isPrevious && { previous: true }),
    ...(sinceSeconds !== undefined && { sinceSeconds }),
  };
  try {
    const { status, text } = await transport.text({ method: 'GET', path, query, maxBytes: 2 * maxBytes });
    if (status !== 200) return { source, lines: [], unread: plain(text) };
    return {
      source,
      lines: text
        .split('\n')
        .filter(line => line !== '')
        .map(plain),
    };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { source, lines: [], unread: plain(error.message) };
  }
}
