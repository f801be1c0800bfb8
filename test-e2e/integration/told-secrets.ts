// Where secrets are told that should not be: every object of a namespace but what Secrets hold, of every kind that the API
// server lists (events, revisions, Jobs, pods, claims …), and texts beside them, as a log.

/** Asks the API server for JSON. */
export type Get = (path: string) => Promise<unknown>;

interface Listed {
  readonly items: readonly { readonly kind?: string; readonly metadata: { readonly name: string } }[] | null;
}

/** Shorter ones are words that occur anywhere. */
const SHORTEST = 8;
/** Beginnings of keys are told as little as keys. */
const ENOUGH = 16;

/** All that is worth keeping secret in a namespace, by where it stands: keys, tokens, seeds, passwords in URLs. */
export async function secretsIn(get: Get, namespace: string): Promise<ReadonlyMap<string, string>> {
  const { items } = (await get(`/api/v1/namespaces/${namespace}/secrets`)) as Listed;
  const found = new Map<string, string>();
  for (const secret of items ?? []) {
    const { data = {} } = secret as { data?: Record<string, string> };
    for (const [key, encoded] of Object.entries(data)) {
      const at = `${secret.metadata.name}/${key}`;
      for (const [part, value] of partsOf(key, encoded)) if (value.length >= SHORTEST) found.set(`${at}${part}`, value);
    }
  }
  return found;
}

function partsOf(key: string, encoded: string): [string, string][] {
  const text = Buffer.from(encoded, 'base64').toString();
  if (key === 'previous-until') return []; // a time, for callers
  if (key.endsWith('.json')) {
    const { keys } = JSON.parse(text) as { keys: Record<string, string> };
    return Object.entries(keys).map(([id, value]) => [` key ${id}`, worthOf(value)]);
  }
  if (/^[a-z]+:\/\//.test(text)) return [[' password', decodeURIComponent(new URL(text).password)]];
  // random bytes are no text: as they stand in the Secret
  return [['', text.includes('\uFFFD') ? encoded : worthOf(text)]];
}

/** `dsk_1_…`: the id is told to everybody. */
const worthOf = (key: string): string =>
  (key.startsWith('dsk_') ? key.split('_').slice(2).join('_') : key).slice(0, 43);

const formsOf = (secret: string): string[] => {
  const part = secret.slice(0, Math.max(SHORTEST, Math.min(ENOUGH, secret.length)));
  const bytes = Buffer.from(secret, 'base64');
  return [
    part,
    encodeURIComponent(part),
    Buffer.from(secret).toString('base64').slice(0, ENOUGH),
    bytes.toString('hex').slice(0, 2 * ENOUGH),
  ].filter(form => form.length >= SHORTEST);
};

/**
 * `which secret, in what`; empty when nothing is told.
 * @param texts more that people read, by name
 */
export async function toldSecrets(
  get: Get,
  namespace: string,
  secrets: ReadonlyMap<string, string>,
  texts: Readonly<Record<string, string>>,
): Promise<string[]> {
  const all = { ...(await objectsOf(get, namespace)), ...texts };
  return [...secrets].flatMap(([name, secret]) =>
    Object.entries(all)
      .filter(([, text]) => formsOf(secret).some(form => text.includes(form)))
      .map(([where]) => `${name}, in ${where}`),
  );
}

type Resources = { resources: { name: string; namespaced: boolean; verbs: string[] }[] };

/** Every object of the namespace as text, by plural and name. */
export async function objectsOf(get: Get, namespace: string): Promise<Record<string, string>> {
  const { groups } = (await get('/apis')) as { groups: { preferredVersion: { groupVersion: string } }[] };
  const roots = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const found: Record<string, string> = {};
  for (const root of roots) {
    const { resources } = (await get(root)) as Resources;
    const listed = resources.filter(
      ({ name, namespaced, verbs }) => namespaced && verbs.includes('list') && !name.includes('/'),
    );
    for (const { name } of listed) {
      const { items } = (await get(`${root}/namespaces/${namespace}/${name}`)) as Listed;
      for (const object of items ?? []) found[`${name}/${object.metadata.name}`] = told(name, object);
    }
  }
  return found;
}

/** Of a Secret all but its content; of a pod all but what its containers said themselves, at their end. */
function told(plural: string, object: object): string {
  const isOwnWords = (key: string): boolean =>
    plural === 'secrets' ? key === 'data' : plural === 'pods' && (key === 'state' || key === 'lastState');
  return JSON.stringify(object, (key, value: unknown) => (isOwnWords(key) ? undefined : value));
}
