import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export type Ask = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

export type Load = {
  readonly url: string;
  /** each waits for its answer before it asks again, unless a rate is given */
  readonly clients: number;
  readonly seconds: number;
  readonly requestsPerSecond?: number;
  /** asked one after the other, again and again */
  readonly requests: readonly Ask[];
};

export type Outcome = {
  readonly requests: number;
  readonly perSecond: number;
  readonly clientErrors: number;
  readonly serverErrors: number;
  /** connections lost, answers that did not come */
  readonly broken: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};

export type Client = { run(load: Load): Promise<Outcome>; stop(): void };

/** One load at a time. */
export function startClient(): Client {
  const child: ChildProcess = fork(new URL('client.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return {
    run: async load => {
      child.send(load);
      const [answer] = await once(child, 'message');
      if (answer.outcome === undefined) throw new Error(`the load could not be carried out: ${answer.failure}`);
      return answer.outcome as Outcome;
    },
    stop: () => child.kill(),
  };
}
