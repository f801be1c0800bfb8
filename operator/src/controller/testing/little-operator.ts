// The whole operator in this process, on a connection of its own, with scripted evidence.
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import type { Observation } from '../../kube/events.ts';
import type { Transport } from '../../kube/transport.ts';
import { Controller, type ControllerOptions } from '../controller.ts';
import { createMetrics } from '../metrics.ts';
import { type Script, ScriptedEvidence } from './scripted-evidence.ts';

export interface LittleOperator {
  readonly controller: Controller;
  /** Events that it wanted to write. */
  readonly said: readonly Observation[];
  /** Its /metrics. */
  metrics(): Promise<string>;
  /** Ends at once: what is under way is not waited for beyond its own failing. Closes the connection. */
  stop(): Promise<void>;
}

export interface OperatorSetting {
  readonly transport: Transport;
  readonly namespaces: readonly string[];
  readonly script: Script;
  readonly now?: () => number;
  /** Instead of the script. */
  readonly evidence?: ControllerOptions['evidence'];
}

/** Resolves when it reconciles. LOG=debug shows what it does. */
export async function startOperator({
  transport,
  namespaces,
  script,
  now = Date.now,
  evidence = (world, wake) => new ScriptedEvidence(script, world, wake),
}: OperatorSetting): Promise<LittleOperator> {
  const said: Observation[] = [];
  const metrics = createMetrics({ watchAges: () => new Map(), isLeader: () => true });
  const controller = new Controller({
    transport,
    namespaces,
    workers: 4,
    evidence,
    recorder: { record: observation => void said.push(observation) },
    metrics,
    log: pino({ level: process.env['LOG'] ?? 'silent', base: null }),
    now,
    randomBytes,
  });
  const stop = async (): Promise<void> => {
    await controller.stop();
    await transport.close();
  };
  await controller.start();
  return { controller, said, metrics: () => metrics.registry.metrics(), stop };
}
