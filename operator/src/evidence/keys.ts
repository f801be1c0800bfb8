// Which keys a pod has in force, as it says itself on /metrics: ids only.
const SAMPLE = /^devshelf_keyring_key_info\{([^}]*)\} 1$/gm;

export type KeysOfPod = { readonly ids: readonly string[]; readonly current: string | undefined };

/** Reads `devshelf_keyring_key_info{keyring="signing",kid="2",current="true"} 1`. Never throws. */
export function keysOfPod(metrics: string, keyring: string): KeysOfPod | { readonly why: string } {
  const samples = [...metrics.matchAll(SAMPLE)]
    .map(
      ([, labels = '']) =>
        new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])),
    )
    .filter(labels => labels.get('keyring') === keyring);
  if (samples.length === 0) return { why: `its metrics do not say which keys it has (devshelf_keyring_key_info)` };
  const ids = samples.map(idIn);
  const current = samples.find(labels => labels.get('current') === 'true');
  return { ids, current: current && idIn(current) };
}

/** Ids are short; whatever else a pod writes there is not passed on. */
const idIn = (labels: ReadonlyMap<string, string>): string => {
  const id = labels.get('kid') ?? '';
  return /^[\w.-]{1,16}$/.test(id) ? id : 'unreadable';
};
