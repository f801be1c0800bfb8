// Backups of CloudNativePG that were asked for: seldom there, and not watched. Read in the passes that wait for one.
import type { AppResource } from '../api/resource.ts';
import { scrub } from '../api/words.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { backups, type CnpgBackup, pathOf } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { JobView, Reading } from '../lifecycle/snapshot.ts';
import { instanceSelector } from '../objects/app.ts';
import { ANNOTATIONS, LABELS } from '../objects/names.ts';

/** Those of a resource; none where the API server does not know the kind. Never throws for what the API server answers. */
export async function backupsOf(transport: Transport, app: AppResource, now: number): Promise<Reading<JobView[]>> {
  const { name, namespace } = app.metadata;
  const query = { labelSelector: instanceSelector(app.kind, name) };
  try {
    const path = pathOf(backups, { namespace });
    const { items } = await transport.request<{ items: CnpgBackup[] }>({ method: 'GET', path, query });
    return { known: true, readAt: now, value: items.flatMap(backupView) };
  } catch (error) {
    if (isNotFound(error)) return { known: true, readAt: now, value: [] };
    if (!(error instanceof ApiError)) throw error;
    return { known: false, why: scrub(error.message) };
  }
}

/** What somebody else made is none that was asked for. */
function backupView({ metadata, status = {} }: CnpgBackup): JobView[] {
  const task = metadata.annotations?.[ANNOTATIONS.task];
  if (task === undefined || metadata.deletionTimestamp !== undefined) return [];
  const createdAt = Date.parse(metadata.creationTimestamp ?? '') || 0;
  const progressedAt = toldAt(metadata);
  return [
    {
      kind: 'Backup',
      name: metadata.name,
      uid: metadata.uid ?? '',
      migrationId: '',
      release: metadata.labels?.[LABELS.release] ?? '',
      task,
      createdAt,
      progressedAt,
      state: stateOf(status, progressedAt),
    },
  ];
}

/** Phases as CloudNativePG has them; with `walArchivingFailing` it goes on trying. */
function stateOf(
  { phase = '', error = '', stoppedAt }: NonNullable<CnpgBackup['status']>,
  toldMs: number,
): JobView['state'] {
  const endedAt = Date.parse(stoppedAt ?? '') || toldMs;
  const detail = scrub([phase, error].filter(word => word !== '').join(': '));
  switch (phase) {
    case 'completed':
      return { kind: 'succeeded', endedAt, podRead: false };
    case 'failed':
    case 'definitionInvalid':
      return { kind: 'failed', endedAt, podRead: false, detail, started: true };
    case '':
    case 'pending':
      return { kind: 'pending', detail };
    default:
      return { kind: 'running' };
  }
}

type Written = Pick<CnpgBackup['metadata'], 'managedFields' | 'creationTimestamp'>;

/** When its status was written last, by the API server's clock; where never, when it was made. Epoch milliseconds. */
export function toldAt({ managedFields = [], creationTimestamp = '' }: Written): number {
  const times = managedFields.flatMap(({ subresource, time }) =>
    subresource === 'status' && time !== undefined ? [Date.parse(time)] : [],
  );
  return Math.max(0, ...[Date.parse(creationTimestamp), ...times].filter(time => !Number.isNaN(time)));
}
