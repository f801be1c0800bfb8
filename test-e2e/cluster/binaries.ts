// The programs of the cluster, built once from Go modules into a cache that all checkouts share.
// A folder's name is a hash of all that decides its content, so a changed version is built beside the old one.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import { CACHE, contentHash, folder } from './paths.ts';
import { ProgressDisplay } from './progress.ts';
import { run } from './run.ts';
import { elapsed, say, step } from './say.ts';

export const KUBERNETES_VERSION = 'v1.34.4';

const [major, minor] = KUBERNETES_VERSION.slice(1).split('.');
const LINKER_FLAGS = [
  '-s -w',
  `-X k8s.io/component-base/version.gitVersion=${KUBERNETES_VERSION}`,
  `-X k8s.io/component-base/version.gitMajor=${major}`,
  `-X k8s.io/component-base/version.gitMinor=${minor}`,
].join(' ');

type Module = 'tools' | 'addons' | 'traefik' | 'flux' | 'prometheus-operator' | 'prometheus' | 'keda';

// in the order of building: what integration tests need comes first
const PACKAGES = {
  etcd: ['tools', 'go.etcd.io/etcd/server/v3'],
  'kube-apiserver': ['tools', 'k8s.io/kubernetes/cmd/kube-apiserver'],
  kubectl: ['tools', 'k8s.io/kubernetes/cmd/kubectl'],
  'kube-controller-manager': ['tools', 'k8s.io/kubernetes/cmd/kube-controller-manager'],
  'kube-scheduler': ['tools', 'k8s.io/kubernetes/cmd/kube-scheduler'],
  kubelet: ['tools', 'k8s.io/kubernetes/cmd/kubelet'],
  'kube-proxy': ['tools', 'k8s.io/kubernetes/cmd/kube-proxy'],
  pause: ['addons', './pause'],
  netforward: ['addons', './netforward'],
  coredns: ['addons', './coredns'],
  'metrics-server': ['addons', 'sigs.k8s.io/metrics-server/cmd/metrics-server'],
  helm: ['addons', 'helm.sh/helm/v4/cmd/helm'],
  kind: ['addons', 'sigs.k8s.io/kind'],
  // for `make companions` only
  traefik: ['traefik', 'github.com/traefik/traefik/v3/cmd/traefik'],
  'source-controller': ['flux', 'github.com/fluxcd/source-controller'],
  'kustomize-controller': ['flux', 'github.com/fluxcd/kustomize-controller'],
  'prometheus-operator': ['prometheus-operator', 'github.com/prometheus-operator/prometheus-operator/cmd/operator'],
  'prometheus-config-reloader': [
    'prometheus-operator',
    'github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader',
  ],
  // Debian's knows nothing of Kubernetes
  prometheus: ['prometheus', 'github.com/prometheus/prometheus/cmd/prometheus'],
  promtool: ['prometheus', 'github.com/prometheus/prometheus/cmd/promtool'],
  'keda-operator': ['keda', 'github.com/kedacore/keda/v2/cmd/operator'],
  'keda-admission-webhooks': ['keda', 'github.com/kedacore/keda/v2/cmd/webhooks'],
  'keda-metrics-apiserver': ['keda', 'github.com/kedacore/keda/v2/cmd/adapter'],
} as const satisfies Record<string, readonly [Module, string]>;

export type Binary = keyof typeof PACKAGES;

const moduleFolder = (module: Module): string => join(import.meta.dirname, module);

const sources = (module: Module): string[] =>
  readdirSync(moduleFolder(module), { recursive: true, encoding: 'utf8' })
    .filter(file => /\.(go|mod|sum)$/.test(file))
    .sort();

const binFolders = new Map<Module, string>();

const binFolder = (module: Module): string => {
  const known = binFolders.get(module);
  if (known !== undefined) return known;
  const contents = sources(module).map(file => readFileSync(join(moduleFolder(module), file)));
  const made = folder(CACHE, `${module}-${contentHash(LINKER_FLAGS, ...contents)}`, 'bin');
  binFolders.set(module, made);
  return made;
};

/** Where the program is, or will be once `ensureBinaries` has built it. */
export const binaryPath = (name: Binary): string => join(binFolder(PACKAGES[name][0]), name);

const isBuilt = (name: Binary): boolean => existsSync(binaryPath(name));

const requireGo = async (): Promise<void> => {
  const version = await run(['go', 'env', 'GOVERSION']).catch(() => {
    throw new Error('Go is needed to build the test cluster (1.26.4 or newer): install it from https://go.dev/dl');
  });
  if (/^go1\.([01]?\d|20)\b/.test(version)) throw new Error(`${version.trim()} is too old: https://go.dev/dl`);
};

const GO_ENVIRONMENT = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' };

/** The Go packages that a program is made of. */
const packagesOf = async (name: Binary): Promise<string[]> => {
  const [module, source] = PACKAGES[name];
  const command = ['go', 'list', '-deps', source];
  return (await run(command, { cwd: moduleFolder(module), env: GO_ENVIRONMENT })).trim().split('\n');
};

const build = async (name: Binary, onPackage: (path: string) => void): Promise<void> => {
  const [module, source] = PACKAGES[name];
  const partial = join(binFolder(module), `.${name}-${process.pid}`);
  try {
    // -v names each package as it is compiled
    await run(['go', 'build', '-v', '-trimpath', '-ldflags', LINKER_FLAGS, '-o', partial, source], {
      cwd: moduleFolder(module),
      env: GO_ENVIRONMENT,
      onErrorLine: onPackage,
    });
    renameSync(partial, binaryPath(name));
  } finally {
    rmSync(partial, { force: true });
  }
};

/** Where the sources of a module are that others come from, with all its files. */
export const sourceFolder = async (module: Module, path: string): Promise<string> => {
  await requireGo();
  const command = ['go', 'mod', 'download', '-json', path];
  const found = await run(command, { cwd: moduleFolder(module), env: GO_ENVIRONMENT });
  return (JSON.parse(found) as { Dir: string }).Dir;
};

/** Builds one after the other and shows what is left, counted in packages: most are shared by several programs. */
const buildAll = async (names: readonly Binary[]): Promise<void> => {
  const packages = new Map<Binary, readonly string[]>();
  await step(`fetching the sources of ${names.join(', ')} (once)`, async () => {
    for (const name of names) packages.set(name, await packagesOf(name));
  });
  const all = new Set([...packages.values()].flat());
  const done = new Set<string>();
  const display = new ProgressDisplay(all.size);
  for (const [index, name] of names.entries()) {
    const since = performance.now();
    const what = `building ${name} (${index + 1} of ${names.length}, once)`;
    const ticker = setInterval(() => display.show(what, done.size), 1_000);
    try {
      await build(name, path => all.has(path) && done.add(path));
    } finally {
      clearInterval(ticker);
      display.clear();
    }
    for (const path of packages.get(name) ?? []) done.add(path); // those that Go's own cache had are not named
    say(`${what}: ${elapsed(since)}`);
  }
};

/** Builds what is not in the cache yet. The first time takes minutes and says so. */
export const ensureBinaries = async (...names: readonly Binary[]): Promise<void> => {
  if (names.every(isBuilt)) return;
  await requireGo();
  await withLock(join(CACHE, 'build.lock'), 'it is building the same programs', async () => {
    const missing = names.filter(name => !isBuilt(name));
    if (missing.length > 0) await buildAll(missing);
  });
};
