// The smallest release that the operator can manage: it misbehaves as its pods are told (overlays/told.ts), and needs
// no database.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../cluster/build.ts';
import { buildOverlay, type Image, projectImage } from '../cluster/images.ts';
import { CHECKOUT } from '../cluster/paths.ts';
import type { KubeObject } from './kube.ts';
import { secret } from './namespace.ts';

/** Short enough to watch: users are on trial for five seconds, and nothing is watched afterwards. */
export const SETTLES = { minReadySeconds: 1, bakeSeconds: 0, analysis: { minimumSeconds: 5, minimumRequests: 20 } };

/** @param content the same service; another content makes it another image */
export async function toldImage(tag: string, content = tag): Promise<Image> {
  const server = join(CHECKOUT, 'build', 'overlays', 'told', 'server');
  mkdirSync(join(server, '..'), { recursive: true });
  await bundle(join(import.meta.dirname, 'overlays', 'told.ts'), server);
  const files = { '/usr/local/bin/server': server, [`/etc/told/${content}`]: import.meta.filename };
  return buildOverlay({ from: await projectImage('dashboard', '1.0.0'), name: 'told', tag, files });
}

/** The Secret that the resources name; nobody connects by it. */
export const noDatabase = (namespace: string): Promise<KubeObject> =>
  secret(namespace, 'dashboard-db', 'DATABASE_URL', 'postgresql://nobody:nothing@127.0.0.1:5432/none');

export const toldDashboard = (namespace: string, name: string, { reference }: Image): KubeObject => ({
  apiVersion: 'apps.devshelf.dev/v1alpha1',
  kind: 'DashboardDeployment',
  metadata: { name, namespace },
  spec: {
    image: reference,
    replicas: 2,
    database: { urlSecretRef: { name: 'dashboard-db' } },
    migrations: { policy: 'Disabled' },
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
    // longer than kube-proxy waits between two syncs, which is a second: two pods that go in one are still sent to then
    podTemplate: { preStopSleepSeconds: 3, terminationGracePeriodSeconds: 8 },
    rollout: SETTLES,
  },
});
