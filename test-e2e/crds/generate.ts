// Definitions of others that our objects are tried against, from the Go modules of those who write them, without their
// descriptions, which are most of the text and decide nothing, and with the version alone that is stored.
//   node test-e2e/crds/generate.ts      needs Go and its module proxy; what it writes is kept here
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

/** All of them Apache-2.0. */
const SOURCES = [
  {
    folder: 'prometheus-operator',
    module: 'github.com/prometheus-operator/prometheus-operator@v0.94.1',
    path: 'example/prometheus-operator-crd',
    files: ['servicemonitors', 'podmonitors', 'prometheusrules'].map(name => `monitoring.coreos.com_${name}.yaml`),
  },
  {
    folder: 'gateway-api',
    module: 'sigs.k8s.io/gateway-api@v1.5.1',
    path: 'config/crd/standard',
    files: ['httproutes', 'listenersets'].map(name => `gateway.networking.k8s.io_${name}.yaml`),
  },
  {
    // what a controller of Gateways watches besides, and none of ours is
    folder: 'gateway-api-others',
    module: 'sigs.k8s.io/gateway-api@v1.5.1',
    path: 'config/crd/standard',
    files: ['gatewayclasses', 'gateways', 'grpcroutes', 'referencegrants', 'backendtlspolicies'].map(
      name => `gateway.networking.k8s.io_${name}.yaml`,
    ),
  },
  {
    folder: 'keda',
    module: 'github.com/kedacore/keda/v2@v2.21.0',
    path: 'config/crd/bases',
    files: ['keda.sh_scaledobjects.yaml'],
  },
  {
    folder: 'flux-source',
    module: 'github.com/fluxcd/source-controller@v1.9.6',
    path: 'config/crd/bases',
    // all that source-controller watches: it does not start without one of them
    files: ['gitrepositories', 'buckets', 'externalartifacts', 'helmcharts', 'helmrepositories', 'ocirepositories'].map(
      name => `source.toolkit.fluxcd.io_${name}.yaml`,
    ),
  },
  {
    folder: 'flux-kustomize',
    module: 'github.com/fluxcd/kustomize-controller@v1.9.6',
    path: 'config/crd/bases',
    files: ['kustomize.toolkit.fluxcd.io_kustomizations.yaml'],
  },
] as const;

const folderOf = (module: string): string =>
  (JSON.parse(execFileSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8' })) as { Dir: string }).Dir;

/** A property may be called `description`, too: only a text is one. */
const withoutDescriptions = (_key: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { description, ...rest } = value as Record<string, unknown>;
  return typeof description === 'string' || description === undefined ? rest : value;
};

interface Definition {
  readonly spec: { readonly versions: readonly { readonly storage: boolean }[] };
}

for (const { folder, module, path, files } of SOURCES) {
  const from = folderOf(module);
  const to = join(import.meta.dirname, folder);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  for (const file of files) {
    const whole = parse(readFileSync(join(from, path, file), 'utf8')) as Definition;
    const spec = { ...whole.spec, versions: whole.spec.versions.filter(({ storage }) => storage) };
    const text = stringify(JSON.parse(JSON.stringify({ ...whole, spec }, withoutDescriptions)), { lineWidth: 0 });
    writeFileSync(
      join(to, file),
      `# ${module}, ${path}/${file}, the stored version without descriptions; Apache-2.0\n${text}`,
    );
  }
}
