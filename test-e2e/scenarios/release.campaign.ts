// What `make release` makes goes into a cluster that has no network and no registry, as docs/how-to/air-gapped.md says:
// checked, imported by digest, installed, and both services by its images.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { importByDigest, kubeconfigPath, kubectl, loadImages, up } from '../cluster/cluster.ts';
import { storeImage } from '../cluster/images.ts';
import { CHECKOUT } from '../cluster/paths.ts';
import { run } from '../cluster/run.ts';
import { apply, disconnect, get } from './kube.ts';
import { clearNamespace, createSecrets, startStores } from './namespace.ts';
import { dashboard, devshelf, devshelfPath, isReady, untilDashboard } from './story.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
const RELEASE = join(CHECKOUT, 'build', 'release');
/** No registry of this name exists. */
const REGISTRY = 'registry.inside.example/devshelf';
const NAMESPACE = 'devshelf-system';

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };
const ofRelease = (...path: string[]): string => join(RELEASE, ...path);
/** `name:version@digest` of each image, by the image's name. */
let images: ReadonlyMap<string, string>;

const imageOf = (name: string): string => {
  const reference = images.get(name);
  if (reference === undefined) throw new Error(`images.txt names no ${name}`);
  return reference;
};

beforeAll(async () => {
  const env = { ...process.env, REGISTRY, ARCHITECTURES: 'amd64', ALLOW_DIRTY: '1' };
  await run([process.execPath, 'release/release.ts'], { env, cwd: CHECKOUT });
  const lines = readFileSync(ofRelease('images.txt'), 'utf8').trim().split('\n');
  images = new Map(lines.map(line => [/([^/]+):[^:@]+@/.exec(line)?.[1] ?? '', line]));
  await up();
}, 40 * MINUTE);

afterAll(async () => {
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

test('its checksums are right, and nothing is left out of them', () => {
  const sums = readFileSync(ofRelease('SHA256SUMS'), 'utf8').trim().split('\n');
  expect(sums.length).toBeGreaterThan(12);
  for (const line of sums) {
    const [sum, file = ''] = line.split('  ');
    expect([
      file,
      createHash('sha256')
        .update(readFileSync(ofRelease(file)))
        .digest('hex'),
    ]).toEqual([file, sum]);
  }
});

test(
  'it installs where nothing can be fetched, and both services run by its images',
  async () => {
    for (const [name, reference] of images)
      await importByDigest(ofRelease('images', `${name}-${version}.oci.tar`), reference.replace(/:[^:]+@.*$/, ''));
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', ofRelease('manifests', 'crds.yaml')]);
    await clearNamespace(NAMESPACE);
    await kubectl(['apply', '-f', ofRelease('manifests', 'install.yaml')]);
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/devshelf-operator', '--timeout=180s']);

    const stores = { postgresql: await storeImage('postgresql'), redis: await storeImage('redis') };
    await loadImages(Object.values(stores));
    await createSecrets(NAMESPACE);
    await startStores(NAMESPACE, { postgresql: stores.postgresql.reference, redis: stores.redis.reference });
    await apply(dashboard(NAMESPACE, imageOf('dashboard')));
    await apply(devshelf(NAMESPACE, imageOf('devshelf-api')));
    await untilDashboard(NAMESPACE, 'the dashboard to be Ready', isReady, 180);
    await until('DevShelf to be Ready', async () => isReady(await get(devshelfPath(NAMESPACE))), { seconds: 180 });
  },
  15 * MINUTE,
);

test('its command line says what runs there', async () => {
  const [archive] = readFileSync(ofRelease('SHA256SUMS'), 'utf8').match(/cli\/\S*linux[-_]amd64\S*/) ?? [];
  if (archive === undefined) throw new Error('the release has no command line for Linux on amd64');
  const folder = join(CHECKOUT, 'build', 'release-cli');
  await run(['mkdir', '-p', folder]);
  await run(['tar', '-C', folder, '-xf', ofRelease(archive)]);
  const env = { ...process.env, KUBECONFIG: kubeconfigPath() };
  const told = await run([join(folder, 'kubectl-devshelf'), 'status', '-n', NAMESPACE], { env });
  expect(told).toContain('dashboard');
  expect(told).toContain('devshelf');
});

test(
  'the chart installs it, too',
  async () => {
    await kubectl(['delete', '-f', ofRelease('manifests', 'install.yaml'), '--wait=true', '--timeout=120s']);
    const [helm, chart] = [['bin/cluster', 'helm'], ofRelease('charts', `devshelf-operator-${version}.tgz`)];
    const digest = imageOf('devshelf-operator').replace(/^.*@/, '');
    const args = ['install', 'operator', chart, '--namespace', NAMESPACE, '--create-namespace'];
    await run([...helm, ...args, '--set', `image.digest=${digest}`, '--wait', '--timeout', '3m'], { cwd: CHECKOUT });
    await run([...helm, 'uninstall', 'operator', '--namespace', NAMESPACE], { cwd: CHECKOUT });
  },
  10 * MINUTE,
);
