// What the runner of migrations says, and what it does to a database that is a list of names.
import type { MigrationBehaviour, Run } from './little-kubelet.ts';

/** A migration of an image; what takes something away says what. */
export interface LittleMigration {
  readonly id: string;
  readonly takes?: string;
}

export class LittleDatabase {
  readonly applied: string[] = [];
  /** What `down --if-lossless` would lose, by migration. */
  readonly lost = new Map<string, string>();

  /** The runner of an image that brings these. */
  runner(...brought: readonly LittleMigration[]): (run: Run) => MigrationBehaviour {
    return run => (run.args.includes('down') ? this.#down(run) : this.#up(brought, run));
  }

  #up(brought: readonly LittleMigration[], { contract = 'all' }: Run): MigrationBehaviour {
    const isFirst = this.applied.length === 0;
    const missing = brought.filter(({ id }) => !this.applied.includes(id));
    const isAgreed = ({ id, takes }: LittleMigration): boolean =>
      isFirst || takes === undefined || contract === 'all' || contract.split(',').includes(id);
    const now = missing.filter(isAgreed);
    const withheld = missing.filter(one => !isAgreed(one)).map(({ id, takes }) => ({ id, what: takes }));
    this.applied.push(...now.map(({ id }) => id));
    return ending(0, {
      result: withheld.length > 0 ? 'expanded' : 'up to date',
      applied: now.map(({ id }) => id),
      withheld,
      contracted: isFirst ? [] : now.filter(({ takes }) => takes !== undefined).map(({ id }) => id),
      ahead: this.applied.filter(id => !brought.some(one => one.id === id)),
    });
  }

  #down({ args }: Run): MigrationBehaviour {
    const ids = (args[args.indexOf('--only') + 1] ?? '').split(',');
    const lost = ids.flatMap(id => this.lost.get(id) ?? []);
    if (lost.length > 0) return ending(1, { result: 'refused', lost });
    const reverted = ids.filter(id => this.applied.includes(id));
    for (const id of reverted) this.applied.splice(this.applied.indexOf(id), 1);
    return ending(0, { result: 'reverted', reverted, lost });
  }
}

const ending = (exitCode: number, said: object): MigrationBehaviour => ({
  exitCode,
  message: JSON.stringify({ applied: [], pending: [], irreversible: [], ...said }),
});
