// A real Prometheus as the second witness, the whole way: it reads pods as it finds them, the operator cannot read the
// candidate's, and by its word a bad release is taken back. Before it stands what wants a token, as in a cluster.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { IncidentRecord } from '../../operator/src/api/incident.ts';
import { createEvidence } from '../../operator/src/controller/judging.ts';
import { startLittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { LittlePods } from '../../operator/src/controller/testing/little-pods.ts';
import { Scene } from '../../operator/src/controller/testing/scene.ts';
import { image, until } from '../../operator/src/controller/testing/shop.ts';
import type { KubeObject } from '../../operator/src/kube/resource.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { startPrometheus } from './prometheus.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const PATIENCE_MS = 120_000;
const TOKENS = { wrong: 'canary-of-yesterday', right: 'canary-of-today' } as const;
const PER_SECOND = 20;

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type IncidentObject = { readonly data: { readonly incident: IncidentRecord } };
type Pod = KubeObject & { status?: { podIP?: string } };

test(
  'a bad candidate that only Prometheus can read is taken back by its word, with the token of that moment',
  async () => {
    const pods = new LittlePods();
    ends.push(() => pods.stopAll());
    const cluster = await startLittleCluster({}, pods);
    ends.push(() => cluster.stop());
    const scene = new Scene(cluster, 'witnessed');
    const { shop } = scene;
    await shop.open();

    const found = await serve(async (_request, response) => {
      const groups = ((await shop.list('pods')) as Pod[]).flatMap(({ metadata: { name }, status }) =>
        status?.podIP ? [{ targets: [`${status.podIP}:8080`], labels: { namespace: shop.namespace, pod: name } }] : [],
      );
      response.setHeader('content-type', 'application/json').end(JSON.stringify(groups));
    });
    const discovery = { job_name: 'pods', http_sd_configs: [{ url: found, refresh_interval: '1s' }] };
    const prometheus = await startPrometheus(
      { global: { scrape_interval: '1s' }, scrape_configs: [discovery] },
      { groups: [] },
    );
    ends.push(() => prometheus.remove());
    const door = await serve(async ({ url = '', headers }, response) => {
      if (headers.authorization !== `Bearer ${TOKENS.right}`) return void response.writeHead(401).end();
      const answer = await fetch(`${prometheus.url}${url}`);
      response.writeHead(answer.status).end(await answer.text());
    });
    const folder = temporaryFolder('devshelf-token-');
    ends.push(() => folder.remove());
    const tokenFile = join(folder.path, 'token');
    writeFileSync(tokenFile, `${TOKENS.wrong}\n`);

    const lines: string[] = [];
    const log = pino({ level: 'debug', base: null }, { write: line => lines.push(line) });
    const transport = await cluster.connect();
    ends.push(() => transport.close());
    scene.evidence = (world, wake) =>
      createEvidence({ world, wake, transport, access: 'direct', log, prometheus: { url: door, tokenFile } });
    await scene.start(undefined, { log });
    ends.push(() => scene.stop());
    await scene.settled('1', {
      replicas: 3,
      rollout: {
        minReadySeconds: 0,
        bakeSeconds: 0,
        // no verdict that it is good comes before the story is over; blind before Prometheus has answered
        analysis: { minimumSeconds: 600, timeoutSeconds: 1_200, minimumRequests: 20, blindAfterSeconds: 5 },
      },
    });

    const harmed: string[] = [];
    const users = setInterval(() => {
      const endpoints = cluster.kubelet.endpoints(shop.namespace);
      const answer = pods.serve(endpoints[Math.floor(Math.random() * endpoints.length)] ?? '');
      if (answer?.failed) harmed.push(answer.image);
    }, 1_000 / PER_SECOND);
    ends.push(() => clearInterval(users));
    await shop.release('2');
    await shop.says('Analysing', 'AnalysisPassed', PATIENCE_MS);
    pods.refusesOperator.add(image('2'));

    // refused by both: it says so, and nobody is blamed
    const blind = async (): Promise<string | undefined> =>
      (await shop.app())?.status?.conditions?.find(
        ({ type, reason }) => type === 'AnalysisPassed' && reason === 'Blind',
      )?.message;
    await until(
      async () => (await blind())?.includes('Prometheus: it answered 401'),
      async () => `${await blind()}`,
      PATIENCE_MS,
    );
    expect(pods.operatorRefused).toBeGreaterThan(0);
    pods.fails(image('2'), 0.5);
    await until(async () => harmed.length > 5, 'nobody was harmed', PATIENCE_MS);
    expect((await shop.app())?.status?.rollout?.rejected).toBeUndefined();

    // renewed in place, as tokens of service accounts are
    writeFileSync(tokenFile, `${TOKENS.right}\n`);
    const { status } = await shop.settles('1', 'ReleaseRejected', PATIENCE_MS);
    expect(status?.rollout?.rejected).toMatchObject({ image: image('2'), reason: 'Regression' });
    expect(status?.rollout?.rejected?.evidence).toMatch(
      /\d+ of \d+ requests answered 5xx \(limit 5 %\), the pods beside it 0 of \d+; read through Prometheus every \d s/,
    );
    const records = (await shop.incidents()).map(object => (object as unknown as IncidentObject).data.incident);
    expect(records.filter(({ kind }) => !kind)).toMatchObject([
      { reason: 'Regression', phase: 'Candidate', failed: { image: image('2') }, restored: { image: image('1') } },
    ]);
    expect(new Set(harmed)).toEqual(new Set([image('2')]));
    const told = await Promise.all(['events', 'pods', 'apps/v1/controllerrevisions'].map(kind => shop.list(kind)));
    for (const token of Object.values(TOKENS))
      expect(JSON.stringify([told, await shop.app()]) + lines.join('')).not.toContain(token);
  },
  BUILD_MS,
);
