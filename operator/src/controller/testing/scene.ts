// One resource in a namespace of its own, and the operator that looks after it.

import type { AppKind } from '../../api/resource.ts';
import type { Transport } from '../../kube/transport.ts';
import type { LittleCluster } from './little-cluster.ts';
import { type LittleOperator, type OperatorSetting, startOperator } from './little-operator.ts';
import { type MortalTransport, mortal } from './mortal-transport.ts';
import type { Findings, Script } from './scripted-evidence.ts';
import { image, pause, Shop } from './shop.ts';

const QUIET_MS = 400;
const RESTLESS_MS = 60_000;

export class Scene {
  readonly shop: Shop;
  readonly script: Script = new Map();
  /** Added to the operator's clock: waits of minutes need not be waited for. */
  aheadMs = 0;
  /** What is asked about the pods; without it the script answers. */
  evidence: OperatorSetting['evidence'];
  readonly #cluster: LittleCluster;
  readonly #namespaces: string[];
  #operator: LittleOperator | undefined;
  #transport: MortalTransport | undefined;

  constructor(cluster: LittleCluster, namespace: string, kind?: AppKind) {
    this.#cluster = cluster;
    this.shop = new Shop(cluster, namespace, 'shop', kind);
    this.#namespaces = [namespace];
  }

  get operator(): LittleOperator {
    if (!this.#operator) throw new Error('the operator was not started');
    return this.#operator;
  }

  /** Every write of the operator that runs now. */
  get writes(): readonly string[] {
    return this.#transport?.writes ?? [];
  }

  async start(
    connection?: Transport,
    setting: Pick<
      OperatorSetting,
      'installation' | 'log' | 'prometheusUrl' | 'podsAskedFrom' | 'messages' | 'traces'
    > = {},
  ): Promise<void> {
    this.#transport = mortal(connection ?? (await this.#cluster.connect()));
    this.#operator = await startOperator({
      transport: this.#transport,
      namespaces: this.#namespaces,
      script: this.script,
      now: () => Date.now() + this.aheadMs,
      ...setting,
      ...(this.evidence && { evidence: this.evidence }),
    });
  }

  async stop(): Promise<void> {
    await this.#operator?.stop();
    this.#operator = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** What evidence finds about a version, from now on. */
  find(version: string, findings: Findings): void {
    this.script.set(image(version), findings);
  }

  /** A bad release over version 1, which serves again. */
  async takenBack(version: string): Promise<void> {
    this.find(version, { canary: 'Bad' });
    await this.shop.release(version);
    await this.shop.settles('1', 'ReleaseRejected');
  }

  /** Until the operator wrote nothing for a while. @throws Error when it writes again and again */
  async quiet(stillMs = QUIET_MS, withinMs = RESTLESS_MS): Promise<void> {
    const begunMs = performance.now();
    for (let before = -1; before !== this.writes.length; ) {
      if (performance.now() - begunMs > withinMs)
        throw new Error(`it is written again and again: ${this.writes.slice(-5).join(', ')}`);
      before = this.writes.length;
      await pause(stillMs);
    }
  }

  /** A change of the resource that asks for nothing: the operator looks again. */
  async nudge(): Promise<void> {
    await this.shop.annotate({ 'example.com/nudge': String(Math.random()) });
  }

  /** What the operator writes when it looks again. */
  async writesIfNudged(): Promise<readonly string[]> {
    const before = this.writes.length;
    await this.nudge();
    await this.quiet();
    return this.writes.slice(before);
  }

  /** Found from now on, and looked for at once. */
  async finds(version: string, findings: Findings): Promise<void> {
    this.find(version, findings);
    await this.nudge();
  }

  /** Installed, released and at rest. */
  async settled(version: string, spec: Record<string, unknown> = {}): Promise<void> {
    await this.shop.create(version, spec);
    await this.shop.settles(version);
    await this.quiet();
  }
}
