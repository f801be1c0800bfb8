// Who may still use an old key: pods of the namespace that took it when they started, and never look again.
import type { KubeObject } from '../kube/resource.ts';

interface Container {
  readonly env?: readonly { valueFrom?: { secretKeyRef?: { name?: string } } }[];
  readonly envFrom?: readonly { secretRef?: { name?: string } }[];
  readonly volumeMounts?: readonly { name: string; subPath?: string; subPathExpr?: string }[];
}

export type CallingPod = KubeObject & {
  readonly spec?: {
    readonly containers?: readonly Container[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly secret?: { readonly secretName?: string };
      readonly projected?: { readonly sources?: readonly { readonly secret?: { readonly name?: string } }[] };
    }[];
  };
  readonly status?: { readonly phase?: string };
};

/**
 * For people, by name: `pod cart-x (has it in its environment: restart it)`.
 * @param since epoch milliseconds at which the Secret got its new key: what started later has that
 */
export function callersOf(pods: readonly CallingPod[], secret: string, since: number): readonly string[] {
  return pods
    .filter(({ metadata, status }) => isOld(metadata.creationTimestamp, since) && isAlive(status?.phase))
    .flatMap(pod => {
      const how = howItReads(pod, secret);
      return how === undefined ? [] : [`pod ${pod.metadata.name} (${how}: restart it)`];
    })
    .sort();
}

const isOld = (created: unknown, since: number): boolean => Date.parse(String(created)) < since;
const isAlive = (phase: string | undefined): boolean => phase !== 'Succeeded' && phase !== 'Failed';

function howItReads({ spec }: CallingPod, secret: string): string | undefined {
  const { containers = [], volumes = [] } = spec ?? {};
  const inEnvironment = containers.some(
    ({ env = [], envFrom = [] }) =>
      env.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === secret) ||
      envFrom.some(({ secretRef }) => secretRef?.name === secret),
  );
  if (inEnvironment) return 'has it in its environment';
  const holding = volumes.filter(
    volume =>
      volume.secret?.secretName === secret || volume.projected?.sources?.some(source => source.secret?.name === secret),
  );
  const bySubPath = containers.some(({ volumeMounts = [] }) =>
    volumeMounts.some(
      ({ name, subPath, subPathExpr }) =>
        (subPath ?? subPathExpr) !== undefined && holding.some(volume => volume.name === name),
    ),
  );
  return bySubPath ? 'mounts it by subPath, which is never updated' : undefined;
}
