// Traefik as its users have it: two pods behind a Service of their own, with the rights that its documentation names.
import { dirname, join } from 'node:path';
import { binaryPath, ensureBinaries } from '../cluster/binaries.ts';
import { kubectl, loadImages } from '../cluster/cluster.ts';
import { buildImage } from '../cluster/images.ts';
import { apply, get, type KubeObject, list, patch, remove } from '../scenarios/kube.ts';
import { clearNamespace } from '../scenarios/namespace.ts';
import { until } from '../scenarios/wait.ts';
import { GATEWAY_CONTROLLER, INGRESS_CONTROLLER } from './traefik.ts';

/** The namespace of its pods. */
export const EDGE = 'edge';
export const CLASS = 'traefik';
export const GATEWAY = 'public';
/** The Gateway's listeners. */
export const HTTP = 'http';
export const HTTPS = 'https';
/** In `EDGE`: the certificate of the listener for HTTPS. The test makes it. */
export const GATEWAY_SECRET = 'public-tls';
/** Of the node's own network, where nobody has it: kube-proxy leads it to the pods, as it does with a balancer's. */
export const PUBLIC_ADDRESS = '172.30.0.200';

const NAME = 'traefik';
const VERSION = '3.6.12';
const REPLICAS = 2;
/** Of the entry points in the pods; the Service's own are what users meet. */
const PORTS = { web: 8000, websecure: 8443 };
const OWN_PORT = 8080;
const LABELS = { app: NAME };
const PODS = `/api/v1/namespaces/${EDGE}/pods`;
const SERVICE = `/api/v1/namespaces/${EDGE}/services/${NAME}`;
const DEPLOYMENT = `/apis/apps/v1/namespaces/${EDGE}/deployments/${NAME}`;
const RBAC = 'rbac.authorization.k8s.io';

export interface Lifecycle {
  /** `transport.lifeCycle.requestAcceptGraceTimeout` of each entry point; absent: Traefik's own, none. */
  readonly acceptsForSeconds?: number;
}

/** What its documentation gives it for Ingresses and for the standard channel of Gateway API. */
const RULES = [
  { apiGroups: [''], resources: ['services', 'secrets', 'configmaps'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['namespaces', 'nodes'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['update'] },
  ...['gatewayclasses', 'gateways', 'httproutes', 'grpcroutes', 'referencegrants', 'backendtlspolicies'].flatMap(
    resource => [
      { apiGroups: ['gateway.networking.k8s.io'], resources: [resource], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['gateway.networking.k8s.io'], resources: [`${resource}/status`], verbs: ['update'] },
    ],
  ),
];

const args = ({ acceptsForSeconds }: Lifecycle): readonly string[] => [
  '--global.checkNewVersion=false',
  '--global.sendAnonymousUsage=false',
  ...Object.entries(PORTS).flatMap(([name, port]) => [
    `--entryPoints.${name}.address=:${port}`,
    ...(acceptsForSeconds === undefined
      ? []
      : [`--entryPoints.${name}.transport.lifeCycle.requestAcceptGraceTimeout=${acceptsForSeconds}s`]),
  ]),
  // without it an Ingress' certificate alone opens no HTTPS
  '--entryPoints.websecure.http.tls=true',
  `--entryPoints.traefik.address=:${OWN_PORT}`,
  '--ping=true',
  '--providers.kubernetesIngress=true',
  `--providers.kubernetesIngress.ingressEndpoint.publishedService=${EDGE}/${NAME}`,
  '--providers.kubernetesGateway=true',
  `--providers.kubernetesGateway.statusAddress.service.namespace=${EDGE}`,
  `--providers.kubernetesGateway.statusAddress.service.name=${NAME}`,
];

const deployment = (image: string, lifecycle: Lifecycle): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: NAME, namespace: EDGE },
  spec: {
    replicas: REPLICAS,
    strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    selector: { matchLabels: LABELS },
    template: {
      metadata: { labels: LABELS },
      spec: {
        serviceAccountName: NAME,
        terminationGracePeriodSeconds: 60,
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: NAME,
            image,
            args: args(lifecycle),
            ports: [
              ...Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort })),
              { name: 'own', containerPort: OWN_PORT },
            ],
            readinessProbe: { httpGet: { path: '/ping', port: 'own' }, periodSeconds: 1, failureThreshold: 1 },
            resources: { requests: { cpu: '250m', memory: '64Mi' } },
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    },
  },
});

const objects = (): readonly KubeObject[] => [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: EDGE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace: EDGE } },
  { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name: NAME }, rules: RULES },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: NAME },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: NAME },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: EDGE }],
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: EDGE },
    spec: {
      type: 'LoadBalancer',
      // otherwise the node puts its own address in the place of the client's
      externalTrafficPolicy: 'Local',
      selector: LABELS,
      ports: [
        { name: 'web', port: 80, targetPort: 'web' },
        { name: 'websecure', port: 443, targetPort: 'websecure' },
      ],
    },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: CLASS },
    spec: { controller: INGRESS_CONTROLLER },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: CLASS },
    spec: { controllerName: GATEWAY_CONTROLLER },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: GATEWAY, namespace: EDGE },
    spec: {
      gatewayClassName: CLASS,
      // the ports are the entry points' in the pods
      listeners: [
        { name: HTTP, port: PORTS.web, protocol: 'HTTP' },
        {
          name: HTTPS,
          port: PORTS.websecure,
          protocol: 'HTTPS',
          tls: { mode: 'Terminate', certificateRefs: [{ name: GATEWAY_SECRET }] },
        },
      ].map(listener => ({ ...listener, allowedRoutes: { namespaces: { from: 'All' } } })),
    },
  },
];

let image = '';

/** Gateway API's definitions, which have to be there before the operator starts, and Traefik's image. */
export async function prepareTraefik(): Promise<void> {
  for (const crds of ['gateway-api', 'gateway-api-others'])
    await kubectl(['apply', '--server-side', '-f', join(import.meta.dirname, '../crds', crds)]);
  await ensureBinaries('traefik');
  const built = await buildImage({
    name: NAME,
    tag: VERSION,
    dockerfile: join(import.meta.dirname, 'Dockerfile.traefik'),
    context: dirname(binaryPath('traefik')),
    inputs: ['traefik'],
  });
  await loadImages([built]);
  image = built.reference;
}

/** Returns when both pods are ready; no balancer has given their Service an address yet. */
export async function startTraefik(certificate: KubeObject): Promise<void> {
  await clearNamespace(EDGE);
  const [namespace, ...others] = objects();
  for (const object of [namespace, certificate, ...others]) if (object) await apply(object);
  await setLifecycle({});
}

/** What goes on when a pod is told to go. Returns when no pod with other settings is left. */
export async function setLifecycle(lifecycle: Lifecycle): Promise<void> {
  await apply(deployment(image, lifecycle));
  await allServe();
}

export async function allServe(): Promise<void> {
  await until(
    'the pods of Traefik to serve',
    async () => {
      const { metadata, status } = await get(DEPLOYMENT);
      const isSeen = status?.observedGeneration === metadata.generation;
      const areThere = status?.updatedReplicas === REPLICAS && status?.readyReplicas === REPLICAS;
      return isSeen && areThere && (await pods()).length === REPLICAS;
    },
    { seconds: 180 },
  );
}

const pods = (): Promise<readonly KubeObject[]> => list(`${PODS}?labelSelector=app%3D${NAME}`);

/** What a cloud's controller does when its balancer is there. */
export const giveAddress = (): Promise<KubeObject> =>
  patch(`${SERVICE}/status`, { status: { loadBalancer: { ingress: [{ ip: PUBLIC_ADDRESS }] } } });

/** As a drain does it: the pod is told to go. */
export async function deleteOne(): Promise<void> {
  const [pod] = await pods();
  if (!pod) throw new Error('Traefik has no pod');
  await remove(`${PODS}/${pod.metadata.name}`);
}

export async function removeTraefik(): Promise<void> {
  await clearNamespace(EDGE);
  for (const kind of ['clusterrolebindings', 'clusterroles']) await remove(`/apis/${RBAC}/v1/${kind}/${NAME}`);
  await remove(`/apis/networking.k8s.io/v1/ingressclasses/${CLASS}`);
  await remove(`/apis/gateway.networking.k8s.io/v1/gatewayclasses/${CLASS}`);
}
