// A candidate from the decision that it is bad until requests are sent to it no more: the record says the one, the
// EndpointSlices of Kubernetes' own controller the other, which is what kube-proxy and routers go by.
import type { V1EndpointSlice } from '@kubernetes/client-node';
import { parseRecord } from '../../api/rollout.ts';
import { type Reflector, startReflector } from '../../kube/reflector.ts';
import { deployments, type KubeObject, type Resource, type Served } from '../../kube/resource.ts';
import { Store, type StoredObject } from '../../kube/store.ts';
import type { Transport } from '../../kube/transport.ts';
import { ANNOTATIONS, names } from '../../objects/names.ts';
import { until } from './shop.ts';

const endpointSlices: Resource<Served<V1EndpointSlice>> = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

type Slice = StoredObject & { readonly pods: readonly string[] };
type Decided = StoredObject & { readonly phase: string | undefined };

export class Departure {
  readonly #namespace: string;
  readonly #candidate: string;
  readonly #slices = new Store<Slice>();
  readonly #records = new Store<Decided>();
  readonly #reflectors: readonly Pick<Reflector<KubeObject, StoredObject>, 'synced' | 'stop'>[];
  #decidedAt: number | undefined;
  #outAt: number | undefined;
  /** Of what serves beside the candidate, and of candidates, since `begin`. */
  fewest = Number.POSITIVE_INFINITY;
  mostCandidates = 0;

  /** @param name of the resource, the only one of its namespace */
  constructor(transport: Transport, namespace: string, name = 'shop') {
    this.#namespace = namespace;
    this.#candidate = `${names.candidate(name)}-`;
    this.#slices.onChange(() => this.#look());
    this.#records.onChange((_before, after) => {
      if (after?.phase === 'RollingBack') this.#decidedAt ??= performance.now();
    });
    const common = { transport, namespace };
    this.#reflectors = [
      startReflector({ ...common, resource: endpointSlices, store: this.#slices, project: keepSlice }),
      startReflector({ ...common, resource: deployments, store: this.#records, project: keepDecided }),
    ];
  }

  /** Once requests go to so many pods, one of them the candidate's: counted from now on. */
  async begin(pods: number): Promise<void> {
    await Promise.all(this.#reflectors.map(({ synced }) => synced));
    const words = () => `${this.#namespace}: requests go to ${this.#pods().join(', ')}`;
    await until(
      async () => this.#pods().length === pods && this.#candidates() === 1,
      async () => words(),
      60_000,
    );
    this.#decidedAt = undefined;
    this.#outAt = undefined;
    this.fewest = Number.POSITIVE_INFINITY;
    this.mostCandidates = 0;
    this.#look();
  }

  /** From the decision until it was out of every EndpointSlice. */
  async outAfterMs(): Promise<number> {
    await until(
      async () => this.#decidedAt !== undefined && this.#outAt !== undefined,
      async () => `${this.#namespace}: decided ${this.#decidedAt}, out ${this.#outAt}: ${this.#pods().join(', ')}`,
      60_000,
    );
    return (this.#outAt ?? 0) - (this.#decidedAt ?? 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map(reflector => reflector.stop()));
  }

  #look(): void {
    const candidates = this.#candidates();
    this.mostCandidates = Math.max(this.mostCandidates, candidates);
    this.fewest = Math.min(this.fewest, this.#pods().length - candidates);
    if (candidates === 0) this.#outAt ??= performance.now();
  }

  #pods(): readonly string[] {
    return this.#slices.list().flatMap(({ pods }) => pods);
  }

  #candidates(): number {
    return this.#pods().filter(name => name.startsWith(this.#candidate)).length;
  }
}

const metadataOf = ({ metadata }: KubeObject) => ({ uid: '', resourceVersion: '', ...metadata });

const keepSlice = (slice: Served<V1EndpointSlice>): Slice => ({
  metadata: metadataOf(slice),
  pods: (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .map(({ targetRef }) => targetRef?.name ?? ''),
});

const keepDecided = (object: KubeObject): Decided => {
  const record = parseRecord(object.metadata.annotations?.[ANNOTATIONS.rollout]);
  return { metadata: metadataOf(object), phase: typeof record === 'object' ? record.phase : undefined };
};
