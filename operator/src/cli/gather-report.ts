// Reads all that belongs to a resource, for a report. What may not be read is a line of it.
import { stringify } from 'yaml';
import type { AppKind } from '../api/resource.ts';
import {
  configMaps,
  controllerRevisions,
  deployments,
  horizontalPodAutoscalers,
  jobs,
  networkPolicies,
  pathOf,
  podDisruptionBudgets,
  pods,
  type Resource,
  replicaSets,
  secrets,
  services,
} from '../kube/resource.ts';
import { instanceSelector } from '../objects/app.ts';
import type { Reach } from './gather.ts';
import { METADATA_ONLY } from './gather-doctor.ts';
import { redacted, type Section } from './views/report.ts';
import type { SeenResource } from './views/status.ts';

const CHILDREN: readonly Resource[] = [
  ...[deployments, replicaSets, pods, jobs, controllerRevisions, services],
  ...[podDisruptionBudgets, networkPolicies, horizontalPodAutoscalers, configMaps],
];

/** The resource, its children, its Secrets by name, and what was told of all of them. */
export async function objectSections(reach: Reach, seen: SeenResource): Promise<Section[]> {
  const { kind, metadata } = seen;
  const labelSelector = instanceSelector(kind as AppKind, metadata.name);
  const children = CHILDREN.map(resource =>
    section(resource.plural, () => list(reach, resource, { query: { labelSelector } })),
  );
  return Promise.all([
    section(kind, async () => [seen]),
    ...children,
    section('secrets, names only', () => list(reach, secrets, { query: { labelSelector }, accept: METADATA_ONLY })),
    section('events', () => events(reach, metadata.name)),
  ]);
}

type Asked = { readonly query?: Readonly<Record<string, string>>; readonly accept?: string };

async function list({ transport, namespace }: Reach, resource: Resource, asked: Asked): Promise<readonly object[]> {
  const path = pathOf(resource, { namespace });
  const { items } = await transport.request<{ items: readonly object[] }>({ method: 'GET', path, ...asked });
  return items.map(item => ({ kind: resource.kind, ...item }));
}

type SeenEvent = {
  readonly involvedObject?: { readonly kind?: string; readonly name?: string };
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
};

/** Through core/v1: the other one is refused to the roles view and edit. Oldest first. */
async function events({ transport, namespace }: Reach, name: string): Promise<readonly object[]> {
  const { items } = await transport.request<{ items: readonly SeenEvent[] }>({
    ...{ method: 'GET', path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events` },
  });
  const isIts = ({ involvedObject: { name: of = '' } = {} }: SeenEvent) => of === name || of.startsWith(`${name}-`);
  return items
    .filter(isIts)
    .map(({ involvedObject, lastTimestamp, eventTime, type, reason, message, count }) => ({
      at: lastTimestamp ?? eventTime ?? '',
      about: `${involvedObject?.kind}/${involvedObject?.name}`,
      ...{ type, reason, message, count },
    }))
    .toSorted((a, b) => (a.at < b.at ? -1 : 1));
}

async function section(title: string, read: () => Promise<readonly object[]>): Promise<Section> {
  try {
    const items = await read();
    return {
      title,
      lines: items.flatMap(item => stringify(redacted(item), { lineWidth: 0 }).concat('---').split('\n')),
    };
  } catch (error) {
    return { title, lines: [], unread: (error as Error).message };
  }
}
