// What people, tools and policies do in a namespace to what the operator looks after. What goes on until somebody takes it
// back (a quota, a policy) is taken back by `leaves`.
import { get } from '../../kube/apply.ts';
import * as kinds from '../../kube/resource.ts';
import type { Request } from '../../kube/transport.ts';
import { ANNOTATIONS, LABELS } from '../../objects/names.ts';
import { type Shop, until } from './shop.ts';

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const CORE_LABELS = { [LABELS.instance]: null, [LABELS.managedBy]: null };

/** Which requests an admission policy is asked about. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
}

type ReplicaSet = kinds.KubeObject & {
  spec: { template: { metadata: { labels: object }; spec: { containers: { image: string }[] } } };
};

export class Somebody {
  readonly #shop: Shop;
  readonly #lifts: (() => Promise<unknown>)[] = [];

  constructor(shop: Shop) {
    this.#shop = shop;
  }

  /** Nobody is in the way any more. */
  async leaves(): Promise<void> {
    for (const lift of this.#lifts.splice(0)) await lift();
  }

  /** As `kubectl rollout undo` does: template and annotations of an earlier ReplicaSet, in one patch. */
  async undoes(isIt: (set: kinds.KubeObject, image: string) => boolean): Promise<boolean> {
    const live = await this.#shop.deployment();
    const sets = (await this.#shop.list('apps/v1/replicasets')) as ReplicaSet[];
    const old = sets.find(
      set =>
        set.metadata.ownerReferences?.some(({ uid }) => uid === live?.metadata.uid) &&
        isIt(set, set.spec.template.spec.containers[0]?.image ?? ''),
    );
    if (!old) return false;
    const { 'pod-template-hash': _theirs, ...labels } = old.spec.template.metadata.labels as Record<string, string>;
    const template = { ...old.spec.template, metadata: { ...old.spec.template.metadata, labels } };
    const annotations = {
      ...live?.metadata.annotations,
      [ANNOTATIONS.rollout]: old.metadata.annotations?.[ANNOTATIONS.rollout],
      'devshelf.dev/applied': old.metadata.annotations?.['devshelf.dev/applied'],
    };
    await this.#request('PATCH', `${this.#shop.placeOf('apps/v1/deployments')}/${this.#shop.name}`, {
      contentType: 'application/json-patch+json',
      query: { fieldManager: 'kubectl-rollout' },
      body: [
        { op: 'replace', path: '/spec/template', value: template },
        { op: 'replace', path: '/metadata/annotations', value: annotations },
      ],
    });
    return true;
  }

  /** The labels go by which the operator finds its objects. */
  relabels(kind: string, which: number): Promise<void> {
    return this.changes(kind, which, { metadata: { labels: CORE_LABELS } });
  }

  /** Another owner beside the operator's, as a tool that collects what belongs together. */
  async joins(kind: string, which: number): Promise<void> {
    const found = await this.#one(kind, which);
    if (!found) return;
    const name = this.#shop.namespace;
    const namespace = await get(this.#shop.cluster.transport, kinds.namespaces, { name });
    const owner = { apiVersion: 'v1', kind: 'Namespace', name, uid: namespace?.metadata.uid };
    const ownerReferences = [...(found.metadata.ownerReferences ?? []), owner];
    await this.#change(kind, found, { metadata: { ownerReferences } });
  }

  async changes(kind: string, which: number, body: object): Promise<void> {
    const found = await this.#one(kind, which);
    if (found) await this.#change(kind, found, body);
  }

  async deletes(kind: string, which: number): Promise<void> {
    const found = await this.#one(kind, which);
    if (found) await this.#request('DELETE', `${this.#shop.placeOf(kind)}/${found.metadata.name}`);
  }

  /** One value in it is another one. A keyring that nobody can read stays so until somebody removes it. */
  async garbles(which: number): Promise<void> {
    const found = (await this.#one('secrets', which)) as (kinds.KubeObject & { data?: object }) | undefined;
    const [key] = Object.keys(found?.data ?? {});
    if (!found || key === undefined) return;
    await this.#change('secrets', found, { data: { [key]: 'Z2FyYmFnZQ==' } });
    const { name } = found.metadata;
    if (name.endsWith('-keyring'))
      this.#lifts.push(() => this.#request('DELETE', `${this.#shop.placeOf('secrets')}/${name}`));
  }

  /** As a drain does, which asks for each pod. */
  async evicts(which: number): Promise<void> {
    const found = await this.#one('pods', which);
    if (!found) return;
    const { name, namespace } = found.metadata;
    await this.#request('POST', `${this.#shop.placeOf('pods')}/${name}/eviction`, {
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
    });
  }

  /** No more pods in this namespace. */
  async limits(): Promise<void> {
    const path = this.#shop.placeOf('resourcequotas');
    await this.#request('POST', path, { body: { metadata: { name: 'none' }, spec: { hard: { pods: '0' } } } });
    this.#lifts.push(() => this.#request('DELETE', `${path}/none`));
  }

  /** Until this is refused, in these words: a policy is not in force at once. Nothing is done, it is asked as a dry run. */
  async isRefused(request: Pick<Request, 'method' | 'path' | 'contentType' | 'body'>, words = ''): Promise<void> {
    await until(async () => {
      const asked = this.#shop.cluster.transport.request({ ...request, query: { dryRun: 'All' } });
      const [answer] = await Promise.allSettled([asked]);
      return answer?.status === 'rejected' && String(answer.reason).includes(words);
    }, 'the policy is not in force');
  }

  /** An admission policy for everybody. */
  async forbids(rules: readonly Rule[], message: string, allowed = 'false'): Promise<void> {
    const name = `${this.#shop.namespace}-${this.#lifts.length}`;
    const resourceRules = rules.map(rule => ({ ...rule, apiVersions: ['*'] }));
    const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': this.#shop.namespace } };
    await this.#request('POST', `${ADMISSION}/validatingadmissionpolicies`, {
      body: {
        metadata: { name },
        spec: {
          matchConstraints: { namespaceSelector, resourceRules },
          validations: [{ expression: allowed, message }],
        },
      },
    });
    await this.#request('POST', `${ADMISSION}/validatingadmissionpolicybindings`, {
      body: { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } },
    });
    this.#lifts.push(async () => {
      await this.#request('DELETE', `${ADMISSION}/validatingadmissionpolicybindings/${name}`);
      await this.#request('DELETE', `${ADMISSION}/validatingadmissionpolicies/${name}`);
    });
  }

  #change(kind: string, { metadata: { name } }: kinds.KubeObject, body: object): Promise<void> {
    return this.#request('PATCH', `${this.#shop.placeOf(kind)}/${name}`, {
      contentType: 'application/merge-patch+json',
      query: { fieldManager: 'somebody' },
      body,
    });
  }

  /** One of the operator's of this kind; none, where there is none yet. The person's own Secret is not the operator's. */
  async #one(kind: string, which: number): Promise<kinds.KubeObject | undefined> {
    const ours = (await this.#shop.list(kind)).filter(
      ({ metadata }) => metadata.labels?.[LABELS.instance] === this.#shop.name,
    );
    return ours[which % Math.max(1, ours.length)];
  }

  /** What it is about may have gone meanwhile, or changed; somebody may forbid it; a budget may keep a pod. */
  async #request(method: 'PATCH' | 'POST' | 'DELETE', path: string, more: object = {}): Promise<void> {
    await this.#shop.cluster.transport.request({ method, path, ...more }).catch(error => {
      if (![403, 404, 409, 422, 429].includes((error as { status?: number }).status ?? 0)) throw error;
    });
  }
}
