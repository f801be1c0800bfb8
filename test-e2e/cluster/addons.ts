// Names for Services (CoreDNS) and figures for the autoscaler (metrics-server). Both run as processes beside the node's
// own, not as pods: a Service without a selector leads to them, and the cluster starts sooner.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryPath } from './binaries.ts';
import { type Cluster, DNS_SERVICE_IP, NODE_IP } from './names.ts';
import { caBundle, kubeconfigOf, nodeKubectl, pkiFolder } from './node.ts';
import { enterNode, startProgram, untilReady } from './processes.ts';
import { sleep, succeeds } from './run.ts';

const METRICS_PORT = 4443;
const DNS_READY_PORT = 8181;

/** Starts both; returns when names resolve. Metrics follow with the first scrape, some 15 s later. */
export const startAddons = async (cluster: Cluster): Promise<void> => {
  startProgram(cluster, 'coredns', 'node', coredns(cluster));
  startProgram(cluster, 'metrics-server', 'node', metricsServer(cluster));
  const objects = [...dnsService(), ...metricsService(cluster)];
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await nodeKubectl(cluster, ['apply', '--server-side', '-f', '-'], JSON.stringify(list));
  await untilReady(cluster, 'coredns', async () => {
    const answered = await succeeds([...enterNode(cluster), 'bash', '-c', dnsReady]);
    if (!answered) await sleep(50);
    return answered;
  });
};

// no curl here: it may not be installed
const dnsReady = `exec 3<>/dev/tcp/127.0.0.1/${DNS_READY_PORT}; printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3 | grep -q 200`;

const coredns = (cluster: Cluster): string[] => {
  const corefile = join(cluster.state, 'config', 'Corefile');
  // there is no way out of the cluster, so every other name does not exist
  const text = `cluster.local in-addr.arpa ip6.arpa {
  errors
  ready :${DNS_READY_PORT}
  cache 5
  kubernetes {
    kubeconfig ${kubeconfigOf(cluster, 'addons')}
    ttl 5
  }
}
. {
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
  writeFileSync(corefile, text);
  return [binaryPath('coredns'), '-conf', corefile];
};

const metricsServer = (cluster: Cluster): string[] => {
  const certificate = join(pkiFolder(cluster), 'metrics-server');
  const kubeconfig = kubeconfigOf(cluster, 'addons');
  return [
    binaryPath('metrics-server'),
    `--secure-port=${METRICS_PORT}`,
    `--tls-cert-file=${certificate}.crt`,
    `--tls-private-key-file=${certificate}.key`,
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--kubelet-certificate-authority=${join(pkiFolder(cluster), 'ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--metric-resolution=11s', // must exceed the time given to a kubelet
    '--kubelet-request-timeout=5s',
  ];
};

type Port = { readonly name: string; readonly port: number; readonly targetPort: number; readonly protocol: string };

/** A Service whose only endpoint is a process in the node's network. */
const nodeService = (name: string, ports: readonly Port[], clusterIP?: string) => {
  const metadata = { name, namespace: 'kube-system' };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports, ...(clusterIP ? { clusterIP } : {}) } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        ...metadata,
        labels: {
          'kubernetes.io/service-name': name,
          'endpointslice.kubernetes.io/managed-by': 'devshelf-test-cluster',
        },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [NODE_IP], conditions: { ready: true } }],
      ports: ports.map(port => ({ name: port.name, port: port.targetPort, protocol: port.protocol })),
    },
  ];
};

const dnsService = () =>
  nodeService(
    'kube-dns',
    [
      { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, targetPort: 53, protocol: 'TCP' },
    ],
    DNS_SERVICE_IP,
  );

const metricsService = (cluster: Cluster) => [
  ...nodeService('metrics-server', [{ name: 'https', port: 443, targetPort: METRICS_PORT, protocol: 'TCP' }]),
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: {
      group: 'metrics.k8s.io',
      version: 'v1beta1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { name: 'metrics-server', namespace: 'kube-system' },
      caBundle: caBundle(cluster),
    },
  },
];
