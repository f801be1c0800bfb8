// Which kinds an API server serves, by its own list: one question answers for every kind that is not there, in whatever
// number of namespaces somebody waits for it.
import type { Resource } from './resource.ts';
import type { Transport } from './transport.ts';

/** Of each group its versions. */
type Groups = { readonly groups: readonly { readonly versions: readonly { readonly groupVersion: string }[] }[] };
type Kinds = { readonly resources: readonly { readonly name: string }[] };

type Asked = { readonly atMs: number; readonly answer: Promise<ReadonlySet<string>> };

export class Discovery {
  readonly #transport: Transport;
  readonly #asked = new Map<string, Asked>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Whether a kind of a named group is served. Groups first: of one that is missing nothing more is asked.
   * @param maxAgeMs how old what somebody else was told may be
   * @throws ApiError `GetFailed`
   */
  async serves({ apiVersion, plural }: Resource, maxAgeMs: number, signal?: AbortSignal): Promise<boolean> {
    const versions = await this.#ask('/apis', versionsOf, maxAgeMs, signal);
    if (!versions.has(apiVersion)) return false;
    return (await this.#ask(`/apis/${apiVersion}`, kindsOf, maxAgeMs, signal)).has(plural);
  }

  #ask<Answer>(
    path: string,
    read: (answer: Answer) => readonly string[],
    maxAgeMs: number,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>> {
    const known = this.#asked.get(path);
    const now = performance.now();
    if (known && now - known.atMs < maxAgeMs) return known.answer;
    const asked = { atMs: now, answer: this.#read(path, read, signal) };
    this.#asked.set(path, asked);
    // what failed is no answer to the next one who asks
    asked.answer.catch(() => this.#asked.get(path) === asked && this.#asked.delete(path));
    return asked.answer;
  }

  async #read<Answer>(
    path: string,
    read: (answer: Answer) => readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>> {
    return new Set(read(await this.#transport.request<Answer>({ method: 'GET', path, ...(signal && { signal }) })));
  }
}

const versionsOf = ({ groups }: Groups): readonly string[] =>
  groups.flatMap(({ versions }) => versions.map(({ groupVersion }) => groupVersion));

const kindsOf = ({ resources }: Kinds): readonly string[] => resources.map(({ name }) => name);
