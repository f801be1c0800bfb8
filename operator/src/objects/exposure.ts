// Who is let in by which name: what the pods are told, and what the router is told.
import type { EnvVar } from '../api/schema/common.ts';
import { type App, isDevShelf } from './app.ts';
import { names } from './names.ts';

/** Of the Secret with the certificate; undefined where the router has its own, or none. */
export function tlsSecretOf({ metadata, spec: { exposure } }: App): string | undefined {
  if (exposure.type === 'None' || !exposure.tls) return undefined;
  return exposure.tls.secretName ?? names.tlsSecret(metadata.name);
}

/** What cert-manager reads on an Ingress or a ListenerSet. */
export function issuerAnnotation({ spec: { exposure } }: App): Readonly<Record<string, string>> {
  const issuer = exposure.tls?.issuer;
  if (!issuer) return {};
  return { [issuer.kind === 'Issuer' ? 'cert-manager.io/issuer' : 'cert-manager.io/cluster-issuer']: issuer.name };
}

/** What serving pods are told. The user's own word in `extraEnv` comes first. */
export function exposureVariables(app: App): readonly EnvVar[] {
  const { exposure, extraEnv } = app.spec;
  if (exposure.type === 'None') return [];
  const taken = new Set(extraEnv.map(({ name }) => name));
  const { hosts, trustedProxies, forceHTTPS, hsts } = exposure;
  const ours = {
    PUBLIC_HOSTS: hosts.join(','),
    ...(trustedProxies.length > 0 && { TRUST_PROXY: trustedProxies.join(',') }),
    ...(isDevShelf(app)
      ? { ...(hsts && { ENABLE_HSTS: 'true' }) }
      : {
          DASHBOARD_ALLOWED_HOSTS: [...hosts, ...namesInside(app)].join(','),
          ...(forceHTTPS && { DASHBOARD_FORCE_HTTPS: 'true' }),
          ...(hsts && { DASHBOARD_ENABLE_HSTS: 'true' }),
        }),
  };
  return Object.entries(ours)
    .filter(([name]) => !taken.has(name))
    .map(([name, value]) => ({ name, value }));
}

/** By which callers inside the cluster know the Service. */
function namesInside({ metadata: { name, namespace } }: App): readonly string[] {
  const service = names.service(name);
  return ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map(end => `${service}${end}`);
}
