// What a decision was made on. Each store is as old as its own watch, and what is written may be in another object than
// what it was decided on; so where a store that is behind would do harm, its object is asked for once more just before.
import { formatRecord, parseRecord, type ReadRecord, type RolloutRecord } from '../api/rollout.ts';
import { get } from '../kube/apply.ts';
import * as kinds from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { remembered } from '../lifecycle/release/remembered.ts';
import { revisionOf, type Snapshot } from '../lifecycle/snapshot.ts';
import { ANNOTATIONS, names } from '../objects/names.ts';
import { parseRevision } from '../objects/revision.ts';
import type { KeptDeployment } from './views.ts';

/** Compared with what was gathered, and never with what the stores hold by now: they may have heard of it since. */
export class Premises {
  readonly #seen: Snapshot;
  readonly #transport: Transport;

  constructor(seen: Snapshot, transport: Transport) {
    this.#seen = seen;
    this.#transport = transport;
  }

  get #record(): RolloutRecord | undefined {
    return this.#seen.deployment?.record;
  }

  /**
   * Before something is written into another object than the record: a trial that a store believes in may have ended.
   * @param record what the record is to be; absent: what was decided on
   * @throws Error when it is another one by now
   */
  async recordStands(record = this.#record): Promise<void> {
    const { name, namespace } = this.#seen.app.metadata;
    const target = { namespace, name: names.deployment(name) };
    const live = await get(this.#transport, kinds.deployments, target);
    if (live ? !isRecordOf(live, record) : record !== undefined)
      throw new Error(`the store of Deployments is behind: ${target.name} is looked at again`);
  }

  /**
   * Before a release is begun: its verdict is in another object than the record.
   * @throws Error when its revision says something else by now
   */
  async verdictStands(release: string): Promise<void> {
    const known = revisionOf(this.#seen, release);
    if (!known || !this.#seen.deployment) return; // nothing serves yet: nobody is harmed by another try
    const target = { namespace: this.#seen.app.metadata.namespace, name: known.name };
    const live = await get(this.#transport, kinds.controllerRevisions, target);
    const written = live && parseRevision(live);
    if (written === undefined || remembered(written, '').verdict.verdict !== known.verdict.verdict)
      throw new Error(`the store of ControllerRevisions is behind: ${known.name} is looked at again`);
  }

  /**
   * Before the version that the store holds is named in a write of the Deployment that serves.
   * @throws Error when its record is neither the one decided on nor the one to be written
   */
  mayReplace({ record }: KeptDeployment, { metadata }: kinds.KubeObject): void {
    if (!record || record === 'later' || isSameRecord(record, this.#record)) return;
    if (formatRecord(record) !== metadata.annotations?.[ANNOTATIONS.rollout])
      throw new Error(`the record of Deployment ${metadata.name} is another one by now: it is decided anew`);
  }

  /**
   * After a conflict: the Deployment as it is, if it is this one with the record that was decided on. A version that has
   * moved on (a count of pods, say) is no reason to wait for a watch: it may hang, and a bad release would stay for as long.
   */
  async newer({ metadata }: KeptDeployment): Promise<kinds.KubeObject | undefined> {
    const found = await get(this.#transport, kinds.deployments, metadata);
    return found?.metadata.uid === metadata.uid && isRecordOf(found, this.#record) ? found : undefined;
  }
}

const isRecordOf = ({ metadata }: kinds.KubeObject, record: RolloutRecord | undefined): boolean =>
  isSameRecord(parseRecord(metadata.annotations?.[ANNOTATIONS.rollout]), record);

function isSameRecord(known: ReadRecord, record: RolloutRecord | undefined): boolean {
  if (known === undefined || known === 'later' || !record) return known === record;
  return formatRecord(known) === formatRecord(record);
}
