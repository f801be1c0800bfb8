// What people are called for: resources of the story that come into trouble, one of each kind, beside those that the
// dashboards draw.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { verdict } from '../../operator/src/controller/testing/little-kubelet.ts';
import type { Script } from '../../operator/src/controller/testing/scripted-evidence.ts';
import { image, QUICK, Shop } from '../../operator/src/controller/testing/shop.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { run } from '../cluster/run.ts';

const SETTLES_MS = 60_000;

/** A bad release that serves as its policy says, a dependency and a database that fail, a certificate of one day. */
export async function makeTrouble(cluster: LittleCluster, namespace: string, script: Script): Promise<void> {
  const settled = async (name: string, spec: Record<string, unknown> = {}): Promise<Shop> => {
    const shop = new Shop(cluster, namespace, name);
    await shop.create('1', spec);
    await shop.settles('1', 'AsExpected', SETTLES_MS);
    return shop;
  };
  const hold = { rollout: { ...QUICK, analysis: { ...QUICK.analysis, policy: 'Hold' } } };
  const [held, degraded, frozen] = await Promise.all([settled('held', hold), settled('degraded'), settled('frozen')]);

  script.set(image('held'), { canary: 'Bad' });
  await held.release('held');
  script.set(image('degraded'), { canary: 'DependencyDegraded' });
  await degraded.release('degraded');
  cluster.kubelet.behave(namespace, image('frozen'), { migration: verdict('unreachable', [], 'it does not answer') });
  await frozen.release('frozen');
  await held.says('Held', 'AnalysisPassed', SETTLES_MS);
  await degraded.says('DependencyDegraded', 'AnalysisPassed', SETTLES_MS);
  await frozen.says('DatabaseUnreachable', 'Migrated', SETTLES_MS);

  const certified = new Shop(cluster, namespace, 'certified');
  await certified.addSecret('certified-tls', await certificateOfOneDay());
  const exposure = { type: 'Ingress', hosts: ['shop.example'], tls: { secretName: 'certified-tls' } };
  await settled('certified', { exposure });
}

async function certificateOfOneDay(): Promise<Record<string, string>> {
  const folder = temporaryFolder('devshelf-certificate-');
  try {
    const [key, certificate] = ['tls.key', 'tls.crt'].map(name => join(folder.path, name)) as [string, string];
    const made = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
    ];
    await run(['openssl', 'req', '-x509', ...made, '-days', '1', '-subj', '/CN=shop.example']);
    return { 'tls.key': readFileSync(key, 'utf8'), 'tls.crt': readFileSync(certificate, 'utf8') };
  } finally {
    folder.remove();
  }
}
