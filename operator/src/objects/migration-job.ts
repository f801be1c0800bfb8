import type { Release } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { shortHash } from './hash.ts';
import { ANNOTATIONS, COMPONENTS, LABELS, MIGRATE_CONTAINER, names } from './names.ts';
import { appContainer, podMetadata, podSpec } from './pod-template.ts';
import { agreedBefore, isOurRunner } from './release.ts';

export interface Migration {
  readonly migrationId: string;
  /** Hash of host, port and database name, as `databaseIdentityOf` gives it. */
  readonly databaseIdentity: string;
}

/** What a Job does besides bringing the schema up; `text` says the same, equal for equal tasks. */
export interface Task {
  readonly direction: 'contract' | 'down' | 'status';
  readonly ids: readonly string[];
  readonly text: string;
}

type Fields = Record<string, unknown>;
/** One run of the image: its arguments, and what `migrate` may take away. */
type Run = { readonly args: readonly string[]; readonly contract?: string };

/**
 * The Job that brings the schema to where the release needs it. Its name is the migration's id, so creating it twice
 * makes one. It runs the release's image with the same environment, without the keys: it serves nobody.
 * The verdict is its termination message.
 */
export function migrationJob(app: App, release: Release, migration: Migration): KubeObject {
  const { command, verifyCommand } = app.spec.migrations;
  const up = { args: command, ...(isOurRunner(command) && { contract: exactly(agreedBefore(app)) }) };
  if (!verifyCommand) return job(app, release, migration, podOf(app, release, up));
  const verify = container(app, release, { args: verifyCommand });
  const first = { ...container(app, release, up), name: MIGRATE_CONTAINER };
  return job(app, release, migration, podSpec(app, verify, { ...NEVER, initContainers: [first] }));
}

/** The Job for anything else that is done to the schema, with the image of the release that knows how. */
export function schemaJob(app: App, release: Release, task: Task, databaseIdentity: string): KubeObject {
  const { hash, image } = release;
  const { command } = app.spec.migrations;
  const { direction, text } = task;
  // a Job is found by its release: two releases of one image may not meet in one name
  const migrationId = shortHash({ release: hash, image, command, direction, text, database: databaseIdentity });
  const made = job(app, release, { migrationId, databaseIdentity }, podOf(app, release, runOf(app, task)));
  const { metadata } = made;
  return { ...made, metadata: { ...metadata, annotations: { [ANNOTATIONS.task]: text } } };
}

function runOf(app: App, { direction, ids }: Task): Run {
  const list = ids.join(',');
  switch (direction) {
    case 'contract':
      return { args: app.spec.migrations.command, contract: exactly(ids) };
    case 'down':
      return { args: ['migrate', 'down', '--only', list, '--if-lossless'] };
    case 'status':
      return { args: ['migrate', 'status'], contract: exactly(ids) };
  }
}

/**
 * A list of two words at least: whatever a name may be, it does not stand alone for all of them. The kubelet takes $(X)
 * for the value of a variable, and $$ for a $.
 */
const exactly = (ids: readonly string[]): string => ['withhold', ...ids].join().replaceAll('$', '$$$$');

const NEVER = { restartPolicy: 'Never' } as const;

const podOf = (app: App, release: Release, run: Run): Fields => podSpec(app, container(app, release, run), NEVER);

function container(app: App, { image }: Release, { args, contract }: Run): Fields {
  const made = appContainer(app, app.spec.migrations.resources, { image, args });
  if (contract === undefined) return made;
  const others = (made['env'] as { name: string }[]).filter(({ name }) => name !== 'MIGRATE_CONTRACT');
  return { ...made, env: [...others, { name: 'MIGRATE_CONTRACT', value: contract }] };
}

function job(app: App, release: Release, { migrationId, databaseIdentity }: Migration, pod: Fields): KubeObject {
  const { backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished } = app.spec.migrations;
  const marks = {
    [LABELS.release]: release.hash,
    [LABELS.migration]: migrationId,
    [LABELS.database]: databaseIdentity,
  };
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
      // whose node went away, or who had to make room, has not failed: another pod goes on
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
      template: { metadata: podMetadata(app, COMPONENTS.migration, marks), spec: pod },
    },
  };
}
