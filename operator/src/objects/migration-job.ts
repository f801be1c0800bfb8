import type { Release } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { COMPONENTS, LABELS, names } from './names.ts';
import { appContainer, podMetadata, podSpec } from './pod-template.ts';

export interface Migration {
  readonly migrationId: string;
  /** Hash of host, port and database name, as `databaseIdentityOf` gives it. */
  readonly databaseIdentity: string;
}

/**
 * The Job that brings the schema to where the release needs it. Its name is the migration's id, so creating it twice
 * makes one. It runs the release's image with the same environment, without the keys: it serves nobody.
 * The verdict is its termination message.
 */
export function migrationJob(app: App, release: Release, { migrationId, databaseIdentity }: Migration): KubeObject {
  const { command, backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished, resources } = app.spec.migrations;
  const marks = {
    [LABELS.release]: release.hash,
    [LABELS.migration]: migrationId,
    [LABELS.database]: databaseIdentity,
  };
  const container = appContainer(app, resources, { image: release.image, args: command });
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: childMeta(app, names.migrationJob(app.metadata.name, migrationId), {
      ...childLabels(app, COMPONENTS.migration),
      ...marks,
    }),
    spec: {
      backoffLimit,
      activeDeadlineSeconds,
      ttlSecondsAfterFinished,
      // the next pod starts when the last one is gone: never two in one database
      podReplacementPolicy: 'Failed',
      template: {
        metadata: podMetadata(app, COMPONENTS.migration, marks),
        spec: podSpec(app, container, { restartPolicy: 'Never' }),
      },
    },
  };
}
