// What both kinds have in common. Defaults live here and nowhere else; rules that need two fields are CEL.
import * as z from 'zod';
import { FORBIDDEN_HEADER_PREFIXES, FORBIDDEN_HEADERS, TOKEN_HEADERS, WEAKENING_PREFIXES } from '../refused.ts';
import { exposure, exposureRules } from './exposure.ts';
import {
  type CelRule,
  foreignObject,
  mapList,
  namespaceList,
  objectName,
  quantity,
  rules,
  seconds,
  stringMap,
} from './kubernetes.ts';
import { rotatingKey } from './rotation.ts';

/** Children are named after the resource; the longest suffix must still fit into 63 characters. */
export const MAX_NAME_LENGTH = 40;

/** Environment variables that the operator sets itself; `extraEnv` may not name them. */
export const RESERVED_ENV = [
  'DATABASE_URL',
  'REDIS_URL',
  'PORT',
  'SCRAPE_TOKEN_DIR',
  'SIGNING_KEYRING_DIR',
  'API_KEYRING_DIR',
] as const;

/** Pod labels that Services and selectors rely on; `podTemplate.labels` may not name them. */
const RESERVED_LABELS = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'pod-template-hash'] as const;
const RESERVED_LABEL_PREFIX = 'devshelf.dev/';

const celList = (values: readonly string[]) => `[${values.map(value => `'${value}'`).join(', ')}]`;

const DURATION = /^([0-9]+(ms|s|m|h))+$/;

const secretKeyRef = (defaultKey: string) =>
  z.object({
    name: objectName().describe('Name of the Secret, in the namespace of this resource.'),
    key: z
      .string()
      .min(1)
      .max(253)
      .default(defaultKey)
      .describe('Key inside the Secret whose value is the connection URL.'),
  });

/** A connection URL that is only ever named, never written into a resource. */
export const urlSecret = (defaultKey: string, what: string) =>
  z.object({
    urlSecretRef: secretKeyRef(defaultKey).describe(
      `Secret holding the connection URL of ${what}. A changed value rolls out like a new image.`,
    ),
  });

const IMAGE_RULES: readonly CelRule[] = [
  {
    rule: "self.matches('^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[a-f0-9]{64})?$')",
    message: 'image is not an image reference; write registry/name:tag or registry/name@sha256:digest',
    messageExpression:
      "'image \"' + self + '\" is not an image reference; write registry/name:tag or registry/name@sha256:digest'",
  },
  {
    rule: "self.matches('(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[a-f0-9]+)$')",
    message: 'image names neither tag nor digest; add an explicit one, for example :1.4.0',
    messageExpression: "'image \"' + self + '\" names neither tag nor digest; add an explicit one, for example :1.4.0'",
  },
  {
    rule: "self.matches('^.{1,255}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?$') && !self.matches(':[A-Za-z0-9_][A-Za-z0-9_.-]{128,}(@|$)')",
    message: 'image is longer than a registry takes: at most 255 characters before the tag, and 128 in the tag',
  },
  {
    rule: "!self.endsWith(':latest')",
    message: 'image must not be :latest, a rollback could not tell two builds apart; name a version or a digest',
    messageExpression:
      "'image \"' + self + '\" must not be :latest, a rollback could not tell two builds apart; name a version or a digest'",
  },
];

const image = z
  .string()
  .min(1)
  .max(512)
  .meta(
    rules(
      'Image to run, with an explicit tag or a digest, never `:latest`. A new value starts a release.',
      ...IMAGE_RULES,
    ),
  );

const imagePullSecrets = z
  .array(z.object({ name: objectName().describe('Name of a Secret of type kubernetes.io/dockerconfigjson.') }))
  .max(16)
  .default([])
  .meta({ description: 'Secrets with which the kubelet pulls the image.', ...mapList('name') });

const autoscaling = z
  .object({
    provider: z
      .enum(['HPA', 'KEDA'])
      .default('HPA')
      .describe('HPA: a HorizontalPodAutoscaler is kept, by CPU use. KEDA: a ScaledObject, by requests too.'),
    minReplicas: z.int().min(1).max(1000).default(2).describe('Fewest pods.'),
    maxReplicas: z.int().min(1).max(1000).describe('Most pods.'),
    targetCPUUtilizationPercentage: z
      .int()
      .min(1)
      .max(1000)
      .default(70)
      .describe('Average CPU use, in percent of the requested CPU, that the autoscaler aims at.'),
    requestsPerSecondPerReplica: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe(
        'Requests a second, of users and answered, that one pod is to have; KEDA asks the operator’s --prometheus-url.',
      ),
    scaleDownStabilizationSeconds: seconds(0, 3600)
      .default(300)
      .describe('How long the load must have been lower before pods are taken away.'),
  })
  .meta(
    rules(
      'Lets an autoscaler choose the number of pods by their load; `replicas` is then ignored.',
      {
        rule: 'self.minReplicas <= self.maxReplicas',
        message: 'minReplicas must not be greater than maxReplicas; lower the one or raise the other',
      },
      {
        rule: "!has(self.requestsPerSecondPerReplica) || self.provider == 'KEDA'",
        message:
          'requestsPerSecondPerReplica needs provider KEDA: a HorizontalPodAutoscaler of ours reads CPU use only',
        fieldPath: '.requestsPerSecondPerReplica',
      },
    ),
  );

const keySelector = (what: string) =>
  z.object({
    name: objectName().describe(`Name of the ${what}.`),
    key: z.string().min(1).max(253).describe(`Key inside the ${what}.`),
  });

const envSource = z
  .object({
    secretKeyRef: keySelector('Secret').optional().describe('Takes the value from a Secret.'),
    configMapKeyRef: keySelector('ConfigMap').optional().describe('Takes the value from a ConfigMap.'),
    fieldRef: z
      .object({ fieldPath: z.string().min(1).max(253).describe('Path of the field, for example status.podIP.') })
      .optional()
      .describe('Takes the value from a field of the pod.'),
  })
  .meta(
    rules('Where the value comes from, when it is not written out.', {
      rule: '[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)].filter(given, given).size() == 1',
      message: 'valueFrom needs exactly one of secretKeyRef, configMapKeyRef and fieldRef',
    }),
  );

const envVar = z
  .object({
    name: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[-._a-zA-Z][-._a-zA-Z0-9]*$/)
      .describe('Name of the environment variable.'),
    value: z
      .string()
      .max(32768)
      .optional()
      .describe('Its value. Never a secret: use valueFrom.secretKeyRef for those.'),
    valueFrom: envSource.optional(),
  })
  .meta(
    rules(
      'One environment variable.',
      {
        rule: 'has(self.value) != has(self.valueFrom)',
        message: 'give exactly one of value and valueFrom',
        messageExpression: "self.name + ': give exactly one of value and valueFrom'",
      },
      {
        rule: `!(self.name in ${celList(RESERVED_ENV)})`,
        message: 'this variable is set by the operator; use its own field (spec.database, spec.redis) or another name',
        messageExpression:
          "self.name + ' is set by the operator; use its own field (spec.database, spec.redis) or another name'",
      },
    ),
  );

const extraEnv = z
  .array(envVar)
  .max(128)
  .default([])
  .meta({
    description: 'Further environment variables of the service, its worker and its migrations.',
    ...mapList('name'),
  });

const envFrom = z
  .array(
    z
      .object({
        prefix: z.string().max(253).optional().describe('Put before each name.'),
        secretRef: z
          .object({ name: objectName().describe('Name of the Secret.') })
          .optional()
          .describe('Every key of this Secret becomes a variable.'),
        configMapRef: z
          .object({ name: objectName().describe('Name of the ConfigMap.') })
          .optional()
          .describe('Every key of this ConfigMap becomes a variable.'),
      })
      .meta(
        rules('One source of variables.', {
          rule: 'has(self.secretRef) != has(self.configMapRef)',
          message: 'an entry of envFrom needs exactly one of secretRef and configMapRef',
        }),
      ),
  )
  .max(32)
  .default([])
  .describe('Secrets and ConfigMaps whose keys all become environment variables.');

const resources = (requests: Record<string, string>, limits: Record<string, string>) =>
  z
    .object({
      requests: z.record(z.string(), quantity()).optional().describe('What the scheduler reserves.'),
      limits: z.record(z.string(), quantity()).optional().describe('What the kernel enforces.'),
    })
    .default({ requests, limits });

/** CPU and memory of a container that serves requests or works through the queue. */
export const containerResources = () => resources({ cpu: '100m', memory: '128Mi' }, { memory: '512Mi' });

/** Names a folder below prisma/migrations: any that a list with commas can hold. */
const migrationName = () =>
  z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^,/\s]+( +[^,/\s]+)*$/);

const backup = z
  .object({
    cronJob: objectName()
      .optional()
      .describe(
        'A CronJob of this namespace, from whose template a Job is made, as kubectl create job --from does. It may be suspended.',
      ),
    cnpgCluster: objectName()
      .optional()
      .describe('A Cluster of CloudNativePG in this namespace, of which a Backup (postgresql.cnpg.io/v1) is made.'),
    progressDeadlineSeconds: seconds(60, 604_800)
      .default(21_600)
      .describe(
        'A backup of which the cluster tells nothing new for this long (a pod that starts or ends, another phase) counts as failed. Longer than the longest dump takes.',
      ),
  })
  .meta(
    rules('What is run before something is taken away. If it fails, nothing is. Without it nothing is backed up.', {
      rule: 'has(self.cronJob) != has(self.cnpgCluster)',
      message: 'a backup needs exactly one of cronJob and cnpgCluster',
    }),
  );

const contract = z
  .object({
    allow: z
      .array(migrationName())
      .max(32)
      .default([])
      .describe(
        'Migrations that may take something away, by name: condition Migrated names those that wait. It agrees to exactly these; left where it is, it agrees to no later one.',
      ),
    when: z
      .enum(['AfterBake', 'BeforeRollout'])
      .default('AfterBake')
      .describe(
        'AfterBake: what takes something away is applied when the release is stable and nobody is left to go back. BeforeRollout: with the rest, before the release starts, for a change that cannot wait; from then on it is taken back only if the earlier release was seen to work without what is gone.',
      ),
    backup: backup.optional(),
  })
  .prefault({})
  .describe('Migrations that take something away: a column, a table, a constraint that the earlier release lives on.');

const migrations = z
  .object({
    policy: z
      .enum(['BeforeRollout', 'Manual', 'Disabled'])
      .default('BeforeRollout')
      .describe(
        'BeforeRollout: the Job runs and must say that the schema is up to date before a pod of the release starts. Manual: the release waits until the annotation devshelf.dev/migrate carries the id of the migration, which condition Migrated names. Disabled: the schema is somebody else’s business.',
      ),
    command: z
      .array(z.string().min(1).max(1024))
      .min(1)
      .max(32)
      .default(['migrate', 'up'])
      .describe('Arguments given to the image to bring the schema up to date.'),
    contract,
    downOnRollback: z
      .enum(['Never', 'IfSafe'])
      .default('Never')
      .describe(
        'Never: after a rollback the schema stays as it is, expanded: both releases live with it. IfSafe: what the rejected release’s own Job applied is undone once no pod of it is left, if no row and no value would be lost by that.',
      ),
    verifyCommand: z
      .array(z.string().min(1).max(1024))
      .min(1)
      .max(32)
      .optional()
      .describe(
        'Arguments given to the image after a command that is not ours, to ask the database whether its schema is there: exit code 0 means yes. For example [alembic, current, --check-heads].',
      ),
    backoffLimit: z
      .int()
      .min(0)
      .max(10)
      .default(0)
      .describe('How often the Job starts another pod after a failed one.'),
    activeDeadlineSeconds: seconds(1, 86_400).default(900).describe('The Job is stopped after this time.'),
    ttlSecondsAfterFinished: seconds(60, 2_592_000)
      .default(86_400)
      .describe('A finished Job and its log are kept for this long. It is not run again when it is gone.'),
    resources: resources({ cpu: '50m', memory: '128Mi' }, { memory: '256Mi' }).describe('CPU and memory of the Job.'),
  })
  .prefault({})
  .describe('The schema moves in a Job before the image changes.');

const smokeTest = z
  .object({
    path: z
      .string()
      .min(1)
      .max(1024)
      .meta(
        rules('Path to request, query included.', {
          rule: "self.startsWith('/')",
          message: 'path must begin with "/"',
          messageExpression: '\'path "\' + self + \'" must begin with "/"\'',
        }),
      ),
    expectedStatus: z.int().min(100).max(599).default(200).describe('Status that means the test has passed.'),
    headers: stringMap(4096)
      .optional()
      .meta(
        rules(
          'Request headers. They are readable by whoever may read this resource: no secrets.',
          {
            rule: `self.all(name, !(name.lowerAscii() in ${celList(FORBIDDEN_HEADERS)}) && ${FORBIDDEN_HEADER_PREFIXES.map(prefix => `!name.lowerAscii().startsWith('${prefix}')`).join(' && ')})`,
            message: `headers must not be ${FORBIDDEN_HEADERS.join(', ')} or begin with ${FORBIDDEN_HEADER_PREFIXES.join(', ')}: they belong to the connection, or speak for somebody else; leave them out`,
          },
          {
            rule: "self.all(name, name.matches('^[A-Za-z0-9!#$%&*+.^_|~-]+$'))",
            message: 'headers must have names of HTTP: letters, digits and !#$%&*+.^_|~-',
          },
        ),
      ),
    timeoutSeconds: seconds(1, 60).default(5).describe('The answer must be complete within this time.'),
    authenticate: z
      .enum(['ApiKey', 'None'])
      .default('None')
      .describe(
        'ApiKey: the operator shows the current API key, which it keeps, as X-API-Key (DashboardDeployment only). None: what headers say is all.',
      ),
  })
  .meta(
    rules('One GET request.', {
      rule: `!has(self.headers) || !self.path.startsWith('/metrics') || self.headers.all(name, !(name.lowerAscii() in ${celList(TOKEN_HEADERS)}))`,
      message: `headers must not be ${TOKEN_HEADERS.join(' or ')} for /metrics, the operator shows its own token there; leave them out`,
      fieldPath: '.headers',
    }),
  );

/** A ratio is a string: CRDs have no portable floating point numbers. */
const ratio = (description: string) =>
  z
    .string()
    .max(16)
    .meta(
      rules(description, {
        rule: "self.matches('^0\\\\.[0-9]{1,12}$') && double(self) > 0.0",
        message: 'must be a number greater than 0 and less than 1, written as a string, for example "0.05" for 5 %',
        messageExpression:
          '\'"\' + self + \'" must be a number greater than 0 and less than 1, written as a string, for example "0.05" for 5 %\'',
      }),
    );

const latency = z
  .object({
    policy: z
      .enum(['Rollback', 'Observe', 'Disabled'])
      .default('Observe')
      .describe(
        'Rollback: a candidate that is slower than allowed, and than the pods beside it, is treated as one that fails. Observe: it is only said. Disabled: durations are not read.',
      ),
    thresholdSeconds: z
      .string()
      .max(16)
      .default('0.5')
      .meta(
        rules('A request that takes longer is slow. An edge of the histogram http_request_duration_seconds.', {
          rule: "self.matches('^[0-9]{1,4}(\\\\.[0-9]{1,6})?$') && double(self) > 0.0",
          message: 'must be a number of seconds above 0, written as a string, for example "0.5"',
          messageExpression:
            '\'"\' + self + \'" must be a number of seconds above 0, written as a string, for example "0.5"\'',
        }),
      ),
    maxSlowRatio: ratio('Share of slow requests up to which a release is never called slow.').default('0.05'),
  })
  .prefault({})
  .describe('Slow answers of the candidate, judged as 5xx are, while stable pods serve beside it; not in the bake.');

const analysis = z
  .object({
    policy: z
      .enum(['Rollback', 'Hold', 'Observe', 'Disabled'])
      .default('Rollback')
      .describe(
        'What a Bad verdict does. Rollback: the stable release serves again at once. Hold: nothing moves until somebody decides. Observe: the verdict is only reported. Disabled: pods are not read and no verdict is made.',
      ),
    maxServerErrorRatio: ratio(
      'Share of 5xx among the requests of a release up to which it is never rolled back; above it, it is, as soon as the evidence allows.',
    ).default('0.05'),
    minimumSeconds: seconds(0, 86_400)
      .default(30)
      .describe('A release is not found Good before it was seen to serve, ready and readable, for this long.'),
    minimumRequests: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(50)
      .describe('A release is not found Good before the candidate has answered this many requests.'),
    timeoutSeconds: seconds(10, 86_400)
      .default(600)
      .describe(
        'Without a verdict after serving for this long the traffic is insufficient and onInsufficientTraffic applies.',
      ),
    blindAfterSeconds: seconds(3, 3600)
      .default(15)
      .describe('Without a reading from a candidate that is ready for this long onBlind applies.'),
    onInsufficientTraffic: z
      .enum(['Hold', 'Promote'])
      .default('Hold')
      .describe('What happens when too few requests came to judge the candidate.'),
    onBlind: z
      .enum(['Hold', 'Promote', 'Rollback'])
      .default('Hold')
      .describe('What happens when the candidate’s metrics cannot be read.'),
    prometheus: z
      .enum(['Fallback', 'Never'])
      .default('Fallback')
      .describe(
        'Fallback: while the candidate’s metrics cannot be read, the operator asks the Prometheus of its flag --prometheus-url what that has read of them. Without that flag, and with Never, it asks nobody.',
      ),
    latency,
  })
  .prefault({})
  .describe('How the answers of the new pods to users’ requests are judged against those of the pods beside them.');

const rehearsal = z
  .object({
    replay: z
      .enum(['Managed', 'Disabled'])
      .default('Managed')
      .describe(
        'Managed: what users asked of the stable pods of late is asked of a pod of the new release, and of a stable one, before any user meets it. An image without /recent-requests is rehearsed without. Disabled: it is not.',
      ),
    maxRequests: z.int().min(1).max(1000).default(120).describe('At most so many requests are replayed, to each pod.'),
    maxSeconds: seconds(1, 120).default(10).describe('At most for so long.'),
    onDifference: z
      .enum(['Report', 'Reject'])
      .default('Report')
      .describe(
        'What an answer of another kind means, such as 404 where the stable pod says 200, again and again. Report: it is said. Reject: the release is rejected.',
      ),
  })
  .prefault({})
  .describe('What a pod of a new release is asked before any user meets it, beside probes’ paths and smokeTests.');

const rollout = z
  .object({
    canaryReplicas: z.int().min(1).max(100).default(1).describe('Pods of a new release that join the Service first.'),
    minReadySeconds: seconds(0, 3600)
      .default(10)
      .describe('How long a pod must be ready before the next one is replaced during promotion.'),
    progressDeadlineSeconds: seconds(30, 86_400)
      .default(600)
      .describe('A release whose pods are not ready by then is rejected.'),
    bakeSeconds: seconds(0, 86_400)
      .default(1800)
      .describe('How long a promoted release is still watched and taken back if it turns bad.'),
    revisionHistoryLimit: z
      .int()
      .min(1)
      .max(100)
      .default(5)
      .describe(
        'Releases that served and are remembered, besides the one that serves; of others the three newest are.',
      ),
    incidents: z
      .object({
        limit: z.int().min(1).max(100).default(20).describe('The newest so many are kept.'),
        days: z.int().min(1).max(3_650).default(90).describe('None older than this is kept.'),
      })
      .prefault({})
      .describe(
        'Records of releases that were taken back, refused or held, of outages that lasted and of keys that could not be replaced: how many are kept, and for how long. They leave while no release is on its way.',
      ),
    retryToken: z
      .string()
      .max(253)
      .optional()
      .describe('Any new value lets a rejected release be tried once more. Otherwise it stays rejected.'),
    smokeTests: z
      .array(smokeTest)
      .max(20)
      .default([])
      .describe('Requests that a pod of the new release must pass before any user meets it.'),
    rehearsal,
    analysis,
  })
  .prefault({})
  .describe('How a new release is brought in, and taken back.');

interface ProbeDefaults {
  readonly path: string;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

const probe = (defaults: ProbeDefaults, description: string) =>
  z
    .object({
      path: z
        .string()
        .max(1024)
        .default(defaults.path)
        .meta(
          rules('Path that the kubelet requests.', {
            rule: "self.startsWith('/')",
            message: 'path must begin with "/"',
            messageExpression: '\'path "\' + self + \'" must begin with "/"\'',
          }),
        ),
      initialDelaySeconds: seconds(0, 3600).default(0).describe('Wait before the first probe.'),
      periodSeconds: seconds(1, 3600).default(defaults.periodSeconds).describe('Time between two probes.'),
      timeoutSeconds: seconds(1, 3600)
        .default(defaults.timeoutSeconds)
        .describe('An answer must come within this time.'),
      failureThreshold: z
        .int()
        .min(1)
        .max(1000)
        .default(defaults.failureThreshold)
        .describe('Failures in a row that count.'),
    })
    .prefault({})
    .describe(description);

/** Probes of a kind. `alive` must touch no dependency: an outage that lasts must not restart every pod. */
export const probes = ({ alive, ready }: { alive: string; ready: string }) =>
  z
    .object({
      startup: probe(
        { path: alive, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
        'Until it succeeds once the other two do not run.',
      ),
      readiness: probe(
        { path: ready, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
        'While it fails the pod gets no requests.',
      ),
      liveness: probe(
        { path: alive, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
        'When it fails the container is restarted.',
      ),
    })
    .prefault({})
    .describe('How the kubelet asks the pods how they are.');

const toleration = z.object({
  key: z.string().max(317).optional().describe('Taint key; empty with operator Exists means all.'),
  operator: z.enum(['Exists', 'Equal']).optional().describe('How the value is compared.'),
  value: z.string().max(63).optional().describe('Taint value.'),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional().describe('Taint effect; none means all.'),
  tolerationSeconds: z.int().optional().describe('How long a NoExecute taint is tolerated.'),
});

const podTemplate = z
  .object({
    labels: stringMap(63)
      .optional()
      .meta(
        rules('Further labels of the pods.', {
          rule: `self.all(label, !label.startsWith('${RESERVED_LABEL_PREFIX}') && !(label in ${celList(RESERVED_LABELS)}))`,
          message: `labels must not be ${RESERVED_LABELS.join(', ')} or begin with ${RESERVED_LABEL_PREFIX}, the operator sets these; choose other ones`,
        }),
      ),
    annotations: stringMap(65_536)
      .optional()
      .meta(
        rules('Further annotations of the pods.', {
          rule: `self.all(name, ${WEAKENING_PREFIXES.map(prefix => `!name.startsWith('${prefix}')`).join(' && ')})`,
          message: `annotations must not begin with ${WEAKENING_PREFIXES.join(', ')}: runtimes loosen the pods’ sandbox by them; leave them out`,
        }),
      ),
    nodeSelector: stringMap(63).optional().describe('Labels that a node must have.'),
    tolerations: z.array(toleration).max(64).optional().describe('Taints that the pods tolerate.'),
    affinity: foreignObject().optional().describe('Affinity, as in a pod.'),
    priorityClassName: objectName().optional().describe('Priority class of the pods.'),
    serviceAccountName: objectName()
      .optional()
      .describe('An existing ServiceAccount to run as. Without it one is made that may do nothing.'),
    terminationGracePeriodSeconds: seconds(1, 3600).default(45).describe('Time a pod has to end by itself.'),
    preStopSleepSeconds: seconds(0, 3600)
      .default(5)
      .describe('A pod keeps serving for this long after it was told to go, until every proxy knows.'),
  })
  .prefault({})
  .describe('What the pods get beyond what the operator sets. Pod Security "restricted" always holds.');

const service = z
  .object({
    port: z.int().min(1).max(65_535).default(80).describe('Port of the Service.'),
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).default('ClusterIP').describe('Type of the Service.'),
  })
  .prefault({})
  .describe('The Service in front of the pods.');

const objective = z
  .object({
    availability: z
      .string()
      .max(16)
      .default('0.995')
      .meta(
        rules('Share of answers that are no 5xx. Alerts tell when errors use up what it leaves too fast.', {
          rule: "self.matches('^0\\\\.[0-9]{1,12}$') && double(self) >= 0.95 && double(self) <= 0.9999",
          message: 'availability must be a number from 0.95 to 0.9999, written as a string, for example "0.995"',
          messageExpression:
            '\'availability "\' + self + \'" must be a number from 0.95 to 0.9999, written as a string, for example "0.995"\'',
        }),
      ),
    latencySeconds: z
      .enum(['0.05', '0.1', '0.25', '0.5', '1', '2.5'])
      .optional()
      .describe('Time within which 95 % of the answers are to come; without it no alert about slowness is made.'),
  })
  .prefault({})
  .describe('What the service promises; the alerts of its PrometheusRule come from it.');

const monitoring = z
  .object({
    serviceMonitor: z
      .enum(['Managed', 'Disabled'])
      .default('Managed')
      .describe(
        'Managed: a ServiceMonitor, and for workers a PodMonitor, are kept where their API exists; condition Monitored says when it does not.',
      ),
    prometheusRule: z
      .enum(['Managed', 'Disabled'])
      .default('Managed')
      .describe('Managed: a PrometheusRule with the alerts about this resource is kept where its API exists.'),
    labels: stringMap(63)
      .optional()
      .describe('Labels by which Prometheus selects the ServiceMonitor, PodMonitor and PrometheusRule.'),
    interval: z
      .string()
      .max(16)
      .regex(DURATION)
      .default('30s')
      .meta(
        rules('How often Prometheus reads the metrics; at most 2m, as the alerts look at windows of 5 minutes.', {
          rule: "duration(self) <= duration('2m')",
          message:
            'interval must be at most 2m: the alerts look at windows of 5 minutes, and need two readings in each',
        }),
      ),
    objective,
    from: namespaceList(['monitoring']).describe('Namespaces of Prometheus’ pods: networkPolicy Strict lets them in.'),
  })
  .prefault({})
  .describe('How Prometheus finds the pods.');

const disruption = z
  .object({
    policy: z.enum(['Managed', 'Disabled']).default('Managed').describe('Whether a PodDisruptionBudget is kept.'),
    maxUnavailable: z
      .union([z.int().min(0), z.string().regex(/^([0-9]{1,2}|100)%$/)])
      .default(1)
      .meta({
        description: 'Pods, or percent of them, that a node drain may take away at once.',
        'x-kubernetes-int-or-string': true,
        minimum: 0,
        pattern: '^([0-9]{1,2}|100)%$',
      }),
  })
  .prefault({})
  .describe('How many pods may be taken away on purpose.');

export const commonSpec = z.object({
  image,
  imagePullSecrets,
  replicas: z.int().min(0).max(1000).default(2).describe('Number of serving pods. Ignored while autoscaling is set.'),
  autoscaling: autoscaling.optional(),
  database: urlSecret('DATABASE_URL', 'the PostgreSQL database').describe('The database.'),
  extraEnv,
  envFrom,
  migrations,
  rollout,
  probes: probes({ alive: '/health', ready: '/ready' }),
  resources: containerResources().describe('CPU and memory of a serving pod.'),
  podTemplate,
  service,
  exposure,
  monitoring,
  networkPolicy: z
    .enum(['Managed', 'Strict', 'Disabled'])
    .default('Managed')
    .describe(
      'Managed: a NetworkPolicy lets in requests to the service port only, from anywhere. Strict: and only from this namespace, exposure.from, monitoring.from and the operator’s.',
    ),
  disruption,
  scrapeToken: rotatingKey('The token with which Prometheus reads the metrics.'),
  topologySpread: z
    .enum(['PreferZones', 'RequireZones', 'Disabled'])
    .default('PreferZones')
    .describe('How the pods spread over zones and nodes.'),
  paused: z
    .boolean()
    .default(false)
    .describe('Nothing new begins while it is true. A release that turns bad is still taken back.'),
});

/**
 * Rules between fields of the common part; each kind puts them on its whole spec. A rule cannot stand on an object
 * whose own default is `{}`: the API server tries it on that `{}` before the defaults inside are filled in.
 */
export const commonSpecRules: readonly CelRule[] = [
  {
    rule: "self.rollout.analysis.policy == 'Disabled' || self.rollout.analysis.minimumSeconds < self.rollout.analysis.timeoutSeconds",
    fieldPath: '.rollout.analysis.minimumSeconds',
    message: 'minimumSeconds must be less than timeoutSeconds, otherwise no release can be found Good',
  },
  {
    rule: 'self.podTemplate.preStopSleepSeconds < self.podTemplate.terminationGracePeriodSeconds',
    fieldPath: '.podTemplate.preStopSleepSeconds',
    message:
      'preStopSleepSeconds must be less than terminationGracePeriodSeconds, otherwise pods are killed while serving',
  },
  {
    rule: '!has(self.autoscaling) || (has(self.resources.requests) && "cpu" in self.resources.requests) || (has(self.resources.limits) && "cpu" in self.resources.limits)',
    fieldPath: '.autoscaling',
    message: 'autoscaling needs resources.requests.cpu: the target is a percentage of the requested CPU',
  },
  {
    rule: "!has(self.migrations.verifyCommand) || self.migrations.command[0] != 'migrate'",
    fieldPath: '.migrations.verifyCommand',
    message:
      'verifyCommand is for commands that give no verdict of their own; migrate does: leave verifyCommand out, or set command',
  },
  ...exposureRules,
];

export type AppSpec = z.output<typeof commonSpec>;
export type MigrationPolicy = AppSpec['migrations']['policy'];
export type AnalysisPolicy = AppSpec['rollout']['analysis'];
export type SmokeTest = AppSpec['rollout']['smokeTests'][number];
export type EnvVar = AppSpec['extraEnv'][number];
export type EnvFromSource = AppSpec['envFrom'][number];
export type Resources = AppSpec['resources'];
export type Probe = AppSpec['probes']['liveness'];
