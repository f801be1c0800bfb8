// The node: control plane, containerd, kubelet and kube-proxy as plain processes in one network namespace.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { binaryPath } from './binaries.ts';
import { createCgroups } from './cgroups.ts';
import {
  type Cluster,
  containerdSocket,
  DNS_SERVICE_IP,
  KUBERNETES_SERVICE_IP,
  NODE_IP,
  NODE_NAME,
  NODE_POD_CIDR,
  PAUSE_IMAGE,
  POD_CIDR,
  SERVICE_CIDR,
} from './names.ts';
import { createNetwork, startForward } from './network.ts';
import { folder } from './paths.ts';
import { authority, certificate, kubeconfig, type Pair, type Subject, signingKey } from './pki.ts';
import { enterNode, startProgram, untilReady } from './processes.ts';
import { run, succeeds } from './run.ts';

const API_PORT = 6443;
const ETCD = 'http://127.0.0.1:2379';
const NODE_READY_MS = 60_000;

// who they are decides what they may do (the Node authorizer, the system: roles)
const CLIENTS = {
  admin: { commonName: 'admin', organization: 'system:masters' },
  'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
  'kube-scheduler': { commonName: 'system:kube-scheduler' },
  'kube-proxy': { commonName: 'system:kube-proxy' },
  kubelet: {
    commonName: `system:node:${NODE_NAME}`,
    organization: 'system:nodes',
    alternativeNames: [`DNS:${NODE_NAME}`, `IP:${NODE_IP}`],
  },
  addons: { commonName: 'addons', organization: 'system:masters' },
} as const satisfies Record<string, Subject>;

type Client = keyof typeof CLIENTS;

const OTHERS = {
  apiserver: {
    commonName: 'kube-apiserver',
    alternativeNames: [
      ...['127.0.0.1', NODE_IP, KUBERNETES_SERVICE_IP].map(address => `IP:${address}`),
      ...['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map(name => `DNS:${name}`),
    ],
  },
  'kubelet-client': { commonName: 'apiserver-kubelet-client', organization: 'system:masters' },
  'metrics-server': { commonName: 'metrics-server', alternativeNames: ['DNS:metrics-server.kube-system.svc'] },
} as const satisfies Record<string, Subject>;

export const pkiFolder = (cluster: Cluster): string => join(cluster.state, 'pki');
export const kubeconfigOf = (cluster: Cluster, client: Client): string =>
  join(pkiFolder(cluster), `${client}.kubeconfig`);
const config = (cluster: Cluster, file: string): string => join(cluster.state, 'config', file);

/** kubectl inside the node's network namespace. */
export const nodeKubectl = (cluster: Cluster, args: readonly string[], input?: string): Promise<string> =>
  run(
    [...enterNode(cluster), binaryPath('kubectl'), '--kubeconfig', cluster.nodeKubeconfig, ...args],
    input === undefined ? {} : { input },
  );

/** Starts everything and returns when the node is Ready; `apiPort` is where this machine reaches the API server. */
export const startNode = async (cluster: Cluster, apiPort: number, images: () => Promise<void>): Promise<void> => {
  await Promise.all([makePki(cluster, apiPort), createNetwork(cluster), createCgroups(cluster)]);
  startProgram(cluster, 'etcd', 'node', etcd(cluster));
  startContainerd(cluster);
  startProgram(cluster, 'kube-apiserver', 'node', apiserver(cluster));
  startForward(cluster, 'api-forward', apiPort, `127.0.0.1:${API_PORT}`);
  await Promise.all([
    untilReady(cluster, 'containerd', () => succeeds(['ctr', '-a', containerdSocket(cluster), 'version'])).then(images),
    untilReady(cluster, 'kube-apiserver', () => isReady(cluster, apiPort)),
  ]);
  startKubelet(cluster);
  startKubeProxy(cluster);
  startProgram(cluster, 'kube-controller-manager', 'node', controllerManager(cluster));
  startProgram(cluster, 'kube-scheduler', 'node', scheduler(cluster));
  await untilReady(cluster, 'kubelet', () => nodeIsReady(cluster, apiPort), NODE_READY_MS);
};

// asked every few milliseconds, so not with kubectl, which takes longer to start than the answer takes
const answerOf = async (cluster: Cluster, apiPort: number, path: string): Promise<unknown> => {
  const [ca, admin] = [pairOf(cluster, 'ca'), pairOf(cluster, 'admin')];
  const identity = { ca: readFileSync(ca.cert), cert: readFileSync(admin.cert), key: readFileSync(admin.key) };
  const request = get(`https://127.0.0.1:${apiPort}${path}`, { ...identity, agent: false, timeout: 5_000 });
  request.once('timeout', () => request.destroy(new Error(`${path} took too long`)));
  const [response] = await once(request, 'response');
  const body = await text(response);
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${body}`);
  return body.startsWith('{') ? JSON.parse(body) : body;
};

const isReady = (cluster: Cluster, apiPort: number): Promise<boolean> =>
  answerOf(cluster, apiPort, '/readyz').then(
    () => true,
    () => false,
  );

type NodeObject = { readonly status: { readonly conditions?: readonly { type: string; status: string }[] } };

const nodeIsReady = async (cluster: Cluster, apiPort: number): Promise<boolean> => {
  try {
    const node = (await answerOf(cluster, apiPort, `/api/v1/nodes/${NODE_NAME}`)) as NodeObject;
    // no pod can be created before the controllers have made this
    await answerOf(cluster, apiPort, '/api/v1/namespaces/default/serviceaccounts/default');
    return node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  } catch {
    return false;
  }
};

const makePki = async (cluster: Cluster, apiPort: number): Promise<void> => {
  const pki = folder(pkiFolder(cluster));
  const [ca, frontProxyCa] = await Promise.all([
    authority(pki, 'ca'),
    authority(pki, 'front-proxy-ca'),
    signingKey(pki),
  ]);
  const clients = Object.entries<Subject>(CLIENTS).map(async ([name, subject]) => {
    const client = await certificate(pki, ca, name, subject);
    writeFileSync(join(pki, `${name}.kubeconfig`), kubeconfig(`https://127.0.0.1:${API_PORT}`, ca, client));
    if (name === 'admin') writeFileSync(cluster.kubeconfig, kubeconfig(`https://127.0.0.1:${apiPort}`, ca, client));
  });
  const others = Object.entries<Subject>(OTHERS).map(([name, subject]) => certificate(pki, ca, name, subject));
  const frontProxy = certificate(pki, frontProxyCa, 'front-proxy', { commonName: 'front-proxy-client' });
  await Promise.all([...clients, ...others, frontProxy]);
};

const pairOf = (cluster: Cluster, name: string): Pair => ({
  cert: join(pkiFolder(cluster), `${name}.crt`),
  key: join(pkiFolder(cluster), `${name}.key`),
});

const etcd = (cluster: Cluster): string[] => [
  binaryPath('etcd'),
  `--data-dir=${join(cluster.state, 'etcd')}`,
  `--listen-client-urls=${ETCD}`,
  `--advertise-client-urls=${ETCD}`,
  '--listen-peer-urls=http://127.0.0.1:2380',
  '--unsafe-no-fsync', // the data does not outlive the cluster
  '--log-level=warn',
];

const apiserver = (cluster: Cluster): string[] => {
  const pki = pkiFolder(cluster);
  const serving = pairOf(cluster, 'apiserver');
  const kubeletClient = pairOf(cluster, 'kubelet-client');
  const frontProxy = pairOf(cluster, 'front-proxy');
  return [
    binaryPath('kube-apiserver'),
    `--etcd-servers=${ETCD}`,
    `--secure-port=${API_PORT}`,
    '--bind-address=0.0.0.0',
    `--advertise-address=${NODE_IP}`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    `--tls-cert-file=${serving.cert}`,
    `--tls-private-key-file=${serving.key}`,
    `--client-ca-file=${pki}/ca.crt`,
    `--service-account-key-file=${pki}/sa.pub`,
    `--service-account-signing-key-file=${pki}/sa.key`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--kubelet-client-certificate=${kubeletClient.cert}`,
    `--kubelet-client-key=${kubeletClient.key}`,
    `--kubelet-certificate-authority=${pki}/ca.crt`,
    '--kubelet-preferred-address-types=InternalIP', // the node's name is in no DNS
    // what metrics-server trusts the aggregator by
    `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${frontProxy.cert}`,
    `--proxy-client-key-file=${frontProxy.key}`,
    `--audit-log-path=${auditLog(cluster)}`,
    `--audit-policy-file=${auditPolicy(cluster)}`,
  ];
};

/** One JSON line for each write of a service account: how tests count what a controller did. */
export const auditLog = (cluster: Cluster): string => join(cluster.state, 'log', 'audit.log');

const auditPolicy = (cluster: Cluster): string => {
  const accounts = { userGroups: ['system:serviceaccounts'] };
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      { level: 'Metadata', ...accounts, verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
      { level: 'None' },
    ],
  };
  folder(cluster.state, 'config');
  writeFileSync(config(cluster, 'audit-policy.json'), JSON.stringify(policy));
  return config(cluster, 'audit-policy.json');
};

const asClient = (file: string): string[] =>
  ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(flag => `--${flag}=${file}`);

const controllerManager = (cluster: Cluster): string[] => {
  const pki = pkiFolder(cluster);
  return [
    binaryPath('kube-controller-manager'),
    ...asClient(kubeconfigOf(cluster, 'kube-controller-manager')),
    `--service-account-private-key-file=${pki}/sa.key`,
    `--root-ca-file=${pki}/ca.crt`,
    `--cluster-signing-cert-file=${pki}/ca.crt`,
    `--cluster-signing-key-file=${pki}/ca.key`,
    '--use-service-account-credentials=true',
    '--kube-api-qps=100', // with the usual 20 the controllers take 5 s more to start, each asking for its own token
    '--kube-api-burst=200',
    '--leader-elect=false',
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${POD_CIDR}`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    `--flex-volume-plugin-dir=${join(cluster.state, 'volume-plugins')}`,
  ];
};

const scheduler = (cluster: Cluster): string[] => [
  binaryPath('kube-scheduler'),
  ...asClient(kubeconfigOf(cluster, 'kube-scheduler')),
  '--leader-elect=false',
];

const startContainerd = (cluster: Cluster): void => {
  const cni = folder(cluster.state, 'cni');
  writeFileSync(join(cni, '10-bridge.conflist'), JSON.stringify(bridge(cluster), null, 2));
  folder(cluster.state, 'config');
  writeFileSync(config(cluster, 'containerd.toml'), containerdToml(cluster, cni));
  startProgram(cluster, 'containerd', 'node', ['containerd', '--config', config(cluster, 'containerd.toml')]);
};

const bridge = (cluster: Cluster) => ({
  cniVersion: '1.0.0',
  name: 'devshelf',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: NODE_POD_CIDR }]],
        dataDir: join(cluster.state, 'ipam'),
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

// restrict_oom_score_adj: without CAP_SYS_RESOURCE (a container, some virtual machines) runc may not lower the score,
// and fails with "can't get final child's PID from pipe: EOF".
// netns_mounts_under_state_dir: so that the pods' namespaces are found again when everything was killed.
const containerdToml = (cluster: Cluster, cni: string): string => `version = 2
root = "${join(cluster.state, 'containerd')}"
state = "${join(cluster.state, 'containerd-state')}"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.grpc.v1.fuse-overlayfs"]
[grpc]
  address = "${containerdSocket(cluster)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${cni}"
`;

const startKubelet = (cluster: Cluster): void => {
  const pki = pkiFolder(cluster);
  const serving = pairOf(cluster, 'kubelet');
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cluster.cgroup}`,
    failSwapOn: false,
    failCgroupV1: false,
    containerRuntimeEndpoint: `unix://${containerdSocket(cluster)}`,
    authentication: {
      x509: { clientCAFile: join(pki, 'ca.crt') },
      webhook: { enabled: true },
      anonymous: { enabled: false },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: serving.cert,
    tlsPrivateKeyFile: serving.key,
    clusterDNS: [DNS_SERVICE_IP],
    clusterDomain: 'cluster.local',
    resolvConf: '',
    serializeImagePulls: false,
    imageGCHighThresholdPercent: 100,
    // a full disk of the machine is not this cluster's business
    evictionHard: {
      'nodefs.available': '0%',
      'imagefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'memory.available': '100Mi',
    },
    maxPods: 250,
    podLogsDir: join(cluster.state, 'pod-logs'),
    volumePluginDir: join(cluster.state, 'volume-plugins'),
    syncFrequency: '5s', // changed Secrets reach their mounts sooner than after the usual minute
  };
  writeFileSync(config(cluster, 'kubelet.json'), JSON.stringify(configuration, null, 2));
  startProgram(cluster, 'kubelet', 'node', [
    binaryPath('kubelet'),
    `--config=${config(cluster, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfigOf(cluster, 'kubelet')}`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${NODE_IP}`,
    `--root-dir=${join(cluster.state, 'kubelet')}`,
    `--cert-dir=${join(cluster.state, 'kubelet', 'pki')}`,
  ]);
};

const startKubeProxy = (cluster: Cluster): void => {
  const configuration = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clusterCIDR: POD_CIDR,
    hostnameOverride: NODE_NAME,
    clientConnection: { kubeconfig: kubeconfigOf(cluster, 'kube-proxy') },
    // the machine's connection tracking limits are not ours to set
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  writeFileSync(config(cluster, 'kube-proxy.json'), JSON.stringify(configuration, null, 2));
  startProgram(cluster, 'kube-proxy', 'node', [
    binaryPath('kube-proxy'),
    `--config=${config(cluster, 'kube-proxy.json')}`,
  ]);
};

/** The certificate authority of the cluster, as APIServices want it. */
export const caBundle = (cluster: Cluster): string => readFileSync(join(pkiFolder(cluster), 'ca.crt'), 'base64');
