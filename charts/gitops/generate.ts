// Writes charts/gitops/argocd/argocd-cm.yaml: the scripts beside it, as the entries of Argo CD's own ConfigMap.
import { readFileSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { API_VERSION, KIND_NAMES } from '../../operator/src/api/group.ts';
import { GATES } from '../../operator/src/api/rollout.ts';

const FOLDER = new URL('argocd/', import.meta.url);
export const ACTIONS = ['retry', 'pause', 'resume', 'rotate-key', ...GATES] as const;
export const scriptOf = (name: string): string => readFileSync(new URL(`${name}.lua`, FOLDER), 'utf8');

/** Requests about one release differ in a word. */
export const actionOf = (name: string): string =>
  GATES.some(gate => gate === name)
    ? `local gate = "${name}"\n${scriptOf('actions/gate')}`
    : scriptOf(`actions/${name}`);

export function argocdConfig(): string {
  const [group] = API_VERSION.split('/');
  const actions = stringify(
    {
      'discovery.lua': scriptOf('actions/discovery'),
      definitions: ACTIONS.map(name => ({ name, 'action.lua': actionOf(name) })),
    },
    { lineWidth: 0 },
  );
  const entries = KIND_NAMES.flatMap(({ kind }) => [
    [`resource.customizations.health.${group}_${kind}`, scriptOf('health')],
    [`resource.customizations.actions.${group}_${kind}`, actions],
  ]);
  const config = {
    ...{ apiVersion: 'v1', kind: 'ConfigMap' },
    metadata: { name: 'argocd-cm', namespace: 'argocd', labels: { 'app.kubernetes.io/part-of': 'argocd' } },
    data: Object.fromEntries(entries),
  };
  const first =
    '# made from the scripts beside it by make generate; kubectl apply --server-side adds it to what is there';
  return `${first}\n${stringify(config, { lineWidth: 0 })}`;
}

export const CONFIG = new URL('argocd-cm.yaml', FOLDER);

if (import.meta.main) writeFileSync(CONFIG, argocdConfig());
