// Which release is on trial, and how: the question that the pods' own counters are asked.
import type { AppResource } from '../api/resource.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import type { Answer, Ask } from '../evidence/smoke.ts';
import type { Judgement } from '../lifecycle/snapshot.ts';
import type { AppKey } from './world.ts';

export interface TrialRequest {
  /** `canary`: beside pods of `baseline`. `bake`: every serving pod runs it, nothing is beside it. */
  readonly mode: 'canary' | 'bake';
  readonly release: string;
  readonly baseline?: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly stableErrorRatio?: number;
}

/** What the controller asks of the running pods; evidence/ answers. */
export interface Evidence {
  /** Goes on with the trial, begins another, or ends it (undefined). Asked in each pass: the same request changes nothing. */
  follow(app: AppResource, trial: TrialRequest | undefined): void;
  forget(key: AppKey): void;
  judgement(key: AppKey): Judgement | undefined;
  /** Asks a rehearsal pod what probes, scrapers and the spec's smoke tests ask. Never throws for what it answers. */
  rehearse(app: AppResource, pod: string): Promise<{ passed: boolean; message: string }>;
  /** One GET to a pod as anybody could make it: no token is added. @throws when no answer comes */
  ask(app: AppResource, pod: string, request: Parameters<Ask>[0]): Promise<Answer>;
  stop(): Promise<void>;
}

export function trialOf(app: AppResource, record: RolloutRecord | undefined): TrialRequest | undefined {
  if (!record || app.spec.rollout.analysis.policy === 'Disabled') return undefined;
  const startedAt = Date.parse(record.since);
  const { release, stable, stableErrorRatio } = record;
  switch (record.phase) {
    case 'Candidate':
      return { mode: 'canary', release, startedAt, ...(stable !== undefined && { baseline: stable }) };
    case 'Promoting':
    case 'Baking':
    case 'Installing':
      return { mode: 'bake', release, startedAt, ...(stableErrorRatio !== undefined && { stableErrorRatio }) };
    case 'Settled':
    case 'RollingBack':
    case 'RollingBackAll':
      return undefined;
  }
}
