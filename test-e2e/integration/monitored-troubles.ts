// What people are called for: resources that come into trouble, one of each kind, in a namespace of their own beside what
// the dashboards draw. An operator of their own looks after them, whose judgements are scripted; what it says of them is
// told with what the story's operator tells.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Controller } from '../../operator/src/controller/controller.ts';
import type { OperatorMetrics } from '../../operator/src/controller/metrics.ts';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { verdict } from '../../operator/src/controller/testing/little-kubelet.ts';
import { type Script, ScriptedEvidence } from '../../operator/src/controller/testing/scripted-evidence.ts';
import { image, QUICK, Shop } from '../../operator/src/controller/testing/shop.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { run } from '../cluster/run.ts';

const NAMESPACE = 'trouble';
const SETTLES_MS = 60_000;

/** A bad release that serves as its policy says, a dependency and a database that fail, a certificate of one day. */
export async function makeTrouble(
  cluster: LittleCluster,
  metrics: OperatorMetrics,
  ends: (() => unknown)[],
): Promise<void> {
  const shops = ['held', 'degraded', 'frozen', 'certified'].map(name => new Shop(cluster, NAMESPACE, name));
  const [held, degraded, frozen, certified] = shops as [Shop, Shop, Shop, Shop];
  await held.open();
  await certified.addSecret('certified-tls', await certificateOfOneDay());
  const script: Script = new Map([
    [image('held'), { canary: 'Bad' }],
    [image('degraded'), { canary: 'DependencyDegraded' }],
  ]);
  await startOperator(cluster, metrics, script, ends);

  const analysis = { ...QUICK.analysis, policy: 'Hold' };
  const exposure = { type: 'Ingress', hosts: ['shop.example'], tls: { secretName: 'certified-tls' } };
  await held.create('1', { rollout: { ...QUICK, analysis } });
  await degraded.create('1');
  await frozen.create('1');
  await certified.create('1', { exposure });
  await Promise.all(shops.map(shop => shop.settles('1', 'AsExpected', SETTLES_MS)));

  await held.release('held');
  await degraded.release('degraded');
  cluster.kubelet.behave(NAMESPACE, image('frozen'), { migration: verdict('unreachable', [], 'it does not answer') });
  await frozen.release('frozen');
  await held.says('Held', 'AnalysisPassed', SETTLES_MS);
  await degraded.says('DependencyDegraded', 'AnalysisPassed', SETTLES_MS);
  await frozen.says('DatabaseUnreachable', 'Migrated', SETTLES_MS);
}

async function startOperator(
  cluster: LittleCluster,
  metrics: OperatorMetrics,
  script: Script,
  ends: (() => unknown)[],
): Promise<void> {
  const transport = await cluster.connect();
  const controller = new Controller({
    transport,
    namespaces: [NAMESPACE],
    workers: 2,
    evidence: (world, wake) => new ScriptedEvidence(script, world, wake),
    recorder: { record: () => undefined },
    metrics,
    log: pino({ level: process.env['LOG'] ?? 'silent', base: null }),
    now: Date.now,
    randomBytes,
  });
  await controller.start();
  ends.push(async () => {
    await controller.stop();
    await transport.close();
  });
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
