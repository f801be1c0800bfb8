// KEDA's programs on loopback, for the objects of a real API server.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aggregate, isAggregated } from '../cluster/aggregation.ts';
import type { ApiServer } from '../cluster/apiserver.ts';
import { sourceFolder } from '../cluster/binaries.ts';
import { authority, certificate } from '../cluster/pki.ts';
import { freePorts } from '../cluster/ports.ts';
import { type Program, startProgram } from './program.ts';

export const KEDA_NAMESPACE = 'keda';
const METRICS = { group: 'external.metrics.k8s.io', version: 'v1beta1' };
const METRICS_SERVICE = 'keda-metrics-apiserver';

/** All of KEDA's, from where its programs are built. */
export async function installDefinitions(api: ApiServer): Promise<void> {
  await api.installCrds(join(await sourceFolder('keda', 'github.com/kedacore/keda/v2'), 'config/crd/bases'));
}

export interface Certificates {
  readonly folder: string;
  /** PEM, as base64. */
  readonly caBundle: string;
}

/** As KEDA's operator makes them: one for all of its programs. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const ca = await authority(folder, 'ca');
  const alternativeNames = ['IP:127.0.0.1', `DNS:${METRICS_SERVICE}.${KEDA_NAMESPACE}.svc`];
  await certificate(folder, ca, 'tls', { commonName: 'keda', alternativeNames });
  return { folder, caBundle: readFileSync(ca.cert, 'base64') };
}

/** An administrator's, instead of the rights of its manifests. */
const environment = ({ adminKubeconfigPath }: ApiServer): Readonly<Record<string, string>> => ({
  KUBECONFIG: adminKubeconfigPath,
  WATCH_NAMESPACE: '',
  POD_NAMESPACE: KEDA_NAMESPACE,
  KEDA_CLUSTER_OBJECT_NAMESPACE: KEDA_NAMESPACE,
});

async function isReady(port: number | undefined): Promise<void> {
  const { ok, status } = await fetch(`http://127.0.0.1:${port}/readyz`);
  if (!ok) throw new Error(`/readyz answers ${status}`);
}

/** The webhook for ScaledObjects. KEDA's manifests let through what it cannot see; here nothing is. */
export async function startWebhooks(api: ApiServer, { folder, caBundle }: Certificates): Promise<Program> {
  const [port, health] = await freePorts(2);
  const program = await startProgram('keda-admission-webhooks', {
    flags: () => [
      '--metrics-bind-address=0',
      `--health-probe-bind-address=127.0.0.1:${health}`,
      `--port=${port}`,
      `--cert-dir=${folder}`,
    ],
    env: environment(api),
    answers: () => isReady(health),
  });
  const resources = { apiGroups: ['keda.sh'], apiVersions: ['v1alpha1'], resources: ['scaledobjects'] };
  await api.request('POST', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
    metadata: { name: 'keda-admission' },
    webhooks: [
      {
        name: 'vscaledobject.kb.io',
        admissionReviewVersions: ['v1'],
        clientConfig: { url: `https://127.0.0.1:${port}/validate-keda-sh-v1alpha1-scaledobject`, caBundle },
        failurePolicy: 'Fail',
        sideEffects: 'None',
        rules: [{ ...resources, operations: ['CREATE', 'UPDATE'] }],
      },
    ],
  });
  return program;
}

export interface KedaOperator {
  /** Ends it in the middle of whatever it does. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** What it printed since its last start. */
  log(): string;
  /** Where the API server of metrics asks it. */
  readonly address: string;
}

/** Not yet started. */
export async function prepareOperator(api: ApiServer, { folder }: Certificates): Promise<KedaOperator> {
  const [metrics, health] = await freePorts(2);
  const address = `127.0.0.1:${metrics}`;
  let running: Program | undefined;
  const start = async (): Promise<void> => {
    running = await startProgram('keda-operator', {
      flags: () => [
        '--metrics-bind-address=0',
        `--health-probe-bind-address=127.0.0.1:${health}`,
        `--metrics-service-bind-address=${address}`,
        `--cert-dir=${folder}`,
      ],
      env: environment(api),
      answers: () => isReady(health),
    });
  };
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  return { start, stop, log: () => running?.log() ?? '', address };
}

/** Its API server of metrics, behind the one that everybody asks, which has the flags of `aggregationFlags`. */
export async function startMetrics(
  api: ApiServer,
  { folder, caBundle }: Certificates,
  { address }: KedaOperator,
): Promise<Program> {
  const [port = 0, own] = await freePorts(2);
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: KEDA_NAMESPACE } });
  await aggregate(api, { ...METRICS, namespace: KEDA_NAMESPACE, service: METRICS_SERVICE, port, caBundle });
  return startProgram('keda-metrics-apiserver', {
    flags: () => [
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--port=${own}`,
      `--cert-dir=${folder}`,
      `--client-ca-file=${join(folder, 'ca.crt')}`,
      `--tls-cert-file=${join(folder, 'tls.crt')}`,
      `--tls-private-key-file=${join(folder, 'tls.key')}`,
      `--metrics-service-address=${address}`,
      ...['lister', 'authentication', 'authorization'].map(of => `--${of}-kubeconfig=${api.adminKubeconfigPath}`),
    ],
    env: environment(api),
    answers: async () => {
      if (!(await isAggregated(api, METRICS))) throw new Error('nothing is passed on');
    },
  });
}

/** What a HorizontalPodAutoscaler is told of the first trigger of a ScaledObject. */
export async function metricOf(api: ApiServer, namespace: string, scaledObject: string): Promise<string[]> {
  const selector = encodeURIComponent(`scaledobject.keda.sh/name=${scaledObject}`);
  const path = `/apis/${METRICS.group}/${METRICS.version}/namespaces/${namespace}/s0-prometheus`;
  const { items } = (await api.request('GET', `${path}?labelSelector=${selector}`)) as {
    readonly items: readonly { readonly value: string }[];
  };
  return items.map(({ value }) => value);
}
