// Judgements as the test wants them, by image: no pod is asked anything.
import type { AppResource } from '../../api/resource.ts';
import type { Judgement } from '../../lifecycle/snapshot.ts';
import { parseRevision } from '../../objects/revision.ts';
import type { Evidence, TrialRequest } from '../trials.ts';
import { type AppKey, appKey, labelled, type World } from '../world.ts';

export interface Findings {
  /** While some pods of the release serve beside the stable ones; default `Good`. */
  readonly canary?: Judgement['verdict'];
  /** While all pods are of the release; default `Pending`. */
  readonly bake?: Judgement['verdict'];
  /** The stable pods beside it answer well enough to be gone back to. */
  readonly stable?: 'good' | 'unknown';
  readonly rehearsal?: { readonly passed: boolean; readonly message: string };
}

/** Findings by image; shared by all operators of a test, so that a restarted one finds the same. */
export type Script = Map<string, Findings>;

export class ScriptedEvidence implements Evidence {
  readonly #script: Script;
  readonly #world: World;
  readonly #wake: (key: AppKey) => void;
  readonly #trials = new Map<AppKey, { trial: TrialRequest; app: AppResource }>();

  constructor(script: Script, world: World, wake: (key: AppKey) => void) {
    this.#script = script;
    this.#world = world;
    this.#wake = wake;
  }

  follow(app: AppResource, trial: TrialRequest | undefined): void {
    const key = appKey(app.kind, app.metadata.namespace, app.metadata.name);
    const before = this.#trials.get(key)?.trial;
    if (!trial) this.#trials.delete(key);
    else this.#trials.set(key, { trial, app });
    const same = before?.release === trial?.release && before?.mode === trial?.mode;
    if (trial && !same) setImmediate(() => this.#wake(key));
  }

  forget(key: AppKey): void {
    this.#trials.delete(key);
  }

  judgement(key: AppKey): Judgement | undefined {
    const on = this.#trials.get(key);
    if (!on) return undefined;
    const { canary = 'Good', bake = 'Pending', stable = 'good' } = this.#findings(on.app, on.trial.release);
    const verdict = on.trial.mode === 'canary' ? canary : bake;
    const candidate = { requests: 24, errors: verdict === 'Bad' ? 11 : 0 };
    return {
      verdict,
      release: on.trial.release,
      candidate,
      baseline: { requests: 71, errors: 0 },
      baselineIsGood: stable === 'good',
      message: `${candidate.errors} of ${candidate.requests} requests answered with 5xx (limit 5 %)`,
    };
  }

  async rehearse(app: AppResource, pod: string): Promise<{ passed: boolean; message: string }> {
    const kept = this.#world.of(app.metadata.namespace).pods.get(app.metadata.namespace, pod);
    const { rehearsal } = this.#findings(app, kept?.view.release ?? '');
    return rehearsal ?? { passed: true, message: '/health, /ready and /metrics answered' };
  }

  /** Who wants pods that answer gives the operator real evidence. */
  async ask(): Promise<never> {
    throw new Error('nobody answers at the address of this pod');
  }

  async stop(): Promise<void> {}

  #findings(app: AppResource, release: string): Findings {
    const { namespace, name } = app.metadata;
    for (const { metadata, annotations, revision, data } of this.#world
      .of(namespace)
      .revisions.byIndex('instance', labelled(namespace, name))) {
      const known = parseRevision({
        metadata: { name: metadata.name, annotations },
        revision,
        data,
      });
      if (known?.release.hash === release) return this.#script.get(known.release.image) ?? {};
    }
    return {};
  }
}
