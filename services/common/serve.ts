import type { FastifyInstance } from 'fastify';
import { ConfigError } from './config.ts';
import { KeyringError } from './keyring.ts';
import { type Lifecycle, type ShutdownTimes, stopOnSignal, stopServing } from './shutdown.ts';

export type Listening = {
  readonly app: FastifyInstance;
  readonly lifecycle: Lifecycle;
  readonly host: string;
  readonly port: number;
  readonly times: ShutdownTimes;
};

/** Listens until a signal, then stops without losing a request. */
export async function serve({ app, lifecycle, host, port, times }: Listening): Promise<void> {
  const limitMs = times.delayMs + times.drainMs + (times.closeMs ?? 10_000);
  stopOnSignal(
    () => stopServing(app, lifecycle, times),
    limitMs,
    message => app.log.info(message),
  );
  await app.listen({ host, port });
  app.log.info({ startMs: Math.round(performance.now()) }, 'listening');
}

/** Exit code when the process refuses to start because of what it was given. */
export const REFUSED_TO_START = 2;

/** Runs a process' main function. What the person who configured it did wrong is said without a stack trace. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const expected = error instanceof ConfigError || error instanceof KeyringError;
    process.stderr.write(`${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(REFUSED_TO_START);
  }
}
