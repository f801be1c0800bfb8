// The whole operator in this process, on a connection of its own, with scripted evidence.
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type Logger, pino } from 'pino';
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
  /** Among others that may watch the same namespace. */
  readonly installation?: string;
  readonly chargeTiming?: NonNullable<ControllerOptions['chargeTiming']>;
  /** Absent: LOG says what is shown. */
  readonly log?: Logger;
  readonly prometheusUrl?: string;
  readonly podsAskedFrom?: string;
  readonly messages?: ControllerOptions['messages'];
  readonly traces?: ControllerOptions['traces'];
  /** Instead of the script. */
  readonly evidence?: ControllerOptions['evidence'];
}

/** Resolves when it reconciles. */
export async function startOperator(setting: OperatorSetting): Promise<LittleOperator> {
  const operator = prepareOperator(setting);
  await operator.controller.start();
  return operator;
}

/** It watches and does nothing yet: another one leads. LOG=debug shows what it does. */
export function prepareOperator({
  transport,
  namespaces,
  script,
  now = Date.now,
  installation,
  chargeTiming,
  prometheusUrl,
  podsAskedFrom,
  messages,
  traces,
  log = pino({ level: process.env['LOG'] ?? 'silent', base: null }),
  evidence = (world, wake) => new ScriptedEvidence(script, world, wake),
}: OperatorSetting): LittleOperator {
  const said: Observation[] = [];
  const metrics = createMetrics({ watchAges: () => new Map(), isLeader: () => true, version: '0.0.0' });
  const controller = new Controller({
    transport,
    namespaces,
    workers: 4,
    ...(installation !== undefined && { installation }),
    ...(chargeTiming && { chargeTiming }),
    ...(prometheusUrl !== undefined && { prometheusUrl }),
    ...(podsAskedFrom !== undefined && { podsAskedFrom }),
    ...(messages && { messages }),
    ...(traces && { traces }),
    evidence,
    recorder: { record: observation => void said.push(observation) },
    metrics,
    log,
    now,
    randomBytes,
  });
  const stop = async (): Promise<void> => {
    await controller.stop();
    await transport.close();
  };
  return { controller, said, metrics: () => text(Readable.from(metrics.pieces())), stop };
}
